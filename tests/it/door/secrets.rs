//! Keys, tokens and tickets stand in no log, however much is logged, and in no trace of a request.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tracing_subscriber::fmt::MakeWriter;

use super::{add_key, knock, refused};
use crate::support::issuer::{SigningKey, claims, from_now};
use crate::support::server::TestServer;
use crate::support::turns::echoing;
use crate::support::web_socket::{Socket, handshake};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("sound").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_is_ever_logged() {
    const SECRET: &str = "a secret of at least thirty-two bytes";
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // For all threads: the server's workers are others. No other test logs to anything.
    let _ = tracing::subscriber::set_global_default(subscriber);

    let mut key = String::new();
    let server = TestServer::start_with(echoing(), |config| {
        key = add_key(config, "ada");
        config.auth.jwt = Some(db_chat::config::JwtConfig {
            keys: db_chat::config::JwtKeys::Secret(SECRET.into()),
            issuer: None,
            audience: Some("db-chat".to_owned()),
            clock_skew_seconds: 0,
        });
    })
    .await;
    let signing = SigningKey::secret(SECRET);
    let good = signing.token(None, &claims("ada"));
    let mut over = claims("ada");
    over["exp"] = from_now(-10).into();
    let over = signing.token(None, &over);
    let forged =
        SigningKey::secret("another secret of thirty-two bytes!!").token(None, &claims("x"));
    for (token, status) in [(&key, 200), (&good, 200), (&over, 401), (&forged, 401)] {
        let bearer = format!("Bearer {token}");
        let response = knock(&server, &[("authorization", &bearer)]).await;
        assert_eq!(response.status(), status);
    }
    let url = server.url("/api/chat/ticket/");
    let response = server.http.post(url).bearer_auth(&key).send().await;
    let body: Value = response.expect("a response").json().await.expect("JSON");
    let ticket = body["ticket"].as_str().expect("a ticket");
    let request = || {
        format!("ws://{}/ws/db_chat/query/?ticket={ticket}", server.address)
            .into_client_request()
            .expect("a request")
    };
    let mut socket = Socket::open_with(request()).await;
    socket.frame().await;
    refused(request()).await;
    refused(handshake(server.address)).await;

    let log = String::from_utf8_lossy(&log.0.lock().expect("sound")).into_owned();
    assert!(
        log.contains("refused a credential"),
        "the log was read: {log}"
    );
    // The server's own words: clients of the tests share the process, and log what they send.
    let ours: Vec<&str> = log
        .lines()
        .filter(|line| {
            !line.contains("tungstenite") && !line.contains("hyper") && !line.contains("reqwest")
        })
        .collect();
    for secret in [&key, &good, &over, &forged, ticket, SECRET] {
        let found = ours.iter().find(|line| line.contains(secret));
        assert_eq!(found, None);
    }
}
