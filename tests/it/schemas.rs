//! The schemas in `docs/schemas/` and `/openapi.json` say what is sent and taken. That every frame of every other test
//! is as its schema says is checked where frames are read.

use db_chat::protocol::client_frame::ClientFrame;
use db_chat::protocol::json_schema;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::schemas::{assert_valid, closed, path, published, validator};
use crate::support::server::TestServer;
use crate::support::turns::echoing;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "asks whether to write the file anew: a setting of this test, not of db-chat"
)]
fn the_published_schema_of_server_frames_is_that_of_the_types() {
    let text = format!("{:#}\n", json_schema::server_frame());
    let file = path("server-frame");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&file, &text).expect("a writable checkout");
    }
    let is_same = std::fs::read_to_string(&file).is_ok_and(|published| published == text);
    assert!(
        is_same,
        "{} is not that of src/protocol: run this test with UPDATE_SCHEMAS=1 and read what changed",
        file.display()
    );
}

#[test]
fn the_published_schema_of_client_frames_takes_what_the_parser_takes() {
    let validator = validator(published("client-frame"));
    let id = "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b";
    for frame in [
        json!({"query": "How many?"}),
        json!({"type": "query", "query": "How many?", "stream": false}),
        json!({"type": null, "query": "a", "conversation_id": null, "request_id": null, "stream": null}),
        json!({"query": "a", "conversation_id": id, "request_id": "q-1", "unknown": [1]}),
        json!({"type": "cancel", "request_id": "q-1"}),
        json!({"type": "resume", "request_id": "q-1"}),
        json!({"type": "resume", "request_id": "q-1", "after": 17}),
    ] {
        assert_valid(&validator, &frame);
        assert!(ClientFrame::parse(&frame.to_string()).is_ok(), "{frame}");
    }
    for frame in [
        json!(null),
        json!([]),
        json!("How many?"),
        json!({"query": 42}),
        json!({"query": "a", "stream": "yes"}),
        json!({"query": "a", "conversation_id": 7}),
        json!({"type": "cancel"}),
        json!({"type": "Cancel", "request_id": "q-1"}),
        json!({"type": "resume", "request_id": "q-1", "after": -1}),
        json!({"type": "resume", "request_id": "q-1", "after": 1.5}),
    ] {
        assert!(!validator.is_valid(&frame), "{frame}");
        assert!(ClientFrame::parse(&frame.to_string()).is_err(), "{frame}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_description_holds_for_the_server_that_gives_it() {
    let server = TestServer::start(echoing()).await;
    let description = get(&server, "/openapi.json").await;
    assert_eq!(description["openapi"], "3.1.0");
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut references = Vec::new();
    collect_references(&description, &mut references);
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(description.pointer(pointer).is_some(), "{reference}");
    }
    for (path, operations) in description["paths"].as_object().expect("paths") {
        let url = path.replace("{id}", "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b");
        for name in operations.as_object().expect("operations").keys() {
            let Ok(method) = Method::from_bytes(name.to_uppercase().as_bytes()) else {
                continue;
            };
            if name == "parameters" {
                continue;
            }
            let response = server.http.request(method, server.url(&url)).send().await;
            let response = response.expect("a response");
            let status = response.status();
            assert_ne!(status, 405, "{name} {path}");
            if status == 404 {
                let body: Value = response.json().await.expect("JSON");
                assert_ne!(body["code"], "not_found", "{name} {path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_are_as_the_openapi_description_says() {
    let server = TestServer::start(echoing()).await;
    let description = get(&server, "/openapi.json").await;
    let answer = server.post(r#"{"query": "how many"}"#).send().await;
    let answer: Value = answer.expect("a response").json().await.expect("JSON");
    for (name, document) in [
        ("AnswerBody", answer),
        ("HttpErrorBody", get(&server, "/nowhere").await),
        ("HealthBody", get(&server, "/healthz").await),
        ("ReadinessBody", get(&server, "/readyz").await),
        ("SchemaBody", get(&server, "/api/chat/schema-info/").await),
    ] {
        let schema = json!({
            "$ref": format!("#/components/schemas/{name}"),
            "components": closed(description["components"].clone()),
        });
        assert_valid(&validator(schema), &document);
    }
}

async fn get(server: &TestServer, path: &str) -> Value {
    let response = server.http.get(server.url(path)).send().await;
    let response = response.expect("a response");
    response.json().await.expect("JSON")
}

fn collect_references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                into.push(reference);
            }
            for field in fields.values() {
                collect_references(field, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
