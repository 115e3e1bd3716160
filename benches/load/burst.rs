//! How soon a server says that it is at work, to many that ask at once.
//!
//! What is measured must not be the clients: their frames are made before, one thread writes them one after the other as fast as
//! the kernel takes them, and of what comes back no more is looked at than the type of each frame. Each question's time counts
//! from when it was written.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::client::{Client, Pace};

/// What became of a burst.
pub(crate) struct Burst {
    /// From the question to the first frame about it, for each.
    pub(crate) first_status: Vec<Duration>,
    /// From the first question to the last one.
    pub(crate) asking: Duration,
    /// How many were answered, and how many ended in which error.
    pub(crate) outcomes: BTreeMap<String, usize>,
}

/// Has each of the clients ask one question.
pub(crate) async fn ask_at_once(clients: Vec<Client>, pace: Pace) -> Burst {
    let streams: Vec<Arc<TcpStream>> = clients
        .into_iter()
        .map(|client| Arc::new(client.into_stream()))
        .collect();
    let mut answers = JoinSet::new();
    let mut asked = Vec::with_capacity(streams.len());
    for stream in &streams {
        // Until the runtime has looked at a socket once, it takes it for one that nothing can be written to.
        stream.writable().await.unwrap();
        let (tell, told) = oneshot::channel();
        asked.push(tell);
        answers.spawn(hear(Arc::clone(stream), told));
    }
    let question = text_frame(&pace.question_frame());
    let asking = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        for (stream, asked) in streams.iter().zip(asked) {
            let now = Instant::now();
            let written = stream.try_write(&question).unwrap();
            assert_eq!(written, question.len());
            asked.send(now).unwrap();
        }
        began.elapsed()
    });
    let asking = asking.await.unwrap();
    let mut burst = Burst {
        first_status: Vec::new(),
        asking,
        outcomes: BTreeMap::new(),
    };
    for (first_status, outcome) in answers.join_all().await {
        burst.first_status.push(first_status);
        *burst.outcomes.entry(outcome).or_default() += 1;
    }
    burst
}

/// Listens until the question has ended: when its first frame came, and how it ended.
async fn hear(stream: Arc<TcpStream>, asked: oneshot::Receiver<Instant>) -> (Duration, String) {
    let mut first = None;
    let mut unread = Vec::new();
    let outcome = loop {
        stream.readable().await.unwrap();
        match stream.try_read_buf(&mut unread) {
            Ok(read) => assert_ne!(read, 0, "the server has closed the connection"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => panic!("{error}"),
        }
        let now = Instant::now();
        let mut ended = None;
        while let Some(text) = take_text(&mut unread) {
            first.get_or_insert(now);
            // Each frame begins with its type.
            let kind = text.strip_prefix(br#"{"type":""#).unwrap();
            if kind.starts_with(b"chat_response") {
                ended = Some("answered".to_owned());
            } else if kind.starts_with(b"error") {
                let frame: Value = serde_json::from_slice(&text).unwrap();
                ended = Some(frame["code"].as_str().unwrap().to_owned());
            }
        }
        if let Some(ended) = ended {
            break ended;
        }
    };
    (first.unwrap() - asked.await.unwrap(), outcome)
}

/// One text message in one frame, masked with zeros, which leave it as it is (RFC 6455, section 5.3).
fn text_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(length @ ..126) => frame.push(0x80 | length),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

/// The next text, once it is whole. Servers here send each in one frame, and leave out the mask as they must.
fn take_text(unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    loop {
        let (head, length) = match *unread.get(1)? {
            126 => (
                4,
                usize::from(u16::from_be_bytes([*unread.get(2)?, *unread.get(3)?])),
            ),
            127 => {
                let length = unread.get(2..10)?.try_into().unwrap();
                (10, usize::try_from(u64::from_be_bytes(length)).unwrap())
            }
            length => (2, usize::from(length)),
        };
        let whole = unread.get(..head + length)?.to_vec();
        unread.drain(..head + length);
        // Pings are not answered: nobody here is asked for that long.
        if whole[0] == 0x81 {
            return Some(whole[head..].to_vec());
        }
    }
}
