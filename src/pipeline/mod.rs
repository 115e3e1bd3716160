//! One question, stage by stage: history, schema, draft, guard, execution, prose, evidence, store.
//!
//! Knows no transport: it sends [`event::TurnEvent`]s into a sender it was given. What a turn decides is
//! in this file, `model_turn` and `offline_turn`; the stages are plain functions in the others.

mod answers;
mod call;
pub mod check;
pub mod error;
pub mod event;
mod evidence;
mod execute;
mod generate;
mod history;
mod lint;
mod model_turn;
mod narrate;
mod offline_turn;
pub mod prompts;
mod record;
mod reply;
pub mod schema_context;
mod store;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use self::check::SqlChecker;
use self::error::TurnError;
use self::event::{Answer, EventSender, Stage, TurnEvent};
use self::narrate::RowsBudget;
use self::prompts::Prompts;
use self::record::TurnRecord;
use crate::config::Limits;
use crate::conversations::ConversationStore;
use crate::domain::ids::{ConversationId, RequestId};
use crate::domain::question::Question;
use crate::llm::LlmProvider;
use crate::postgres::catalog::CatalogCache;
use crate::postgres::pool::DatabasePool;
use crate::state::AuditLog;

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

/// Runs turns. Cheap to clone.
#[derive(Clone)]
pub struct Pipeline {
    parts: Arc<PipelineParts>,
}

/// What a pipeline is made of.
pub struct PipelineParts {
    /// Who writes the SQL and the prose.
    pub engine: Engine,
    /// The structure of the database, under the policy.
    pub catalog: CatalogCache,
    /// Connections to the database.
    pub pool: DatabasePool,
    /// Where conversations live.
    pub store: Arc<dyn ConversationStore>,
    /// Where turns are recorded; `None` where no state database is set.
    pub audit: Option<AuditLog>,
    /// The code that a client is sent for an outcome, for the audit log. Codes are made above the pipeline.
    pub outcome_code: fn(&Result<Answer, TurnError>) -> Option<&'static str>,
    /// Runs the guard.
    pub checker: SqlChecker,
    /// The prompt templates.
    pub prompts: Prompts,
    /// Messages of history given to the model.
    pub context_messages_max: usize,
    /// The language of the answers; `None`: the question's own.
    pub reply_language: Option<String>,
    /// The limits.
    pub limits: Limits,
}

/// Who writes the SQL and the prose.
#[derive(Clone)]
pub enum Engine {
    /// A model.
    Model(Arc<dyn LlmProvider>),
    /// No model.
    Offline,
}

/// The zone that "today" is taken in. PostgreSQL's own zone decides what timestamps mean to it.
const TIME_ZONE: &str = "UTC";

impl Pipeline {
    /// Puts a pipeline together.
    #[must_use]
    pub fn new(parts: PipelineParts) -> Self {
        Self {
            parts: Arc::new(parts),
        }
    }

    /// Runs one turn to its end. The last event is `Answered` or `Failed`, exactly once, whatever
    /// fails; a receiver that is gone does not stop the turn, its cancellation token does.
    ///
    /// # Cancel safety
    /// Dropping the future stops the provider's stream and the query like the token does, but sends
    /// no final event and leaves no audit row. Fire the token instead and let the turn end.
    pub async fn run_turn(&self, turn: Turn, events: EventSender) {
        let mut record = TurnRecord::begin();
        let outcome = tokio::select! {
            biased;
            () = turn.cancel.cancelled() => Err(TurnError::Cancelled),
            outcome = self.answer(&turn, &events, &mut record) => outcome,
        };
        if let Some(audit) = &self.parts.audit {
            let error_code = (self.parts.outcome_code)(&outcome);
            audit.record(record.into_entry(&turn, &self.parts.engine, &outcome, error_code));
        }
        let last = match outcome {
            Ok(answer) => TurnEvent::Answered(Box::new(answer)),
            Err(error) => TurnEvent::Failed(error),
        };
        let _ = events.send(last).await;
    }

    /// All stages; what it returns has been stored.
    async fn answer(
        &self,
        turn: &Turn,
        events: &EventSender,
        record: &mut TurnRecord,
    ) -> Result<Answer, TurnError> {
        let parts = self.parts.as_ref();
        record.enter(Stage::Understanding, events).await;
        let conversation = parts
            .store
            .load(turn.conversation_id)
            .await
            .map_err(|source| TurnError::Store { source })?;
        let past = history::recent(conversation.as_ref(), parts.context_messages_max);
        let snapshot = parts
            .catalog
            .snapshot()
            .await
            .map_err(|source| TurnError::Database { source })?;

        let mut answer = match &parts.engine {
            Engine::Model(provider) => {
                self.ask_model(turn, provider, past, &snapshot, events, record)
                    .await?
            }
            Engine::Offline => {
                self.ask_offline(turn, past, &snapshot, events, record)
                    .await?
            }
        };
        answer.usage = record.usage;

        record.enter(Stage::Storing, events).await;
        let stored = store::stored_turn(turn, &answer, self.rows_budget());
        parts
            .store
            .append(turn.conversation_id, stored)
            .await
            .map_err(|source| TurnError::Store { source })?;
        record.leave();
        Ok(answer)
    }

    fn rows_budget(&self) -> RowsBudget {
        let limits = &self.parts.limits;
        RowsBudget {
            rows_max: limits.model_rows_max,
            bytes_max: limits.model_rows_bytes_max,
        }
    }
}

/// The date on which the question was asked, in [`TIME_ZONE`].
fn today(turn: &Turn) -> String {
    turn.asked_at.date_naive().to_string()
}
