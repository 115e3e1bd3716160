//! Server-sent events: the frames of the socket over plain HTTP.

use db_chat::pipeline::event::{Stage, TurnEvent};
use serde_json::Value;

use crate::support::server::TestServer;
use crate::support::turns::{PATIENCE, echoing, played};

const QUESTION: &str = r#"{"query": "how many", "request_id": "q"}"#;

/// The events of a response so far: name, id and data.
struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request
            .header("accept", "text/event-stream")
            .send()
            .await
            .expect("a response");
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()["content-type"],
            "text/event-stream; charset=utf-8"
        );
        Self {
            response,
            text: String::new(),
        }
    }

    async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .expect(name)
                        .to_owned()
                };
                let data = serde_json::from_str(&field("data: ")).expect("JSON");
                let next = (field("event: "), field("id: "), data);
                self.text = rest.to_owned();
                return Some(next);
            }
            let piece = tokio::time::timeout(PATIENCE, self.response.chunk())
                .await
                .expect("a piece in time")
                .expect("an open response")?;
            self.text
                .push_str(std::str::from_utf8(&piece).expect("UTF-8"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_frames_of_the_socket_arrive_as_events_and_end_with_the_answer() {
    let server = TestServer::start(echoing()).await;
    let mut events = Events::of(server.post(QUESTION)).await;
    let mut names = Vec::new();
    while let Some((name, id, frame)) = events.next().await {
        assert_eq!(frame["type"], name);
        assert_eq!(frame["seq"].to_string(), id);
        assert_eq!(frame["request_id"], "q");
        names.push(name);
    }
    assert_eq!(
        names,
        [
            "status",
            "sql",
            "llm_token",
            "llm_token",
            "llm_stream_end",
            "chat_response"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_while_the_turn_is_still_running() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut events = Events::of(server.post(QUESTION)).await;
    let turn = playbook.next().await;
    turn.play(TurnEvent::Stage(Stage::Narrating)).await;
    assert_eq!(events.next().await.expect("an event").0, "status");
    turn.play(TurnEvent::Token("Hel".to_owned())).await;
    assert_eq!(events.next().await.expect("an event").2["token"], "Hel");
    drop(turn);
    let (name, _, frame) = events.next().await.expect("an event");
    assert_eq!(
        (name.as_str(), &frame["code"]),
        ("error", &Value::from("internal"))
    );
    assert_eq!(events.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_an_http_error_before_the_stream_begins() {
    let server = TestServer::start(echoing()).await;
    let response = server
        .post("{}")
        .header("accept", "text/event-stream")
        .send()
        .await
        .expect("a response");
    assert_eq!(response.status(), 400);
    assert_eq!(response.headers()["content-type"], "application/json");
}
