//! The conversation stores: the same promises from both, and what only Redis can break.

mod ownership;
mod redis;
mod two_instances;

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use db_chat::config::{ConversationsConfig, Limits, StorageKind};
use db_chat::conversations::{self, ConversationStore, LISTED_MAX, StoreError};
use db_chat::domain::conversation::{StoredTurn, Summary, TurnOutcome};
use db_chat::domain::ids::{ConversationId, RequestId};
use db_chat::domain::principal::Principal;
use db_chat::domain::result::{ResultColumn, ResultSet, Truncation, ValueKind};
use db_chat::domain::title::Title;
use db_chat::redis::RedisConnection;
use tokio_util::task::TaskTracker;

use crate::support::cut_proxy::CutProxy;
use crate::support::redis::{AnyRedis, RedisKind, RedisServer};

use ownership::{
    a_conversation_is_its_owners_alone,
    a_list_has_the_owners_conversations_and_the_one_used_last_on_top, a_list_is_bounded,
    of_two_who_begin_the_same_conversation_at_once_one_gets_it,
};

/// Long enough for a busy machine; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a store of the tests keeps its conversations.
struct Place {
    redis: Option<Arc<AnyRedis>>,
}

impl Place {
    async fn redis() -> Self {
        Self::over(&Arc::new(AnyRedis::start(RedisKind::OneServer).await))
    }

    fn over(redis: &Arc<AnyRedis>) -> Self {
        Self {
            redis: Some(Arc::clone(redis)),
        }
    }

    fn memory() -> Self {
        Self { redis: None }
    }

    /// A store as one more instance of db-chat would open it.
    async fn open(&self, limits: Limits) -> Arc<dyn ConversationStore> {
        open(self.url().as_deref(), limits).await
    }

    fn url(&self) -> Option<String> {
        self.redis.as_ref().map(|redis| redis.url())
    }
}

async fn open(redis_url: Option<&str>, limits: Limits) -> Arc<dyn ConversationStore> {
    open_configured(&config(redis_url), &limits).await
}

async fn open_configured(
    config: &ConversationsConfig,
    limits: &Limits,
) -> Arc<dyn ConversationStore> {
    let redis = RedisConnection::open(config, limits).await.unwrap();
    conversations::open(config, limits, redis.as_ref()).unwrap()
}

fn config(redis_url: Option<&str>) -> ConversationsConfig {
    ConversationsConfig {
        storage: match redis_url {
            Some(_) => StorageKind::Redis,
            None => StorageKind::Memory,
        },
        redis_url: redis_url.map(Into::into),
        redis_prefix: "test:".to_owned(),
        ttl_seconds: 1_000,
        context_limit: 10,
    }
}

fn key(id: ConversationId) -> String {
    format!("test:conversation:{{{id}}}:turns")
}

fn turn(name: &str) -> StoredTurn {
    StoredTurn {
        request_id: RequestId::parse(name).unwrap(),
        asked_at: DateTime::from_timestamp(1_700_000_000, 123_000).unwrap(),
        question: format!("what about {name}, \"ü\"?"),
        sql: Some("SELECT name FROM shop.customers".to_owned()),
        result: Some(ResultSet {
            columns: vec![ResultColumn {
                name: "name".to_owned(),
                type_name: "text".to_owned(),
                kind: ValueKind::Text,
            }],
            rows: vec![vec![None], vec![Some("Ada".to_owned())]],
            truncation: None,
        }),
        reply: "Ada and one without a name.".to_owned(),
        outcome: TurnOutcome::Answered,
        options: Vec::new(),
        tokens_spent: 0,
    }
}

async fn names(store: &dyn ConversationStore, id: ConversationId) -> Vec<String> {
    let conversation = store.load(&nobody(), id).await.unwrap();
    conversation.map_or_else(Vec::new, |conversation| {
        let turns = conversation.turns.iter();
        turns.map(|turn| turn.request_id.to_string()).collect()
    })
}

/// Asks again and again, as a load balancer does, until the store answers.
async fn wait_until_reachable(store: &dyn ConversationStore) {
    let answered = async {
        while store.reachable().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, answered)
        .await
        .expect("the store did not recover");
}

fn is_unavailable(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { .. })
}

fn nobody() -> Principal {
    Principal::anonymous()
}

fn ada() -> Principal {
    Principal::proved("key", "ada")
}

fn grace() -> Principal {
    Principal::proved("jwt", "https://issuer.test|{grace}")
}

fn is_not_owned<T>(outcome: Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::NotOwned))
}

