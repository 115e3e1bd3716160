//! Who is let in, as whom, and how much they may have.

mod api_keys;
mod expiry;
mod hosts;
mod limits;
mod operators;
mod ownership;
mod secrets;
mod tickets;
mod tokens;

use db_chat::auth::NewApiKey;
use db_chat::config::{ApiKeyEntry, Config};
use reqwest::Response;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::support::server::TestServer;

/// A new key for `name`, let in by these settings.
pub(crate) fn add_key(config: &mut Config, name: &str) -> String {
    let new = NewApiKey::random(name).expect("randomness");
    let entry = ApiKeyEntry::parse(&new.entry).expect("an entry");
    config.auth.api_keys.push(entry);
    new.key.expose_secret().to_owned()
}

/// Asks for the schema with these headers: the cheapest thing that is behind the door.
async fn knock(server: &TestServer, headers: &[(&str, &str)]) -> Response {
    let mut request = server.http.get(server.url("/api/chat/schema-info/"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("a response")
}

/// Status and code of a response.
async fn outcome(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

/// Status and code with which a handshake is refused. Over plain HTTP: a WebSocket client may read no further than the head.
async fn refused(request: Request) -> (u16, String) {
    let url = request.uri().to_string().replacen("ws", "http", 1);
    let handshake = reqwest::Client::new()
        .get(url)
        .headers(request.headers().clone());
    outcome(handshake.send().await.expect("a response")).await
}
