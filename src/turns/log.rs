//! The log of one turn: its frames, numbered, from the first to the final one, and what has not been numbered yet.
//!
//! Frames are numbered only a few ahead of the fastest follower. What comes after that is held and its tokens merge, so
//! followers that fall behind get fewer and longer ones, and nobody waits for them: the turn goes on, and what has been
//! held for too long is numbered anyway, so that one stalled follower keeps nothing from the others.
//! The log is bounded by what one turn can say (`llm_reply_bytes_max`, `result_bytes_max`).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::domain::ids::RequestId;
use crate::pipeline::event::TurnEvent;
use crate::protocol::server_frame::ServerFrame;
use crate::wire::errors::WireError;
use crate::wire::frames::FrameMaker;
use crate::wire::questions::AcceptedQuestion;

use super::frame::{Delivery, Ending, TurnFrame};

/// For how long something may wait for its number: longer than a follower on a good line ever makes it wait.
const HELD_MAX: Duration = Duration::from_millis(250);

/// How many numbered frames may wait for the fastest follower before more are held.
const AHEAD_MAX: usize = 4;

/// Bytes of the frames that are copied at once, unless one alone has more.
const BATCH_BYTES_MAX: usize = 256 * 1024;

/// The log. Its followers come and go; the turn's runner is its only writer.
pub(super) struct TurnLog {
    request_id: RequestId,
    delivery: Delivery,
    state: Mutex<State>,
    /// Wakes followers: there is something to take.
    moved: Notify,
    /// Wakes whoever copies the log: there are numbered frames, or a doubt.
    numbered: Notify,
}

struct State {
    maker: FrameMaker,
    /// The frame with number n is at n - 1.
    frames: Vec<TurnFrame>,
    /// Bytes of their texts.
    bytes: usize,
    /// How many of them have been taken by the follower that is furthest.
    taken: usize,
    held: VecDeque<Held>,
    held_since: Option<Instant>,
    ended_at: Option<Instant>,
    followers: usize,
    /// Since when there are no followers.
    alone_since: Option<Instant>,
    /// The copy of the log may have been lost.
    is_in_doubt: bool,
    /// There is no such turn, and there are no frames.
    refusal: Option<WireError>,
}

/// Something without a number.
enum Held {
    Event(TurnEvent),
    Failure(WireError),
}

impl TurnLog {
    pub(super) fn new(question: &AcceptedQuestion, delivery: Delivery) -> Self {
        Self {
            request_id: question.request_id.clone(),
            delivery,
            state: Mutex::new(State {
                maker: FrameMaker::new(question),
                frames: Vec::new(),
                bytes: 0,
                taken: 0,
                held: VecDeque::new(),
                held_since: None,
                ended_at: None,
                followers: 0,
                alone_since: Some(Instant::now()),
                is_in_doubt: false,
                refusal: None,
            }),
            moved: Notify::new(),
            numbered: Notify::new(),
        }
    }

    /// Takes an event in; a token joins the one before it if that has no number yet.
    pub(super) fn write(&self, event: TurnEvent) {
        let is_final = matches!(event, TurnEvent::Answered(_) | TurnEvent::Failed(_));
        if self.delivery == Delivery::Body && !is_final {
            return;
        }
        let mut state = self.state();
        match (state.held.back_mut(), event) {
            (Some(Held::Event(TurnEvent::Token(held))), TurnEvent::Token(more)) => {
                held.push_str(&more);
            }
            (_, event) => state.held.push_back(Held::Event(event)),
        }
        self.written(state, is_final);
    }

    /// Takes the final failure in. Nothing comes after it, nor after a final event.
    pub(super) fn fail(&self, error: WireError) {
        let mut state = self.state();
        state.held.push_back(Held::Failure(error));
        self.written(state, true);
    }

    /// Takes in that the turn does not come to be. Nothing was written before, and nothing is after.
    pub(super) fn refuse(&self, error: WireError) {
        let mut state = self.state();
        state.refusal = Some(error);
        state.ended_at = Some(Instant::now());
        drop(state);
        self.moved.notify_waiters();
    }

    /// Why there is no such turn.
    pub(super) fn refusal(&self) -> Option<WireError> {
        self.state().refusal.clone()
    }

