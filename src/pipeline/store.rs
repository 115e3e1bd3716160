//! A turn as it is kept: question, SQL, a bounded result and the reply, as one unit.

use super::Turn;
use super::event::Answer;
use super::narrate::RowsBudget;
use crate::domain::conversation::{StoredTurn, TurnOutcome};
use crate::domain::result::{ResultSet, Truncation};

/// What the conversation keeps of an answered turn.
pub(super) fn stored_turn(turn: &Turn, answer: &Answer, budget: RowsBudget) -> StoredTurn {
    let outcome = match (&answer.clarification, answer.shortfall) {
        (Some(_), _) => TurnOutcome::Clarified,
        (None, Some(_)) => TurnOutcome::Declined,
        (None, None) => TurnOutcome::Answered,
    };
    StoredTurn {
        request_id: turn.request_id.clone(),
        asked_at: turn.asked_at,
        question: turn.question.as_str().to_owned(),
        sql: answer.sql.clone(),
        result: answer.result.as_ref().map(|result| bounded(result, budget)),
        reply: answer.reply.clone(),
        outcome,
        options: answer
            .clarification
            .as_ref()
            .map(|clarification| clarification.options.clone())
            .unwrap_or_default(),
        tokens_spent: 0,
    }
}

fn bounded(result: &ResultSet, budget: RowsBudget) -> ResultSet {
    let mut bytes = 0;
    let mut rows = Vec::new();
    for row in result.rows.iter().take(budget.rows_max) {
        bytes += row.iter().flatten().map(String::len).sum::<usize>();
        if bytes > budget.bytes_max {
            break;
        }
        rows.push(row.clone());
    }
    let cut = (rows.len() < result.rows.len()).then_some(Truncation::Rows);
    ResultSet {
        columns: result.columns.clone(),
        rows,
        truncation: result.truncation.or(cut),
    }
}
