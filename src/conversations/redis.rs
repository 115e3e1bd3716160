//! Conversations in Redis or Valkey, shared by any number of instances.
//!
//! One conversation is a list of turns, a hash beside it and the summary of older turns, in one slot, and each call is one script
//! on them: who owns the conversation is looked at in the same step. The order of turns is the business of `turns`; here a turn
//! that was overtaken is kept from writing. A cluster needs no more than the hash tag in the keys. The list of an owner's
//! conversations lives in a slot of its own and only holds ids; what has gone
//! since, or is of somebody else, is left out when it is read.

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use fred::error::Error as FredError;
use fred::interfaces::{ClientLike, SortedSetsInterface};
use fred::types::{FromValue, Value};
use futures_util::future::join_all;

use super::retention::Retention;
use super::{ConversationStore, LISTED_MAX, StoreError, codec};
use crate::config::{ConversationsConfig, Limits};
use crate::domain::conversation::{Conversation, ConversationSummary, StoredTurn, Summary};
use crate::domain::ids::{ConversationId, TurnId};
use crate::domain::principal::Principal;
use crate::domain::title::Title;
use crate::redis::{Keys, RedisConnection};

const APPEND_TURN: &str = include_str!("append_turn.lua");
const LOAD_TURNS: &str = include_str!("load_turns.lua");
const PUT_SUMMARY: &str = include_str!("put_summary.lua");
const FORGET: &str = include_str!("forget.lua");
const RENAME: &str = include_str!("rename.lua");
const SUMMARIZE: &str = include_str!("summarize.lua");
const ENLIST: &str = include_str!("enlist.lua");

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

    fn ttl(&self) -> Value {
        self.ttl_seconds.to_string().into()
    }

    /// Runs a script on one conversation, on behalf of `owner`.
    async fn run<R: FromValue>(
        &self,
        operation: &'static str,
        script: &'static str,
        owner: &Principal,
        id: ConversationId,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<R, StoreError> {
        let keys = [
            self.keys.turns(id),
            self.keys.about(id),
            self.keys.summary(id),
        ];
        let arguments = std::iter::once(Keys::owner(owner).into()).chain(arguments);
        self.redis
            .run_script(script, keys, arguments)
            .await
            .map_err(|error| store_error(operation, error))
    }

    async fn summary(
        &self,
        owner: &Principal,
        id: ConversationId,
    ) -> Result<Option<ConversationSummary>, StoreError> {
        let fields: Vec<String> = self.run("list", SUMMARIZE, owner, id, []).await?;
        let [title, created_at, updated_at, turns_count] = fields.as_slice() else {
            return Ok(None);
        };
        Ok(Some(ConversationSummary {
            id,
            title: title.clone(),
            created_at: time(created_at)?,
            updated_at: time(updated_at)?,
            messages_count: 2 * turns_count.parse::<usize>().unwrap_or(0),
        }))
    }
}

impl RedisStore {
    /// With an empty `holder`, nobody has to hold the conversation.
    async fn append_turn(
        &self,
        owner: &Principal,
        id: ConversationId,
        turn: StoredTurn,
        holder: String,
    ) -> Result<(), StoreError> {
        let asked_at = Value::from(turn.asked_at.timestamp_millis().to_string());
        if !owner.is_anonymous() {
            // Listed first: an id too many is left out when the list is read, one that is missing is missed.
            let listed_max = i64::try_from(LISTED_MAX).unwrap_or(i64::MAX - 1);
            let arguments = [
                Value::from(id.to_string()),
                asked_at.clone(),
                (-(listed_max + 1)).to_string().into(),
                self.ttl(),
            ];
            let () = self
                .redis
                .run_script(ENLIST, [self.keys.conversations_of(owner)], arguments)
                .await
                .map_err(|error| store_error("append", error))?;
        }
        // Redis counts list positions in 64 signed bits, from the end with a minus.
        let first_kept = -i64::try_from(self.retention.turns_max).unwrap_or(i64::MAX);
        let arguments = [
            Value::from(Bytes::from(self.retention.encode(&turn)?)),
            first_kept.to_string().into(),
            self.retention.bytes_max.to_string().into(),
            self.ttl(),
            Title::of_question(&turn.question).as_str().into(),
            asked_at,
            holder.into(),
        ];
        let keys = [
            self.keys.turns(id),
            self.keys.about(id),
            self.keys.summary(id),
            self.keys.conversation_holder(id),
        ];
        let arguments = std::iter::once(Keys::owner(owner).into()).chain(arguments);
        self.redis
            .run_script(APPEND_TURN, keys, arguments)
            .await
            .map_err(|error| store_error("append", error))
    }
}

