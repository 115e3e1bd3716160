//! The WebSocket protocol, case by case as the Autobahn test suite numbers them: the table is in `cases.txt`. `rfc6455` has what
//! the suite does not ask.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream;

use crate::support::raw::RawSocket;
use crate::support::server::TestServer;
use crate::support::turns::echoing;

const QUESTION: &str = r#"{"query": "still there?", "request_id": "q"}"#;

/// Above the largest message of the table.
const FRAME_BYTES_MAX: usize = 4 << 20;

/// How many cases run side by side.
const AT_ONCE: usize = 8;

/// One line of the table.
struct Case {
    id: &'static str,
    /// Bytes that are written at once; `None`: all.
    piece_bytes: Option<usize>,
    /// Sent so many times, each after what comes back of the one before.
    repeat: usize,
    bytes: Vec<u8>,
    outcomes: Vec<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// A text message was heard.
    Answer,
    Pong(Vec<u8>),
    /// The end, with this code.
    Close(u16),
}

impl Case {
    fn parse(line: &'static str) -> Self {
        let (id, rest) = line.split_once(' ').expect("an id");
        let (sent, back) = rest.split_once("=>").expect("an outcome");
        let mut sent = sent.trim();
        let mut piece_bytes = None;
        if let Some(chopped) = sent.strip_prefix('/') {
            let (bytes, frames) = chopped.split_once(' ').expect("frames");
            piece_bytes = Some(number(bytes));
            sent = frames;
        }
        let repeat = sent.split_once('#');
        let (sent, repeat) = repeat.map_or((sent, 1), |(sent, times)| (sent, number(times)));
        let back = back.split('#').next().expect("a first part");
        let outcomes = back.split('|').map(str::trim);
        Self {
            id,
            piece_bytes,
            repeat,
            bytes: sent.split(" | ").flat_map(frames).collect(),
            outcomes: outcomes
                .filter(|text| !text.is_empty())
                .map(Outcome::parse)
                .collect(),
        }
    }

    async fn check(&self, server: &TestServer) {
        let mut socket = RawSocket::open(server.address).await;
        assert_eq!(socket.json().await["stage"], "connected");
        for _ in 0..self.repeat {
            let piece_bytes = self.piece_bytes.unwrap_or(self.bytes.len());
            for piece in self.bytes.chunks(piece_bytes) {
                if !socket.try_bytes(piece).await {
                    // The connection was ended before the rest.
                    break;
                }
            }
            for outcome in &self.outcomes {
                assert_eq!(&heard(&mut socket).await, outcome, "{}", self.id);
            }
        }
        if let Some(Outcome::Close(_)) = self.outcomes.last() {
            socket.ends().await;
            return;
        }
        socket.text(QUESTION).await;
        loop {
            let frame = socket.json().await;
            assert_eq!(frame["request_id"], "q", "{}: {frame}", self.id);
            if frame["type"] == "chat_response" {
                return;
            }
        }
    }
}

impl Outcome {
    fn parse(text: &str) -> Self {
        match text.split_once(' ') {
            Some(("close", code)) => Self::Close(code.parse().expect("a code")),
            Some(("pong", text)) => Self::Pong(payload(text)),
            _ if text == "pong" => Self::Pong(Vec::new()),
            _ if text == "answer" => Self::Answer,
            _ => panic!("{text}"),
        }
    }
}

/// What the next frame of the server means here.
async fn heard(socket: &mut RawSocket) -> Outcome {
    let (opcode, payload) = socket.frame().await;
    match opcode {
        0x1 => {
            let frame: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
            assert_eq!(frame["code"], "invalid_request", "{frame}");
            Outcome::Answer
        }
        0x8 => Outcome::Close(u16::from_be_bytes([payload[0], payload[1]])),
        0xA => Outcome::Pong(payload),
        _ => panic!("opcode {opcode}"),
    }
}

/// The bytes of one frame, or of a message in fragments.
fn frames(text: &str) -> Vec<u8> {
    let (head, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let (first, missing) = head.split_once('+').unwrap_or((head, "0"));
    let first = u8::from_str_radix(first, 16).expect("a byte");
    let (rest, fragment_bytes) = match rest.split_once('%') {
        Some((rest, bytes)) if rest.starts_with('*') => (rest, Some(number(bytes))),
        _ => (rest, None),
    };
    let mut payload = payload(rest);
    let missing = number(missing);
    payload.extend(std::iter::repeat_n(b'?', missing));
    let Some(fragment_bytes) = fragment_bytes else {
        let mut bytes = RawSocket::encode(first, &payload);
        bytes.truncate(bytes.len() - missing);
        return bytes;
    };
    let count = payload.chunks(fragment_bytes).count();
    let fragments = payload.chunks(fragment_bytes).enumerate();
    fragments
        .flat_map(|(index, fragment)| {
            let opcode = if index == 0 { first & 0x0F } else { 0 };
            let is_last = if index + 1 == count { 0x80 } else { 0 };
            RawSocket::encode(is_last | opcode, fragment)
        })
        .collect()
}

fn payload(text: &str) -> Vec<u8> {
    let text = text.trim();
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted.strip_suffix('"').expect("the end").into();
    }
    if let Some(count) = text.strip_prefix('*') {
        return vec![b'*'; number(count)];
    }
    let digits = text.strip_prefix('x').unwrap_or_default().as_bytes();
    assert!(
        digits.len() + usize::from(!digits.is_empty()) == text.len(),
        "{text}"
    );
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("a byte")
        })
        .collect()
}

fn number(text: &str) -> usize {
    text.trim().parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_table_comes_out_as_it_says() {
    let server = TestServer::start_with(echoing(), |config| {
        config.limits.frame_bytes_max = FRAME_BYTES_MAX;
    })
    .await;
    let lines = include_str!("cases.txt").lines();
    let cases: Vec<_> = lines
        .filter(|line| !line.starts_with('#'))
        .map(Case::parse)
        .collect();
    let ids: BTreeSet<_> = cases.iter().map(|case| case.id).collect();
    assert_eq!(ids.len(), cases.len(), "each number once");
    stream::iter(&cases)
        .for_each_concurrent(AT_ONCE, |case| case.check(&server))
        .await;
}
