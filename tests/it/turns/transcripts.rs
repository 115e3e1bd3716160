//! What goes over the wire in each kind of conversation with the server, whole, against the transcripts in `tests/golden`:
//! `→` is what the client sends, `←` what it gets, a number in front tells connections apart.
//!
//! A change of the protocol shows as a change of these files; `INSTA_UPDATE=always` writes them anew. The client names its
//! questions and conversations, so nothing in them is volatile but the time of a pause.

use db_chat::config::StorageKind;
use db_chat::pipeline::event::{Answer, Clarification, Stage, TurnEvent};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::rig::{Rig, fenced};
use crate::support::cut_proxy::CutProxy;
use crate::support::fake_provider::Reply;
use crate::support::redis::RedisServer;
use crate::support::server::TestServer;
use crate::support::turns::{Playbook, PlayedTurn, played};
use crate::support::web_socket::{Socket, handshake, is_final};

const CONVERSATION: &str = "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b";

/// Writes down what goes over the wire.
#[derive(Default)]
struct Transcript {
    lines: String,
    sockets: Vec<Socket>,
}

impl Transcript {
    /// Opens a connection and takes the greeting; the first one is number 1.
    async fn connect(&mut self, server: &TestServer) -> usize {
        self.sockets
            .push(Socket::open_with(handshake(server.address)).await);
        let socket = self.sockets.len();
        self.hear(socket).await;
        socket
    }

    fn line(&mut self, socket: usize, direction: char, what: &str) {
        self.lines
            .push_str(&format!("{socket} {direction} {what}\n"));
    }

    async fn say(&mut self, socket: usize, text: &str) {
        self.line(socket, '→', text);
        self.sockets[socket - 1].text(text).await;
    }

    async fn ask(&mut self, socket: usize, question: &str) {
        let frame =
            json!({"query": question, "request_id": "q-1", "conversation_id": CONVERSATION});
        self.say(socket, &frame.to_string()).await;
    }

    async fn hear(&mut self, socket: usize) -> Value {
        let frame = self.sockets[socket - 1].frame().await;
        self.line(socket, '←', &frame.to_string());
        frame
    }

    async fn hear_the_end(&mut self, socket: usize) {
        while !is_final(&self.hear(socket).await) {}
    }

    async fn hear_close(&mut self, socket: usize) {
        match self.sockets[socket - 1].message().await {
            Some(Message::Close(Some(CloseFrame { code, reason }))) => {
                self.line(socket, '←', &format!("close {} {reason}", u16::from(code)));
            }
            other => panic!("expected a close frame, got {other:?}"),
        }
    }

    async fn close(&mut self, socket: usize, code: u16) {
        self.line(socket, '→', &format!("close {code}"));
        let frame = CloseFrame {
            code: code.into(),
            reason: "".into(),
        };
        self.sockets[socket - 1]
            .send(Message::Close(Some(frame)))
            .await;
        self.hear_close(socket).await;
    }

    /// Compares with the file of that name.
    fn check(self, name: &str) {
        insta::with_settings!({
            snapshot_path => "../../golden",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, self.lines);
        });
    }
}

async fn played_server() -> (TestServer, Playbook) {
    let (run_turn, playbook) = played();
    (TestServer::start(run_turn).await, playbook)
}

