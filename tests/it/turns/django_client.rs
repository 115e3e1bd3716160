//! The client of the Django app, which sends `query` and `conversation_id` and knows four kinds of frames.

use serde_json::{Value, json};

use super::client::assert_tells_no_secret;
use super::rig::{GOOD_SQL, PROSE, QUESTION, Rig};

/// What that client reads of an answer.
fn assert_known_fields(answer: &Value, conversation_id: &Value) {
    assert_eq!(answer["reply"], PROSE);
    assert_eq!(&answer["conversation_id"], conversation_id);
    let sql = answer["sql_query"].as_str().expect("a query");
    assert!(sql.starts_with(&GOOD_SQL[..20]), "{sql}");
    assert_eq!(answer["raw_result"], "| customers |\n| --- |\n| 3 |\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_unchanged_over_the_socket_and_over_rest() {
    let mut rig = Rig::start().await;
    let mut client = rig.connect().await;
    client
        .say(&json!({"query": QUESTION, "conversation_id": null}))
        .await;
    let mut kinds = Vec::new();
    let first = loop {
        let frame = client.frame().await;
        kinds.push(frame["type"].as_str().expect("a type").to_owned());
        match frame["type"].as_str() {
            Some("status") => assert!(frame["message"].is_string(), "{frame}"),
            Some("chat_response") => break frame,
            _ => {}
        }
    };
    assert_eq!(kinds[0], "status");
    let conversation_id = first["conversation_id"].clone();
    assert!(conversation_id.is_string());
    assert_known_fields(&first, &conversation_id);

    // The same conversation goes on over REST.
    let body = json!({"query": QUESTION, "conversation_id": conversation_id}).to_string();
    let response = rig
        .server
        .post(body.clone())
        .send()
        .await
        .expect("a response");
    assert_eq!(response.status(), 200);
    let answer: Value = response.json().await.expect("JSON");
    assert_known_fields(&answer, &conversation_id);
    let path = format!(
        "/api/chat/conversations/{}/",
        conversation_id.as_str().expect("an id")
    );
    let history = rig.server.http.get(rig.server.url(&path)).send().await;
    let history: Value = history.expect("a response").json().await.expect("JSON");
    assert!(history.to_string().matches(PROSE).count() >= 2, "{history}");

    // Errors: a frame of the kind `error`, a body with `error` in it.
    rig.provider.refuse().await;
    client.say(&json!({"query": QUESTION})).await;
    let failed = loop {
        let frame = client.frame().await;
        if frame["type"] != "status" {
            break frame;
        }
    };
    assert_eq!(failed["type"], "error");
    assert!(failed["message"].is_string());
    let response = rig.server.post(body).send().await.expect("a response");
    assert_eq!(response.status(), 502);
    let text = response.text().await.expect("a body");
    assert_tells_no_secret(&text);
    let problem: Value = serde_json::from_str(&text).expect("JSON");
    assert!(problem["error"].is_string());
    assert_eq!(problem["code"], "provider_unavailable");
}
