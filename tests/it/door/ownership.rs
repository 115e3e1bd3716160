//! Conversations belong to whoever began them, at every door.

use db_chat::config::Config;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::add_key;
use crate::support::postgres::TestDatabase;
use crate::support::redis::RedisServer;
use crate::support::server::TestServer;
use crate::support::turns::echoing;
use crate::support::web_socket::{Socket, handshake};

struct Rig {
    server: TestServer,
    ada: String,
    grace: String,
}

impl Rig {
    /// Everything real, with the offline engine; two people.
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::create(
            "CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL);
             INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 7) AS n;",
        )
        .await;
        let (mut ada, mut grace) = (String::new(), String::new());
        let server = TestServer::build(|config| {
            config.database.url = Some(database.url().into());
            ada = add_key(config, "ada");
            grace = add_key(config, "grace");
            change(config);
        })
        .await;
        Self { server, ada, grace }
    }

    async fn call(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self
            .server
            .http
            .request(method, self.server.url(path))
            .bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("a response");
        (response.status(), response.json().await.unwrap_or_default())
    }

    async fn ask(&self, key: &str, conversation: Option<&str>) -> (StatusCode, Value) {
        let body =
            json!({"query": "How many customers are there?", "conversation_id": conversation});
        self.call(key, Method::POST, "/api/chat/query/", Some(body))
            .await
    }
}

async fn another_ones_conversation_is_not_there(rig: Rig) {
    let (status, answer) = rig.ask(&rig.ada, None).await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["conversation_id"].as_str().expect("an id");
    let path = format!("/api/chat/conversations/{id}/");
    let title = || Some(json!({"title": "Counting"}));

    let nobodys = "/api/chat/conversations/0b7e1a52-9c1d-4d5e-8f60-718293a4b5c6/";
    for (method, body) in [
        (Method::GET, None),
        (Method::PATCH, title()),
        (Method::DELETE, None),
    ] {
        let (status, mut seen) = rig
            .call(&rig.grace, method.clone(), &path, body.clone())
            .await;
        assert_eq!(
            (status.as_u16(), &seen["code"]),
            (404, &json!("conversation_not_found"))
        );
        let (_, mut unknown) = rig.call(&rig.grace, method, nobodys, body).await;
        for answer in [&mut seen, &mut unknown] {
            answer["request_id"] = Value::Null;
        }
        assert_eq!(seen, unknown, "nothing tells the two apart");
    }
    let (status, refusal) = rig.ask(&rig.grace, Some(id)).await;
    assert_eq!(
        (status.as_u16(), &refusal["code"]),
        (404, &json!("conversation_not_found"))
    );
    let mut request = handshake(rig.server.address);
    let bearer = format!("Bearer {}", rig.grace).parse().expect("a header");
    request.headers_mut().insert("authorization", bearer);
    let mut socket = Socket::open_with(request).await;
    socket.ask("q", Some(id)).await;
    let frames = socket.frames_of("q").await;
    assert_eq!(
        frames.last().expect("frames")["code"],
        "conversation_not_found"
    );
    assert!(
        !json!(frames).to_string().contains("customers"),
        "{frames:?}"
    );

    let list = "/api/chat/conversations/";
    assert_eq!(
        rig.call(&rig.grace, Method::GET, list, None).await.1,
        json!({"conversations": []})
    );
    let (status, renamed) = rig.call(&rig.ada, Method::PATCH, &path, title()).await;
    assert_eq!(
        (status.as_u16(), renamed),
        (200, json!({"title": "Counting"}))
    );
    let (_, listed) = rig.call(&rig.ada, Method::GET, list, None).await;
    let entry = &listed["conversations"][0];
    assert_eq!(
        (&entry["id"], &entry["title"]),
        (&json!(id), &json!("Counting"))
    );
    assert_eq!(entry["message_count"], 2);
    assert_eq!(entry["created_at"], entry["updated_at"]);
    let (_, history) = rig.call(&rig.ada, Method::GET, &path, None).await;
    assert_eq!(history["title"], "Counting");
    assert_eq!(
        history["turns"].as_array().map(Vec::len),
        Some(1),
        "{history}"
    );
    let (status, _) = rig.call(&rig.ada, Method::DELETE, &path, None).await;
    assert_eq!(status, 204);
    assert_eq!(
        rig.call(&rig.ada, Method::GET, list, None).await.1,
        json!({"conversations": []})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_another_ones_conversation_is_not_there() {
    another_ones_conversation_is_not_there(Rig::start(|_| {}).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redis_another_ones_conversation_is_not_there() {
    let redis = RedisServer::start().await;
    let rig = Rig::start(|config| {
        config.conversations.redis_url = Some(redis.url().into());
        config.conversations.storage = db_chat::config::StorageKind::Redis;
    })
    .await;
    another_ones_conversation_is_not_there(rig).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_authentication_there_is_no_list_and_titles_are_checked() {
    let server = TestServer::start(echoing()).await;
    let list = server
        .http
        .get(server.url("/api/chat/conversations"))
        .send()
        .await;
    let list = list.expect("a response");
    assert!(list.headers().contains_key("www-authenticate"));
    assert_eq!(
        super::outcome(list).await,
        (401, "login_required".to_owned())
    );

    let path = "/api/chat/conversations/0b7e1a52-9c1d-4d5e-8f60-718293a4b5c6/";
    for (body, expected) in [
        (json!({"title": "x"}), (404, "conversation_not_found")),
        (json!({"title": " "}), (400, "invalid_request")),
        (json!({"title": "a\nb"}), (400, "invalid_request")),
        (json!({"title": "x".repeat(121)}), (400, "invalid_request")),
        (json!({"title": null}), (400, "invalid_request")),
        (json!({}), (400, "invalid_request")),
        (json!([]), (400, "invalid_request")),
    ] {
        let response = server.http.patch(server.url(path)).json(&body).send().await;
        let (status, code) = super::outcome(response.expect("a response")).await;
        assert_eq!((status, code.as_str()), expected, "{body}");
    }
}
