//! The task of one turn: waits for its place in the conversation, runs the pipeline where its CPU work stalls no socket,
//! writes the log, and sees to it that the log ends in exactly one final frame, whatever happens.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fred::error::Error as RedisError;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::conversations::StoreError;
use crate::pipeline::Turn;
use crate::pipeline::event::TurnEvent;
use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::{WireError, chain};
use crate::wire::frames::is_cancelled;
use crate::wire::questions::AcceptedQuestion;

use super::TurnHub;
use super::first_step::first_step;
use super::line::Place;
use super::local_turn::LocalTurn;
use super::shared::SharedTurns;
use super::writer::TurnWriter;

/// How many events a turn may be ahead of its log.
const EVENTS_WAITING_MAX: usize = 64;

/// A turn stops within 100 ms of being told to. One that has not after this long is dropped where it stands.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// How often a turn is looked after: whether anybody still follows it, and what waits for its number.
const BEAT: Duration = Duration::from_millis(250);

/// How often a lease is renewed when nobody asks for anything: three times before it runs out.
const RENEW: Duration = Duration::from_secs(1);

/// How often a turn that waits for another instance's looks whether it may go, when nobody says so.
const LINE_LOOK: Duration = Duration::from_secs(1);

/// How often, and how many times, a name that is taken elsewhere is looked at again: the question that has it may have had its final
/// frame already, and its instance gives the name back right after that.
const CLAIM_LOOK: Duration = Duration::from_millis(50);
const CLAIM_LOOKS_MAX: u32 = 10;

/// Runs a turn to its end.
pub(super) async fn run(
    hub: TurnHub,
    turn: Arc<LocalTurn>,
    question: AcceptedQuestion,
    mut place: Place,
) {
    let writer = TurnWriter::begin(&turn.log, &hub.hub.metrics);
    let answering = answer(&hub, &turn, writer, question, &mut place);
    let running = tokio::select! {
        running = answering => running,
        never = look_after(&hub, &turn) => match never {},
        never = renew(&hub, &turn) => match never {},
    };
    if let Some(shared) = &hub.hub.shared {
        // Whoever waits on another instance goes on now; if this fails, when the lease has run out.
        let _ = shared.end(turn.own()).await;
    }
    drop(place);
    hub.ended(&turn);
    if let Some(running) = running {
        // An error would be that of a turn that was given up.
        let _ = running.await;
    }
}

