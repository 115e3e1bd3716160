//! The conversations of one person, whichever instance they come to.

use db_chat::config::{ApiKeyEntry, StorageKind};
use reqwest::Method;
use serde_json::{Value, json};

use crate::door::add_key;
use crate::support::postgres::TestDatabase;
use crate::support::redis::{AnyRedis, with_each_redis};
use crate::support::server::TestServer;

with_each_redis! {
    a_conversation_goes_on_at_the_other_instance_and_is_listed_renamed_and_forgotten_at_both
}

async fn a_conversation_goes_on_at_the_other_instance_and_is_listed_renamed_and_forgotten_at_both(
    redis: AnyRedis,
) {
    let database = TestDatabase::create(
        "CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL);
         INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 7) AS n;",
    )
    .await;
    let mut key = String::new();
    let mut entries: Vec<ApiKeyEntry> = Vec::new();
    // Everything real, with the offline engine.
    let mut instances = Vec::new();
    for _ in 0..2 {
        let server = TestServer::build(|config| {
            config.database.url = Some(database.url().into());
            config.conversations.storage = StorageKind::Redis;
            config.conversations.redis_url = Some(redis.url().into());
            if entries.is_empty() {
                key = add_key(config, "ada");
                entries.clone_from(&config.auth.api_keys);
            }
            config.auth.api_keys.clone_from(&entries);
        })
        .await;
        instances.push(server);
    }
    let call = async |instance: usize, method: Method, path: &str, body: Option<Value>| {
        let server: &TestServer = &instances[instance];
        let mut request = server.http.request(method, server.url(path));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.bearer_auth(&key).send().await.expect("a response");
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or(Value::Null))
    };
    let ask = async |instance: usize, conversation: Option<&str>| {
        let body =
            json!({"query": "How many customers are there?", "conversation_id": conversation});
        let (status, answer) = call(instance, Method::POST, "/api/chat/query/", Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    };

    // Several, so that in a cluster each node has some.
    let mut ids = Vec::new();
    for _ in 0..6 {
        let answer = ask(0, None).await;
        ids.push(
            answer["conversation_id"]
                .as_str()
                .expect("an id")
                .to_owned(),
        );
    }
    for id in &ids {
        let answer = ask(1, Some(id)).await;
        assert_eq!(answer["conversation_id"], id.as_str());
    }
    let list = "/api/chat/conversations/";
    for instance in [0, 1] {
        let (_, listed) = call(instance, Method::GET, list, None).await;
        let listed = listed["conversations"].as_array().expect("a list").iter();
        let found: Vec<&str> = listed
            .inspect(|found| assert_eq!(found["message_count"], 4, "{found}"))
            .filter_map(|found| found["id"].as_str())
            .collect();
        let newest_first: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
        assert_eq!(found, newest_first);
    }
    let title = json!({"title": "Counting"});
    for id in &ids {
        let path = format!("{list}{id}/");
        let renamed = call(0, Method::PATCH, &path, Some(title.clone())).await;
        assert_eq!(renamed, (200, title.clone()));
        let (_, kept) = call(1, Method::GET, &path, None).await;
        assert_eq!(kept["title"], "Counting");
        assert_eq!(kept["turns"].as_array().expect("turns").len(), 2, "{kept}");
        assert_eq!(call(1, Method::DELETE, &path, None).await.0, 204);
        assert_eq!(call(0, Method::GET, &path, None).await.0, 404);
    }
    let (_, listed) = call(0, Method::GET, list, None).await;
    assert_eq!(listed, json!({"conversations": []}));
}
