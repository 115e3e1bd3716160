//! Conversations: the body of `GET /api/chat/conversations/{id}/`, and lists of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{ClarificationBody, ColumnBody};

/// A conversation.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ConversationBody {
    /// Its name.
    pub conversation_id: String,
    /// What it is called.
    pub title: String,
    /// Oldest first.
    pub turns: Vec<TurnBody>,
    /// What a model is told of the older turns, where they outgrew what it is given word for word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// One question with what was answered. Rows are the first ones only, as many as the store keeps.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TurnBody {
    /// The client's reference for the question.
    pub request_id: String,
    /// When it was asked (RFC 3339, UTC).
    pub asked_at: String,
    /// What was asked.
    pub query: String,
    /// What the person was told.
    pub reply: String,
    /// The SQL that ran; `null` where none did.
    pub sql_query: Option<String>,
    /// Name and type of each column.
    pub columns: Vec<ColumnBody>,
    /// The rows that were kept.
    pub rows: Vec<Vec<Value>>,
    /// Whether rows or parts of cells are missing.
    pub truncated: bool,
    /// `answered`, `clarified`, `declined` or `stopped`; the `reply` of a stopped one is what had been said by then.
    pub outcome: &'static str,
    /// Present when the reply asks the person something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clarification: Option<ClarificationBody>,
}

/// The body of `GET /api/chat/conversations/`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ConversationListBody {
    /// The one used last on top; at most 100.
    pub conversations: Vec<ConversationSummaryBody>,
}

/// One conversation in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ConversationSummaryBody {
    /// Its name.
    pub id: String,
    /// What it is called: its first question, unless somebody gave it another title.
    pub title: String,
    /// When its first question was asked (RFC 3339, UTC).
    pub created_at: String,
    /// When its last question was asked (RFC 3339, UTC).
    pub updated_at: String,
    /// How many messages are kept of it; a question with its answer is two.
    pub message_count: usize,
}

/// The body of `PATCH /api/chat/conversations/{id}/`, and of the answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConversationTitleBody {
    /// What it is to be called.
    pub title: String,
}
