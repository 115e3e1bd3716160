//! A stored [`Conversation`] to the document that the history endpoint sends.

use chrono::SecondsFormat;

use crate::domain::conversation::{Conversation, ConversationSummary, StoredTurn, TurnOutcome};
use crate::domain::title::{TITLE_CHARS_MAX, Title};
use crate::protocol::answer::ClarificationBody;
use crate::protocol::error_code::ErrorCode;
use crate::protocol::history::{
    ConversationBody, ConversationListBody, ConversationSummaryBody, ConversationTitleBody,
    TurnBody,
};

use super::answer::{column_bodies, json_rows};
use super::errors::WireError;

/// Shapes a conversation for the wire.
#[must_use]
pub fn conversation_body(conversation: Conversation) -> ConversationBody {
    ConversationBody {
        conversation_id: conversation.id.to_string(),
        title: conversation.title,
        turns: conversation.turns.into_iter().map(turn_body).collect(),
        summary: conversation.summary.map(|summary| summary.text),
    }
}

/// Shapes a list of conversations for the wire.
#[must_use]
pub fn list_body(summaries: Vec<ConversationSummary>) -> ConversationListBody {
    let conversations = summaries
        .into_iter()
        .map(|summary| ConversationSummaryBody {
            id: summary.id.to_string(),
            title: summary.title,
            created_at: summary
                .created_at
                .to_rfc3339_opts(SecondsFormat::Millis, true),
            updated_at: summary
                .updated_at
                .to_rfc3339_opts(SecondsFormat::Millis, true),
            message_count: summary.messages_count,
        });
    ConversationListBody {
        conversations: conversations.collect(),
    }
}

/// Reads the body that renames a conversation.
///
/// # Errors
/// It is no JSON object with a `title`, or that is none.
pub fn parse_title(text: &str) -> Result<Title, WireError> {
    serde_json::from_str::<ConversationTitleBody>(text)
        .ok()
        .and_then(|body| Title::parse(&body.title))
        .ok_or_else(|| {
            WireError::new(
                ErrorCode::InvalidRequest,
                format!(
                    "Please send a JSON object with a `title` of 1 to {TITLE_CHARS_MAX} characters on one line."
                ),
            )
        })
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