    fn written(&self, mut state: MutexGuard<'_, State>, is_final: bool) {
        if state.held_since.is_none() {
            state.held_since = Some(Instant::now());
        }
        if is_final && state.ended_at.is_none() {
            state.ended_at = Some(Instant::now());
        }
        if state.followers == 0 {
            self.number_all(&mut state);
        }
        while state.frames.len() < state.taken + AHEAD_MAX
            && let Some(held) = state.held.pop_front()
        {
            self.number(&mut state, held);
        }
        drop(state);
        self.moved.notify_waiters();
    }

    /// Numbers what has been held for too long.
    pub(super) fn settle(&self) {
        let mut state = self.state();
        let is_stale = state
            .held_since
            .is_some_and(|since| since.elapsed() >= HELD_MAX);
        if is_stale {
            self.number_all(&mut state);
        }
    }

    /// Waits until there may be something after the frame `after`.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn moved_past(&self, after: u64) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // From here on a change is not missed.
            moved.as_mut().enable();
            {
                let state = self.state();
                let has_more = index(after) < state.frames.len() || !state.held.is_empty();
                if has_more || state.maker.has_ended() || state.refusal.is_some() {
                    return;
                }
            }
            moved.await;
        }
    }

    /// The frame after `after`, for a follower that has room for it; `None` when there is none yet. A follower that claims
    /// to have everything gets the final frame again: it would wait for ever otherwise.
    pub(super) fn take(&self, after: u64) -> Option<TurnFrame> {
        let mut state = self.state();
        loop {
            if let Some(frame) = state.frames.get(index(after)) {
                let frame = frame.clone();
                state.taken = state.taken.max(index(frame.seq));
                return Some(frame);
            }
            if state.maker.has_ended() {
                return state.frames.last().cloned();
            }
            let held = state.held.pop_front()?;
            self.number(&mut state, held);
        }
    }

    /// One more follower, until [`leave`](Self::leave).
    pub(super) fn join(&self) {
        let mut state = self.state();
        state.followers += 1;
        state.alone_since = None;
    }

    /// One follower fewer; `true` if it was the last one.
    pub(super) fn leave(&self) -> bool {
        let mut state = self.state();
        state.followers = state.followers.saturating_sub(1);
        if state.followers > 0 {
            return false;
        }
        state.alone_since = Some(Instant::now());
        self.number_all(&mut state);
        true
    }

    /// Numbered frames after `after`, as many as make a batch, and whether the last of them is the last of all.
    pub(super) fn numbered_after(&self, after: u64) -> (Vec<TurnFrame>, bool) {
        let state = self.state();
        let from = index(after).min(state.frames.len());
        let mut bytes = 0;
        let batch: Vec<_> = state.frames[from..]
            .iter()
            .take_while(|frame| {
                let fits = bytes == 0 || bytes + frame.text.len() <= BATCH_BYTES_MAX;
                bytes += frame.text.len();
                fits
            })
            .cloned()
            .collect();
        let is_last = state.maker.has_ended() && from + batch.len() == state.frames.len();
        (batch, is_last)
    }

    /// Waits until frames were numbered or a doubt was cast, since the last time. For one task only.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn numbered(&self) {
        self.numbered.notified().await;
    }

    /// The copy of the log may have been lost: it is to be written again.
    pub(super) fn doubt(&self) {
        self.state().is_in_doubt = true;
        self.numbered.notify_one();
    }

    /// Whether a doubt was cast since the last call.
    pub(super) fn take_doubt(&self) -> bool {
        std::mem::take(&mut self.state().is_in_doubt)
    }

    /// Somebody follows elsewhere: it counts as followed until now.
    pub(super) fn followed_elsewhere(&self) {
        let mut state = self.state();
        if state.alone_since.is_some() {
            state.alone_since = Some(Instant::now());
        }
    }

    /// When the final frame was written.
    pub(super) fn ended_at(&self) -> Option<Instant> {
        self.state().ended_at
    }

    /// Since when nobody follows.
    pub(super) fn alone_since(&self) -> Option<Instant> {
        self.state().alone_since
    }

    /// Bytes of the numbered frames.
    pub(super) fn bytes(&self) -> usize {
        self.state().bytes
    }

    fn number_all(&self, state: &mut State) {
        while let Some(held) = state.held.pop_front() {
            self.number(state, held);
        }
        state.held_since = None;
    }

    /// Makes the frame of something held, if its client wants it.
    fn number(&self, state: &mut State, held: Held) {
        state.held_since = (!state.held.is_empty()).then(Instant::now);
        let (frame, ending) = match held {
            Held::Event(event) => {
                let ending = match &event {
                    TurnEvent::Answered(_) => Some(Ending::Answered),
                    TurnEvent::Failed(error) => Some(Ending::Failed(WireError::from(error))),
                    TurnEvent::Stage(_)
                    | TurnEvent::Sql(_)
                    | TurnEvent::Token(_)
                    | TurnEvent::ProseEnd(_) => None,
                };
                (state.maker.frame(event), ending)
            }
            Held::Failure(error) => (state.maker.failure(&error), Some(Ending::Failed(error))),
        };
        let Some(frame) = frame else { return };
        let text = match (&frame, self.delivery) {
            (ServerFrame::ChatResponse { answer, .. }, Delivery::Body) => {
                serde_json::to_string(answer)
            }
            _ => serde_json::to_string(&frame),
        };
        // Maps with keys that are no strings cannot be written as JSON; frames have none.
        let text = text.unwrap_or_default();
        state.bytes += text.len();
        state.frames.push(TurnFrame {
            request_id: self.request_id.clone(),
            name: frame.name(),
            seq: state.maker.seq(),
            text: text.into(),
            ending,
        });
        self.numbered.notify_one();
    }

    /// A panic while a frame is made would leave the log without that frame, which `internal` then ends.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the frame after the one with this number is.