#[async_trait]
impl ConversationStore for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn load(
        &self,
        owner: &Principal,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let found: Vec<Bytes> = self
            .run("load", LOAD_TURNS, owner, id, [self.ttl()])
            .await?;
        let [title, summary, turns @ ..] = found.as_slice() else {
            return Ok(None);
        };
        let turns = turns
            .iter()
            .map(|turn| codec::decode(turn))
            .collect::<Result<_, _>>()?;
        Ok(Some(Conversation {
            id,
            title: String::from_utf8_lossy(title).into_owned(),
            turns,
            summary: codec::decode_summary(summary),
        }))
    }

    async fn append(
        &self,
        owner: &Principal,
        id: ConversationId,
        turn: StoredTurn,
    ) -> Result<(), StoreError> {
        self.append_turn(owner, id, turn, String::new()).await
    }

    async fn append_as(
        &self,
        owner: &Principal,
        id: ConversationId,
        turn: StoredTurn,
        holder: TurnId,
    ) -> Result<(), StoreError> {
        self.append_turn(owner, id, turn, holder.to_string()).await
    }

    async fn summarise(
        &self,
        owner: &Principal,
        id: ConversationId,
        summary: Summary,
    ) -> Result<bool, StoreError> {
        let summary = Value::from(Bytes::from(codec::encode_summary(&summary)?));
        self.run("summarise", PUT_SUMMARY, owner, id, [summary])
            .await
    }

    async fn rename(
        &self,
        owner: &Principal,
        id: ConversationId,
        title: &Title,
    ) -> Result<bool, StoreError> {
        let arguments = [title.as_str().into(), self.ttl()];
        self.run("rename", RENAME, owner, id, arguments).await
    }

    async fn forget(&self, owner: &Principal, id: ConversationId) -> Result<bool, StoreError> {
        self.run("forget", FORGET, owner, id, []).await
    }

    async fn list(&self, owner: &Principal) -> Result<Vec<ConversationSummary>, StoreError> {
        if owner.is_anonymous() {
            return Ok(Vec::new());
        }
        let key = self.keys.conversations_of(owner);
        let listed: Vec<String> = self
            .redis
            .call(|client| async move { client.zrange(key, 0, -1, None, true, None, false).await })
            .await
            .map_err(|error| store_error("list", error))?;
        let ids = listed.iter().filter_map(|id| ConversationId::parse(id));
        let found = join_all(ids.map(|id| self.summary(owner, id))).await;
        let mut summaries: Vec<ConversationSummary> = found
            .into_iter()
            .filter_map(Result::transpose)
            .collect::<Result<_, _>>()?;
        summaries.sort_by_key(|summary| std::cmp::Reverse((summary.updated_at, summary.id)));
        Ok(summaries)
    }

    async fn reachable(&self) -> Result<(), StoreError> {
        self.redis
            .call(|client| async move { client.ping(None).await })
            .await
            .map_err(|error| store_error("ping", error))
    }
}

fn time(milliseconds: &str) -> Result<DateTime<Utc>, StoreError> {
    milliseconds
        .parse()
        .ok()
        .and_then(DateTime::from_timestamp_millis)
        .ok_or_else(|| StoreError::Corrupt {
            source: "a time of the conversation is none".into(),
        })
}

fn store_error(operation: &'static str, error: FredError) -> StoreError {
    // The first word of a Redis error is its code.
    match error.details().split(' ').next() {
        Some("NOTOWNED") => StoreError::NotOwned,
        Some("SUPERSEDED") => StoreError::Superseded,
        Some("WRONGTYPE") => StoreError::Corrupt {
            source: error.into(),
        },
        _ => StoreError::Unavailable {
            operation,
            source: error.into(),
        },
    }
}
