//! A question back to the person, and the pick among its options.

use db_chat::config::{ProviderKind, StorageKind};
use serde_json::{Value, json};

use super::rig::{GOOD_SQL, Rig, fenced, is_prose};
use crate::support::fake_provider::Reply;
use crate::support::redis::RedisServer;

#[tokio::test(flavor = "multi_thread")]
async fn a_pick_continues_the_conversation_in_which_it_was_offered() {
    for (redis, provider) in [
        (None, ProviderKind::Anthropic),
        (Some(RedisServer::start().await), ProviderKind::OpenAi),
    ] {
        let rig = Rig::start_with(|config| {
            config.llm.provider = provider;
            // The question back is told even where no history is.
            config.conversations.context_limit = 0;
            if let Some(redis) = &redis {
                config.conversations.storage = StorageKind::Redis;
                config.conversations.redis_url = Some(redis.url().into());
            }
        })
        .await;
        let expected = json!({"question": "Which customers?", "options": ["all", "German ones"]});
        let asking_back = "CLARIFY: Which customers?\n- all\n- German ones";

        let mut client = rig.connect().await;
        rig.fake.push(Reply::text(asking_back));
        let first = client.ask("How many of them?").await;
        let answer = first.last();
        assert_eq!(answer["clarification"], expected, "{answer}");
        assert_eq!(answer["reply"], "Which customers?");
        assert_eq!(answer["usage"]["calls"], 1);
        let picked = client.follow_up(&first, "German ones").await;
        picked.assert_answered();
        assert_eq!(picked.last().get("clarification"), None);
        assert_sees_the_whole_exchange(&rig, 1).await;

        // The same over REST, and kept with the conversation.
        rig.fake.push(Reply::text(asking_back));
        let body = rest(&rig, &json!({"query": "How many of them?"})).await;
        assert_eq!(body["clarification"], expected, "{body}");
        let id = body["conversation_id"].as_str().expect("an id");
        let picked = rest(
            &rig,
            &json!({"query": "German ones", "conversation_id": id}),
        )
        .await;
        assert_eq!(picked["rows"], json!([[3]]), "{picked}");
        assert_sees_the_whole_exchange(&rig, 4).await;
        let history = history(&rig, id).await;
        assert_eq!(history["turns"][0]["outcome"], "clarified");
        assert_eq!(history["turns"][0]["clarification"], expected);
        assert_eq!(history["turns"][1]["query"], "German ones");
        assert_eq!(history["turns"][1].get("clarification"), None);
    }
}

/// The call that the pick leads to.
async fn assert_sees_the_whole_exchange(rig: &Rig, call: usize) {
    let request = rig.fake.request(call).await;
    assert!(!is_prose(&request));
    let body = request.body.to_string();
    let places: Vec<Option<usize>> = [
        "How many of them?",
        r"CLARIFY: Which customers?\n- all\n- German ones",
        r#"\nGerman ones""#,
    ]
    .iter()
    .map(|part| body.find(part))
    .collect();
    assert!(
        places.is_sorted() && places[0].is_some(),
        "{places:?} in {body}"
    );
    assert!(request.last_message().ends_with("German ones"));
}

async fn rest(rig: &Rig, body: &Value) -> Value {
    let response = rig.server.post(body.to_string()).send().await;
    response.expect("a response").json().await.expect("JSON")
}

/// A conversation as the history endpoint gives it.
pub(super) async fn history(rig: &Rig, conversation_id: &str) -> Value {
    let url = rig
        .server
        .url(&format!("/api/chat/conversations/{conversation_id}/"));
    let response = rig.server.http.get(url).send().await;
    response.expect("a response").json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_a_small_model_are_taken_for_what_they_are() {
    let rig = Rig::start_with(|config| config.llm.provider = ProviderKind::OpenAi).await;
    let mut client = rig.connect().await;
    for words in [
        format!("<think>Count them.</think>\n{}", fenced(GOOD_SQL)),
        format!("Sure! Here you are:\n{GOOD_SQL};\nHave fun."),
        format!("SQL: {GOOD_SQL}"),
    ] {
        rig.fake.push(Reply::text(&words));
        let transcript = client.ask("How many customers?").await;
        let answer = transcript.assert_answered();
        assert_eq!(answer["usage"]["calls"], 2, "{words}");
    }
}
