//! A turn without a model: the engine in `offline` writes the SQL and the sentence.

use std::sync::Arc;

use super::answers::{Rows, answered, declined};
use super::error::TurnError;
use super::event::{Answer, EventSender, Shortfall, Stage, TurnEvent};
use super::execute::Attempt;
use super::record::TurnRecord;
use super::{Pipeline, Turn, history};
use crate::domain::conversation::Conversation;
use crate::domain::schema::Snapshot;
use crate::offline::{self, Draft, PastTurn};

impl Pipeline {
    /// The engine without a model writes the SQL and the sentence.
    pub(super) async fn ask_offline(
        &self,
        turn: &Turn,
        past: Option<&Conversation>,
        snapshot: &Arc<Snapshot>,
        events: &EventSender,
        record: &mut TurnRecord,
    ) -> Result<Answer, TurnError> {
        record.enter(Stage::Generating, events).await;
        let question = turn.question.as_str();
        let past: Vec<PastTurn<'_>> = history::recent(past, self.history_budget().turns_max)
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
            Attempt::Failed(..) => return Ok(declined(Shortfall::QueryFailed, String::new())),
            Attempt::TooCostly(_) => return Ok(declined(Shortfall::QueryTooCostly, String::new())),
            Attempt::TimedOut => return Ok(declined(Shortfall::QueryTimeout, String::new())),
        };
        record.enter(Stage::Narrating, events).await;
        let reply = offline::narrate(question, &result);
        for word in reply.split_inclusive(' ') {
            record.said.push_str(word);
            let _ = events.send(TurnEvent::Token(word.to_owned())).await;
        }
        let rows = Rows {
            checked,
            result,
            warnings: assumptions,
        };
        Ok(answered(turn, reply, rows, snapshot, events).await)
    }
}
