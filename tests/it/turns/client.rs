//! Somebody at a socket who trusts nothing: each frame is held to what `docs/PROTOCOL.md` promises of all of them.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::server::TestServer;
use crate::support::web_socket::{Socket, is_final};

/// What no frame may hold, in lower case: where things are, what drivers and providers say, and keys.
const SECRETS: [&str; 14] = [
    "127.0.0.1",
    "localhost",
    "redis:",
    "postgresql:",
    "os error",
    "connection refused",
    "broken pipe",
    "tokio",
    "hyper",
    "reqwest",
    "sqlstate",
    "detail",
    "no, in words",
    super::rig::KEY,
];

/// An open socket.
pub(super) struct Client {
    socket: Socket,
    asked_count: usize,
    /// The last `seq` of each question.
    seqs: HashMap<String, u64>,
    /// Questions that have had their final frame.
    ended: HashSet<String>,
}

/// The frames of one question, the final one last.
#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) frames: Vec<Value>,
}

impl Client {
    pub(super) async fn connect(server: &TestServer) -> Self {
        Self::connect_to(server.address).await
    }

    /// To a server of another process.
    pub(super) async fn connect_to(address: SocketAddr) -> Self {
        Self {
            socket: Socket::open(address).await,
            asked_count: 0,
            seqs: HashMap::new(),
            ended: HashSet::new(),
        }
    }

    /// Asks and reads to the end.
    pub(super) async fn ask(&mut self, question: &str) -> Transcript {
        let id = self.send(question).await;
        self.rest(&id).await
    }

    /// Goes on with the conversation of an earlier answer.
    pub(super) async fn follow_up(&mut self, earlier: &Transcript, question: &str) -> Transcript {
        let id = self.next_id();
        let conversation_id = &earlier.last()["conversation_id"];
        self.say(&json!({"query": question, "request_id": id, "conversation_id": conversation_id}))
            .await;
        self.rest(&id).await
    }

    /// Asks, and returns the request id.
    pub(super) async fn send(&mut self, question: &str) -> String {
        let id = self.next_id();
        self.say(&json!({"query": question, "request_id": id}))
            .await;
        id
    }

    pub(super) async fn cancel(&mut self, request_id: &str) {
        self.say(&json!({"type": "cancel", "request_id": request_id}))
            .await;
    }

    pub(super) async fn say(&mut self, frame: &Value) {
        self.socket.text(frame.to_string()).await;
    }

    /// The next frame, checked.
    pub(super) async fn frame(&mut self) -> Value {
        let frame = self.socket.frame().await;
        assert_tells_no_secret(&frame.to_string());
        if let (Some(id), Some(seq)) = (frame["request_id"].as_str(), frame["seq"].as_u64()) {
            assert!(!self.ended.contains(id), "after the final frame: {frame}");
            let last = self.seqs.entry(id.to_owned()).or_default();
            assert_eq!(seq, *last + 1, "{frame}");
            *last = seq;
            if is_final(&frame) {
                self.ended.insert(id.to_owned());
            }
        }
        frame
    }

    /// Reads up to a frame of this kind; `field` is what it is known by.
    pub(super) async fn until(&mut self, kind: &str, field: &str, value: &str) {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind && frame[field] == value {
                return;
            }
            assert!(!is_final(&frame), "ended before {kind} {value}: {frame}");
        }
    }

    /// Reads to the final frame of a question; no other one may be under way.
    pub(super) async fn rest(&mut self, request_id: &str) -> Transcript {
        let mut frames = Vec::new();
        loop {
            let frame = self.frame().await;
            assert_eq!(frame["request_id"], request_id, "{frame}");
            frames.push(frame);
            if frames.last().is_some_and(is_final) {
                return Transcript { frames };
            }
        }
    }

    /// Everything that was sent has been read, and the connection still lives.
    pub(super) async fn assert_quiet(&mut self) {
        self.socket.send(Message::Ping("?".into())).await;
        match self.socket.message().await {
            Some(Message::Pong(_)) => {}
            other => panic!("after the final frame: {other:?}"),
        }
    }

    /// Closes the connection as somebody who is done.
    pub(super) async fn leave(mut self) {
        let done = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        self.socket.send(Message::Close(Some(done))).await;
        // As browsers do: a connection dropped with frames unread is reset, and the close frame lost with it.
        while self.socket.message().await.is_some() {}
    }

    fn next_id(&mut self) -> String {
        self.asked_count += 1;
        format!("q-{}", self.asked_count)
    }
}

impl Transcript {
    /// The final frame.
    pub(super) fn last(&self) -> &Value {
        self.frames.last().expect("a final frame")
    }

    /// The stages that were told, in order.
    pub(super) fn stages(&self) -> Vec<&str> {
        let stages = self.frames.iter().filter(|frame| frame["type"] == "status");
        stages.filter_map(|frame| frame["stage"].as_str()).collect()
    }

    /// The prose, put together from its tokens.
    pub(super) fn prose(&self) -> String {
        let tokens = self
            .frames
            .iter()
            .filter_map(|frame| frame["token"].as_str());
        tokens.collect()
    }

    /// It ended with a real answer.
    pub(super) fn assert_answered(&self) -> &Value {
        let last = self.last();
        assert_eq!(last["type"], "chat_response", "{last}");
        assert_eq!(last.get("error"), None, "{last}");
        assert!(last["sql_query"].is_string(), "{last}");
        last
    }

    /// It ended with an answer that is none, for this reason.
    pub(super) fn assert_declined(&self, code: &str) -> &Value {
        let last = self.last();
        assert_eq!(last["type"], "chat_response", "{last}");
        assert_eq!(last["error"], code, "{last}");
        assert!(
            last["reply"]
                .as_str()
                .is_some_and(|reply| !reply.is_empty())
        );
        last
    }

    /// It failed with this code.
    pub(super) fn assert_failed(&self, code: &str, is_retryable: bool) {
        let last = self.last();
        assert_eq!(last["type"], "error", "{last}");
        assert_eq!(last["code"], code, "{last}");
        assert_eq!(last["retryable"], is_retryable, "{last}");
    }
}

/// Neither a frame nor a body may hold what is nobody's business.
pub(super) fn assert_tells_no_secret(text: &str) {
    let lower = text.to_lowercase();
    for secret in SECRETS {
        assert!(!lower.contains(secret), "{secret:?} in {text}");
    }
}
