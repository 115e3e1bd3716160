//! One-time tickets for the sockets of browsers.

use std::net::SocketAddr;

use db_chat::auth::{Identity, Tickets};
use db_chat::config::{Config, Limits};
use db_chat::domain::principal::Principal;
use db_chat::redis::RedisConnection;
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use super::{add_key, refused};
use crate::support::redis::{AnyRedis, RedisServer, with_each_redis};
use crate::support::server::TestServer;
use crate::support::turns::played;
use crate::support::web_socket::Socket;

fn with_ticket(address: SocketAddr, ticket: &str) -> Request {
    format!("ws://{address}/ws/db_chat/query/?a=b&ticket={ticket}")
        .into_client_request()
        .expect("a request")
}

async fn get_ticket(server: &TestServer, key: &str) -> String {
    let url = server.url("/api/chat/ticket/");
    let response = server.http.post(url).bearer_auth(key).send().await;
    let response = response.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["expires_in"], 30);
    body["ticket"].as_str().expect("a ticket").to_owned()
}

/// The ticket of one instance opens a socket of another, once, for whoever got it.
async fn a_ticket_opens_one_socket(redis: Option<&AnyRedis>) {
    let mut key = String::new();
    let configure = |config: &mut Config, entries: &[db_chat::config::ApiKeyEntry]| {
        config.auth.api_keys.extend_from_slice(entries);
        if let Some(redis) = redis {
            config.conversations.redis_url = Some(redis.url().into());
        }
    };
    let mut entries = Vec::new();
    let (run_turn, mut playbook) = played();
    let first = TestServer::start_with(run_turn.clone(), |config| {
        key = add_key(config, "ada");
        entries.clone_from(&config.auth.api_keys);
        configure(config, &[]);
    })
    .await;
    let second = TestServer::start_with(run_turn, |config| configure(config, &entries)).await;
    let opened = if redis.is_some() { &second } else { &first };

    let ticket = get_ticket(&first, &key).await;
    let mut socket = Socket::open_with(with_ticket(opened.address, &ticket)).await;
    assert_eq!(socket.frame().await["stage"], "connected");
    socket.ask("q", None).await;
    let turn = playbook.next().await;
    assert_eq!(turn.turn.principal.as_str(), "key:ada");
    turn.answer("a").await;
    assert_eq!(socket.frames_of("q").await[0]["reply"], "a");

    let invalid = (401, "invalid_credentials".to_owned());
    assert_eq!(refused(with_ticket(opened.address, &ticket)).await, invalid);
    let other = get_ticket(&first, &key).await;
    assert_ne!(other, ticket);
    for forged in [
        "",
        "x",
        &other.to_uppercase(),
        &other[..other.len() - 1],
        "%00",
    ] {
        assert_eq!(refused(with_ticket(opened.address, forged)).await, invalid);
    }
    if let Some(redis) = redis {
        let keys = redis.keys().await;
        let is_ticket = |key: &&String| key.starts_with("db-chat:ticket:");
        let key = keys.iter().find(is_ticket).expect("a ticket that waits");
        assert!(!key.contains(&other), "only the hash is kept: {key}");
        let seconds: i64 = redis
            .command(&["TTL", key])
            .await
            .parse()
            .expect("a number");
        assert!((1..=30).contains(&seconds), "{seconds}");
        // Its time is over.
        redis.command(&["EXPIRE", key, "0"]).await;
        assert_eq!(refused(with_ticket(opened.address, &other)).await, invalid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_a_ticket_opens_one_socket_of_its_instance() {
    a_ticket_opens_one_socket(None).await;
}

with_each_redis! {
    in_redis_a_ticket_opens_one_socket_of_any_instance
}

async fn in_redis_a_ticket_opens_one_socket_of_any_instance(redis: AnyRedis) {
    a_ticket_opens_one_socket(Some(&redis)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_show_one_ticket_at_once_one_gets_in() {
    let redis = RedisServer::start().await;
    let mut config = db_chat::config::resolve(None, std::iter::empty(), &[]).expect("defaults");
    config.conversations.redis_url = Some(redis.url().into());
    let connection = RedisConnection::open(&config.conversations, &Limits::default()).await;
    for place in [None, connection.expect("an address")] {
        let tickets = Tickets::new(place, "test:");
        let ada = Identity {
            principal: Principal::proved("key", "ada"),
            expires_at: None,
        };
        let ticket = tickets.issue(&ada).await.expect("a ticket");
        let shown = (0..20).map(|_| tickets.redeem(&ticket));
        let found = futures_util::future::join_all(shown).await;
        let found: Vec<_> = found
            .into_iter()
            .filter_map(|found| found.expect("an answer"))
            .collect();
        assert_eq!(found, [ada]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_past_the_rate_are_told_when_to_come_back() {
    let redis = RedisServer::start().await;
    for redis in [None, Some(&redis)] {
        let mut keys = Vec::new();
        let mut entries = Vec::new();
        let configure = |config: &mut Config| {
            config.limits.tickets_per_minute_max = 3;
            config.conversations.redis_url = redis.map(|redis| redis.url().into());
        };
        let (run_turn, _playbook) = played();
        let first = TestServer::start_with(run_turn.clone(), |config| {
            keys = vec![add_key(config, "ada"), add_key(config, "grace")];
            entries.clone_from(&config.auth.api_keys);
            configure(config);
        })
        .await;
        let second = TestServer::start_with(run_turn, |config| {
            config.auth.api_keys.clone_from(&entries);
            configure(config);
        })
        .await;
        // Where instances share nothing, each counts for itself.
        let second = if redis.is_some() { &second } else { &first };
        for server in [&first, second, &first] {
            get_ticket(server, &keys[0]).await;
        }
        for server in [&first, second] {
            let request = server.http.post(server.url("/api/chat/ticket/"));
            let response = request.bearer_auth(&keys[0]).send().await;
            let response = response.expect("a response");
            let seconds = response.headers()["retry-after"].to_str().expect("text");
            let seconds: u64 = seconds.parse().expect("a number");
            assert!((1..=20).contains(&seconds), "{seconds}");
            let limited = (429, "rate_limited".to_owned());
            assert_eq!(super::outcome(response).await, limited);
        }
        get_ticket(second, &keys[1]).await;
        if let Some(redis) = redis {
            let waiting = redis.command(&["KEYS", "db-chat:ticket:*"]).await;
            assert_eq!(waiting.lines().count(), 4, "none of those refused is kept");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_no_ticket_is_given_or_taken() {
    let mut redis = RedisServer::start().await;
    let mut key = String::new();
    let (run_turn, _playbook) = played();
    let server = TestServer::start_with(run_turn, |config| {
        key = add_key(config, "ada");
        config.conversations.redis_url = Some(redis.url().into());
    })
    .await;
    let ticket = get_ticket(&server, &key).await;
    redis.kill().await;
    let unavailable = (503, "authentication_unavailable".to_owned());
    let url = server.url("/api/chat/ticket/");
    let response = server.http.post(url).bearer_auth(&key).send().await;
    let response = response.expect("a response");
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(super::outcome(response).await, unavailable);
    assert_eq!(
        refused(with_ticket(server.address, &ticket)).await,
        unavailable
    );
}
