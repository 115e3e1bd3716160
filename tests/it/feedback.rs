//! Ratings of answers, from the request to the row, on a real PostgreSQL.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::postgres::TestDatabase;
use crate::support::server::TestServer;

const SHOP: &str = "CREATE TABLE customers (id int PRIMARY KEY); \
    INSERT INTO customers SELECT generate_series(1, 7)";

/// A server that keeps ratings, the database in which it does, and an answer to rate.
async fn answered() -> (TestServer, TestDatabase, Value) {
    let (shop, state) = (
        TestDatabase::create(SHOP).await,
        TestDatabase::create("").await,
    );
    let server = TestServer::build(|config| {
        config.database.url = Some(shop.url().into());
        config.state.url = Some(state.url().into());
    })
    .await;
    let response = server
        .post(r#"{"query": "How many customers are there?", "request_id": "q-1"}"#)
        .send()
        .await
        .expect("a response");
    let answer: Value = response.json().await.expect("JSON");
    assert_eq!(answer["rows"], json!([[7]]), "{answer}");
    (server, state, answer)
}

async fn rate(server: &TestServer, body: &Value) -> (StatusCode, Value) {
    let response = server
        .http
        .post(server.url("/api/chat/feedback/"))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .expect("a response");
    let status = response.status();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

async fn rows(state: &TestDatabase) -> Vec<Value> {
    let query = "SELECT to_jsonb(feedback) FROM db_chat.feedback";
    let rows = state.admin().await.query(query, &[]).await.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_is_kept_with_its_question_and_the_next_one_replaces_it() {
    let (server, state, answer) = answered().await;
    let id = &answer["conversation_id"];
    let up = json!({"request_id": "q-1", "conversation_id": id, "rating": "up"});
    assert_eq!(
        rate(&server, &up).await,
        (StatusCode::NO_CONTENT, Value::Null)
    );
    let down = json!({"request_id": "q-1", "conversation_id": id, "rating": "down",
        "comment": "It should be eight.\u{0}"});
    assert_eq!(rate(&server, &down).await.0, StatusCode::NO_CONTENT);

    let rows = rows(&state).await;
    let [row] = &rows[..] else {
        panic!("one row: {rows:?}");
    };
    assert_eq!(row["conversation_id"], *id);
    assert_eq!(row["request_id"], "q-1");
    assert_eq!(row["rating"], "down");
    // PostgreSQL takes no NUL character.
    assert_eq!(row["comment"], "It should be eight.\u{fffd}");
    assert_eq!(row["question"], "How many customers are there?");
    assert_eq!(row["sql"], answer["sql_query"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_answers_that_exist_can_be_rated() {
    let (server, state, answer) = answered().await;
    let id = answer["conversation_id"].as_str().expect("an id");
    let other = "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b";
    for (request_id, conversation_id, rating, expected) in [
        ("q-2", id, "up", (404, "request_not_found")),
        ("q-1", other, "up", (404, "conversation_not_found")),
        ("q-1", "*", "up", (400, "invalid_conversation_id")),
        ("q-1", id, "maybe", (400, "invalid_request")),
    ] {
        let body = json!({"request_id": request_id, "conversation_id": conversation_id,
            "rating": rating});
        let (status, error) = rate(&server, &body).await;
        let code = error["code"].as_str().unwrap_or_default();
        assert_eq!((status.as_u16(), code), expected, "{body}");
    }
    assert_eq!(rows(&state).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_greeting_says_whether_ratings_are_kept() {
    let (keeping, _state, _) = answered().await;
    let shop = TestDatabase::create(SHOP).await;
    let forgetful = TestServer::build(|config| config.database.url = Some(shop.url().into())).await;
    for (server, expected) in [(&keeping, json!(true)), (&forgetful, Value::Null)] {
        let greeting = server.greeting().await;
        assert_eq!(greeting["stage"], "connected");
        assert_eq!(greeting["feedback"], expected, "{greeting}");
    }
    let body = json!({"request_id": "q-1", "rating": "up",
        "conversation_id": "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b"});
    let (status, error) = rate(&forgetful, &body).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error["code"], "feedback_off");
}
