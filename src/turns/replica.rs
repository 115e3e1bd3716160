//! Keeps the shared log of a turn up to date, behind the live one and in batches: followers here never wait for Redis.
//!
//! Redis may be away, or come back empty. The log in this process has every frame, so what Redis lacks is written again.

use std::time::Duration;

use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::WireError;

use super::local_turn::LocalTurn;
use super::shared::{Appended, SharedTurns};

/// Pause after a failed call.
const PAUSE: Duration = Duration::from_millis(250);

/// Failed calls in a row after the final frame, until Redis is left without it. When it comes back empty it is written
/// again (see `TurnHub::restore`).
const FAILURES_MAX: u32 = 8;

/// Writes until the final frame is written, there or here.
pub(super) async fn replicate(shared: &SharedTurns, turn: &LocalTurn, keep_for: Duration) {
    let mut written = 0;
    let mut failures = 0;
    loop {
        if turn.log.take_doubt() {
            written = 0;
        }
        let (frames, is_last) = turn.log.numbered_after(written);
        if frames.is_empty() {
            if is_last {
                return;
            }
            turn.log.numbered().await;
            continue;
        }
        // A turn that runs renews the life of its log; see `runner`.
        let outcome = shared
            .append(turn.shared(), written + 1, &frames, keep_for)
            .await;
        match outcome {
            Ok(Appended::UpTo(last) | Appended::Gap(last)) => {
                failures = 0;
                written = last;
            }
            Ok(Appended::Ended) => return,
            Ok(Appended::Lost) => {
                turn.stop(lost());
                return;
            }
            Err(error) => {
                tracing::debug!(%error, turn = %turn.id, "the log of a turn cannot be written");
                failures += 1;
                if turn.log.ended_at().is_some() && failures >= FAILURES_MAX {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The end of a turn whose instance is gone, or was taken for gone.
pub(super) fn lost() -> WireError {
    WireError::new(
        ErrorCode::TurnLost,
        "The server that worked on this question is gone. Please ask it again.",
    )
}