fn index(after: u64) -> usize {
    usize::try_from(after).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::ConversationId;
    use crate::domain::principal::Principal;
    use crate::domain::question::Question;
    use crate::pipeline::event::Stage;

    fn log() -> TurnLog {
        let question = AcceptedQuestion {
            principal: Principal::anonymous(),
            client_address: None,
            request_id: RequestId::parse("r").expect("an id"),
            conversation_id: ConversationId::random(),
            question: Question::parse("How many?", 100).expect("a question"),
            stream: true,
        };
        TurnLog::new(&question, Delivery::Resumable)
    }

    fn token(text: &str) -> TurnEvent {
        TurnEvent::Token(text.to_owned())
    }

    fn tokens(log: &TurnLog, mut after: u64) -> Vec<String> {
        let mut tokens = Vec::new();
        while let Some(frame) = log.take(after) {
            after = frame.seq;
            let json: serde_json::Value = serde_json::from_str(&frame.text).expect("JSON");
            tokens.push(json["token"].as_str().unwrap_or(frame.name).to_owned());
            if frame.ending.is_some() {
                break;
            }
        }
        tokens
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_merge_until_a_follower_has_room_and_stay_as_they_were_given_out() {
        let log = log();
        log.join();
        for text in ["a", "b", "c", "d", "e", "f"] {
            log.write(token(text));
        }
        log.write(TurnEvent::Stage(Stage::Storing));
        log.write(token("g"));
        let expected = ["a", "b", "c", "d", "ef", "status", "g"];
        assert_eq!(tokens(&log, 0), expected);
        // A second follower gets the very same frames.
        assert_eq!(tokens(&log, 0), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_follower_does_not_keep_frames_from_being_numbered() {
        let log = log();
        log.join();
        for text in ["a", "b", "c", "d", "e"] {
            log.write(token(text));
        }
        log.settle();
        log.write(token("f"));
        assert_eq!(log.state().frames.len(), AHEAD_MAX);
        tokio::time::advance(HELD_MAX).await;
        log.settle();
        log.write(token("g"));
        assert_eq!(log.state().frames.len(), AHEAD_MAX + 1);
        assert_eq!(tokens(&log, 0), ["a", "b", "c", "d", "ef", "g"]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_followers_everything_is_numbered_at_once_and_the_final_frame_is_the_last() {
        let log = log();
        log.write(token("a"));
        log.write(token("b"));
        log.fail(WireError::internal());
        log.write(token("too late"));
        assert_eq!(tokens(&log, 0), ["a", "b", "error"]);
        assert_eq!(tokens(&log, 2), ["error"]);
        assert_eq!(tokens(&log, 99), ["error"]);
    }
}
