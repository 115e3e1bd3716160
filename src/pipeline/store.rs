//! A turn as it is kept: question, SQL, a bounded result and the reply, as one unit.

use super::Turn;
use super::event::Answer;
use super::narrate::RowsBudget;
use super::record::TurnRecord;
use crate::domain::conversation::{StoredTurn, TurnOutcome};
use crate::domain::result::{ResultSet, Truncation};

/// What the conversation keeps of an answered turn; `tokens_spent` is what it has cost with it.
pub(super) fn stored_turn(
    turn: &Turn,
    answer: &Answer,
    budget: RowsBudget,
    tokens_spent: u64,
) -> StoredTurn {
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
        tokens_spent,
    }
}

/// What it keeps of a turn that was stopped: what had been asked, run and said by then.
pub(super) fn stopped_turn(turn: &Turn, record: &TurnRecord, tokens_spent: u64) -> StoredTurn {
    StoredTurn {
        request_id: turn.request_id.clone(),
        asked_at: turn.asked_at,
        question: turn.question.as_str().to_owned(),
        sql: record.allowed_sql().map(str::to_owned),
        result: None,
        reply: record.said.clone(),
        outcome: TurnOutcome::Stopped,
        options: Vec::new(),
        tokens_spent,
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
