//! A socket does not outlive the token that it was opened with; the questions on it do.

use db_chat::config::{Config, JwtConfig, JwtKeys};
use db_chat::pipeline::event::TurnEvent;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use super::{add_key, refused};
use crate::support::issuer::{SigningKey, claims, from_now};
use crate::support::redis::RedisServer;
use crate::support::server::TestServer;
use crate::support::turns::played;
use crate::support::web_socket::{Socket, handshake};

const SECRET: &str = "a secret of at least thirty-two bytes";

/// Seconds that a token has here: for all that a test does before it waits for the end, on a slow machine too.
const LIFE: i64 = 5;

/// What the server closes with.
const CREDENTIAL_EXPIRED: u16 = 3005;

/// A token for `ada` that has so many seconds to live.
fn token(seconds: i64) -> String {
    let mut claims = claims("ada");
    claims["exp"] = from_now(seconds).into();
    SigningKey::secret(SECRET).token(None, &claims)
}

/// Takes tokens of [`token`], to the second.
fn take_tokens(config: &mut Config) {
    config.auth.jwt = Some(JwtConfig {
        keys: JwtKeys::Secret(SECRET.into()),
        issuer: None,
        audience: Some("db-chat".to_owned()),
        clock_skew_seconds: 0,
    });
}

fn with_credential(server: &TestServer, credential: &str) -> Request {
    let mut request = handshake(server.address);
    let bearer = format!("Bearer {credential}").parse().expect("a header");
    request.headers_mut().insert("authorization", bearer);
    request
}

async fn with_ticket(server: &TestServer, token: &str) -> Request {
    let url = server.url("/api/chat/ticket/");
    let response = server.http.post(url).bearer_auth(token).send().await;
    let body: Value = response.expect("a response").json().await.expect("JSON");
    let ticket = body["ticket"].as_str().expect("a ticket");
    format!("ws://{}/ws/db_chat/query/?ticket={ticket}", server.address)
        .into_client_request()
        .expect("a request")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_outlives_the_token_that_its_socket_was_opened_with() {
    let mut key = String::new();
    let (run_turn, mut playbook) = played();
    let server = TestServer::start_with(run_turn, |config| {
        take_tokens(config);
        key = add_key(config, "reporting");
    })
    .await;
    let mut unending = Socket::open_with(with_credential(&server, &key)).await;
    unending.frame().await;
    let mut socket = Socket::open_with(with_credential(&server, &token(LIFE))).await;
    socket.frame().await;
    socket.ask("q", None).await;
    let turn = playbook.next().await;
    turn.play(TurnEvent::Token("one ".to_owned())).await;
    let seen = socket.frame().await;
    assert_eq!((&seen["token"], &seen["seq"]), (&json!("one "), &json!(1)));
    assert_eq!(socket.close_code().await, Some(CREDENTIAL_EXPIRED));
    assert!(!turn.turn.cancel.is_cancelled());

    // The same person, with a new token.
    let mut socket = Socket::open_with(with_credential(&server, &token(600))).await;
    socket.frame().await;
    let resume = json!({"type": "resume", "request_id": "q", "after": 1});
    socket.text(resume.to_string()).await;
    turn.play(TurnEvent::Token("two".to_owned())).await;
    turn.answer("one two").await;
    let frames = socket.frames_of("q").await;
    assert_eq!(frames[0]["token"], "two");
    assert_eq!(frames.last().expect("frames")["reply"], "one two");

    // What was opened with a key is open still.
    unending.ask("k", None).await;
    playbook.next().await.answer("yes").await;
    assert_eq!(unending.frames_of("k").await[0]["reply"], "yes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_opened_by_a_ticket_ends_with_the_token_that_got_it() {
    let redis = RedisServer::start().await;
    let in_redis = ends_with_its_token(Some(redis.url()));
    tokio::join!(ends_with_its_token(None), in_redis);

    async fn ends_with_its_token(redis_url: Option<String>) {
        let (run_turn, _playbook) = played();
        let server = TestServer::start_with(run_turn, |config| {
            take_tokens(config);
            config.conversations.redis_url = redis_url.map(Into::into);
        })
        .await;
        let token = token(LIFE);
        let request = with_ticket(&server, &token).await;
        // Waits for its use until the token has ended.
        let late = with_ticket(&server, &token).await;
        let mut socket = Socket::open_with(request).await;
        assert_eq!(socket.frame().await["stage"], "connected");
        assert_eq!(socket.close_code().await, Some(CREDENTIAL_EXPIRED));
        let invalid = (401, "invalid_credentials".to_owned());
        assert_eq!(refused(late).await, invalid);
        let expired = (401, "token_expired".to_owned());
        assert_eq!(refused(with_credential(&server, &token)).await, expired);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_skew_counts_for_the_socket_too_and_no_end_is_too_far() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start_with(run_turn, |config| {
        take_tokens(config);
        let jwt = config.auth.jwt.as_mut().expect("tokens");
        jwt.clock_skew_seconds = 60;
    })
    .await;
    // Over by its own word, and good for some seconds more by ours.
    let over = token(LIFE - 60);
    let mut socket = Socket::open_with(with_credential(&server, &over)).await;
    assert_eq!(socket.frame().await["stage"], "connected");
    for exp in [json!(u64::MAX), json!(1e18), json!(4_102_444_800.5)] {
        let mut claims = claims("ada");
        claims["exp"] = exp;
        let token = SigningKey::secret(SECRET).token(None, &claims);
        let mut endless = Socket::open_with(with_credential(&server, &token)).await;
        assert_eq!(endless.frame().await["stage"], "connected");
        endless.ask("q", None).await;
        playbook.next().await.answer("yes").await;
        assert_eq!(endless.frames_of("q").await[0]["reply"], "yes");
    }
    assert_eq!(socket.close_code().await, Some(CREDENTIAL_EXPIRED));
}
