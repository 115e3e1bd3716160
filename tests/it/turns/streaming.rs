//! Words reach the reader while the model is still at it, over the socket and over plain HTTP.

use serde_json::{Value, json};

use super::client::assert_tells_no_secret;
use super::rig::{GOOD_SQL, PROSE, QUESTION, Rig, fenced, held};
use crate::support::fake_provider::{Gate, Reply};
use crate::support::turns::PATIENCE;

/// The next answer stops in the middle of its prose.
fn hold_prose(rig: &Rig) -> Gate {
    let gate = Gate::new();
    rig.fake.push(Reply::text(&fenced(GOOD_SQL)));
    rig.fake.push(held(&gate, "There ", "are 3 customers."));
    gate
}

#[tokio::test(flavor = "multi_thread")]
async fn words_arrive_while_the_model_is_still_writing() {
    let rig = Rig::start().await;

    let gate = hold_prose(&rig);
    let mut client = rig.connect().await;
    let id = client.send(QUESTION).await;
    client.until("llm_token", "token", "There ").await;
    gate.open();
    let rest = client.rest(&id).await;
    assert_eq!(rest.prose(), "are 3 customers.");
    assert_eq!(rest.assert_answered()["reply"], PROSE);

    let gate = hold_prose(&rig);
    let mut events = rig
        .server
        .post(json!({"query": QUESTION}).to_string())
        .header("accept", "text/event-stream")
        .send()
        .await
        .expect("a response");
    let mut text = String::new();
    while !text.contains(r#""token":"There ""#) {
        text += &next_piece(&mut events).await.expect("an open stream");
    }
    gate.open();
    while let Some(piece) = next_piece(&mut events).await {
        text += &piece;
    }
    assert_tells_no_secret(&text);
    let frames: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect();
    let finals = frames
        .iter()
        .filter(|frame| frame["type"] == "chat_response");
    assert_eq!(finals.count(), 1);
    assert_eq!(frames.last().expect("frames")["reply"], PROSE);
}

async fn next_piece(response: &mut reqwest::Response) -> Option<String> {
    let piece = tokio::time::timeout(PATIENCE, response.chunk()).await;
    let piece = piece.expect("a piece in time").expect("a whole stream")?;
    Some(String::from_utf8(piece.to_vec()).expect("whole characters"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_the_words_gets_everything_else() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    client
        .say(&json!({"query": QUESTION, "request_id": "q", "stream": false}))
        .await;
    let transcript = client.rest("q").await;
    transcript.assert_answered();
    let names: Vec<&str> = transcript
        .frames
        .iter()
        .filter_map(|frame| frame["type"].as_str())
        .collect();
    let (last, before) = names.split_last().expect("frames");
    assert_eq!(*last, "chat_response");
    assert!(before.contains(&"sql"), "{before:?}");
    assert!(
        before.iter().all(|name| ["status", "sql"].contains(name)),
        "{before:?}"
    );

    let body = json!({"query": QUESTION, "stream": false}).to_string();
    let response = rig.server.post(body).header("accept", "text/event-stream");
    let text = response
        .send()
        .await
        .expect("a response")
        .text()
        .await
        .expect("a stream");
    assert!(text.contains("event: chat_response"), "{text}");
    assert!(!text.contains("event: llm_"), "{text}");
}
