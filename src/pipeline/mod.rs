//! One question, stage by stage: history, schema, draft, guard, execution, prose, evidence, store.
//!
//! Knows no transport: it sends [`event::TurnEvent`]s into a sender it was given. All branching of a
//! turn is in this file; the stages are plain functions in the others.

mod call;
pub mod check;
pub mod error;
pub mod event;
mod evidence;
mod execute;
mod generate;
mod history;
mod lint;
mod narrate;
pub mod prompts;
mod record;
mod reply;
pub mod schema_context;
mod stage_span;
mod store;

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use self::call::CallWatch;
use self::check::SqlChecker;
use self::error::TurnError;
use self::event::{Answer, Clarification, EventSender, Shortfall, Stage, TurnEvent};
use self::execute::Attempt;
use self::generate::{Generated, Generator};
use self::narrate::{RowsBudget, Subject};
use self::prompts::Prompts;
use self::record::TurnRecord;
use self::reply::ModelReply;
use self::stage_span::StageSpan;
use crate::config::Limits;
use crate::conversations::ConversationStore;
use crate::domain::conversation::StoredTurn;
use crate::domain::ids::{ConversationId, RequestId, TurnId};
use crate::domain::principal::Principal;
use crate::domain::question::Question;
use crate::domain::result::ResultSet;
use crate::domain::schema::Snapshot;
use crate::domain::sql::DraftSql;
use crate::guard::CheckedSql;
use crate::llm::{FinishReason, LlmMessage, LlmProvider, LlmRole};
use crate::offline::{self, Draft, PastTurn};
use crate::postgres::catalog::CatalogCache;
use crate::postgres::pool::DatabasePool;
use crate::state::AuditLog;

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
        let span = StageSpan::below_current();
        span.around(self.run_stages(turn, events, span.clone()))
            .await;
    }

    async fn run_stages(&self, turn: Turn, events: EventSender, span: StageSpan) {
        let mut record = TurnRecord::begin(span);
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
            .load(&turn.principal, turn.conversation_id)
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
        answer.models.clone_from(&record.models);

        record.enter(Stage::Storing, events).await;
        let stored = store::stored_turn(turn, &answer, self.rows_budget());
        let storing = match turn.holder {
            Some(holder) => {
                parts
                    .store
                    .append_as(&turn.principal, turn.conversation_id, stored, holder)
            }
            None => parts
                .store
                .append(&turn.principal, turn.conversation_id, stored),
        };
        storing
            .await
            .map_err(|source| TurnError::Store { source })?;
        record.leave();
        Ok(answer)
    }

    /// A model writes the SQL, is told what was wrong with it a bounded number of times, and then
    /// tells what the rows say.
    async fn ask_model(
        &self,
        turn: &Turn,
        provider: &Arc<dyn LlmProvider>,
        past: &[StoredTurn],
        snapshot: &Arc<Snapshot>,
        events: &EventSender,
        record: &mut TurnRecord,
    ) -> Result<Answer, TurnError> {
        let parts = self.parts.as_ref();
        let mut generator = self.generator(turn, Arc::clone(provider), past, snapshot);
        let mut repairs_left = parts.limits.repairs_max;
        let mut stage = Stage::Generating;
        record.enter(stage, events).await;
        let (checked, result) = loop {
            let watch = CallWatch {
                events,
                stage,
                models: &mut record.models,
            };
            let generated = generator.ask(&mut record.usage, watch).await;
            let generated = generated.map_err(|source| TurnError::Llm {
                purpose: "sql",
                source,
            })?;
            let (shortfall, objection) = match generated {
                Generated::Refused => return Ok(declined(Shortfall::ModelRefused, String::new())),
                Generated::Reply(ModelReply::Clarify(clarification)) => {
                    return Ok(asked_back(clarification));
                }
                Generated::Reply(ModelReply::Cannot(reason)) => {
                    return Ok(declined(Shortfall::NotAnswerable, reason));
                }
                Generated::Reply(ModelReply::Unreadable(problem)) => (
                    Shortfall::ModelReplyInvalid,
                    parts.prompts.repair_unreadable(problem),
                ),
                Generated::Reply(ModelReply::Sql(draft)) => {
                    match self.attempt(turn, draft, snapshot, events, record).await? {
                        Attempt::Ran(checked, result) => break (checked, result),
                        Attempt::TimedOut => {
                            return Ok(declined(Shortfall::QueryTimeout, String::new()));
                        }
                        Attempt::TooCostly(times) => (
                            Shortfall::QueryTooCostly,
                            parts.prompts.repair_costly(times),
                        ),
                        Attempt::Rejected(rejection) => (
                            Shortfall::QueryRefused,
                            parts.prompts.repair_rejected(rejection.reason()),
                        ),
                        Attempt::Failed(failure) => {
                            (Shortfall::QueryFailed, failure.objection(&parts.prompts))
                        }
                    }
                }
            };
            if repairs_left == 0 {
                return Ok(declined(shortfall, String::new()));
            }
            repairs_left -= 1;
            generator.object(objection);
            stage = Stage::Repairing;
            record.enter(stage, events).await;
        };

        record.enter(Stage::Narrating, events).await;
        let subject = Subject {
            question: turn.question.as_str(),
            earlier: past.last().map(|turn| turn.question.as_str()),
            sql: checked.as_str(),
            result: &result,
            today: &today(turn),
            time_zone: TIME_ZONE,
            reply_language: parts.reply_language.as_deref(),
        };
        let tokens_max = parts.limits.llm_output_tokens_max;
        let budget = self.rows_budget();
        let usage = &mut record.usage;
        let watch = CallWatch {
            events,
            stage: Stage::Narrating,
            models: &mut record.models,
        };
        let prose = narrate::narrate(
            provider.as_ref(),
            &parts.prompts,
            &subject,
            budget,
            tokens_max,
            usage,
            watch,
        );
        let prose = prose.await.map_err(|source| TurnError::Llm {
            purpose: "prose",
            source,
        })?;
        let mut reply = prose.text;
        let mut addition = String::new();
        if reply.trim().is_empty() {
            addition.push_str(&offline::narrate(subject.question, &result));
        }
        addition.push_str(match prose.finish {
            FinishReason::Complete => "",
            FinishReason::TokensMax => "\n\n(The answer was cut off here: it was too long.)",
            FinishReason::Refused(_) | FinishReason::Filtered => {
                "\n\n(The model stopped here and declined to go on.)"
            }
        });
        if !addition.is_empty() {
            reply.push_str(&addition);
            let _ = events.send(TurnEvent::Token(addition)).await;
        }
        Ok(answered(turn, reply, &checked, result, events).await)
    }

    /// The engine without a model writes the SQL and the sentence.
    async fn ask_offline(
        &self,
        turn: &Turn,
        past: &[StoredTurn],
        snapshot: &Arc<Snapshot>,
        events: &EventSender,
        record: &mut TurnRecord,
    ) -> Result<Answer, TurnError> {
        record.enter(Stage::Generating, events).await;
        let question = turn.question.as_str();
        let past: Vec<PastTurn<'_>> = past
            .iter()
            .map(|turn| PastTurn {
                question: &turn.question,
                sql: turn.sql.as_deref(),
            })
            .collect();
        let (draft, assumptions) =
            match offline::draft(question, &past, snapshot, turn.asked_at.date_naive()) {
                Draft::Sql { sql, assumptions } => (sql, assumptions),
                Draft::Cannot {
                    reason,
                    suggestions,
                } => {
                    let mut answer = declined(Shortfall::NotAnswerable, reason);
                    if !suggestions.is_empty() {
                        answer.reply.push_str("\n\nYou could ask:\n");
                        answer.reply.extend(
                            suggestions
                                .iter()
                                .map(|suggestion| format!("\n- {suggestion}")),
                        );
                    }
                    return Ok(answer);
                }
            };
        let (checked, result) = match self.attempt(turn, draft, snapshot, events, record).await? {
            Attempt::Ran(checked, result) => (checked, result),
            Attempt::Rejected(_) => return Ok(declined(Shortfall::QueryRefused, String::new())),
            Attempt::Failed(_) => return Ok(declined(Shortfall::QueryFailed, String::new())),
            Attempt::TooCostly(_) => return Ok(declined(Shortfall::QueryTooCostly, String::new())),
            Attempt::TimedOut => return Ok(declined(Shortfall::QueryTimeout, String::new())),
        };
        record.enter(Stage::Narrating, events).await;
        let reply = offline::narrate(question, &result);
        for word in reply.split_inclusive(' ') {
            let _ = events.send(TurnEvent::Token(word.to_owned())).await;
        }
        let mut answer = answered(turn, reply, &checked, result, events).await;
        answer.evidence.warnings.splice(0..0, assumptions);
        Ok(answer)
    }

    /// One draft through the guard and, if it passes, through PostgreSQL.
    async fn attempt(
        &self,
        turn: &Turn,
        draft: DraftSql,
        snapshot: &Arc<Snapshot>,
        events: &EventSender,
        record: &mut TurnRecord,
    ) -> Result<Attempt, TurnError> {
        record.enter(Stage::Checking, events).await;
        let checked = match self
            .parts
            .checker
            .check(draft.clone(), Arc::clone(snapshot))
            .await
        {
            Ok(checked) => checked,
            Err(rejection) => {
                record.refused(draft.as_str().to_owned(), &rejection);
                return Ok(Attempt::Rejected(rejection));
            }
        };
        record.allowed(&checked);
        let _ = events
            .send(TurnEvent::Sql(checked.as_str().to_owned()))
            .await;
        record.enter(Stage::Executing, events).await;
        let attempt =
            execute::execute(&self.parts.pool, checked, &self.parts.limits, &turn.cancel).await?;
        if let Attempt::Ran(_, result) = &attempt {
            record.ran(result);
        }
        Ok(attempt)
    }

    fn generator(
        &self,
        turn: &Turn,
        provider: Arc<dyn LlmProvider>,
        past: &[StoredTurn],
        snapshot: &Snapshot,
    ) -> Generator {
        let parts = self.parts.as_ref();
        let question = turn.question.as_str();
        let earlier: Vec<&str> = past.iter().map(|turn| turn.question.as_str()).collect();
        let tokens_max = parts.limits.schema_context_tokens_max;
        let schema = schema_context::schema_context(snapshot, question, &earlier, tokens_max);
        // The stable part must not change with the question, or no provider's cache ever hits.
        let (stable, chosen) = match schema.is_whole {
            true => (schema.text.as_str(), None),
            false => (
                "(too many tables to list: those that matter come with each question)",
                Some(schema.text.as_str()),
            ),
        };
        let server_version = (snapshot.server_version_num / 10_000).to_string();
        let system = parts.prompts.sql_system(&server_version, stable);
        let mut messages = history::messages(past);
        let text = parts
            .prompts
            .sql_question(question, chosen, &today(turn), TIME_ZONE);
        messages.push(LlmMessage {
            role: LlmRole::User,
            text,
        });
        let cache_key = format!(
            "db-chat-{}",
            snapshot.fingerprint.chars().take(32).collect::<String>()
        );
        Generator::new(
            provider,
            system,
            cache_key,
            messages,
            parts.limits.llm_output_tokens_max,
        )
    }

    fn rows_budget(&self) -> RowsBudget {
        let limits = &self.parts.limits;
        RowsBudget {
            rows_max: limits.model_rows_max,
            bytes_max: limits.model_rows_bytes_max,
        }
    }
}

