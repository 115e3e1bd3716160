//! What leaves the machine, field by field.

use db_chat::config::{Limits, ProviderKind};
use db_chat::llm::error::AnsweredKind;
use db_chat::llm::{LlmError, LlmSetupError};
use db_chat::telemetry::metrics::Metrics;
use secrecy::SecretString;
use serde_json::json;

use super::{Dialect, KEY, call, config, connect, connect_with, for_each_dialect};
use crate::support::fake_provider::{FakeProvider, Reply};

#[tokio::test]
async fn an_anthropic_request_is_what_the_messages_api_wants() {
    let fake = FakeProvider::start().await;
    fake.push(Reply::text("ok"));
    call(&connect(Dialect::Anthropic, &fake)).await.unwrap();
    let request = fake.request(0).await;
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/v1/messages");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("anthropic-version"), Some("2026-10-21"));
    assert_eq!(request.header("x-api-key"), Some(KEY));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.header("origin"), None);
    let expected = json!({
        "model": "model-1",
        "max_tokens": 8_192,
        "stream": true,
        "system": [{
            "type": "text",
            "text": "Instructions, then the schema.",
            "cache_control": {"type": "ephemeral"},
        }],
        "messages": [
            {"role": "user", "content": "How many customers?"},
            {"role": "assistant", "content": [{
                "type": "text",
                "text": "There are 7.",
                "cache_control": {"type": "ephemeral"},
            }]},
            {"role": "user", "content": "And in Zürich?"},
        ],
    });
    assert_eq!(request.body, expected);
    assert_eq!(request.system(), "Instructions, then the schema.");
    assert_eq!(request.last_message(), "And in Zürich?");
}

#[tokio::test]
async fn a_server_that_refuses_unknown_fields_can_be_spared_the_cache_key() {
    for dialect in [Dialect::Chat, Dialect::Responses] {
        let fake = FakeProvider::start().await;
        fake.push(Reply::text("ok"));
        let mut config = config(dialect, &fake.url());
        config.openai.prompt_cache_key = false;
        call(&connect_with(&config, &Limits::default()))
            .await
            .unwrap();
        let body = fake.request(0).await.body;
        assert!(body.get("prompt_cache_key").is_none(), "{body}");
    }
}

#[tokio::test]
async fn an_openai_request_is_what_chat_completions_wants() {
    let fake = FakeProvider::start().await;
    fake.push(Reply::text("ok"));
    call(&connect(Dialect::Chat, &fake)).await.unwrap();
    let request = fake.request(0).await;
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert_eq!(request.header("x-api-key"), None);
    let expected = json!({
        "model": "model-1",
        "messages": [
            {"role": "system", "content": "Instructions, then the schema."},
            {"role": "user", "content": "How many customers?"},
            {"role": "assistant", "content": "There are 7."},
            {"role": "user", "content": "And in Zürich?"},
        ],
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_completion_tokens": 8_192,
        "prompt_cache_key": "policy-1",
    });
    assert_eq!(request.body, expected);
    assert_eq!(request.system(), "Instructions, then the schema.");
    assert_eq!(request.last_message(), "And in Zürich?");
}

#[tokio::test]
async fn a_responses_request_is_what_the_responses_api_wants() {
    let fake = FakeProvider::start().await;
    fake.push(Reply::text("ok"));
    call(&connect(Dialect::Responses, &fake)).await.unwrap();
    let request = fake.request(0).await;
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, "/v1/responses");
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.header("authorization"),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert_eq!(request.header("x-api-key"), None);
    let expected = json!({
        "model": "model-1",
        "stream": true,
        "store": false,
        "instructions": "Instructions, then the schema.",
        "input": [
            {"role": "user", "content": "How many customers?"},
            {"role": "assistant", "content": "There are 7.", "phase": "final_answer"},
            {"role": "user", "content": "And in Zürich?"},
        ],
        "max_output_tokens": 8_192,
        "prompt_cache_key": "policy-1",
    });
    assert_eq!(request.body, expected);
    assert_eq!(request.system(), "Instructions, then the schema.");
    assert_eq!(request.last_message(), "And in Zürich?");
}

#[tokio::test]
async fn two_requests_share_every_byte_up_to_the_conversation() {
    for_each_dialect(async |kind, fake| {
        let provider = connect(kind, &fake);
        fake.answer_with(|_| Reply::text("ok"));
        call(&provider).await.unwrap();
        let mut other = super::request();
        other.messages.drain(..2);
        other.messages[0].text = "Something else entirely".to_owned();
        super::collect(provider.stream(other).await.unwrap()).await;
        let prefixes: Vec<_> = fake
            .requests()
            .iter()
            .map(|request| {
                let body = request.body.to_string();
                let end = body.find("the schema.").unwrap() + "the schema.".len();
                body[..end].to_owned()
            })
            .collect();
        assert_eq!(prefixes[0], prefixes[1]);
    })
    .await;
}

