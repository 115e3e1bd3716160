//! How much anybody may have.

use db_chat::config::Config;
use serde_json::Value;

use super::{add_key, outcome, refused};
use crate::support::redis::{AnyRedis, RedisServer, with_each_redis};
use crate::support::server::TestServer;
use crate::support::turns::echoing;
use crate::support::web_socket::{Socket, handshake};

const QUESTION: &str = r#"{"query": "how many"}"#;

async fn ask(server: &TestServer, header: (&'static str, &str)) -> (u16, String) {
    let response = server
        .post(QUESTION)
        .header(header.0, header.1)
        .send()
        .await;
    outcome(response.expect("a response")).await
}

fn welcome() -> (u16, String) {
    (200, String::new())
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_past_the_rate_are_told_when_to_come_back_at_every_door() {
    let mut key = String::new();
    let server = TestServer::start_with(echoing(), |config| {
        key = add_key(config, "ada");
        config.limits.questions_per_minute_max = 2;
    })
    .await;
    for _ in 0..2 {
        assert_eq!(ask(&server, ("x-api-key", &key)).await, welcome());
    }
    let response = server.post(QUESTION).header("x-api-key", &key).send().await;
    let response = response.expect("a response");
    assert_eq!(response.status(), 429);
    let seconds: u64 = response.headers()["retry-after"]
        .to_str()
        .expect("text")
        .parse()
        .expect("a number");
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["code"], "rate_limited");
    let pause_ms = body["retry_after_ms"].as_u64().expect("a number");
    assert!((1..=30_000).contains(&pause_ms), "{pause_ms}");
    assert_eq!(seconds, pause_ms.div_ceil(1_000));

    let mut request = handshake(server.address);
    request
        .headers_mut()
        .insert("x-api-key", key.parse().expect("a header"));
    let mut socket = Socket::open_with(request).await;
    socket.ask("q", None).await;
    let frames = socket.frames_of("q").await;
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!(frames[0]["code"], "rate_limited");
    assert_eq!(frames[0]["retryable"], true);
    assert!(frames[0]["retry_after_ms"].is_u64(), "{frames:?}");
}

with_each_redis! {
    the_rate_is_one_over_all_instances
}

async fn the_rate_is_one_over_all_instances(redis: AnyRedis) {
    let mut keys = Vec::new();
    let mut entries = Vec::new();
    let configure = |config: &mut Config, url: String| {
        config.limits.questions_per_minute_max = 4;
        config.conversations.redis_url = Some(url.into());
    };
    let first = TestServer::start_with(echoing(), |config| {
        keys = vec![add_key(config, "ada"), add_key(config, "grace")];
        entries.clone_from(&config.auth.api_keys);
        configure(config, redis.url());
    })
    .await;
    let second = TestServer::start_with(echoing(), |config| {
        config.auth.api_keys.clone_from(&entries);
        configure(config, redis.url());
    })
    .await;
    let asked = (0..5)
        .flat_map(|_| [&first, &second])
        .map(|server| ask(server, ("x-api-key", &keys[0])));
    let outcomes = futures_util::future::join_all(asked).await;
    let passed = outcomes
        .iter()
        .filter(|outcome| **outcome == welcome())
        .count();
    assert_eq!(passed, 4, "{outcomes:?}");
    assert_eq!(
        ask(&second, ("x-api-key", &keys[1])).await,
        welcome(),
        "others have their own"
    );
    let mut kept = redis.keys().await;
    kept.retain(|key| key.ends_with("question_rate"));
    assert_eq!(kept.len(), 2, "{kept:?}");
    for key in &kept {
        assert!(!key.contains("ada"), "{key}");
        let pause_ms: i64 = redis
            .command(&["PTTL", key])
            .await
            .parse()
            .expect("a number");
        assert!((1..=60_000).contains(&pause_ms), "{pause_ms}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_no_question_passes() {
    let mut redis = RedisServer::start().await;
    let mut key = String::new();
    let server = TestServer::start_with(echoing(), |config| {
        key = add_key(config, "ada");
        config.conversations.redis_url = Some(redis.url().into());
    })
    .await;
    assert_eq!(ask(&server, ("x-api-key", &key)).await, welcome());
    redis.kill().await;
    let unavailable = (503, "store_unavailable".to_owned());
    assert_eq!(ask(&server, ("x-api-key", &key)).await, unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_in_particular_is_counted_by_the_address_that_trusted_proxies_saw() {
    let server = TestServer::start_with(echoing(), |config| {
        config.limits.questions_per_minute_max = 1;
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    })
    .await;
    let limited = (429, "rate_limited".to_owned());
    let from = |address: &'static str| ask(&server, ("x-forwarded-for", address));
    assert_eq!(from("198.51.100.1").await, welcome());
    assert_eq!(from("198.51.100.2").await, welcome());
    assert_eq!(
        from("203.0.113.9, 198.51.100.1").await,
        limited,
        "what clients write changes nothing"
    );
    assert_eq!(from("2001:db8:1:2::1").await, welcome());
    assert_eq!(
        from("2001:db8:1:2::ffff").await,
        limited,
        "a network is one subscriber"
    );
    // Whoever sits at this machine may ask as much as they like.
    for _ in 0..3 {
        assert_eq!(ask(&server, ("accept", "*/*")).await, welcome());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_not_trusted_is_one_address() {
    let server = TestServer::start_with(echoing(), |config| {
        config.limits.questions_per_minute_max = 1;
    })
    .await;
    assert_eq!(
        ask(&server, ("x-forwarded-for", "198.51.100.1")).await,
        welcome()
    );
    let second = ask(&server, ("x-forwarded-for", "198.51.100.2")).await;
    assert_eq!(second, (429, "rate_limited".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_by_principal_and_by_address_and_freed_when_they_end() {
    let (mut ada, mut grace) = (String::new(), String::new());
    let server = TestServer::start_with(echoing(), |config| {
        ada = add_key(config, "ada");
        grace = add_key(config, "grace");
        config.limits.connections_per_principal_max = 2;
        config.limits.connections_per_address_max = 3;
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    })
    .await;
    let request = |key: &str, address: &'static str| {
        let mut request = handshake(server.address);
        request
            .headers_mut()
            .insert("x-api-key", key.parse().expect("a header"));
        request
            .headers_mut()
            .insert("x-forwarded-for", address.parse().expect("a header"));
        request
    };
    let full = (429, "connection_limit".to_owned());
    let mut first = Socket::open_with(request(&ada, "192.0.2.1")).await;
    let _second = Socket::open_with(request(&ada, "192.0.2.2")).await;
    assert_eq!(refused(request(&ada, "192.0.2.3")).await, full);
    let _third = Socket::open_with(request(&grace, "192.0.2.1")).await;
    let fourth = Socket::open_with(request(&grace, "192.0.2.1")).await;
    drop(fourth);
    let closed = tokio_tungstenite::tungstenite::Message::Close(None);
    first.send(closed).await;
    assert_eq!(first.close_code().await, Some(1000));
    // The count falls when the server has seen the end, soon after the client has.
    let opened = async {
        loop {
            if let Ok((stream, _)) =
                tokio_tungstenite::connect_async(request(&ada, "192.0.2.1")).await
            {
                break stream;
            }
        }
    };
    tokio::time::timeout(crate::support::turns::PATIENCE, opened)
        .await
        .expect("room again");
}
