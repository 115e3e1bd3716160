//! What is remembered of the questions asked so far.

use chrono::{DateTime, Utc};

use super::ids::{ConversationId, RequestId};
use super::result::ResultSet;

/// A conversation: its turns in the order in which they were asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its name.
    pub id: ConversationId,
    /// What it is called: its first question, unless somebody gave it another title.
    pub title: String,
    /// Oldest first, bounded by `conversation_messages_max` and `conversation_bytes_max`.
    pub turns: Vec<StoredTurn>,
}

/// What a list of conversations tells of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationSummary {
    /// Its name.
    pub id: ConversationId,
    /// What it is called.
    pub title: String,
    /// When its first question was asked.
    pub created_at: DateTime<Utc>,
    /// When its last question was asked.
    pub updated_at: DateTime<Utc>,
    /// How many messages are kept of it; a turn is two.
    pub messages_count: usize,
}

/// One question with its answer: stored whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTurn {
    /// The client's reference for the question.
    pub request_id: RequestId,
    /// When the question was accepted.
    pub asked_at: DateTime<Utc>,
    /// What was asked.
    pub question: String,
    /// The SQL that ran, as the guard emitted it; `None` where none did.
    pub sql: Option<String>,
    /// The first rows of its result, bounded by `model_rows_max` and `model_rows_bytes_max`.
    pub result: Option<ResultSet>,
    /// What the person was told.
    pub reply: String,
    /// How the turn ended.
    pub outcome: TurnOutcome,
}

/// How a turn ended that is worth remembering. A turn that failed is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnOutcome {
    /// SQL ran and the reply tells what it found.
    Answered,
    /// The reply asks the person something.
    Clarified,
    /// The question cannot be answered from this database, or not within the policy.
    Declined,
}