async fn token(turn: &PlayedTurn, text: &str) {
    turn.play(TurnEvent::Token(text.to_owned())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_without_stream() {
    let rig = Rig::start().await;
    let mut transcript = Transcript::default();
    let socket = transcript.connect(&rig.server).await;
    let question = json!({
        "query": "How many customers are there?", "request_id": "q-1", "conversation_id": CONVERSATION, "stream": false,
    });
    transcript.say(socket, &question.to_string()).await;
    transcript.hear_the_end(socket).await;
    transcript.close(socket, 1000).await;
    transcript.check("answered_without_stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn streamed() {
    let (server, mut playbook) = played_server().await;
    let mut transcript = Transcript::default();
    let socket = transcript.connect(&server).await;
    transcript
        .ask(socket, "How many customers are there?")
        .await;
    let turn = playbook.next().await;
    // Each is heard before the next is said, or tokens might merge.
    for event in [
        TurnEvent::Stage(Stage::Understanding),
        TurnEvent::Stage(Stage::Generating),
        TurnEvent::Sql("SELECT count(*) FROM public.customers".to_owned()),
        TurnEvent::Stage(Stage::Narrating),
        TurnEvent::Token("There are ".to_owned()),
        TurnEvent::Token("3.".to_owned()),
        TurnEvent::ProseEnd("There are 3.".to_owned()),
    ] {
        turn.play(event).await;
        transcript.hear(socket).await;
    }
    turn.answer("There are 3.").await;
    transcript.hear_the_end(socket).await;
    transcript.check("streamed");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled() {
    let (server, mut playbook) = played_server().await;
    let mut transcript = Transcript::default();
    let socket = transcript.connect(&server).await;
    transcript
        .ask(socket, "How many customers are there?")
        .await;
    let turn = playbook.next().await;
    turn.play(TurnEvent::Stage(Stage::Generating)).await;
    transcript.hear(socket).await;
    let cancel = r#"{"type": "cancel", "request_id": "q-1"}"#;
    transcript.say(socket, cancel).await;
    transcript.hear_the_end(socket).await;
    // There is nothing left to be stopped.
    transcript.say(socket, cancel).await;
    transcript.hear(socket).await;
    transcript.check("cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_by_the_guard() {
    let rig = Rig::start().await;
    for _ in 0..3 {
        rig.fake
            .push(Reply::text(&fenced("SELECT wage FROM public.wages")));
    }
    let mut transcript = Transcript::default();
    let socket = transcript.connect(&rig.server).await;
    transcript.ask(socket, "What do they earn?").await;
    transcript.hear_the_end(socket).await;
    transcript.check("refused_by_the_guard");
}

#[tokio::test(flavor = "multi_thread")]
async fn clarification() {
    let rig = Rig::start().await;
    rig.fake
        .push(Reply::text("CLARIFY: Which year?\n- 2025\n- 2026"));
    let mut transcript = Transcript::default();
    let socket = transcript.connect(&rig.server).await;
    transcript
        .ask(socket, "How many customers came that year?")
        .await;
    transcript.hear_the_end(socket).await;
    transcript.check("clarification");
}

#[tokio::test(flavor = "multi_thread")]
async fn resumed() {
    let (server, mut playbook) = played_server().await;
    let mut transcript = Transcript::default();
    let lost = transcript.connect(&server).await;
    transcript.ask(lost, "How many customers are there?").await;
    let turn = playbook.next().await;
    token(&turn, "There ").await;
    transcript.hear(lost).await;
    transcript.close(lost, 1001).await;

    let socket = transcript.connect(&server).await;
    let resume =
        json!({"type": "resume", "request_id": "q-1", "conversation_id": CONVERSATION, "after": 1});
    transcript.say(socket, &resume.to_string()).await;
    token(&turn, "are 3.").await;
    transcript.hear(socket).await;
    turn.answer("There are 3.").await;
    transcript.hear_the_end(socket).await;
    // Whoever has the end already is told it again.
    let resume = json!({"type": "resume", "request_id": "q-1", "after": 3});
    transcript.say(socket, &resume.to_string()).await;
    transcript.hear_the_end(socket).await;
    let unknown = json!({"type": "resume", "request_id": "q-2"});
    transcript.say(socket, &unknown.to_string()).await;
    transcript.hear(socket).await;
    transcript.check("resumed");
}

#[tokio::test(flavor = "multi_thread")]
async fn turn_lost() {
    let redis = RedisServer::start().await;
    let proxy = CutProxy::start(redis.address()).await;
    let mut servers = Vec::new();
    for address in [proxy.address(), redis.address()] {
        let (run_turn, playbook) = played();
        let server = TestServer::start_with(run_turn, |config| {
            config.conversations.storage = StorageKind::Redis;
            config.conversations.redis_url = Some(format!("redis://{address}").into());
            config.limits.store_timeout_ms = 1_000;
        });
        servers.push((server.await, playbook));
    }
    let mut transcript = Transcript::default();
    let asker = transcript.connect(&servers[0].0).await;
    transcript.ask(asker, "How many customers are there?").await;
    let turn = servers[0].1.next().await;
    token(&turn, "There ").await;
    transcript.hear(asker).await;
    let other = transcript.connect(&servers[1].0).await;
    transcript
        .say(other, r#"{"type": "resume", "request_id": "q-1"}"#)
        .await;
    transcript.hear(other).await;
    // The first instance is heard of no more.
    proxy.stall();
    transcript.hear_the_end(other).await;
    transcript.check("turn_lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown() {
    let (server, mut playbook) = played_server().await;
    let mut transcript = Transcript::default();
    let socket = transcript.connect(&server).await;
    let idle = transcript.connect(&server).await;
    transcript
        .ask(socket, "How many customers are there?")
        .await;
    let turn = playbook.next().await;
    server.stop();
    transcript.hear_close(idle).await;
    let late = json!({"query": "And how many orders?", "request_id": "q-2"});
    transcript.say(socket, &late.to_string()).await;
    transcript.hear(socket).await;
    turn.answer("There are 3.").await;
    transcript.hear_the_end(socket).await;
    transcript.hear_close(socket).await;
    transcript.check("shutdown");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_frames() {
    let (server, mut playbook) = played_server().await;
    let mut transcript = Transcript::default();
    let socket = transcript.connect(&server).await;
    for text in [
        "{",
        "[]",
        r#"{"type": "dance", "request_id": "q-1"}"#,
        r#"{"query": 42, "request_id": "q-1"}"#,
        r#"{"query": " ", "request_id": "q-1"}"#,
        r#"{"query": "How many?", "request_id": "not one"}"#,
        r#"{"query": "How many?", "request_id": "q-1", "conversation_id": "none"}"#,
        r#"{"type": "resume", "request_id": "q-1", "after": -1}"#,
    ] {
        transcript.say(socket, text).await;
        transcript.hear(socket).await;
    }
    // None of that ended anything.
    transcript
        .ask(socket, "How many customers are there?")
        .await;
    let answer = Answer {
        reply: "Which ones?".to_owned(),
        clarification: Some(Clarification {
            question: "Which ones?".to_owned(),
            options: vec!["all".to_owned(), "active ones".to_owned()],
        }),
        ..Answer::default()
    };
    let turn = playbook.next().await;
    turn.play(TurnEvent::Answered(Box::new(answer))).await;
    transcript.hear_the_end(socket).await;
    transcript.line(socket, '→', "a binary frame");
    transcript.sockets[socket - 1]
        .send(Message::Binary("x".into()))
        .await;
    transcript.hear_close(socket).await;
    transcript.check("bad_frames");
}
