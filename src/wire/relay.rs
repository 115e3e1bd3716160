//! One turn from accepted question to final frame: starts the pipeline where its CPU work stalls no
//! socket, and hands its frames, as text, to whoever reads them. The socket, REST and SSE all use this.
//!
//! A reader that falls behind does not slow the turn: what it has not taken yet waits here, tokens
//! merge while they wait, and numbers are given when a frame leaves, so that they stay gapless. What
//! can wait is bounded by what one turn can say (`llm_output_tokens_max`, `result_bytes_max`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::ids::RequestId;
use crate::pipeline::Turn;
use crate::pipeline::event::{EventSender, TurnEvent};
use crate::protocol::error_code::ErrorCode;
use crate::protocol::server_frame::ServerFrame;

use super::errors::WireError;
use super::frames::{FrameMaker, is_cancelled};
use super::questions::AcceptedQuestion;

/// Runs one turn to its end; what `pipeline::Pipeline::run_turn` does.
pub type RunTurn = Arc<dyn Fn(Turn, EventSender) -> BoxFuture<'static, ()> + Send + Sync>;

/// How many events a turn may be ahead of its relay.
const EVENTS_WAITING_MAX: usize = 64;

/// A turn stops within 100 ms of being told to. One that has not after this long is dropped where it stands.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// Starts turns. Cheap to clone.
#[derive(Clone)]
pub struct TurnRelay {
    run_turn: RunTurn,
    runtime: Handle,
    tasks: TaskTracker,
    abort: CancellationToken,
}

/// One frame on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedFrame {
    /// Which question.
    pub request_id: RequestId,
    /// The frame's `type`.
    pub name: &'static str,
    /// Its number within the question.
    pub seq: u64,
    /// The frame as JSON; of a final frame for [`Delivery::Body`] the answer or the error alone.
    pub text: String,
    /// Set on the final frame, and only there.
    pub ending: Option<Ending>,
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With a `chat_response`.
    Answered,
    /// With an `error`.
    Failed(WireError),
}

/// What the reader wants of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Every frame.
    Frames,
    /// The final one only, as the body of an HTTP response.
    Body,
}

impl TurnRelay {
    /// Turns run on `runtime`, are counted by `tasks` and all stop when `abort` fires.
    #[must_use]
    pub fn new(
        run_turn: RunTurn,
        runtime: Handle,
        tasks: TaskTracker,
        abort: CancellationToken,
    ) -> Self {
        Self {
            run_turn,
            runtime,
            tasks,
            abort,
        }
    }

    /// A token that stops the turn it is given to; it also fires when the server gives up waiting for turns.
    #[must_use]
    pub fn cancellation(&self) -> CancellationToken {
        self.abort.child_token()
    }

    /// Starts a turn and returns at once. `frames` gets its frames, ending with exactly one that has
    /// an `ending`; if the receiver is dropped, the turn is cancelled. With `go`, the turn waits for
    /// that signal first; if its sender is dropped, the turn counts as cancelled.
    pub fn start(
        &self,
        question: AcceptedQuestion,
        delivery: Delivery,
        go: Option<oneshot::Receiver<()>>,
        cancel: CancellationToken,
        frames: mpsc::Sender<RelayedFrame>,
    ) {
        let relaying = Relaying {
            relay: self.clone(),
            request_id: question.request_id.clone(),
            maker: FrameMaker::new(&question),
            delivery,
            cancel,
            frames,
            waiting: VecDeque::new(),
        };
        self.tasks
            .spawn_on(relaying.run(question, go), &self.runtime);
    }
}

/// One turn being relayed.
struct Relaying {
    relay: TurnRelay,
    request_id: RequestId,
    maker: FrameMaker,
    delivery: Delivery,
    cancel: CancellationToken,
    frames: mpsc::Sender<RelayedFrame>,
    /// What the reader has not had room for yet.
    waiting: VecDeque<TurnEvent>,
}

impl Relaying {
    async fn run(mut self, question: AcceptedQuestion, go: Option<oneshot::Receiver<()>>) {
        if let Some(go) = go {
            let may_start = tokio::select! {
                biased;
                () = self.cancel.cancelled() => false,
                signal = go => signal.is_ok(),
            };
            if !may_start {
                self.send_failure(&self.cancelled()).await;
                return;
            }
        }
        let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
        let turn = Turn {
            principal: question.principal,
            client_address: question.client_address,
            request_id: question.request_id,
            conversation_id: question.conversation_id,
            question: question.question,
            asked_at: Utc::now(),
            cancel: self.cancel.clone(),
        };
        let running = self
            .relay
            .tasks
            .spawn_on((self.relay.run_turn)(turn, sender), &self.relay.runtime);
        if !self.relay_events(events).await {
            running.abort();
        }
        self.log_panic(running).await;
    }