fn today(turn: &Turn) -> String {
    turn.asked_at.date_naive().to_string()
}

/// The answer to a question whose query ran; tells the whole prose on the way.
async fn answered(
    turn: &Turn,
    reply: String,
    checked: &CheckedSql,
    result: ResultSet,
    events: &EventSender,
) -> Answer {
    let _ = events.send(TurnEvent::ProseEnd(reply.clone())).await;
    let evidence = evidence::gather(turn.question.as_str(), checked, &result, &reply);
    Answer {
        reply,
        sql: Some(checked.as_str().to_owned()),
        result: Some(result),
        evidence,
        ..Answer::default()
    }
}

fn asked_back(clarification: Clarification) -> Answer {
    Answer {
        reply: clarification.question.clone(),
        clarification: Some(clarification),
        ..Answer::default()
    }
}

/// A polite no. `reason` is the model's or the engine's own, where it gave one.
fn declined(shortfall: Shortfall, reason: String) -> Answer {
    let standard = match shortfall {
        Shortfall::NotAnswerable => "I cannot answer that from the data that I may read.",
        Shortfall::QueryRefused => {
            "I cannot answer that: the query it takes is not among those that I may run. Try to ask in another way."
        }
        Shortfall::QueryFailed => {
            "I could not write a query for that which the database accepts. Try to ask in another way."
        }
        Shortfall::QueryTooCostly => {
            "The query for that would be too much work for the database. Ask for less at once, for example for a shorter period."
        }
        Shortfall::QueryTimeout => {
            "The query for that takes too long. Ask for less at once, for example for a shorter period."
        }
        Shortfall::ModelRefused => {
            "The model declined to work on that question. Try to ask in another way."
        }
        Shortfall::ModelReplyInvalid => {
            "I could not make a query out of that question. Try to ask in another way."
        }
    };
    let reply = if reason.is_empty() {
        standard.to_owned()
    } else {
        reason
    };
    Answer {
        reply,
        shortfall: Some(shortfall),
        ..Answer::default()
    }
}
