//! Feedback: what people thought of an answer. In: one rating; out: a row, before the person is told so.
//!
//! Unlike the audit log it is written while somebody waits, so a failure is theirs to see and to repeat.

use std::error::Error as StdError;

use super::database::{StateDatabase, storable, within_deadline};
use super::error::StateError;
use crate::domain::ids::{ConversationId, RequestId};

const UPSERT: &str = "INSERT INTO db_chat.feedback \
    (conversation_id, request_id, rating, comment, question, sql) \
    VALUES ($1::text::uuid, $2, $3, $4, $5, $6) \
    ON CONFLICT (conversation_id, request_id) DO UPDATE \
    SET rating = excluded.rating, comment = excluded.comment, rated_at = now()";

/// One rating of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackEntry {
    /// The conversation that the answer belongs to.
    pub conversation_id: ConversationId,
    /// The answer.
    pub request_id: RequestId,
    /// Whether it helped.
    pub rating: Rating,
    /// What the person wrote with it.
    pub comment: Option<String>,
    /// What had been asked.
    pub question: String,
    /// The query that answered it; `None` if none ran.
    pub sql: Option<String>,
}

/// Whether an answer helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rating {
    /// It did.
    Up,
    /// It did not.
    Down,
}

/// Where ratings are kept. Cheap to clone.
#[derive(Clone)]
pub struct FeedbackLog {
    database: StateDatabase,
}

impl FeedbackLog {
    /// Keeps ratings in a database that db-chat may write to.
    #[must_use]
    pub fn new(database: StateDatabase) -> Self {
        Self { database }
    }

    /// Keeps a rating; one that the answer had before is replaced, so an answer has one row at most.
    ///
    /// # Errors
    /// The database is away, or does not take the row.
    ///
    /// # Cancel safety
    /// Dropped midway, the row has been written or not.
    pub async fn record(&self, entry: &FeedbackEntry) -> Result<(), StateError> {
        let rating = match entry.rating {
            Rating::Up => "up",
            Rating::Down => "down",
        };
        let connection = self.database.connection().await?;
        within_deadline(connection, async |connection| {
            connection
                .execute(
                    UPSERT,
                    &[
                        &entry.conversation_id.to_string(),
                        &entry.request_id.as_str(),
                        &rating,
                        &entry.comment.as_deref().map(storable),
                        &storable(&entry.question),
                        &entry.sql.as_deref().map(storable),
                    ],
                )
                .await
        })
        .await
        .map(drop)
        .inspect_err(|error| {
            tracing::error!(
                error = error as &dyn StdError,
                request_id = %entry.request_id,
                "a rating could not be kept"
            );
        })
    }
}
