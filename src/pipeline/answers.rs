//! What a person is told, by how the turn went.

use super::Turn;
use super::event::{Answer, Clarification, EventSender, Shortfall, TurnEvent};
use super::evidence;
use super::suggestions::suggestions;
use crate::domain::result::ResultSet;
use crate::domain::schema::Snapshot;
use crate::guard::CheckedSql;

/// A query that ran, its rows, and what has to be said about them.
pub(super) struct Rows {
    /// The query.
    pub(super) checked: CheckedSql,
    /// What it gave.
    pub(super) result: ResultSet,
    /// Warnings beside those that the query itself deserves.
    pub(super) warnings: Vec<String>,
}

/// The answer to a question whose query ran; tells the whole prose on the way.
pub(super) async fn answered(
    turn: &Turn,
    reply: String,
    rows: Rows,
    snapshot: &Snapshot,
    events: &EventSender,
) -> Answer {
    let _ = events.send(TurnEvent::ProseEnd(reply.clone())).await;
    let Rows {
        checked,
        result,
        warnings,
    } = rows;
    let mut evidence = evidence::gather(turn.question.as_str(), &checked, &result, &reply);
    evidence.warnings.splice(0..0, warnings);
    Answer {
        reply,
        suggestions: suggestions(&checked, &result, snapshot),
        sql: Some(checked.as_str().to_owned()),
        result: Some(result),
        evidence,
        ..Answer::default()
    }
}

/// The answer that is a question back.
pub(super) fn asked_back(clarification: Clarification) -> Answer {
    Answer {
        reply: clarification.question.clone(),
        clarification: Some(clarification),
        ..Answer::default()
    }
}

/// A polite no. `reason` is the model's or the engine's own, where it gave one.
pub(super) fn declined(shortfall: Shortfall, reason: String) -> Answer {
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
