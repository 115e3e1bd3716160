//! What holds for the store in Redis only: its keys, and Redis being away.

use super::*;

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

    redis.start_again().await;
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

    redis.start_again().await;
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
