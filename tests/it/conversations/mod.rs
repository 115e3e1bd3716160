//! The conversation stores: the same promises from both, and what only Redis can break.

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
use crate::support::redis::RedisServer;

/// Long enough for a busy machine; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a store of the tests keeps its conversations.
struct Place {
    redis: Option<RedisServer>,
}

impl Place {
    async fn redis() -> Self {
        Self {
            redis: Some(RedisServer::start().await),
        }
    }

    fn memory() -> Self {
        Self { redis: None }
    }

    /// A store as one more instance of db-chat would open it.
    async fn open(&self, limits: Limits) -> Arc<dyn ConversationStore> {
        let url = self.redis.as_ref().map(RedisServer::url);
        open(url.as_deref(), limits).await
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

/// Each test twice, over each store.
macro_rules! over_both_stores {
    ($($test:ident)*) => {
        mod in_memory {
            $(#[tokio::test] async fn $test() { super::$test(super::Place::memory()).await; })*
        }
        mod in_redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(super::Place::redis().await).await; })*
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

async fn a_conversation_is_its_owners_alone(place: Place) {
    let store = place.open(Limits::default()).await;
    let title = Title::parse("Mine now").unwrap();
    for owner in [ada(), grace(), nobody()] {
        let id = ConversationId::random();
        store.append(&owner, id, turn("first")).await.unwrap();
        for other in [ada(), grace(), nobody()] {
            if other == owner {
                continue;
            }
            assert!(is_not_owned(store.load(&other, id).await));
            assert!(is_not_owned(store.append(&other, id, turn("x")).await));
            assert!(is_not_owned(store.rename(&other, id, &title).await));
            assert!(is_not_owned(store.forget(&other, id).await));
            assert!(
                store
                    .list(&other)
                    .await
                    .unwrap()
                    .iter()
                    .all(|listed| listed.id != id)
            );
        }
        let conversation = store.load(&owner, id).await.unwrap().unwrap();
        assert_eq!(conversation.turns, [turn("first")]);
        assert_eq!(conversation.title, turn("first").question);
        assert!(store.rename(&owner, id, &title).await.unwrap());
        let conversation = store.load(&owner, id).await.unwrap().unwrap();
        assert_eq!(conversation.title, "Mine now");
        assert!(store.forget(&owner, id).await.unwrap());
        assert!(!store.rename(&owner, id, &title).await.unwrap());
        // Forgotten is forgotten: whoever comes next begins anew.
        store.append(&ada(), id, turn("again")).await.unwrap();
        let conversation = store.load(&ada(), id).await.unwrap().unwrap();
        assert_eq!(conversation.title, turn("again").question);
    }
}

async fn of_two_who_begin_the_same_conversation_at_once_one_gets_it(place: Place) {
    let shared = place.open(Limits::default()).await;
    let other = match place.redis {
        Some(_) => place.open(Limits::default()).await,
        None => Arc::clone(&shared),
    };
    for _ in 0..20 {
        let id = ConversationId::random();
        let (ada, grace) = (ada(), grace());
        let (first, second) = tokio::join!(
            shared.append(&ada, id, turn("a")),
            other.append(&grace, id, turn("g"))
        );
        let (winner, loser) = match (first, second) {
            (Ok(()), Err(StoreError::NotOwned)) => (ada, grace),
            (Err(StoreError::NotOwned), Ok(())) => (grace, ada),
            both => panic!("{both:?}"),
        };
        assert_eq!(
            shared.load(&winner, id).await.unwrap().unwrap().turns.len(),
            1
        );
        assert!(is_not_owned(shared.load(&loser, id).await));
        assert_eq!(
            shared
                .list(&loser)
                .await
                .unwrap()
                .iter()
                .filter(|c| c.id == id)
                .count(),
            0
        );
    }
}

fn asked_at(seconds: i64, name: &str) -> StoredTurn {
    StoredTurn {
        asked_at: DateTime::from_timestamp(seconds, 0).unwrap(),
        ..turn(name)
    }
}

async fn a_list_has_the_owners_conversations_and_the_one_used_last_on_top(place: Place) {
    let store = place.open(Limits::default()).await;
    let ids: Vec<_> = (0..4).map(|_| ConversationId::random()).collect();
    for (index, id) in (0..).zip(&ids[..3]) {
        let turn = asked_at(100 + index, &format!("q{index}"));
        store.append(&ada(), *id, turn).await.unwrap();
    }
    store
        .append(&ada(), ids[0], asked_at(500, "later"))
        .await
        .unwrap();
    store
        .append(&grace(), ids[3], turn("elsewhere"))
        .await
        .unwrap();
    store
        .append(&nobody(), ConversationId::random(), turn("n"))
        .await
        .unwrap();
    let title = Title::parse("Renamed").unwrap();
    store.rename(&ada(), ids[1], &title).await.unwrap();
    assert!(store.forget(&ada(), ids[2]).await.unwrap());

    let listed = store.list(&ada()).await.unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert_eq!(listed[0].id, ids[0]);
    assert_eq!(listed[0].title, turn("q0").question);
    assert_eq!(listed[0].created_at.timestamp(), 100);
    assert_eq!(listed[0].updated_at.timestamp(), 500);
    assert_eq!(listed[0].messages_count, 4);
    assert_eq!(
        (listed[1].id, listed[1].title.as_str()),
        (ids[1], "Renamed")
    );
    assert_eq!(store.list(&grace()).await.unwrap().len(), 1);
    assert_eq!(store.list(&nobody()).await.unwrap(), []);
}

async fn a_list_is_bounded(place: Place) {
    let store = place.open(Limits::default()).await;
    let ids: Vec<_> = (0..LISTED_MAX + 5)
        .map(|_| ConversationId::random())
        .collect();
    for (index, id) in (0..).zip(&ids) {
        store
            .append(&ada(), *id, asked_at(index, "q"))
            .await
            .unwrap();
    }
    let listed: Vec<_> = store
        .list(&ada())
        .await
        .unwrap()
        .iter()
        .map(|c| c.id)
        .collect();
    let newest: Vec<_> = ids.iter().rev().take(LISTED_MAX).copied().collect();
    assert_eq!(listed, newest);
    assert!(store.load(&ada(), ids[0]).await.unwrap().is_some());
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
        ..config(place.redis.as_ref().map(RedisServer::url).as_deref())
    };
    let store = open_configured(&config, &limits).await;
    let id = ConversationId::random();
    store.append(&nobody(), id, turn("a")).await.unwrap();
    store.append(&nobody(), id, turn("b")).await.unwrap();
    assert_eq!(names(store.as_ref(), id).await, ["a", "b"]);
}

#[tokio::test]
async fn redis_keeps_two_keys_per_conversation_and_each_use_renews_its_time_to_live() {
    let redis = RedisServer::start().await;
    let store = open(Some(&redis.url()), Limits::default()).await;
    let id = ConversationId::random();
    store.append(&nobody(), id, turn("first")).await.unwrap();

    let about = format!("test:conversation:{{{id}}}:about");
    let kept = redis.command(&["KEYS", "*"]).await;
    let kept: BTreeSet<&str> = kept.lines().collect();
    assert_eq!(kept, BTreeSet::from([key(id).as_str(), about.as_str()]));
    let ttl_of = async |key: &str| redis.command(&["TTL", key]).await;
    assert_eq!(ttl_of(&key(id)).await, ttl_of(&about).await);
    let ttl = async || {
        let seconds = redis.command(&["TTL", &key(id)]).await;
        seconds.parse::<u64>().unwrap()
    };
    assert!((900..=1_000).contains(&ttl().await));
    redis.command(&["EXPIRE", &key(id), "500"]).await;
    store.load(&nobody(), id).await.unwrap().unwrap();
    assert!((900..=1_000).contains(&ttl().await), "load renews");
    redis.command(&["EXPIRE", &key(id), "500"]).await;
    store.append(&nobody(), id, turn("second")).await.unwrap();
    assert!((900..=1_000).contains(&ttl().await), "append renews");

    // A time to live of zero is over at once.
    redis.command(&["EXPIRE", &key(id), "0"]).await;
    redis.command(&["EXPIRE", &about, "0"]).await;
    assert_eq!(store.load(&nobody(), id).await.unwrap(), None);
    assert_eq!(
        redis.command(&["KEYS", "*"]).await,
        "",
        "load creates nothing"
    );
}

#[tokio::test]
async fn what_cannot_be_read_in_redis_is_corrupt_and_can_be_forgotten() {
    let redis = RedisServer::start().await;
    let store = open(Some(&redis.url()), Limits::default()).await;
    for broken in ["not json", r#"{"v":99}"#, ""] {
        let id = ConversationId::random();
        store.append(&nobody(), id, turn("good")).await.unwrap();
        redis.command(&["RPUSH", &key(id), broken]).await;
        let error = store.load(&nobody(), id).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert!(store.forget(&nobody(), id).await.unwrap());
        assert_eq!(store.load(&nobody(), id).await.unwrap(), None);
    }

    let id = ConversationId::random();
    redis.command(&["SET", &key(id), "of another kind"]).await;
    let error = store.load(&nobody(), id).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let error = store.append(&nobody(), id, turn("lost")).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_eq!(redis.command(&["GET", &key(id)]).await, "of another kind");
}

#[tokio::test]
async fn a_redis_that_dies_is_an_error_and_one_that_comes_back_is_used_again() {
    let mut redis = RedisServer::start().await;
    let store = open(Some(&redis.url()), Limits::default()).await;
    let id = ConversationId::random();
    store.append(&nobody(), id, turn("before")).await.unwrap();

    redis.kill().await;
    for _ in 0..3 {
        assert!(is_unavailable(&store.reachable().await.unwrap_err()));
        assert!(is_unavailable(
            &store.load(&nobody(), id).await.unwrap_err()
        ));
        assert!(is_unavailable(
            &store.append(&nobody(), id, turn("lost")).await.unwrap_err()
        ));
        assert!(is_unavailable(
            &store.forget(&nobody(), id).await.unwrap_err()
        ));
    }

    redis.restart().await;
    wait_until_reachable(store.as_ref()).await;
    // It came back empty, and nothing that had failed was written later.
    assert_eq!(store.load(&nobody(), id).await.unwrap(), None);
    store.append(&nobody(), id, turn("after")).await.unwrap();
    assert_eq!(names(store.as_ref(), id).await, ["after"]);
}

#[tokio::test]
async fn without_redis_a_store_opens_says_so_and_connects_once_redis_is_there() {
    let mut redis = RedisServer::start().await;
    redis.kill().await;
    let limits = Limits {
        store_timeout_ms: 200,
        ..Limits::default()
    };
    let store = open(Some(&redis.url()), limits).await;
    let error = store.reachable().await.unwrap_err();
    assert!(is_unavailable(&error));
    let cause = error.source().unwrap().to_string();
    assert!(
        cause.contains("refused"),
        "the real reason is told: {cause}"
    );

    redis.restart().await;
    wait_until_reachable(store.as_ref()).await;
    let id = ConversationId::random();
    store.append(&nobody(), id, turn("now")).await.unwrap();
    assert_eq!(names(store.as_ref(), id).await, ["now"]);
}

#[tokio::test]
async fn a_redis_that_hangs_is_an_error_within_the_deadline_and_recovers() {
    let redis = RedisServer::start().await;
    let mut proxy = CutProxy::start(redis.address()).await;
    let limits = Limits {
        store_timeout_ms: 300,
        ..Limits::default()
    };
    let store = open(Some(&format!("redis://{}", proxy.address())), limits).await;
    let id = ConversationId::random();
    store.append(&nobody(), id, turn("before")).await.unwrap();

    proxy.stall();
    let started = Instant::now();
    for _ in 0..3 {
        assert!(is_unavailable(
            &store.load(&nobody(), id).await.unwrap_err()
        ));
        assert!(is_unavailable(&store.reachable().await.unwrap_err()));
    }
    // Six calls with 0.3 s each; without the deadline this would last for ever.
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());

    proxy.resume().await;
    wait_until_reachable(store.as_ref()).await;
    assert_eq!(names(store.as_ref(), id).await, ["before"]);
}

#[tokio::test]
async fn a_cut_connection_fails_at_most_the_calls_on_it_and_repeats_none() {
    let redis = RedisServer::start().await;
    let mut proxy = CutProxy::start(redis.address()).await;
    let store = open(
        Some(&format!("redis://{}", proxy.address())),
        Limits::default(),
    )
    .await;
    let id = ConversationId::random();
    store.append(&nobody(), id, turn("before")).await.unwrap();

    // The append is on its way when the connection goes, and its answer can never come.
    proxy.stall();
    let owner = nobody();
    let (answer, ()) = tokio::join!(store.append(&owner, id, turn("cut")), async {
        tokio::task::yield_now().await;
        proxy.refuse().await;
    });
    assert!(is_unavailable(&answer.unwrap_err()));
    proxy.resume().await;
    wait_until_reachable(store.as_ref()).await;
    assert_eq!(names(store.as_ref(), id).await, ["before"]);

    proxy.cut().await;
    wait_until_reachable(store.as_ref()).await;
    store.append(&nobody(), id, turn("after")).await.unwrap();
    assert_eq!(names(store.as_ref(), id).await, ["before", "after"]);
}

#[tokio::test]
async fn a_wrong_password_is_an_error_that_names_no_secret() {
    let redis = RedisServer::start().await;
    redis
        .command(&["CONFIG", "SET", "requirepass", "sesame"])
        .await;
    let limits = Limits {
        store_timeout_ms: 500,
        ..Limits::default()
    };
    let url = |password: &str| format!("redis://:{password}@{}/1", redis.address());
    let store = open(Some(&url("hunter2")), limits.clone()).await;
    let error = store.reachable().await.unwrap_err();
    assert!(is_unavailable(&error));
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");

    let store = open(Some(&url("sesame")), limits).await;
    store.reachable().await.unwrap();
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_refused_at_start() {
    let opened = RedisConnection::open(&config(Some("http://localhost")), &Limits::default()).await;
    let advice = opened.err().unwrap().to_string();
    assert!(advice.starts_with("REDIS_URL must begin with"), "{advice}");
    let config = ConversationsConfig {
        storage: StorageKind::Redis,
        ..config(None)
    };
    let opened = conversations::open(&config, &Limits::default(), None);
    let advice = opened.err().unwrap().source().unwrap().to_string();
    assert!(advice.contains("set REDIS_URL"), "{advice}");
}

#[tokio::test]
async fn conversations_of_releases_without_owners_are_nobodys() {
    let redis = RedisServer::start().await;
    let store = open(Some(&redis.url()), Limits::default()).await;
    let id = ConversationId::random();
    store.append(&nobody(), id, turn("old")).await.unwrap();
    let about = format!("test:conversation:{{{id}}}:about");
    assert_eq!(redis.command(&["DEL", &about]).await, "1");

    assert!(is_not_owned(store.load(&ada(), id).await));
    let conversation = store.load(&nobody(), id).await.unwrap().unwrap();
    assert_eq!(conversation.turns, [turn("old")]);
    store.append(&nobody(), id, turn("new")).await.unwrap();
    assert_eq!(names(store.as_ref(), id).await, ["old", "new"]);
}

#[tokio::test]
async fn redis_holds_nobodys_name() {
    let redis = RedisServer::start().await;
    let store = open(Some(&redis.url()), Limits::default()).await;
    let id = ConversationId::random();
    store.append(&grace(), id, turn("q")).await.unwrap();
    let keys = redis.command(&["KEYS", "*"]).await;
    assert_eq!(keys.lines().count(), 3, "{keys}");
    assert!(!keys.contains("grace"), "{keys}");
    let about = format!("test:conversation:{{{id}}}:about");
    let owner = redis.command(&["HGET", &about, "owner"]).await;
    assert!(
        keys.contains(&format!("test:principal:{{{owner}}}:conversations")),
        "{keys}"
    );
}
