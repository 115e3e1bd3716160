//! A stored [`Conversation`] to the document that the history endpoint sends.

use chrono::SecondsFormat;

use crate::domain::conversation::{Conversation, StoredTurn, TurnOutcome};
use crate::protocol::answer::ClarificationBody;
use crate::protocol::history::{ConversationBody, TurnBody};

use super::answer::{column_bodies, json_rows};

/// Shapes a conversation for the wire.
#[must_use]
pub fn conversation_body(conversation: Conversation) -> ConversationBody {
    ConversationBody {
        conversation_id: conversation.id.to_string(),
        turns: conversation.turns.into_iter().map(turn_body).collect(),
        summary: conversation.summary.map(|summary| summary.text),
    }
}

fn turn_body(turn: StoredTurn) -> TurnBody {
    let result = turn.result.unwrap_or_default();
    let clarification = (turn.outcome == TurnOutcome::Clarified).then(|| ClarificationBody {
        question: turn.reply.clone(),
        options: turn.options,
    });
    TurnBody {
        request_id: turn.request_id.to_string(),
        asked_at: turn.asked_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        query: turn.question,
        reply: turn.reply,
        sql_query: turn.sql,
        columns: column_bodies(&result.columns),
        rows: json_rows(&result),
        truncated: result.truncation.is_some(),
        outcome: match turn.outcome {
            TurnOutcome::Answered => "answered",
            TurnOutcome::Clarified => "clarified",
            TurnOutcome::Declined => "declined",
            TurnOutcome::Stopped => "stopped",
        },
        clarification,
    }
}
