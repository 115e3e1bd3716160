//! A WebSocket client that reads JSON frames and close codes.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{
    Message, client::IntoClientRequest, handshake::client::Request,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::schemas;
use super::turns::PATIENCE;

/// An open connection.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// The request that opens the socket of a server at `address`.
pub(crate) fn handshake(address: SocketAddr) -> Request {
    format!("ws://{address}/ws/db_chat/query/")
        .into_client_request()
        .expect("a request")
}

impl Socket {
    /// Connects and takes the greeting.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut socket = Self::open_with(handshake(address)).await;
        let greeting = socket.frame().await;
        assert_eq!(greeting["type"], "status");
        assert_eq!(greeting["stage"], "connected");
        socket
    }

    /// Connects with a request of one's own.
    pub(crate) async fn open_with(request: Request) -> Self {
        let (stream, _) = tokio_tungstenite::connect_async(request)
            .await
            .expect("a handshake");
        Self { stream }
    }

    /// Sends a message as it is.
    pub(crate) async fn send(&mut self, message: Message) {
        self.stream.send(message).await.expect("an open socket");
    }

    /// Sends a text frame.
    pub(crate) async fn text(&mut self, text: impl Into<String>) {
        self.send(Message::text(text.into())).await;
    }

    /// Asks a question.
    pub(crate) async fn ask(&mut self, request_id: &str, conversation_id: Option<&str>) {
        let frame = serde_json::json!({
            "query": format!("the question {request_id}"),
            "request_id": request_id,
            "conversation_id": conversation_id,
        });
        self.text(frame.to_string()).await;
    }

    /// The next message of any kind but pings.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.stream.next())
                .await
                .expect("a message in time");
            match next {
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next frame, which must be as its published schema says.
    pub(crate) async fn frame(&mut self) -> Value {
        match self.message().await {
            Some(Message::Text(text)) => {
                let frame = serde_json::from_str(&text).expect("JSON");
                schemas::assert_server_frame(&frame);
                frame
            }
            other => panic!("expected a frame, got {other:?}"),
        }
    }

    /// Frames up to and including the next final one of `request_id`; frames of other questions are left out.
    pub(crate) async fn frames_of(&mut self, request_id: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.frame().await;
            if frame["request_id"] == request_id {
                let is_final = is_final(&frame);
                frames.push(frame);
                if is_final {
                    return frames;
                }
            }
        }
    }

    /// The code with which the server closes, after however many frames.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            match self.message().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Some(_) => {}
                None => return None,
            }
        }
    }
}

/// Whether a frame ends its question.
pub(crate) fn is_final(frame: &Value) -> bool {
    frame["type"] == "chat_response" || (frame["type"] == "error" && frame["seq"].is_u64())
}