    /// Relays until the final frame has left; `false` if the turn had to be given up. Drops `events`
    /// then, so that what the turn may still say cannot block it.
    async fn relay_events(&mut self, mut events: mpsc::Receiver<TurnEvent>) -> bool {
        let mut is_open = true;
        let cancel = self.cancel.clone();
        let given_up = async {
            cancel.cancelled().await;
            tokio::time::sleep(CANCEL_GRACE).await;
        };
        tokio::pin!(given_up);
        while !self.maker.has_ended() {
            if !is_open && self.waiting.is_empty() {
                // The turn went away without a final event: a fault, unless it was told to.
                let error = if self.cancel.is_cancelled() {
                    self.cancelled()
                } else {
                    WireError::internal()
                };
                self.send_failure(&error).await;
                return true;
            }
            let frames = self.frames.clone();
            tokio::select! {
                biased;
                permit = frames.reserve(), if !self.waiting.is_empty() => {
                    let Ok(permit) = permit else {
                        // Nobody reads any more.
                        self.cancel.cancel();
                        return true;
                    };
                    if let Some(event) = self.waiting.pop_front()
                        && let Some(frame) = self.relayed(event)
                    {
                        permit.send(frame);
                    }
                }
                event = events.recv(), if is_open => match event {
                    Some(event) => self.hold(event),
                    None => is_open = false,
                },
                () = &mut given_up => {
                    self.send_failure(&self.cancelled()).await;
                    return false;
                }
            }
        }
        true
    }

    /// Takes an event in; a token joins the one before it if that has not left yet.
    fn hold(&mut self, event: TurnEvent) {
        if self.delivery == Delivery::Body
            && !matches!(event, TurnEvent::Answered(_) | TurnEvent::Failed(_))
        {
            return;
        }
        if let (Some(TurnEvent::Token(held)), TurnEvent::Token(more)) =
            (self.waiting.back_mut(), &event)
        {
            held.push_str(more);
        } else {
            self.waiting.push_back(event);
        }
    }

    fn relayed(&mut self, event: TurnEvent) -> Option<RelayedFrame> {
        let ending = match &event {
            TurnEvent::Answered(_) => Some(Ending::Answered),
            TurnEvent::Failed(error) => {
                tracing::warn!(request_id = %self.request_id, error = %chain(error), "turn failed");
                Some(Ending::Failed(WireError::from(error)))
            }
            TurnEvent::Stage(_)
            | TurnEvent::Sql(_)
            | TurnEvent::Token(_)
            | TurnEvent::ProseEnd(_) => None,
        };
        if is_cancelled(&event) {
            return self.failure(&self.cancelled());
        }
        let frame = self.maker.frame(event)?;
        Some(self.encode(frame, ending))
    }

    fn failure(&mut self, error: &WireError) -> Option<RelayedFrame> {
        let frame = self.maker.failure(error)?;
        Some(self.encode(frame, Some(Ending::Failed(error.clone()))))
    }

    async fn send_failure(&mut self, error: &WireError) {
        if let Some(frame) = self.failure(error) {
            // Fails only when nobody reads any more.
            let _ = self.frames.send(frame).await;
        }
    }

    /// Why a stopped turn was stopped: by the server if it gives up on all turns, else by the client.
    fn cancelled(&self) -> WireError {
        if self.relay.abort.is_cancelled() {
            WireError::shutting_down()
        } else {
            WireError::new(ErrorCode::Cancelled, "The question was stopped.")
        }
    }

    fn encode(&self, frame: ServerFrame, ending: Option<Ending>) -> RelayedFrame {
        let name = frame.name();
        let seq = self.maker.seq();
        let text = match (&frame, self.delivery) {
            (ServerFrame::ChatResponse { answer, .. }, Delivery::Body) => {
                serde_json::to_string(answer)
            }
            _ => serde_json::to_string(&frame),
        };
        // Maps with keys that are no strings cannot be written as JSON; frames have none.
        let text = text.unwrap_or_default();
        RelayedFrame {
            request_id: self.request_id.clone(),
            name,
            seq,
            text,
            ending,
        }
    }

    async fn log_panic(&self, running: JoinHandle<()>) {
        if let Err(error) = running.await
            && error.is_panic()
        {
            tracing::error!(request_id = %self.request_id, "turn panicked");
        }
    }
}

/// An error with all its causes, for the log.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
