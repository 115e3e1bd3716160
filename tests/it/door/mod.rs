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
use tokio_tungstenite::tungstenite::{Error, handshake::client::Request};

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

/// Status and code with which a handshake is refused.
async fn refused(request: Request) -> (u16, String) {
    match tokio_tungstenite::connect_async(request).await {
        Err(Error::Http(response)) => {
            let status = response.status().as_u16();
            let body = response.into_body().unwrap_or_default();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            (status, body["code"].as_str().unwrap_or_default().to_owned())
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}
