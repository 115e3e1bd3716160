//! A client that asks, and notes when it hears what.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Where both servers have their socket.
pub(crate) const PATH: &str = "/ws/db_chat/query/";

/// Thousands of clients share this process; each frame is small.
const BUFFER_BYTES: usize = 4096;

/// How the provider is to write its prose. Said in the question, so that it arrives there whatever is in between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two tokens; 0 is without pause.
    pub(crate) microseconds: u64,
    pub(crate) tokens: usize,
}

impl Pace {
    fn question(self) -> String {
        let Self {
            microseconds,
            tokens,
        } = self;
        format!("How many suppliers? pace={microseconds} tokens={tokens} please")
    }

    /// The frame that asks it.
    pub(crate) fn question_frame(self) -> String {
        serde_json::json!({"query": self.question()}).to_string()
    }

    pub(crate) fn named_in(request: &str) -> Self {
        let after = |word| {
            let (_, rest) = request.split_once(word)?;
            rest.split_whitespace().next()
        };
        Self {
            microseconds: after("pace=").unwrap().parse().unwrap(),
            tokens: after("tokens=").unwrap().parse().unwrap(),
        }
    }
}

/// What became of one question. Times count from when it was sent, delays from when the provider sent the token.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) first_token: Option<Duration>,
    pub(crate) token_delays: Vec<Duration>,
    /// The code of the error that it ended in.
    pub(crate) error: Option<String>,
}

/// One open socket.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
}

impl Client {
    /// Connects and waits for the greeting.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0);
        let url = format!("ws://{address}{PATH}");
        let connecting = tokio_tungstenite::client_async_with_config(url, stream, Some(config));
        let (socket, _) = connecting.await.unwrap();
        let mut client = Self { socket };
        client.next().await;
        client
    }

    /// Asks a question of a conversation of its own and listens until its end.
    pub(crate) async fn ask(&mut self, pace: Pace) -> Told {
        let question = pace.question_frame();
        let mut told = Told::default();
        let asked = Instant::now();
        self.socket.send(Message::text(question)).await.unwrap();
        loop {
            let frame = self.next().await;
            // Looked at, not parsed: the clients' work is not what is measured. Each frame begins with its type.
            let kind = frame.strip_prefix(r#"{"type":""#).unwrap();
            if kind.starts_with("llm_token") {
                told.first_token.get_or_insert_with(|| asked.elapsed());
                told.token_delays.extend(delays(&frame));
            } else if kind.starts_with("chat_response") {
                return told;
            } else if kind.starts_with("error") {
                let frame: Value = serde_json::from_str(&frame).unwrap();
                told.error = Some(frame["code"].as_str().unwrap().to_owned());
                return told;
            }
        }
    }

    /// The bare socket, with nothing read of what comes after the greeting.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.socket.into_inner()
    }

    async fn next(&mut self) -> String {
        loop {
            if let Message::Text(text) = self.socket.next().await.unwrap().unwrap() {
                return text.to_string();
            }
        }
    }
}

/// Tokens may have merged on the way; each of them has arrived now.
fn delays(frame: &str) -> impl Iterator<Item = Duration> {
    let now = nanoseconds();
    let (_, token) = frame.split_once(r#""token":""#).unwrap();
    let (stamps, _) = token.split_once('"').unwrap();
    stamps
        .split_whitespace()
        .map(move |stamp| Duration::from_nanos(now.saturating_sub(read_stamp(stamp))))
}

/// The time as a word: a number would make db-chat look for it in the rows.
pub(crate) fn stamp() -> String {
    let nanoseconds = nanoseconds();
    let letters = (0..16).rev().map(|place| {
        let digit = (nanoseconds >> (4 * place)) & 0xf;
        char::from(b'a' + digit as u8)
    });
    letters.collect()
}

fn read_stamp(stamp: &str) -> u64 {
    let digits = stamp.bytes().map(|letter| u64::from(letter - b'a'));
    digits.fold(0, |number, digit| number << 4 | digit)
}

/// A clock that all processes here share.
fn nanoseconds() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
}