#[tokio::test]
async fn empty_instructions_are_left_out() {
    for_each_dialect(async |kind, fake| {
        fake.push(Reply::text("ok"));
        let mut request = super::request();
        request.system.clear();
        let stream = connect(kind, &fake).stream(request).await.unwrap();
        super::collect(stream).await;
        let body = fake.request(0).await.body;
        for name in ["system", "instructions"] {
            assert!(body.get(name).is_none(), "{body}");
        }
        let conversation = body.get("messages").or(body.get("input")).unwrap();
        assert_eq!(conversation[0]["role"], "user");
    })
    .await;
}

#[tokio::test]
async fn ollama_gets_the_cap_under_the_name_that_it_reads_and_no_key() {
    let fake = FakeProvider::start().await;
    fake.push(Reply::text("ok"));
    let mut config = config(Dialect::Chat, &format!("{}/v1/", fake.url()));
    config.openai.api_key = None;
    config.openai.tokens_max_field = "max_tokens".to_owned();
    call(&connect_with(&config, &Limits::default()))
        .await
        .unwrap();
    let request = fake.request(0).await;
    assert_eq!(request.path, "/v1/chat/completions");
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.body["max_tokens"], 8_192);
    assert!(request.body.get("max_completion_tokens").is_none());
}

#[tokio::test]
async fn azure_keeps_the_deployment_and_the_api_version_of_its_url() {
    let fake = FakeProvider::start().await;
    fake.push(Reply::text("ok"));
    let url = format!("{}/openai/deployments/d?api-version=2024-10-21", fake.url());
    call(&connect_with(
        &config(Dialect::Chat, &url),
        &Limits::default(),
    ))
    .await
    .unwrap();
    let path = fake.request(0).await.path;
    assert_eq!(
        path,
        "/openai/deployments/d/chat/completions?api-version=2024-10-21"
    );
}

#[tokio::test]
async fn azure_takes_the_key_bare_in_a_header_of_its_own() {
    for dialect in [Dialect::Chat, Dialect::Responses] {
        let fake = FakeProvider::start().await;
        fake.push(Reply::text("ok"));
        let mut config = config(dialect, &format!("{}/openai/v1/", fake.url()));
        config.openai.api_key_header = "Api-Key".to_owned();
        call(&connect_with(&config, &Limits::default()))
            .await
            .unwrap();
        let request = fake.request(0).await;
        assert_eq!(request.header("api-key"), Some(KEY));
        assert_eq!(request.header("authorization"), None);
        let path = match dialect {
            Dialect::Responses => "/openai/v1/responses",
            Dialect::Anthropic | Dialect::Chat => "/openai/v1/chat/completions",
        };
        assert_eq!(request.path, path);
    }
}

#[tokio::test]
async fn reachability_costs_no_call_and_tells_a_wrong_key_from_a_missing_list() {
    for_each_dialect(async |kind, fake| {
        let provider = connect(kind, &fake);
        for status in [200, 403, 404, 405, 429, 501] {
            fake.set_models_status(status);
            assert!(provider.reachable().await.is_ok(), "{status}");
        }
        for (status, expected) in [
            (401, AnsweredKind::Authentication),
            (503, AnsweredKind::Unavailable),
        ] {
            fake.set_models_status(status);
            match provider.reachable().await {
                Err(LlmError::Answered { kind, .. }) => assert_eq!(kind, expected),
                other => panic!("{status}: {other:?}"),
            }
        }
        assert!(fake.requests().is_empty());
    })
    .await;
}

#[test]
fn offline_needs_no_provider_and_a_missing_anthropic_key_is_named() {
    let limits = Limits::default();
    let mut config = config(Dialect::Anthropic, "");
    config.provider = ProviderKind::Offline;
    assert!(
        db_chat::llm::connect(&config, &limits, &Metrics::default())
            .unwrap()
            .is_none()
    );
    config.provider = ProviderKind::Anthropic;
    config.anthropic.api_key = None;
    let error = db_chat::llm::connect(&config, &limits, &Metrics::default())
        .err()
        .unwrap();
    assert!(
        matches!(
            error,
            LlmSetupError::KeyMissing {
                setting: "ANTHROPIC_API_KEY"
            }
        ),
        "{error}"
    );
}

#[test]
fn settings_that_cannot_work_are_named_without_their_values() {
    let check = |change: fn(&mut db_chat::config::ProviderConfig), setting: &str| {
        let mut config = config(Dialect::Chat, "http://localhost");
        change(&mut config.openai);
        let error = db_chat::llm::connect(&config, &Limits::default(), &Metrics::default())
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains(setting) && !error.contains("secret"),
            "{error}"
        );
    };
    check(
        |provider| provider.api_key = Some(SecretString::from("sec\nsecret")),
        "OPENAI_API_KEY",
    );
    check(|provider| provider.model = " ".to_owned(), "OPENAI_MODEL");
    check(
        |provider| provider.base_url = "secret/v1".to_owned(),
        "OPENAI_BASE_URL",
    );
    check(
        |provider| provider.api_key_header = "secret key".to_owned(),
        "OPENAI_API_KEY_HEADER",
    );
}
