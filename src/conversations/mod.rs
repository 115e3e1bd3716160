//! Where conversations live: one trait, a store in memory and one in Redis, the same tests over both.

mod codec;
pub mod error;
mod keys;
mod memory;
mod redis;
mod redis_url;
mod retention;

use std::sync::Arc;

use async_trait::async_trait;

pub use error::StoreError;

use crate::config::{ConversationsConfig, Limits, StorageKind};
use crate::domain::conversation::{Conversation, StoredTurn, Summary};
use crate::domain::ids::ConversationId;

/// A place for conversations. Every call has a deadline of its own.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// `memory` or `redis`, for logs and `/readyz`.
    fn name(&self) -> &'static str;

    /// The conversation, or `None` when there is none, it was forgotten, or its time to live is over.
    /// Renews its time to live.
    ///
    /// # Errors
    /// The store cannot be reached, or holds something that cannot be read.
    async fn load(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError>;

    /// Appends one turn, creating the conversation if needed, and renews its time to live. All or
    /// nothing: a reader sees the whole turn or none of it. Oldest turns go once a limit is passed; of
    /// a turn that is over the byte limit by itself, rows of its result are left out from the end.
    ///
    /// # Errors
    /// The store cannot be reached; then nothing was stored, or the whole turn.
    ///
    /// # Cancel safety
    /// Dropped midway, the turn is stored whole or not at all, and nothing tells which.
    async fn append(&self, id: ConversationId, turn: StoredTurn) -> Result<(), StoreError>;

    /// Keeps a summary in place of the one before; `false` where the conversation is not there any more, and then nothing is
    /// kept. Does not renew its time to live: nobody has used it.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn summarise(&self, id: ConversationId, summary: Summary) -> Result<bool, StoreError>;

    /// Forgets a conversation with its summary; `false` when there was none.
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

/// Opens the store that is configured. Runs within a Tokio runtime, which must outlive the store.
///
/// A Redis that does not answer is no error here: a server that starts together with its Redis, or
/// while it is being moved, would have to be started again by hand. The store then reports itself as
/// unreachable, and connects in the background as soon as it can.
///
/// # Errors
/// `redis_url` is missing, or is no address of a Redis; the source says what to write instead.
pub async fn connect(
    config: &ConversationsConfig,
    limits: &Limits,
) -> Result<Arc<dyn ConversationStore>, StoreError> {
    match config.storage {
        StorageKind::Memory => Ok(Arc::new(memory::MemoryStore::new(config, limits))),
        StorageKind::Redis => Ok(Arc::new(redis::RedisStore::connect(config, limits).await?)),
    }
}
