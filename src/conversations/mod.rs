//! Where conversations live: one trait, a store in memory and one in Redis, the same tests over both.

pub mod error;

use async_trait::async_trait;

pub use error::StoreError;

use crate::domain::conversation::{Conversation, StoredTurn};
use crate::domain::ids::ConversationId;

/// A place for conversations. Every call has a deadline of its own.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// `memory` or `redis`, for logs and `/readyz`.
    fn name(&self) -> &'static str;

    /// The conversation, or `None` when there is none, it was forgotten, or its time to live is over.
    ///
    /// # Errors
    /// The store cannot be reached, or holds something that cannot be read.
    async fn load(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError>;

    /// Appends one turn, creating the conversation if needed, and renews its time to live. All or
    /// nothing: a reader sees the whole turn or none of it. Oldest turns go once a limit is passed.
    ///
    /// # Errors
    /// The store cannot be reached; then nothing was stored, or the whole turn.
    async fn append(&self, id: ConversationId, turn: StoredTurn) -> Result<(), StoreError>;

    /// Forgets a conversation; `false` when there was none.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn forget(&self, id: ConversationId) -> Result<bool, StoreError>;

    /// Whether the store answers.
    ///
    /// # Errors
    /// Why it does not.
    async fn reachable(&self) -> Result<(), StoreError>;
}
