//! One question, stage by stage: history, schema, draft, guard, execution, prose, evidence, store.
//!
//! Knows no transport: it sends [`event::TurnEvent`]s into a sender it was given. What a turn decides is
//! in this file, `model_turn` and `offline_turn`; the stages are plain functions in the others.

mod answers;
pub mod background;
mod call;
pub mod check;
mod check_threads;
mod choices;
pub mod error;
pub mod event;
mod evidence;
mod execute;
mod generate;
mod hint;
mod history;
mod instructions;
mod lint;
pub mod meter;
mod model_turn;
mod narrate;
mod offline_turn;
pub mod pinned;
pub mod prompts;
mod record;
mod reply;
pub mod schema_context;
mod stage_span;
mod store;
mod suggestions;
mod summary;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use self::background::Background;
use self::check::SqlChecker;
use self::error::TurnError;
use self::event::{Answer, EventSender, Stage, TurnEvent};
use self::history::HistoryBudget;
use self::instructions::InstructionsCache;
use self::meter::Meter;
use self::narrate::RowsBudget;
use self::prompts::Prompts;
use self::record::TurnRecord;
use self::stage_span::StageSpan;
use self::summary::SummaryWork;
use crate::config::{Limits, ModelPrice, TenantSetting};
use crate::conversations::{ConversationStore, StoreError};
use crate::domain::conversation::{Conversation, StoredTurn};
use crate::domain::ids::{ConversationId, RequestId, TurnId};
use crate::domain::principal::Principal;
use crate::domain::question::Question;
use crate::llm::LlmProvider;
use crate::postgres::catalog::CatalogCache;
use crate::postgres::pool::DatabasePool;
use crate::state::AuditLog;
use crate::telemetry::metrics::Metrics;

/// One accepted question on its way through the stages.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Who asks.
    pub principal: Principal,
    /// Where the question came from; `None` where there is no address.
    pub client_address: Option<IpAddr>,
    /// Itself, where it holds the conversation and may be overtaken: it stores nothing then.
    pub holder: Option<TurnId>,
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
    instructions: Arc<InstructionsCache>,
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
    /// What tells tenants apart in the database; `None`: nothing has to.
    pub tenant_setting: Option<TenantSetting>,
    /// What model calls are counted into.
    pub metrics: Metrics,
    /// Runs the guard.
    pub checker: SqlChecker,
    /// The prompt templates.
    pub prompts: Prompts,
    /// Messages of history given to the model; a turn is two.
    pub context_messages_max: usize,
    /// What models cost.
    pub prices: Arc<[ModelPrice]>,
    /// Runs what no answer waits for.
    pub background: Background,
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

/// For keeping a turn that was stopped: whoever stopped it is waiting, and `turns` has little patience.
const STOPPED_STORE_TIMEOUT: Duration = Duration::from_secs(1);

impl Pipeline {
    /// Puts a pipeline together.
    #[must_use]
    pub fn new(parts: PipelineParts) -> Self {
        Self {
            parts: Arc::new(parts),
            instructions: Arc::default(),
        }
    }

    /// Runs one turn to its end. The last event is `Answered` or `Failed`, exactly once, whatever
    /// fails; a receiver that is gone does not stop the turn, its cancellation token does, until the answer is complete.
    /// A turn that is stopped is kept with what had been said by then.
    ///
    /// # Cancel safety
    /// Dropping the future stops the provider's stream and the query like the token does, but sends
    /// no final event, keeps nothing and leaves no audit row. Fire the token instead and let the turn end.
    pub async fn run_turn(&self, turn: Turn, events: EventSender) {
        let span = StageSpan::below_current();
        span.around(self.run_stages(turn, events, span.clone()))
            .await;
    }

    async fn run_stages(&self, turn: Turn, events: EventSender, span: StageSpan) {
        let parts = self.parts.as_ref();
        let meter = self.meter();
        let mut record = TurnRecord::begin(meter, span);
        let mut past = None;
        let answering = self.answer(&turn, &mut past, &events, &mut record);
        let outcome = tokio::select! {
            biased;
            () = turn.cancel.cancelled() => Err(TurnError::Cancelled),
            outcome = answering => outcome,
        };
        let usage = record.meter.usage();
        let spent_before = past.as_ref().map_or(0, Conversation::turns_tokens_spent);
        let tokens_spent = spent_before.saturating_add(usage.tokens.total());
        let mut summary = None;
        let outcome = match outcome {
            Ok(mut answer) => {
                answer.usage = usage;
                record.enter(Stage::Storing, &events).await;
                let stored = store::stored_turn(&turn, &answer, self.rows_budget(), tokens_spent);
                summary = self.summary_work(&turn, past, &stored, &record);
                let kept = self.store(&turn, stored).await;
                record.leave();
                kept.map(|()| answer)
                    .map_err(|source| TurnError::Store { source })
            }
            Err(TurnError::Cancelled) => {
                let stored = store::stopped_turn(&turn, &record, tokens_spent);
                self.keep_stopped(&turn, stored).await;
                Err(TurnError::Cancelled)
            }
            Err(error) => Err(error),
        };
        if let Some(audit) = &parts.audit {
            let error_code = (parts.outcome_code)(&outcome);
            audit.record(record.into_entry(&turn, &parts.engine, &outcome, error_code));
        }
        let last = match outcome {
            Ok(answer) => TurnEvent::Answered(Box::new(answer)),
            Err(error) => {
                summary = None;
                TurnEvent::Failed(error)
            }
        };
        let _ = events.send(last).await;
        if let Some(work) = summary
            && !parts.background.begin(work.run())
        {
            tracing::warn!(conversation_id = %turn.conversation_id, "too many summaries are being made; this one is left out");
        }
    }

