//! The HTTP API: answers, errors and what is beside them.

mod readiness;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use db_chat::conversations::StoreError;
use db_chat::domain::conversation::{StoredTurn, TurnOutcome};
use db_chat::domain::ids::{ConversationId, RequestId};
use db_chat::domain::principal::Principal;
use db_chat::http::Check;
use db_chat::llm::LlmError;
use db_chat::llm::error::AnsweredKind;
use db_chat::pipeline::error::TurnError;
use db_chat::pipeline::event::{Answer, Shortfall, Stage, TurnEvent};
use db_chat::postgres::QueryError;
use db_chat::protocol::error_code::ErrorCode;
use db_chat::wire::errors::WireError;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::postgres::TestDatabase;
use crate::support::server::TestServer;
use crate::support::turns::{echoing, played};

const QUESTION: &str = r#"{"query": "how many"}"#;

async fn json(response: reqwest::Response) -> Value {
    assert_eq!(response.headers()["content-type"], "application/json");
    let text = response.text().await.expect("a body");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_gets_its_answer_as_one_document() {
    let server = TestServer::start(echoing()).await;
    for path in ["/api/chat/query", "/api/chat/query/"] {
        let response = server
            .http
            .post(server.url(path))
            .header("content-type", "Application/JSON; charset=UTF-8")
            .header("x-request-id", "my-id")
            .body(QUESTION)
            .send()
            .await
            .expect("a response");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-request-id"], "my-id");
        let body = json(response).await;
        assert_eq!(body["reply"], "how many");
        assert_eq!(body["request_id"], "my-id");
        assert_eq!(body["raw_result"], "");
        assert_eq!(body.get("type"), None);
        assert_eq!(body.get("error"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_without_a_real_answer_is_no_http_error() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let asking = server.post(QUESTION).send();
    let playing = async {
        let turn = playbook.next().await;
        turn.play(TurnEvent::Stage(Stage::Checking)).await;
        turn.play(TurnEvent::Answered(Box::new(Answer {
            reply: "I cannot look at that.".to_owned(),
            shortfall: Some(Shortfall::QueryRefused),
            ..Answer::default()
        })))
        .await;
    };
    let (response, ()) = tokio::join!(asking, playing);
    let response = response.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(json(response).await["error"], "query_refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_trouble_has_its_status_and_tells_nothing_of_the_inside() {
    let source = || -> Box<dyn std::error::Error + Send + Sync> { "secret-host:5432".into() };
    let llm = |source| TurnError::Llm {
        purpose: "sql",
        source,
    };
    let answered = |kind| {
        llm(LlmError::Answered {
            provider: "secret-provider",
            kind,
            status: 500,
            message: "secret".to_owned(),
            retry_after: Some(std::time::Duration::from_millis(1_500)),
        })
    };
    let cases = [
        (
            answered(AnsweredKind::Unavailable),
            502,
            "provider_unavailable",
        ),
        (
            answered(AnsweredKind::Authentication),
            502,
            "provider_authentication",
        ),
        (
            answered(AnsweredKind::RateLimited),
            503,
            "provider_rate_limited",
        ),
        (
            llm(LlmError::Timeout {
                provider: "secret-provider",
                awaited: "first token",
                after: std::time::Duration::from_secs(1),
            }),
            504,
            "provider_timeout",
        ),
        (
            TurnError::Database {
                source: QueryError::Unavailable { source: source() },
            },
            503,
            "database_unavailable",
        ),
        (
            TurnError::Store {
                source: StoreError::Unavailable {
                    operation: "load",
                    source: source(),
                },
            },
            503,
            "store_unavailable",
        ),
        (
            TurnError::Internal {
                problem: "secret".to_owned(),
            },
            500,
            "internal",
        ),
    ];
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    for (error, status, code) in cases {
        let asking = server.post(QUESTION).send();
        let playing = async { playbook.next().await.play(TurnEvent::Failed(error)).await };
        let (response, ()) = tokio::join!(asking, playing);
        let response = response.expect("a response");
        assert_eq!(response.status(), status, "{code}");
        let id = response.headers()["x-request-id"]
            .to_str()
            .expect("text")
            .to_owned();
        let pause = response.headers().get("retry-after").cloned();
        let body = json(response).await;
        assert_eq!(body["code"], code);
        assert_eq!(body["request_id"], id);
        // In seconds that are whole, and in milliseconds that are exact.
        if let Some(milliseconds) = body.get("retry_after_ms") {
            assert_eq!(milliseconds, 1_500, "{code}");
            assert_eq!(pause.expect("a header"), "2");
        } else {
            // Nobody has said when, or it would be of no use.
            let without = ["provider_timeout", "provider_authentication"];
            assert!(!code.starts_with("provider_") || without.contains(&code));
        }
        assert!(!body.to_string().contains("secret"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_stops_its_question() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    for accept in ["application/json", "text/event-stream"] {
        let mut asking = Box::pin(server.post(QUESTION).header("accept", accept).send());
        let turn = tokio::select! {
            turn = playbook.next() => turn,
            response = &mut asking => {
                // Server-sent events: the head comes at once, the frames later.
                let turn = playbook.next().await;
                drop(response);
                turn.cancelled().await;
                continue;
            }
        };
        drop(asking);
        turn.cancelled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_told_apart() {
    let server = TestServer::start(echoing()).await;
    for (method, path, status, allow) in [
        (Method::GET, "/nothing", 404, None),
        (Method::GET, "/api/nothing", 404, None),
        (Method::POST, "/api/chat/nothing", 404, None),
        (Method::POST, "/API/CHAT/QUERY/", 404, None),
        (Method::GET, "/static/../Cargo.toml", 404, None),
        (Method::GET, "/static/%2e%2e/Cargo.toml", 404, None),
        (Method::GET, "/api/chat/query", 405, Some("POST")),
        (Method::TRACE, "/api/chat/query/", 405, Some("POST")),
        (
            Method::POST,
            "/api/chat/schema-info/",
            405,
            Some("GET, HEAD"),
        ),
        (
            Method::PUT,
            "/api/chat/conversations/x/",
            405,
            Some("GET, HEAD, PATCH, DELETE"),
        ),
        (Method::POST, "/ws/db_chat/query/", 405, Some("GET")),
        (Method::GET, "/ws/db_chat/query/", 426, None),
        (Method::DELETE, "/healthz", 405, Some("GET, HEAD")),
        (Method::POST, "/", 405, Some("GET, HEAD")),
        (Method::GET, "/api/chat/conversations/not-an-id/", 400, None),
        (
            Method::GET,
            "/api/chat/conversations/0b7e1a52-9c1d-4d5e-8f60-718293a4b5c6",
            404,
            None,
        ),
        (
            Method::DELETE,
            "/api/chat/conversations/0b7e1a52-9c1d-4d5e-8f60-718293a4b5c6/",
            404,
            None,
        ),
    ] {
        let response = server
            .http
            .request(method.clone(), server.url(path))
            .send()
            .await
            .expect("a response");
        assert_eq!(response.status(), status, "{method} {path}");
        let found = response
            .headers()
            .get("allow")
            .and_then(|value| value.to_str().ok());
        assert_eq!(found, allow, "{method} {path}");
        let body = json(response).await;
        assert!(
            body["error"].is_string() && body["code"].is_string(),
            "{body}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_there_with_and_without_the_last_slash() {
    let server = TestServer::start(echoing()).await;
    for path in ["/api/chat/schema-info", "/api/chat/schema-info/"] {
        let response = server
            .http
            .get(server.url(path))
            .send()
            .await
            .expect("a response");
        assert_eq!(response.status(), 200);
        assert_eq!(json(response).await["tables"], serde_json::json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn allowed_pages_may_call_the_api_and_read_the_request_id() {
    let server = TestServer::start_with(echoing(), |config| {
        config.server.allowed_origins = vec!["https://app.example.com".to_owned()];
    })
    .await;
    let preflight = |origin: &str| {
        server
            .http
            .request(Method::OPTIONS, server.url("/api/chat/query/"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
            .send()
    };
    let response = preflight("https://app.example.com")
        .await
        .expect("a response");
    assert_eq!(response.status(), 204);
    let headers = response.headers();
    assert_eq!(
        headers["access-control-allow-origin"],
        "https://app.example.com"
    );
    assert!(
        headers["access-control-allow-headers"]
            .to_str()
            .expect("text")
            .contains("content-type")
    );
    assert_eq!(headers["vary"], "Origin");

    let response = server
        .post(QUESTION)
        .header("origin", "https://app.example.com")
        .send()
        .await
        .expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["access-control-expose-headers"],
        "x-request-id, retry-after"
    );

    let response = preflight("https://evil.test").await.expect("a response");
    assert_eq!(response.status(), 403);
    let response = server
        .post(QUESTION)
        .header("origin", "https://evil.test")
        .send()
        .await
        .expect("a response");
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers().get("access-control-allow-origin"), None);
    assert_eq!(json(response).await["code"], "origin_not_allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_with_a_strict_policy_and_asked_for_only_once() {
    let server = TestServer::start(echoing()).await;
    let get = |path: &str| server.http.get(server.url(path));
    let response = get("/").send().await.expect("a response");
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let policy = headers["content-security-policy"].to_str().expect("text");
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(
        response
            .text()
            .await
            .expect("a body")
            .contains("<!doctype html>")
    );

    let again = get("/")
        .header("if-none-match", headers["etag"].clone())
        .send()
        .await
        .expect("a response");
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);

    let module = get("/static/page.js").send().await.expect("a response");
    assert_eq!(
        module.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    let head = server
        .http
        .head(server.url("/static/page.js"))
        .send()
        .await
        .expect("a response");
    assert_eq!(head.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_can_be_read_and_forgotten() {
    let server = TestServer::start(echoing()).await;
    let id = ConversationId::random();
    let turn = StoredTurn {
        request_id: RequestId::parse("q-1").expect("an id"),
        asked_at: chrono::DateTime::UNIX_EPOCH,
        question: "How many?".to_owned(),
        sql: Some("SELECT 1".to_owned()),
        result: None,
        reply: "One.".to_owned(),
        outcome: TurnOutcome::Answered,
        options: Vec::new(),
        tokens_spent: 0,
    };
    server
        .store
        .append(&Principal::anonymous(), id, turn)
        .await
        .expect("stored");
    let url = server.url(&format!("/api/chat/conversations/{id}/"));
    let response = server.http.get(&url).send().await.expect("a response");
    let body = json(response).await;
    assert_eq!(body["conversation_id"], id.to_string());
    assert_eq!(body["turns"][0]["query"], "How many?");
    assert_eq!(body["turns"][0]["reply"], "One.");
    assert_eq!(body["turns"][0]["asked_at"], "1970-01-01T00:00:00.000Z");
    assert_eq!(body["turns"][0]["outcome"], "answered");
    for expected in [204, 404] {
        let response = server.http.delete(&url).send().await.expect("a response");
        assert_eq!(response.status(), expected);
    }
    let response = server.http.get(&url).send().await.expect("a response");
    assert_eq!(response.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_built_from_its_settings_answers_from_the_database_and_is_ready() {
    let database = TestDatabase::create(
        "CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL);
         INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 7) AS n;",
    )
    .await;
    let server = TestServer::build(|config| {
        config.database.url = Some(database.url().into());
    })
    .await;
    let ready = server
        .http
        .get(server.url("/readyz"))
        .send()
        .await
        .expect("a response");
    let ready: Value = ready.json().await.expect("JSON");
    assert_eq!(ready["status"], "ready", "{ready}");
    let response = server
        .post(r#"{"query": "How many customers are there?"}"#)
        .send()
        .await
        .expect("a response");
    let body = json(response).await;
    assert_eq!(body["rows"], serde_json::json!([[7]]), "{body}");

    let id = body["conversation_id"].as_str().expect("an id");
    let history = server.url(&format!("/api/chat/conversations/{id}"));
    let history = server.http.get(history).send().await.expect("a response");
    assert_eq!(
        json(history).await["turns"][0]["query"],
        "How many customers are there?"
    );
    let schema = server
        .http
        .get(server.url("/api/chat/schema-info"))
        .send()
        .await;
    let schema = json(schema.expect("a response")).await;
    assert_eq!(schema["tables"][0]["name"], "customers");
}
