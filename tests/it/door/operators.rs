//! Who sees `/metrics`, and how much of `/readyz` strangers see.

use std::sync::Arc;

use db_chat::http::Check;
use serde_json::{Value, json};

use super::{add_key, outcome};
use crate::support::server::TestServer;
use crate::support::turns::echoing;

const TOKEN: &str = "a token for scrapers";

async fn get(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = server.http.get(server.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("a response")
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_this_machine_and_only_read() {
    let server = TestServer::start_with(echoing(), |config| {
        // Of these the address is believed, which changes nothing.
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    })
    .await;
    for path in ["/metrics", "/metrics/"] {
        assert_eq!(get(&server, path, &[]).await.status(), 200);
    }
    let post = server.http.post(server.url("/metrics")).send().await;
    assert_eq!(post.expect("a response").status(), 405);

    let required = (401, "authentication_required".to_owned());
    for header in [
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-for", ""),
        ("x-real-ip", "198.51.100.7"),
        ("forwarded", "for=198.51.100.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "chat.example.com"),
        ("via", "1.1 proxy"),
        // A page that was made to be of the same origin.
        ("host", "evil.test"),
    ] {
        let response = get(&server, "/metrics", &[header]).await;
        assert!(response.headers().contains_key("www-authenticate"));
        assert_eq!(outcome(response).await, required, "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_metrics_opens_them_from_everywhere_and_nothing_else_does() {
    let mut key = String::new();
    let server = TestServer::start_with(echoing(), |config| {
        key = add_key(config, "ada");
        config.server.metrics_token = Some(TOKEN.into());
    })
    .await;
    let bearer = format!("Bearer {TOKEN}");
    let far = [
        ("authorization", bearer.as_str()),
        ("x-forwarded-for", "198.51.100.7"),
        // As a scraper calls that knows the server under another name.
        ("host", "scrape.test"),
    ];
    assert_eq!(get(&server, "/metrics", &far).await.status(), 200);
    let required = (401, "authentication_required".to_owned());
    assert_eq!(outcome(get(&server, "/metrics", &[]).await).await, required);
    let invalid = (401, "invalid_credentials".to_owned());
    let of_ada = format!("Bearer {key}");
    let upper = bearer.to_uppercase();
    for shown in [
        vec!["Bearer x"],
        vec!["Bearer "],
        vec![TOKEN],
        vec![upper.as_str()],
        vec![of_ada.as_str()],
        vec![bearer.as_str(), bearer.as_str()],
    ] {
        let headers: Vec<_> = shown
            .iter()
            .map(|shown| ("authorization", *shown))
            .collect();
        let response = get(&server, "/metrics", &headers).await;
        assert_eq!(outcome(response).await, invalid, "{shown:?}");
    }
    // It opens no other door.
    let response = get(&server, "/api/chat/schema-info/", &far[..1]).await;
    assert_eq!(outcome(response).await, invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_told_which_part_is_down_and_not_what_it_is() {
    let check = || Check {
        name: "provider",
        is_required: true,
        instead: None,
        kind: Some("openai"),
        model: Some("the-model".to_owned()),
        probe: Some(Arc::new(|| Box::pin(async { Ok(()) }))),
    };
    let stranger = ("x-forwarded-for", "198.51.100.7");
    let bearer = format!("Bearer {TOKEN}");
    let whole = json!({"name": "provider", "status": "up", "kind": "openai", "model": "the-model"});
    let bare = json!({"name": "provider", "status": "up"});
    for (needs_key, has_token, headers, expected) in [
        (true, false, vec![stranger], &bare),
        (true, false, vec![], &whole),
        (true, true, vec![], &bare),
        (
            true,
            true,
            vec![stranger, ("authorization", &bearer)],
            &whole,
        ),
        // Whoever may ask reads in every answer which model gave it.
        (false, false, vec![stranger], &whole),
    ] {
        let server = TestServer::start_checked(echoing(), vec![check()], |config| {
            if needs_key {
                add_key(config, "ada");
            }
            config.server.metrics_token = has_token.then(|| TOKEN.into());
        })
        .await;
        let response = get(&server, "/readyz", &headers).await;
        let body: Value = response.json().await.expect("JSON");
        assert_eq!(&body["checks"][0], expected, "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_down_is_told_without_hosts_names_or_a_drivers_words() {
    let server = TestServer::build(|config| {
        let database = "postgresql://dbuser:hunter2@127.0.0.1:1/the_database";
        config.database.url = Some(database.into());
        config.conversations.redis_url = Some("redis://reduser:hunter3@127.0.0.1:2/0".into());
        config.conversations.storage = db_chat::config::StorageKind::Redis;
        config.llm.provider = db_chat::config::ProviderKind::OpenAi;
        config.llm.openai.api_key = Some("sk-hunter4".into());
        config.llm.openai.base_url = "http://127.0.0.1:3/v1".to_owned();
        config.state.url = Some(database.into());
    })
    .await;
    let response = get(&server, "/readyz", &[]).await;
    assert_eq!(response.status(), 503);
    let text = response.text().await.expect("text");
    let body: Value = serde_json::from_str(&text).expect("JSON");
    for check in body["checks"].as_array().expect("checks") {
        assert_eq!(check["status"], "down", "{body}");
        assert!(check["message"].is_string(), "{body}");
    }
    let text = text.to_lowercase();
    for word in [
        "127.0.0.1",
        "localhost",
        "user",
        "hunter",
        "the_database",
        "refused",
        "os error",
        "postgres",
        "tcp",
        "http",
        "sk-",
    ] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}
