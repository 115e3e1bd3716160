//! A turn with a model: it writes the SQL, hears what was wrong with it, and tells what the rows say.

use std::sync::Arc;

use super::answers::{Rows, answered, asked_back, declined};
use super::call::{CallError, CallWatch, Reply};
use super::choices::{UnknownChoice, unknown_choices};
use super::error::TurnError;
use super::event::{Answer, EventSender, Shortfall, Stage, TurnEvent};
use super::execute::Attempt;
use super::generate::{Generated, Generator};
use super::history::{self, Window};
use super::narrate::{self, Subject};
use super::pinned::Pinned;
use super::record::TurnRecord;
use super::reply::ModelReply;
use super::schema_context::part_of_schema;
use super::{Pipeline, Turn};
use crate::domain::conversation::{Conversation, TurnOutcome};
use crate::domain::schema::Snapshot;
use crate::llm::{FinishReason, LlmMessage, LlmProvider, LlmRole};
use crate::offline;

/// Beside an answer for whose prose no budget was left.
const BUDGET_WARNING: &str =
    "The token budget is spent: the rows are told about without the language model.";

/// What a person is told where every query that the model wrote was cut.
const CUT_OFF: &str =
    "The language model's query was too long and was cut off. Ask for less at once.";

/// What came of the calls that write SQL.
enum Found {
    /// Rows to tell about, with the schema that the query was checked against.
    Rows(Box<Rows>, Arc<Snapshot>),
    /// No rows, but a question back, or why there are none.
    Reply(Box<Answer>),
}

/// Why an attempt cannot stand.
struct Objection {
    /// What is answered where it is the last one.
    instead: Answer,
    /// What the model is told.
    text: String,
}

impl Pipeline {
    /// A model writes the SQL, is told what was wrong with it a bounded number of times, and then
    /// tells what the rows say.
    pub(super) async fn ask_model(
        &self,
        turn: &Turn,
        provider: &Arc<dyn LlmProvider>,
        past: Option<&Conversation>,
        snapshot: &Arc<Snapshot>,
        events: &EventSender,
        record: &mut TurnRecord,
    ) -> Result<Answer, TurnError> {
        let pinned = Pinned::at(turn.asked_at, self.parts.reply_language.as_deref());
        let window = history::window(past, self.history_budget());
        let generator = self.generator(turn, &pinned, Arc::clone(provider), window, snapshot);
        let snapshot = Arc::clone(snapshot);
        let found = self.find_rows(turn, generator, snapshot, events, record);
        let (mut rows, snapshot) = match found.await? {
            Found::Rows(rows, snapshot) => (*rows, snapshot),
            Found::Reply(answer) => return Ok(*answer),
        };

        record.enter(Stage::Narrating, events).await;
        let mut rows_warning = None;
        let earlier = window.turns.last();
        let subject = Subject {
            question: turn.question.as_str(),
            earlier: earlier.map(|turn| turn.question.as_str()),
            earlier_stopped: earlier.is_some_and(|turn| turn.outcome == TurnOutcome::Stopped),
            sql: rows.checked.as_str(),
            result: &rows.result,
            pinned: &pinned,
        };
        let prose = narrate::narrate(
            provider.as_ref(),
            &self.parts.prompts,
            &subject,
            self.rows_budget(),
            self.parts.limits.llm_output_tokens_max,
            record,
            CallWatch {
                events,
                stage: Stage::Narrating,
            },
        );
        let prose = match prose.await {
            // The rows are there and have cost what they cost: they are told about without the model.
            Err(CallError::Budget(_)) => {
                rows_warning = Some(BUDGET_WARNING.to_owned());
                Reply {
                    text: String::new(),
                    finish: FinishReason::Complete,
                }
            }
            prose => prose.map_err(|error| error.during("prose"))?,
        };
        let mut reply = prose.text;
        let addition = addition(&prose.finish, &reply, &subject);
        if !addition.is_empty() {
            reply.push_str(&addition);
            record.said.push_str(&addition);
            let _ = events.send(TurnEvent::Token(addition)).await;
        }
        rows.warnings.extend(rows_warning);
        Ok(answered(turn, reply, rows, &snapshot, events).await)
    }

