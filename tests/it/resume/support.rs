//! What the tests of this folder do at a socket, and instances that share a Redis.

use chrono::Utc;
use db_chat::config::{Config, StorageKind};
use db_chat::domain::conversation::{StoredTurn, TurnOutcome};
use db_chat::domain::ids::RequestId;
use db_chat::pipeline::event::TurnEvent;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::support::server::TestServer;
use crate::support::turns::{Playbook, PlayedTurn, played};
use crate::support::web_socket::{Socket, is_final};

pub(super) const CONVERSATION: &str = "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b";

/// One of several instances, whose turns the test plays.
pub(super) struct Instance {
    pub(super) server: TestServer,
    pub(super) playbook: Playbook,
}

impl Instance {
    /// Starts one on the Redis with this `REDIS_URL`.
    pub(super) async fn start(redis: &str) -> Self {
        Self::start_with(redis, |_| {}).await
    }

    pub(super) async fn start_with(redis: &str, change: impl FnOnce(&mut Config)) -> Self {
        let (run_turn, playbook) = played();
        let server = TestServer::start_with(run_turn, |config| {
            config.conversations.storage = StorageKind::Redis;
            config.conversations.redis_url = Some(redis.to_owned().into());
            config.limits.store_timeout_ms = 1_000;
            change(config);
        })
        .await;
        Self { server, playbook }
    }
}

pub(super) async fn resume(socket: &mut Socket, request_id: &str, after: u64) {
    let frame = json!({"type": "resume", "request_id": request_id, "after": after});
    socket.text(frame.to_string()).await;
}

pub(super) async fn cancel(socket: &mut Socket, request_id: &str) {
    let frame = json!({"type": "cancel", "request_id": request_id});
    socket.text(frame.to_string()).await;
}

/// The close frame of a client with this code.
pub(super) fn close(code: u16) -> Message {
    Message::Close(Some(CloseFrame {
        code: code.into(),
        reason: "".into(),
    }))
}

pub(super) async fn say(turn: &PlayedTurn, token: &str) {
    turn.play(TurnEvent::Token(token.to_owned())).await;
}

/// Numbers from `first` on without a gap, one final frame at the end, and the tokens joined.
pub(super) fn checked_prose(frames: &[Value], first: u64) -> String {
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame["seq"], first + index as u64, "{frames:#?}");
        assert_eq!(is_final(frame), index + 1 == frames.len(), "{frame}");
    }
    let tokens = frames.iter().filter_map(|frame| frame["token"].as_str());
    tokens.collect()
}

/// A turn for the store.
pub(super) fn stored(name: &str) -> StoredTurn {
    StoredTurn {
        request_id: RequestId::parse(name).expect("an id"),
        asked_at: chrono::DateTime::<Utc>::UNIX_EPOCH,
        question: name.to_owned(),
        sql: None,
        result: None,
        reply: name.to_owned(),
        outcome: TurnOutcome::Answered,
        options: Vec::new(),
        tokens_spent: 0,
    }
}
