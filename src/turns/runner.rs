//! The task of one turn: waits for its place in the conversation, runs the pipeline where its CPU work stalls no socket,
//! writes the log, and sees to it that the log ends in exactly one final frame, whatever happens.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::pipeline::Turn;
use crate::pipeline::event::TurnEvent;
use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::{WireError, chain};
use crate::wire::frames::is_cancelled;
use crate::wire::questions::AcceptedQuestion;

use super::TurnHub;
use super::line::Place;
use super::local_turn::LocalTurn;

/// How many events a turn may be ahead of its log.
const EVENTS_WAITING_MAX: usize = 64;

/// A turn stops within 100 ms of being told to. One that has not after this long is dropped where it stands.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// How often a turn is looked after: whether anybody still follows it, and what waits for its number.
const BEAT: Duration = Duration::from_millis(250);

/// Runs a turn to its end.
pub(super) async fn run(
    hub: TurnHub,
    turn: Arc<LocalTurn>,
    question: AcceptedQuestion,
    place: Place,
) {
    let answering = answer(&hub, &turn, question, place);
    let running = tokio::select! {
        running = answering => running,
        never = look_after(&hub, &turn) => match never {},
    };
    hub.ended(&turn);
    if let Some(running) = running
        && let Err(error) = running.await
        && error.is_panic()
    {
        tracing::error!(request_id = %turn.request_id, "turn panicked");
    }
}

/// Returns when the final frame has been written, and gives the place to the next one.
async fn answer(
    hub: &TurnHub,
    turn: &LocalTurn,
    question: AcceptedQuestion,
    mut place: Place,
) -> Option<JoinHandle<()>> {
    tokio::select! {
        biased;
        () = turn.cancel.cancelled() => {
            turn.log.fail(why_stopped(hub, turn));
            return None;
        }
        () = place.first() => {}
    }
    let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
    let asked = Turn {
        request_id: question.request_id,
        conversation_id: question.conversation_id,
        question: question.question,
        asked_at: Utc::now(),
        cancel: turn.cancel.clone(),
    };
    let running = hub
        .hub
        .tasks
        .spawn_on((hub.hub.run_turn)(asked, sender), &hub.hub.runtime);
    if !write_events(hub, turn, events).await {
        running.abort();
    }
    Some(running)
}

/// Writes events until the final one; `false` if the turn had to be given up. Drops `events` then, so that what the
/// turn may still say cannot block it.
async fn write_events(
    hub: &TurnHub,
    turn: &LocalTurn,
    mut events: mpsc::Receiver<TurnEvent>,
) -> bool {
    let given_up = async {
        turn.cancel.cancelled().await;
        tokio::time::sleep(CANCEL_GRACE).await;
    };
    tokio::pin!(given_up);
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) if is_cancelled(&event) => {
                    turn.log.fail(why_stopped(hub, turn));
                    return true;
                }
                Some(event) => {
                    if let TurnEvent::Failed(error) = &event {
                        tracing::warn!(request_id = %turn.request_id, error = %chain(error), "turn failed");
                    }
                    let is_final = matches!(event, TurnEvent::Answered(_) | TurnEvent::Failed(_));
                    turn.log.write(event);
                    if is_final {
                        return true;
                    }
                }
                None => {
                    // The turn went away without a final event: a fault, unless it was told to.
                    let error = if turn.cancel.is_cancelled() {
                        why_stopped(hub, turn)
                    } else {
                        WireError::internal()
                    };
                    turn.log.fail(error);
                    return true;
                }
            },
            () = &mut given_up => {
                turn.log.fail(why_stopped(hub, turn));
                return false;
            }
        }
    }
}

/// Stops a turn that nobody comes back for, and keeps frames from waiting for a follower that stalls.
async fn look_after(hub: &TurnHub, turn: &LocalTurn) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(BEAT).await;
        turn.log.settle();
        if turn.is_abandoned(hub.hub.resume_timeout) {
            turn.stop(WireError::new(
                ErrorCode::Cancelled,
                "The question was stopped, because nobody came back for it.",
            ));
        }
    }
}

fn why_stopped(hub: &TurnHub, turn: &LocalTurn) -> WireError {
    let said = turn.stopped_for().cloned();
    said.unwrap_or_else(|| hub.why_stopped())
}
