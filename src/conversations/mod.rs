//! Where conversations live: one trait, a store in memory and one in Redis, the same tests over both.

mod codec;
pub mod error;
mod memory;
mod redis;
mod retention;

use std::sync::Arc;

use async_trait::async_trait;

pub use error::StoreError;

use crate::config::{ConversationsConfig, Limits, StorageKind};
use crate::domain::conversation::{Conversation, ConversationSummary, StoredTurn, Summary};
use crate::domain::ids::{ConversationId, TurnId};
use crate::domain::principal::Principal;
use crate::domain::title::Title;
use crate::redis::RedisConnection;

/// Conversations in one list. More than a person looks through; the others are there and can be used by their ids.
pub const LISTED_MAX: usize = 100;

/// A place for conversations. Each belongs to whoever began it, and every call is on somebody's behalf: the store itself
/// refuses what is of somebody else. Every call has a deadline of its own.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// `memory` or `redis`, for logs and `/readyz`.
    fn name(&self) -> &'static str;

    /// The conversation, or `None` when there is none, it was forgotten, or its time to live is over.
    /// Renews its time to live.
    ///
    /// # Errors
    /// The conversation is of somebody else, the store cannot be reached, or it holds something that cannot be read.
    async fn load(
        &self,
        owner: &Principal,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError>;

    /// Appends one turn, creating the conversation if needed, and renews its time to live. All or
    /// nothing: a reader sees the whole turn or none of it. Oldest turns go once a limit is passed; of
    /// a turn that is over the byte limit by itself, rows of its result are left out from the end.
    ///
    /// # Errors
    /// The conversation is of somebody else, and nothing was stored; or the store cannot be reached, and nothing was
    /// stored, or the whole turn.
    ///
    /// # Cancel safety
    /// Dropped midway, the turn is stored whole or not at all, and nothing tells which.
    async fn append(
        &self,
        owner: &Principal,
        id: ConversationId,
        turn: StoredTurn,
    ) -> Result<(), StoreError>;

    /// Gives a conversation another title, and renews its time to live; `false` when there is none.
    ///
    /// # Errors
    /// The conversation is of somebody else, or the store cannot be reached.
    async fn rename(
        &self,
        owner: &Principal,
        id: ConversationId,
        title: &Title,
    ) -> Result<bool, StoreError>;

    /// Appends like [`append`](Self::append), but only while `holder` is the last turn that was let into the conversation:
    /// one that was taken for dead, and wakes up after another was let in, cannot write any more. A store in memory has
    /// one process to serve, whose turns are in line.
    ///
    /// # Errors
    /// As for `append`, and [`StoreError::Superseded`] where another turn was let in.
    async fn append_as(
        &self,
        owner: &Principal,
        id: ConversationId,
        turn: StoredTurn,
        holder: TurnId,
    ) -> Result<(), StoreError> {
        let _ = holder;
        self.append(owner, id, turn).await
    }

    /// Keeps a summary in place of the one before; `false` where the conversation is not there any more, and then nothing is
    /// kept. Does not renew its time to live: nobody has used it.
    ///
    /// # Errors
    /// The conversation is of somebody else, or the store cannot be reached.
    async fn summarise(
        &self,
        owner: &Principal,
        id: ConversationId,
        summary: Summary,
    ) -> Result<bool, StoreError>;

    /// Forgets a conversation with its summary; `false` when there was none.
    ///
    /// # Errors
    /// The conversation is of somebody else, or the store cannot be reached.
    async fn forget(&self, owner: &Principal, id: ConversationId) -> Result<bool, StoreError>;

    /// The newest [`LISTED_MAX`] conversations of `owner`, the one used last on top. Empty for nobody in particular, whose
    /// list would show everybody's.
    ///
    /// # Errors
    /// The store cannot be reached, or holds something that cannot be read.
    async fn list(&self, owner: &Principal) -> Result<Vec<ConversationSummary>, StoreError>;

    /// Whether the store answers.
    ///
    /// # Errors
    /// Why it does not.
    async fn reachable(&self) -> Result<(), StoreError>;
}

/// Opens the store that is configured; `redis` is the connection where one is configured. A Redis that is away makes a
/// store that reports itself as unreachable until it is back.
///
/// # Errors
/// Conversations are to be kept in Redis, and there is no connection.
pub fn open(
    config: &ConversationsConfig,
    limits: &Limits,
    redis: Option<&RedisConnection>,
) -> Result<Arc<dyn ConversationStore>, StoreError> {
    match config.storage {
        StorageKind::Memory => Ok(Arc::new(memory::MemoryStore::new(config, limits))),
        StorageKind::Redis => {
            let redis = redis.cloned().ok_or_else(|| StoreError::Unavailable {
                operation: "open",
                source: "no Redis is configured: set REDIS_URL, e.g. redis://localhost:6379".into(),
            })?;
            Ok(Arc::new(redis::RedisStore::new(redis, config, limits)))
        }
    }
}
