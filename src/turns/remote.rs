//! Follows a turn that runs, or ran, on another instance, through the log that all share.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::protocol::error_code::ErrorCode;
use crate::protocol::server_frame::{FrameHead, ServerFrame};
use crate::wire::errors::{WireError, chain};

use super::frame::{Delivered, Ending, TurnFrame};
use super::shared::{FRAMES_READ_MAX, SharedFrame, SharedTurn, SharedTurns};
use super::{TurnName, ambiguous, not_found};

/// How often the log is looked at when nobody says that it has grown.
const LOOK: Duration = Duration::from_secs(1);

/// How long after a look the next one is at the earliest, so that an answer which comes word by word is not fetched so.
const LOOKS_APART: Duration = Duration::from_millis(40);

/// How often Redis is asked again while it cannot be reached.
const RETRY: Duration = Duration::from_millis(250);

/// How long Redis may be away before a follower is told so.
const AWAY_MAX: Duration = Duration::from_secs(8);

/// How long a turn must be without an owner before it counts as lost. Together with the lease this is below 10 seconds;
/// by itself it is above the time in which an owner finds a Redis that was restarted.
const UNOWNED_MAX: Duration = Duration::from_secs(4);

/// A Redis younger than this may not know yet what is running.
const YOUNG: Duration = Duration::from_secs(4);

/// Finds the one turn that a name stands for.
pub(super) async fn find(shared: &SharedTurns, name: &TurnName) -> Result<SharedTurn, WireError> {
    loop {
        let turns = shared.find(name).await.map_err(|_| away())?;
        match turns.as_slice() {
            [] if shared.age().await.map_err(|_| away())? < YOUNG => {
                tokio::time::sleep(RETRY).await;
            }
            [] => return Err(not_found()),
            [newest, others @ ..] => {
                // Nobody else knows the conversation; one asked twice in it means the newest.
                let is_shared = others
                    .iter()
                    .any(|other| other.conversation_id != newest.conversation_id);
                if is_shared && name.principal.is_anonymous() {
                    return Err(ambiguous());
                }
                return Ok(*newest);
            }
        }
    }
}

/// Asks the instance that runs a turn to stop it.
pub(super) async fn cancel(shared: &SharedTurns, name: &TurnName) -> Result<(), WireError> {
    let turn = find(shared, name).await?;
    match shared.cancel(turn).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(not_found()),
        Err(_) => Err(away()),
    }
}

/// Tells the instance that runs a turn that somebody here will not come back for it.
pub(super) async fn leave_for_good(shared: &SharedTurns, name: &TurnName) -> Result<(), WireError> {
    let turn = find(shared, name).await?;
    if shared.is_awaited(turn.id) {
        // Somebody else here follows it.
        return Ok(());
    }
    shared.leave_for_good(turn).await.map_err(|_| away())
}

/// Delivers what comes after the frame `after`, up to and including the final one.
///
/// # Errors
/// Redis is away for too long: nothing is known about the turn, and the client may ask for it again.
pub(super) async fn carry(
    shared: &SharedTurns,
    name: &TurnName,
    turn: SharedTurn,
    mut after: u64,
    keep_for: Duration,
    receiver: &mpsc::Sender<Delivered>,
) -> Result<(), WireError> {
    let bell = shared.bell(turn.id);
    let mut away_since = None;
    let mut unowned_since: Option<Instant> = None;
    loop {
        let next_look = Instant::now() + LOOKS_APART;
        let Ok(reading) = shared.read(turn, after).await else {
            let since = *away_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= AWAY_MAX {
                return Err(away());
            }
            unowned_since = None;
            tokio::time::sleep(RETRY).await;
            continue;
        };
        away_since = None;
        let is_idle = reading.frames.is_empty();
        let may_be_more = reading.frames.len() == FRAMES_READ_MAX;
        for shared_frame in reading.frames {
            let frame = frame(name, turn, after, shared_frame);
            after = frame.seq;
            let is_final = frame.ending.is_some();
            if receiver.send(Delivered::Frame(frame)).await.is_err() || is_final {
                return Ok(());
            }
        }
        if reading.is_owned || !is_idle {
            unowned_since = None;
        } else if unowned_since.get_or_insert_with(Instant::now).elapsed() >= UNOWNED_MAX {
            // Whatever comes of it is read at the next look.
            let text = lost_text(name, turn, after.saturating_add(1));
            if let Err(error) = shared.lose(turn, after, &text, keep_for).await {
                tracing::warn!(error = %chain(&error), "a lost turn could not be ended");
            }
            unowned_since = None;
        }
        if !may_be_more {
            bell.rung(LOOK).await;
            tokio::time::sleep_until(next_look).await;
        }
    }
}

fn frame(name: &TurnName, turn: SharedTurn, after: u64, frame: SharedFrame) -> TurnFrame {
    let is_final = matches!(frame.name.as_str(), "error" | "chat_response");
    // An instance that died may have sent frames that it had not written any more. What its final frame is replaced by then
    // comes right after those that this client has, and not twice under one number.
    let (seq, text) = if frame.is_lost {
        let seq = after.saturating_add(1);
        (seq, lost_text(name, turn, seq))
    } else {
        (frame.seq, frame.text)
    };
    TurnFrame {
        request_id: name.request_id.clone(),
        name: if is_final { "final" } else { "frame" },
        seq,
        text: text.into(),
        ending: is_final.then_some(Ending::Elsewhere),
    }
}

fn lost_text(name: &TurnName, turn: SharedTurn, seq: u64) -> String {
    let frame = ServerFrame::Failure {
        head: FrameHead {
            request_id: name.request_id.to_string(),
            conversation_id: turn.conversation_id.to_string(),
            seq,
        },
        error: super::replica::lost().body(),
    };
    // Maps with keys that are no strings cannot be written as JSON; frames have none.
    serde_json::to_string(&frame).unwrap_or_default()
}

fn away() -> WireError {
    WireError::new(
        ErrorCode::StoreUnavailable,
        "The question cannot be looked up right now. Please resume it again in a moment.",
    )
}