/// Returns when the final frame has been written, with what is left of the turn.
async fn answer(
    hub: &TurnHub,
    turn: &Arc<LocalTurn>,
    mut writer: TurnWriter<'_>,
    question: AcceptedQuestion,
    place: &mut Place,
) -> Option<JoinHandle<()>> {
    tokio::select! {
        biased;
        () = turn.cancel.cancelled() => {
            writer.fail(why_stopped(hub, turn));
            return None;
        }
        outcome = take_conversation(hub, turn, place) => match outcome {
            Ok(()) => {}
            Err(NotTaken::Duplicate) => {
                hub.refused(turn, super::duplicate());
                return None;
            }
            Err(NotTaken::Away(error)) => {
                writer.fail(WireError::from(&StoreError::Unavailable {
                    operation: "enter",
                    source: Box::new(error),
                }));
                return None;
            }
        },
    }
    let (sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
    let asked = Turn {
        principal: question.principal,
        client_address: question.client_address,
        holder: hub.hub.shared.as_ref().map(|_| turn.id),
        request_id: question.request_id,
        conversation_id: question.conversation_id,
        question: question.question,
        asked_at: Utc::now(),
        cancel: turn.cancel.clone(),
    };
    let running = (hub.hub.run_turn)(asked, sender);
    let running = outlive_panic(Arc::clone(turn), running).in_current_span();
    // What it tells before its first wait is here by then, however long the rest waits for a thread.
    let running = first_step(running, &hub.hub.runtime)
        .map(|running| hub.hub.tasks.spawn_on(running, &hub.hub.runtime));
    let is_over = write_events(hub, turn, writer, events).await;
    if let Some(running) = &running
        && !is_over
    {
        running.abort();
    }
    running
}

/// Runs a turn, which ends without a final event where it panics.
async fn outlive_panic(turn: Arc<LocalTurn>, running: BoxFuture<'static, ()>) {
    // Whatever it was about to change is dropped with it.
    if AssertUnwindSafe(running).catch_unwind().await.is_err() {
        tracing::error!(request_id = %turn.request_id, "turn panicked");
    }
}

/// Why a turn does not run.
enum NotTaken {
    /// Another instance answers the same question.
    Duplicate,
    /// Redis cannot be asked.
    Away(RedisError),
}

impl From<RedisError> for NotTaken {
    fn from(error: RedisError) -> Self {
        Self::Away(error)
    }
}

/// Waits until the turn is the first one of its conversation: here, and then among all instances.
async fn take_conversation(
    hub: &TurnHub,
    turn: &Arc<LocalTurn>,
    place: &mut Place,
) -> Result<(), NotTaken> {
    let Some(shared) = &hub.hub.shared else {
        place.first().await;
        return Ok(());
    };
    claim(shared, turn).await?;
    if turn.is_resumable() {
        shared.name(turn.own()).await?;
        let (shared, turn) = (shared.clone(), Arc::clone(turn));
        let keep_for = hub.hub.resume_timeout;
        let replicating =
            async move { super::replica::replicate(&shared, &turn, keep_for + RENEW).await };
        hub.hub.tasks.spawn_on(replicating, &hub.hub.runtime);
    }
    place.first().await;
    let bell = shared.bell(turn.id);
    while !shared.take_conversation(turn.shared()).await? {
        bell.rung(LINE_LOOK).await;
    }
    turn.hold_conversation();
    Ok(())
}

/// Claims the turn's name among all instances. One that was answered elsewhere a moment ago is waited for.
async fn claim(shared: &SharedTurns, turn: &LocalTurn) -> Result<(), NotTaken> {
    for _ in 0..CLAIM_LOOKS_MAX {
        if shared.begin(turn.own()).await? {
            turn.take_name();
            return Ok(());
        }
        tokio::time::sleep(CLAIM_LOOK).await;
    }
    Err(NotTaken::Duplicate)
}

/// Renews the turn's lease and does what others asked for meanwhile.
async fn renew(hub: &TurnHub, turn: &LocalTurn) -> std::convert::Infallible {
    let Some(shared) = &hub.hub.shared else {
        loop {
            turn.left_for_good().await;
            stop_if_alone(turn);
        }
    };
    let bell = shared.bell(turn.id);
    let mut was_away = false;
    loop {
        let is_left_here = tokio::select! {
            biased;
            () = turn.left_for_good() => true,
            () = bell.rung(RENEW) => false,
        };
        // Nobody elsewhere can follow what only this instance knows of.
        if is_left_here && !(turn.has_name() && turn.is_resumable()) {
            stop_if_alone(turn);
        }
        if !turn.has_name() {
            continue;
        }
        let life = hub.hub.resume_timeout + RENEW;
        let renewed = shared
            .renew(turn.own(), turn.holds_conversation(), life)
            .await;
        let Ok(renewed) = renewed else {
            if is_left_here {
                stop_if_alone(turn);
            }
            was_away = true;
            continue;
        };
        if renewed.is_cancelled {
            turn.stop(super::cancelled());
        }
        if renewed.is_followed {
            turn.log.followed_elsewhere();
        } else if is_left_here || renewed.is_left_for_good {
            stop_if_alone(turn);
        }
        // Redis may have forgotten the turn, or another instance may have taken its owner for gone.
        let is_in_doubt = was_away || !renewed.was_there;
        if is_in_doubt && turn.is_resumable() {
            was_away = shared.name(turn.own()).await.is_err();
            turn.log.doubt();
        }
    }
}

/// Whoever left it for good was the last one to follow it, unless somebody follows it here.
fn stop_if_alone(turn: &LocalTurn) {
    if turn.log.alone_since().is_some() {
        turn.stop(super::cancelled());
    }
}

/// Writes events until the final one; `false` if the turn had to be given up. Drops `events` then, so that what the
/// turn may still say cannot block it.
async fn write_events(
    hub: &TurnHub,
    turn: &LocalTurn,
    mut writer: TurnWriter<'_>,
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
                    writer.fail(why_stopped(hub, turn));
                    return true;
                }
                Some(event) => {
                    if let TurnEvent::Failed(error) = &event {
                        tracing::warn!(request_id = %turn.request_id, error = %chain(error), "turn failed");
                    }
                    let is_final = matches!(event, TurnEvent::Answered(_) | TurnEvent::Failed(_));
                    writer.write(event);
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
                    writer.fail(error);
                    return true;
                }
            },
            () = &mut given_up => {
                writer.fail(why_stopped(hub, turn));
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