/// Each test over each store; over the kinds of Redis that take longer to start, all in one.
macro_rules! over_both_stores {
    ($($test:ident)*) => {
        mod in_memory {
            $(#[tokio::test] async fn $test() { super::$test(super::Place::memory()).await; })*
        }
        mod in_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(super::Place::redis().await).await; })*
        }
        async fn every_promise_is_kept_over(kind: RedisKind) {
            let redis = Arc::new(AnyRedis::start(kind).await);
            $(
                $test(Place::over(&redis)).await;
                redis.flush().await;
            )*
        }
    };
}

over_both_stores! {
    a_conversation_comes_back_as_it_was_stored
    concurrent_turns_are_each_whole_and_in_the_order_of_their_appends
    the_oldest_turns_go_past_the_message_limit
    the_oldest_turns_go_past_the_byte_limit
    a_turn_over_the_byte_limit_is_stored_without_its_last_rows
    a_forgotten_conversation_is_gone_and_its_id_can_be_used_again
    a_summary_is_kept_with_its_conversation_and_goes_with_it
    the_widest_limits_are_no_error
    a_conversation_is_its_owners_alone
    of_two_who_begin_the_same_conversation_at_once_one_gets_it
    a_list_has_the_owners_conversations_and_the_one_used_last_on_top
    a_list_is_bounded
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_every_promise() {
    every_promise_is_kept_over(RedisKind::Cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_behind_sentinels_keep_every_promise() {
    every_promise_is_kept_over(RedisKind::Watched).await;
}

async fn a_summary_is_kept_with_its_conversation_and_goes_with_it(place: Place) {
    let store = place.open(Limits::default()).await;
    let id = ConversationId::random();
    let summary = |text: &str, last: &StoredTurn| Summary {
        text: text.to_owned(),
        last_request_id: last.request_id.clone(),
        last_asked_at: last.asked_at,
        tokens_spent: 5,
    };
    let last = turn("second");
    assert!(
        !store
            .summarise(&ada(), id, summary("none", &last))
            .await
            .unwrap()
    );
    assert_eq!(
        store.load(&ada(), id).await.unwrap(),
        None,
        "nothing came to be"
    );

    for name in ["first", "second", "third"] {
        store.append(&ada(), id, turn(name)).await.unwrap();
    }
    for text in ["old", "new"] {
        assert!(
            store
                .summarise(&ada(), id, summary(text, &last))
                .await
                .unwrap()
        );
    }
    let stranger = store.summarise(&nobody(), id, summary("x", &last)).await;
    assert!(is_not_owned(stranger));
    let conversation = store.load(&ada(), id).await.unwrap().unwrap();
    assert_eq!(conversation.turns.len(), 3);
    assert_eq!(conversation.turns_after_summary(), [turn("third")]);
    assert_eq!(conversation.summary, Some(summary("new", &last)));
    if let Some(redis) = &place.redis {
        // As one key with the other: neither outlives it.
        let summary_key = key(id).replace(":turns", ":summary");
        let left_seconds: i64 = redis.command(&["TTL", &summary_key]).await.parse().unwrap();
        assert!((1..=1_000).contains(&left_seconds), "{left_seconds}");
    }

    assert!(store.forget(&ada(), id).await.unwrap());
    store.append(&ada(), id, turn("fourth")).await.unwrap();
    assert_eq!(store.load(&ada(), id).await.unwrap().unwrap().summary, None);
}

async fn a_conversation_comes_back_as_it_was_stored(place: Place) {
    let store = place.open(Limits::default()).await;
    let (id, other) = (ConversationId::random(), ConversationId::random());
    assert_eq!(store.load(&nobody(), id).await.unwrap(), None);

    store.append(&nobody(), id, turn("first")).await.unwrap();
    store.append(&nobody(), id, turn("second")).await.unwrap();
    store
        .append(&nobody(), other, turn("elsewhere"))
        .await
        .unwrap();

    let conversation = store.load(&nobody(), id).await.unwrap().unwrap();
    assert_eq!(conversation.id, id);
    assert_eq!(conversation.turns, [turn("first"), turn("second")]);
    store.reachable().await.unwrap();
}

async fn concurrent_turns_are_each_whole_and_in_the_order_of_their_appends(place: Place) {
    const WRITERS: usize = 8;
    const TURNS: usize = 10;
    let id = ConversationId::random();
    let shared = place.open(Limits::default()).await;
    let tasks = TaskTracker::new();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        // With Redis, each writer is an instance of its own.
        let store = match place.redis {
            Some(_) => place.open(Limits::default()).await,
            None => Arc::clone(&shared),
        };
        writers.push(tasks.spawn(async move {
            for number in 0..TURNS {
                store
                    .append(&nobody(), id, turn(&format!("{writer}-{number}")))
                    .await
                    .unwrap();
                // A reader in between sees whole turns only: this would fail to decode or compare.
                let seen = store.load(&nobody(), id).await.unwrap().unwrap();
                for seen in seen.turns {
                    assert_eq!(seen, turn(seen.request_id.as_str()));
                }
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }

    let stored = names(shared.as_ref(), id).await;
    assert_eq!(stored.len(), WRITERS * TURNS);
    for writer in 0..WRITERS {
        let prefix = format!("{writer}-");
        let own: Vec<_> = stored.iter().filter(|n| n.starts_with(&prefix)).collect();
        let expected: Vec<_> = (0..TURNS).map(|n| format!("{prefix}{n}")).collect();
        assert!(own.into_iter().eq(&expected), "{stored:?}");
    }
}

async fn the_oldest_turns_go_past_the_message_limit(place: Place) {
    let limits = Limits {
        conversation_messages_max: 7,
        ..Limits::default()
    };
    let store = place.open(limits).await;
    let id = ConversationId::random();
    for name in ["a", "b", "c", "d", "e"] {
        store.append(&nobody(), id, turn(name)).await.unwrap();
    }
    assert_eq!(names(store.as_ref(), id).await, ["c", "d", "e"]);
}

async fn the_oldest_turns_go_past_the_byte_limit(place: Place) {
    let long = |name: &str, reply_bytes: usize| StoredTurn {
        reply: "x".repeat(reply_bytes),
        ..turn(name)
    };
    let limits = Limits {
        conversation_bytes_max: 10_000,
        ..Limits::default()
    };
    let store = place.open(limits).await;
    let id = ConversationId::random();
    for name in ["a", "b", "c", "d"] {
        store
            .append(&nobody(), id, long(name, 4_000))
            .await
            .unwrap();
    }
    assert_eq!(names(store.as_ref(), id).await, ["c", "d"]);

    store
        .append(&nobody(), id, long("wide", 9_000))
        .await
        .unwrap();
    assert_eq!(names(store.as_ref(), id).await, ["wide"]);
    store
        .append(&nobody(), id, long("small", 10))
        .await
        .unwrap();
    assert_eq!(names(store.as_ref(), id).await, ["wide", "small"]);
}

async fn a_turn_over_the_byte_limit_is_stored_without_its_last_rows(place: Place) {
    let limits = Limits {
        conversation_bytes_max: 4_000,
        ..Limits::default()
    };
    let store = place.open(limits).await;
    let id = ConversationId::random();
    let mut wide = turn("wide");
    let rows: Vec<_> = (0..500)
        .map(|row| vec![Some(format!("row {row}"))])
        .collect();
    if let Some(result) = &mut wide.result {
        result.rows.clone_from(&rows);
    }
    store.append(&nobody(), id, turn("before")).await.unwrap();
    store.append(&nobody(), id, wide.clone()).await.unwrap();

    let stored = store.load(&nobody(), id).await.unwrap().unwrap().turns;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].reply, wide.reply);
    let result = stored[0].result.as_ref().unwrap();
    assert_eq!(result.truncation, Some(Truncation::Bytes));
    assert!(
        (100..500).contains(&result.rows.len()),
        "{}",
        result.rows.len()
    );
    assert_eq!(result.rows, rows[..result.rows.len()]);
}

async fn a_forgotten_conversation_is_gone_and_its_id_can_be_used_again(place: Place) {
    let store = place.open(Limits::default()).await;
    let id = ConversationId::random();
    assert!(!store.forget(&nobody(), id).await.unwrap());
    store.append(&nobody(), id, turn("secret")).await.unwrap();
    assert!(store.forget(&nobody(), id).await.unwrap());
    assert!(!store.forget(&nobody(), id).await.unwrap());
    assert_eq!(store.load(&nobody(), id).await.unwrap(), None);
    store.append(&nobody(), id, turn("new")).await.unwrap();
    assert_eq!(names(store.as_ref(), id).await, ["new"]);
}

async fn the_widest_limits_are_no_error(place: Place) {
    let limits = Limits {
        conversation_messages_max: usize::MAX,
        conversation_bytes_max: usize::MAX,
        memory_store_bytes_max: usize::MAX,
        ..Limits::default()
    };
    let config = ConversationsConfig {
        ttl_seconds: u64::MAX,
        ..config(place.url().as_deref())
    };
    let store = open_configured(&config, &limits).await;
    let id = ConversationId::random();
    store.append(&nobody(), id, turn("a")).await.unwrap();
    store.append(&nobody(), id, turn("b")).await.unwrap();
    assert_eq!(names(store.as_ref(), id).await, ["a", "b"]);
}
