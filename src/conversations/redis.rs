//! Conversations in Redis or Valkey, shared by any number of instances.
//!
//! One conversation is one list, and each call is one command on it: a script where reading and
//! writing must be one step. The order of turns is the business of `turns`; here a turn that was
//! overtaken is kept from writing. A cluster needs no more than the hash tag in the keys.

use async_trait::async_trait;
use bytes::Bytes;
use fred::error::Error as FredError;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::Value;

use super::retention::Retention;
use super::{ConversationStore, StoreError, codec};
use crate::config::{ConversationsConfig, Limits};
use crate::domain::conversation::{Conversation, StoredTurn};
use crate::domain::ids::{ConversationId, TurnId};
use crate::redis::{Keys, RedisConnection};

const APPEND_TURN: &str = include_str!("append_turn.lua");
const LOAD_TURNS: &str = include_str!("load_turns.lua");

/// Redis refuses a time to live whose end overflows its clock; a hundred years are for ever.
const TTL_SECONDS_MAX: u64 = 100 * 365 * 24 * 60 * 60;

/// Conversations in Redis.
pub(super) struct RedisStore {
    redis: RedisConnection,
    keys: Keys,
    retention: Retention,
    ttl_seconds: u64,
}

impl RedisStore {
    pub(super) fn new(
        redis: RedisConnection,
        config: &ConversationsConfig,
        limits: &Limits,
    ) -> Self {
        Self {
            redis,
            keys: Keys::new(&config.redis_prefix),
            retention: Retention::of(limits),
            ttl_seconds: config.ttl_seconds.min(TTL_SECONDS_MAX),
        }
    }
}

impl RedisStore {
    async fn append_turn(
        &self,
        id: ConversationId,
        turn: StoredTurn,
        holder: String,
    ) -> Result<(), StoreError> {
        // Redis counts list positions in 64 signed bits, from the end with a minus.
        let first_kept = -i64::try_from(self.retention.turns_max).unwrap_or(i64::MAX);
        let arguments = [
            Value::from(Bytes::from(self.retention.encode(&turn)?)),
            Value::from(first_kept.to_string()),
            Value::from(self.retention.bytes_max.to_string()),
            Value::from(self.ttl_seconds.to_string()),
            Value::from(holder),
        ];
        let keys = [self.keys.turns(id), self.keys.conversation_holder(id)];
        let kept: i64 = self
            .redis
            .run_script(APPEND_TURN, keys, arguments)
            .await
            .map_err(|error| store_error("append", error))?;
        if kept < 0 {
            return Err(StoreError::Superseded);
        }
        Ok(())
    }
}

#[async_trait]
impl ConversationStore for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn load(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let ttl = Value::from(self.ttl_seconds.to_string());
        let encoded: Vec<Bytes> = self
            .redis
            .run_script(LOAD_TURNS, [self.keys.turns(id)], [ttl])
            .await
            .map_err(|error| store_error("load", error))?;
        if encoded.is_empty() {
            return Ok(None);
        }
        let turns = encoded
            .iter()
            .map(|turn| codec::decode(turn))
            .collect::<Result<_, _>>()?;
        Ok(Some(Conversation { id, turns }))
    }

    async fn append(&self, id: ConversationId, turn: StoredTurn) -> Result<(), StoreError> {
        self.append_turn(id, turn, String::new()).await
    }

    async fn append_as(
        &self,
        id: ConversationId,
        turn: StoredTurn,
        holder: TurnId,
    ) -> Result<(), StoreError> {
        self.append_turn(id, turn, holder.to_string()).await
    }

    async fn forget(&self, id: ConversationId) -> Result<bool, StoreError> {
        let key = self.keys.turns(id);
        let keys_deleted: u64 = self
            .redis
            .call(|client| async move { client.del(key).await })
            .await
            .map_err(|error| store_error("forget", error))?;
        Ok(keys_deleted > 0)
    }

    async fn reachable(&self) -> Result<(), StoreError> {
        self.redis
            .call(|client| async move { client.ping(None).await })
            .await
            .map_err(|error| store_error("ping", error))
    }
}

fn store_error(operation: &'static str, error: FredError) -> StoreError {
    // The first word of a Redis error is its code.
    if error.details().split(' ').next() == Some("WRONGTYPE") {
        return StoreError::Corrupt {
            source: error.into(),
        };
    }
    StoreError::Unavailable {
        operation,
        source: error.into(),
    }
}
