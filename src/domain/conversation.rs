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
    /// What its older turns come to, where they outgrew what a model is given.
    pub summary: Option<Summary>,
}

impl Conversation {
    /// The turns that the summary does not tell of: all without one, and all where the turn that it ends with is not kept
    /// any more.
    #[must_use]
    pub fn turns_after_summary(&self) -> &[StoredTurn] {
        let covered = self.summary.as_ref().map_or(0, |summary| {
            let last = self.turns.iter().rposition(|turn| {
                turn.request_id == summary.last_request_id && turn.asked_at == summary.last_asked_at
            });
            last.map_or(0, |at| at + 1)
        });
        self.turns.get(covered..).unwrap_or_default()
    }

    /// Tokens that its questions and its summaries have cost so far.
    #[must_use]
    pub fn tokens_spent(&self) -> u64 {
        let summary = self.summary.as_ref();
        let summaries = summary.map_or(0, |summary| summary.tokens_spent);
        self.turns_tokens_spent().saturating_add(summaries)
    }

    /// The same without its summaries. Turns that are not kept any more are counted too: each turn knows the sum up to itself.
    #[must_use]
    pub fn turns_tokens_spent(&self) -> u64 {
        let spent = self.turns.iter().map(|turn| turn.tokens_spent);
        spent.max().unwrap_or_default()
    }
}

/// The older turns of a conversation in a few sentences, made of their questions and queries alone. A newer one replaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The sentences.
    pub text: String,
    /// The last turn that it tells of, by its reference …
    pub last_request_id: RequestId,
    /// … and by when it was asked, since a client may give a reference twice.
    pub last_asked_at: DateTime<Utc>,
    /// Tokens that all summaries of the conversation have cost.
    pub tokens_spent: u64,
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
    /// Answers that the person could pick from, where the reply asks them something.
    pub options: Vec<String>,
    /// Tokens that the conversation had cost when this turn ended, this turn's own included, those of summaries not.
    pub tokens_spent: u64,
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
    /// Someone stopped it. The SQL, if any, had passed the guard, and the reply is what had been said by then, perhaps nothing.
    Stopped,
}
