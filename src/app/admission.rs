//! Counts every question before the pipeline sees it, whichever door it came through.

use std::sync::Arc;

use crate::limits::MinuteRate;
use crate::pipeline::error::TurnError;
use crate::pipeline::event::TurnEvent;
use crate::turns::RunTurn;

/// Runs turns within the rate; the others end at once, with when to come back.
pub(super) fn within_rate(run_turn: RunTurn, rate: MinuteRate) -> RunTurn {
    let rate = Arc::new(rate);
    Arc::new(move |turn, events| {
        let (run_turn, rate) = (Arc::clone(&run_turn), Arc::clone(&rate));
        Box::pin(async move {
            match rate.admit(&turn.principal, turn.client_address).await {
                Ok(()) => run_turn(turn, events).await,
                Err(source) => {
                    let failed = TurnEvent::Failed(TurnError::Rate { source });
                    // Fails only when nobody listens any more.
                    let _ = events.send(failed).await;
                }
            }
        })
    })
}