    /// All stages up to the answer. `past` is filled with the conversation as soon as it is known.
    async fn answer(
        &self,
        turn: &Turn,
        past: &mut Option<Conversation>,
        events: &EventSender,
        record: &mut TurnRecord,
    ) -> Result<Answer, TurnError> {
        let parts = self.parts.as_ref();
        record.enter(Stage::Understanding, events).await;
        *past = parts
            .store
            .load(&turn.principal, turn.conversation_id)
            .await
            .map_err(|source| TurnError::Store { source })?;
        let past = past.as_ref();
        let spent = past.map_or(0, Conversation::tokens_spent);
        record.meter.begin_after(spent);
        let snapshot = parts
            .catalog
            .snapshot()
            .await
            .map_err(|source| TurnError::Database { source })?;
        match &parts.engine {
            Engine::Model(provider) => {
                self.ask_model(turn, provider, past, &snapshot, events, record)
                    .await
            }
            Engine::Offline => {
                self.ask_offline(turn, past, &snapshot, events, record)
                    .await
            }
        }
    }

    /// Nothing has been called yet.
    fn meter(&self) -> Meter {
        let parts = &self.parts;
        Meter::new(
            Arc::clone(&parts.prices),
            &parts.limits,
            parts.metrics.clone(),
        )
    }

    /// Keeps a turn, unless it was overtaken.
    async fn store(&self, turn: &Turn, stored: StoredTurn) -> Result<(), StoreError> {
        let store = self.parts.store.as_ref();
        let (owner, id) = (&turn.principal, turn.conversation_id);
        match turn.holder {
            Some(holder) => store.append_as(owner, id, stored, holder).await,
            None => store.append(owner, id, stored).await,
        }
    }

    /// Keeps a turn that was stopped. Where that fails the turn is forgotten: nobody was told that it is kept.
    async fn keep_stopped(&self, turn: &Turn, stored: StoredTurn) {
        match tokio::time::timeout(STOPPED_STORE_TIMEOUT, self.store(turn, stored)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(
                request_id = %turn.request_id,
                error = &error as &dyn std::error::Error,
                "a stopped turn could not be kept"
            ),
            Err(_) => tracing::warn!(
                request_id = %turn.request_id,
                "a stopped turn could not be kept in time"
            ),
        }
    }

    /// The summary that has to be made once `newest` is kept, if it makes one due.
    fn summary_work(
        &self,
        turn: &Turn,
        past: Option<Conversation>,
        newest: &StoredTurn,
        record: &TurnRecord,
    ) -> Option<SummaryWork> {
        let parts = self.parts.as_ref();
        let Engine::Model(provider) = &parts.engine else {
            return None;
        };
        let budget = self.history_budget();
        let turns = summary::due(past.as_ref(), newest, budget)?;
        let mut meter = self.meter();
        let spent = past.as_ref().map_or(0, Conversation::tokens_spent);
        meter.begin_after(spent.saturating_add(record.meter.usage().tokens.total()));
        Some(SummaryWork {
            provider: Arc::clone(provider),
            store: Arc::clone(&parts.store),
            prompts: parts.prompts.clone(),
            owner: turn.principal.clone(),
            conversation_id: turn.conversation_id,
            previous: past.and_then(|conversation| conversation.summary),
            turns,
            budget,
            tokens_max: parts.limits.summary_tokens_max,
            output_tokens_max: parts.limits.llm_output_tokens_max,
            meter,
        })
    }

    fn history_budget(&self) -> HistoryBudget {
        HistoryBudget {
            turns_max: self.parts.context_messages_max / 2,
            tokens_max: self.parts.limits.history_tokens_max,
        }
    }

    fn rows_budget(&self) -> RowsBudget {
        let limits = &self.parts.limits;
        RowsBudget {
            rows_max: limits.model_rows_max,
            bytes_max: limits.model_rows_bytes_max,
        }
    }
}
