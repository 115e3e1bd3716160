//! A turn with a model: it writes the SQL, hears what was wrong with it, and tells what the rows say.

use std::sync::Arc;

use super::answers::{answered, asked_back, declined};
use super::error::TurnError;
use super::event::{Answer, EventSender, Shortfall, Stage, TurnEvent};
use super::execute::Attempt;
use super::generate::{Generated, Generator};
use super::narrate::{self, Subject};
use super::record::TurnRecord;
use super::reply::ModelReply;
use super::{Pipeline, TIME_ZONE, Turn, history, schema_context, today};
use crate::domain::conversation::StoredTurn;
use crate::domain::schema::Snapshot;
use crate::llm::{FinishReason, LlmMessage, LlmProvider, LlmRole};
use crate::offline;

impl Pipeline {
    /// A model writes the SQL, is told what was wrong with it a bounded number of times, and then
    /// tells what the rows say.
    pub(super) async fn ask_model(
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
        record.enter(Stage::Generating, events).await;
        let (checked, result) = loop {
            let generated = generator.ask(&mut record.usage).await;
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
            record.enter(Stage::Repairing, events).await;
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
        let prose = narrate::narrate(
            provider.as_ref(),
            &parts.prompts,
            &subject,
            budget,
            tokens_max,
            usage,
            events,
        );
        let prose = prose.await.map_err(|source| TurnError::Llm {
            purpose: "prose",
            source,
        })?;
        let mut reply = prose.text;
        let addition = match prose.finish {
            FinishReason::Complete if reply.trim().is_empty() => {
                Some(offline::narrate(subject.question, &result))
            }
            FinishReason::Complete => None,
            FinishReason::TokensMax => {
                Some("\n\n(The answer was cut off here: it was too long.)".to_owned())
            }
            FinishReason::Refused(_) | FinishReason::Filtered if reply.trim().is_empty() => {
                Some(offline::narrate(subject.question, &result))
            }
            FinishReason::Refused(_) | FinishReason::Filtered => {
                Some("\n\n(The model stopped here and declined to go on.)".to_owned())
            }
        };
        if let Some(addition) = addition {
            reply.push_str(&addition);
            let _ = events.send(TurnEvent::Token(addition)).await;
        }
        Ok(answered(turn, reply, &checked, result, events).await)
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
}