    /// Asks for SQL until some of it runs, or the repairs are used up.
    async fn find_rows(
        &self,
        turn: &Turn,
        mut generator: Generator,
        mut snapshot: Arc<Snapshot>,
        events: &EventSender,
        record: &mut TurnRecord,
    ) -> Result<Found, TurnError> {
        let parts = self.parts.as_ref();
        let mut repairs_left = parts.limits.repairs_max;
        // Found nothing, perhaps by a slip: what is answered if the model cannot mend it.
        let mut empty: Option<Box<Rows>> = None;
        let mut stage = Stage::Generating;
        loop {
            record.enter(stage, events).await;
            let watch = CallWatch { events, stage };
            let generated = generator.ask(&mut record.meter, watch).await;
            let outcome = match generated.map_err(|error| error.during("sql"))? {
                Generated::Reply(ModelReply::Clarify(clarification)) => {
                    return Ok(Found::Reply(Box::new(asked_back(clarification))));
                }
                Generated::Reply(ModelReply::Cannot(reason)) => {
                    Err(declined(Shortfall::NotAnswerable, reason))
                }
                Generated::Refused => Err(declined(Shortfall::ModelRefused, String::new())),
                Generated::Reply(ModelReply::Unreadable(problem)) => Ok(Objection {
                    instead: declined(Shortfall::ModelReplyInvalid, String::new()),
                    text: parts.prompts.repair_unreadable(problem),
                }),
                Generated::CutOff => Ok(Objection {
                    instead: declined(Shortfall::ModelReplyInvalid, CUT_OFF.to_owned()),
                    text: parts
                        .prompts
                        .repair_unreadable("was cut off because it was too long"),
                }),
                Generated::Reply(ModelReply::Sql(draft)) => {
                    match self.attempt(turn, draft, &snapshot, events, record).await? {
                        Attempt::Ran(checked, result) => {
                            let doubts = unknown_choices(&checked, &result, &snapshot);
                            let doubts: Vec<String> =
                                doubts.iter().map(UnknownChoice::sentence).collect();
                            let is_doubtful = !doubts.is_empty() && repairs_left > 0;
                            let text = parts.prompts.repair_empty(&doubts.join(" "));
                            let rows = Box::new(Rows {
                                checked,
                                result,
                                warnings: doubts,
                            });
                            if !is_doubtful {
                                return Ok(Found::Rows(rows, snapshot));
                            }
                            empty = Some(rows);
                            Ok(Objection {
                                instead: declined(Shortfall::NotAnswerable, String::new()),
                                text,
                            })
                        }
                        Attempt::TimedOut => Err(declined(Shortfall::QueryTimeout, String::new())),
                        Attempt::Rejected(rejection) => Ok(Objection {
                            instead: declined(Shortfall::QueryRefused, String::new()),
                            text: parts.prompts.repair_rejected(rejection.reason()),
                        }),
                        Attempt::TooCostly(times) => Ok(Objection {
                            instead: declined(Shortfall::QueryTooCostly, String::new()),
                            text: parts.prompts.repair_costly(times),
                        }),
                        Attempt::Failed(checked, failure) => {
                            if failure.is_about_names() {
                                snapshot = self.doubted_snapshot().await?;
                            }
                            Ok(Objection {
                                instead: declined(Shortfall::QueryFailed, String::new()),
                                text: failure.objection(&parts.prompts, &checked, &snapshot),
                            })
                        }
                    }
                }
            };
            let instead = match outcome {
                Ok(objection) if repairs_left > 0 => {
                    repairs_left -= 1;
                    generator.object(&objection.text);
                    stage = Stage::Repairing;
                    continue;
                }
                Ok(Objection { instead, .. }) | Err(instead) => instead,
            };
            return Ok(match empty {
                Some(rows) => Found::Rows(rows, snapshot),
                None => Found::Reply(Box::new(instead)),
            });
        }
    }

    /// The schema, read again: the database does not have what the catalog said.
    async fn doubted_snapshot(&self) -> Result<Arc<Snapshot>, TurnError> {
        let catalog = &self.parts.catalog;
        catalog.doubt();
        let snapshot = catalog.snapshot().await;
        snapshot.map_err(|source| TurnError::Database { source })
    }

    fn generator(
        &self,
        turn: &Turn,
        pinned: &Pinned,
        provider: Arc<dyn LlmProvider>,
        window: Window<'_>,
        snapshot: &Arc<Snapshot>,
    ) -> Generator {
        let parts = self.parts.as_ref();
        let question = turn.question.as_str();
        let earlier: Vec<&str> = window
            .turns
            .iter()
            .map(|turn| turn.question.as_str())
            .collect();
        let tokens_max = parts.limits.schema_context_tokens_max;
        let instructions = self.instructions.of(snapshot, &parts.prompts, tokens_max);
        let chosen = (!instructions.has_whole_schema)
            .then(|| part_of_schema(snapshot, question, &earlier, tokens_max));
        let mut messages = history::messages(
            window,
            &parts.prompts,
            pinned.reply_language.as_deref(),
            self.history_budget(),
        );
        let text = parts
            .prompts
            .sql_question(question, chosen.as_deref(), pinned);
        messages.push(LlmMessage {
            role: LlmRole::User,
            text,
        });
        Generator::new(
            provider,
            instructions.system.clone(),
            instructions.cache_key.clone(),
            messages,
            parts.limits.llm_output_tokens_max,
        )
    }
}

/// What has to be said behind the model's words, or instead of them; empty where they stand for themselves.
fn addition(finish: &FinishReason, said: &str, subject: &Subject<'_>) -> String {
    let mut addition = String::new();
    if said.trim().is_empty() {
        addition.push_str(&offline::narrate(subject.question, subject.result));
    }
    addition.push_str(match finish {
        FinishReason::Complete => "",
        FinishReason::TokensMax => "\n\n(The answer was cut off here: it was too long.)",
        FinishReason::Refused(_) | FinishReason::Filtered => {
            "\n\n(The model stopped here and declined to go on.)"
        }
    });
    addition
}
