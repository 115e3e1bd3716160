//! One question, stage by stage. Knows no transport: it sends [`event::TurnEvent`]s into a sender it was given.

pub mod check;
pub mod error;
pub mod event;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::domain::ids::{ConversationId, RequestId};
use crate::domain::question::Question;

/// One accepted question on its way through the stages.
#[derive(Debug, Clone)]
pub struct Turn {
    /// The client's reference.
    pub request_id: RequestId,
    /// The conversation that it belongs to.
    pub conversation_id: ConversationId,
    /// What is asked.
    pub question: Question,
    /// When it was accepted.
    pub asked_at: DateTime<Utc>,
    /// Stops the turn wherever it is.
    pub cancel: CancellationToken,
}

/// Runs turns. Cheap to clone; holds handles only.
#[derive(Clone)]
pub struct Pipeline {}

impl Pipeline {
    /// Runs one turn to its end. Sends exactly one final event, `Answered` or `Failed`, unless the receiver is gone.
    pub async fn run_turn(&self, turn: Turn, events: event::EventSender) {
        let problem = format!("the pipeline is being written ({})", turn.request_id);
        let _ = events
            .send(event::TurnEvent::Failed(error::TurnError::Internal {
                problem,
            }))
            .await;
    }
}
