//! The sockets of a fake provider: HTTP/1.1 by hand, because the faults to be played are below what a web framework lets through.

use std::io;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::dialect::Writer;
use super::reply::{LineEnd, Reply, Step};
use super::{Request, Shared};

/// Accepts connections until it is dropped.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        shared.connections.send_modify(|connections| {
            connections.accepted += 1;
            connections.open += 1;
        });
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // A client that breaks a connection is a case to be played, not a fault of the fake.
            let _ = converse(stream, &shared).await;
            shared
                .connections
                .send_modify(|connections| connections.open -= 1);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers one call after another, until either side closes.
async fn converse(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut incoming, mut outgoing) = stream.into_split();
    let mut unread = Vec::new();
    while let Some(request) = read_request(&mut incoming, &mut unread).await? {
        let (reply, writer) = choose_reply(request, shared);
        shared
            .connections
            .send_modify(|connections| connections.playing += 1);
        let played = tokio::select! {
            played = play(reply, writer, &mut outgoing) => Some(played),
            () = closed(&mut incoming) => None,
        };
        // A write can fail before the read has seen the end: either way the client has gone.
        let abandoned = matches!(played, None | Some(Err(_)));
        shared.connections.send_modify(|connections| {
            connections.playing -= 1;
            connections.abandoned += usize::from(abandoned);
        });
        if !matches!(played, Some(Ok(true))) {
            return Ok(());
        }
    }
    Ok(())
}

fn choose_reply(request: Request, shared: &Shared) -> (Reply, Writer) {
    if request.method == "GET" {
        let status = *shared.models_status.lock().unwrap();
        return (
            Reply::raw(status, "application/json", r#"{"data":[]}"#),
            Writer::Chat,
        );
    }
    let Some(writer) = Writer::for_path(&request.path) else {
        return (Reply::error(404, "not_found_error"), Writer::Chat);
    };
    let scripted = shared.queue.lock().unwrap().pop_front();
    let answer = shared.answer.lock().unwrap().clone();
    let reply = match (scripted, answer) {
        (Some(reply), _) => reply,
        (None, Some(answer)) => answer(&request),
        (None, None) => Reply::error(400, "nothing_is_scripted_for_this_call"),
    };
    shared
        .requests
        .send_modify(|requests| requests.push(request));
    (reply, writer)
}

/// Plays a reply; true if the connection is fit for another call.
async fn play(reply: Reply, mut writer: Writer, outgoing: &mut OwnedWriteHalf) -> io::Result<bool> {
    let mut body = Body {
        head: Some(head(&reply)),
        mark: reply.encoding.byte_order_mark,
        piece_bytes: reply.encoding.piece_bytes,
        outgoing,
    };
    let line_end = match reply.encoding.line_end {
        LineEnd::Lf => "\n",
        LineEnd::CrLf => "\r\n",
        LineEnd::Cr => "\r",
    };
    for step in reply.steps {
        match step {
            Step::Head => body.send_head().await?,
            Step::Event(event) => {
                body.send(writer.event(&event).replace('\n', line_end).as_bytes())
                    .await?
            }
            Step::Repeat(event, count) => {
                for _ in 0..count {
                    body.send(writer.event(&event).as_bytes()).await?;
                }
            }
            Step::Raw(bytes) => body.send(&bytes).await?,
            Step::ErrorBody { kind } => body.send(writer.error_body(&kind).as_bytes()).await?,
            Step::Wait(gate) => gate.pass().await,
            Step::Pause(pause) => tokio::time::sleep(pause).await,
            Step::Stall => std::future::pending().await,
            Step::Drip(event, every) => {
                let mut ticks = tokio::time::interval(every);
                loop {
                    ticks.tick().await;
                    body.send(writer.event(&event).as_bytes()).await?;
                }
            }
            Step::DripBytes(bytes, every) => {
                let mut ticks = tokio::time::interval(every);
                for byte in bytes.iter().cycle() {
                    ticks.tick().await;
                    body.send(&[*byte]).await?;
                }
            }
            Step::Cut => return Ok(false),
            Step::Reset => {
                body.outgoing.as_ref().set_zero_linger()?;
                return Ok(false);
            }
        }
    }
    body.end().await?;
    Ok(true)
}

fn head(reply: &Reply) -> String {
    let mut head = format!(
        "HTTP/1.1 {} Scripted\r\ntransfer-encoding: chunked\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "\r\n"
}

/// A chunked body. Each chunk reaches the client's parser by itself, however TCP groups them.
struct Body<'a> {
    /// `None` once sent.
    head: Option<String>,
    mark: bool,
    piece_bytes: Option<usize>,
    outgoing: &'a mut OwnedWriteHalf,
}

impl Body<'_> {
    async fn send_head(&mut self) -> io::Result<()> {
        if let Some(head) = self.head.take() {
            self.outgoing.write_all(head.as_bytes()).await?;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.send_head().await?;
        if std::mem::take(&mut self.mark) {
            self.send_chunk("\u{feff}".as_bytes()).await?;
        }
        for piece in bytes.chunks(self.piece_bytes.unwrap_or(usize::MAX)) {
            self.send_chunk(piece).await?;
        }
        Ok(())
    }

    async fn send_chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.outgoing.write_all(&chunk).await
    }

    async fn end(&mut self) -> io::Result<()> {
        self.send_head().await?;
        self.outgoing.write_all(b"0\r\n\r\n").await
    }
}

/// Returns once the client has closed or broken the connection.
async fn closed(incoming: &mut OwnedReadHalf) {
    let mut bytes = [0; 1024];
    while !matches!(incoming.read(&mut bytes).await, Ok(0) | Err(_)) {}
}

/// The next call; `None` if the client closes instead.
async fn read_request(
    incoming: &mut OwnedReadHalf,
    unread: &mut Vec<u8>,
) -> io::Result<Option<Request>> {
    let head_end = loop {
        if let Some(at) = unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        if incoming.read_buf(unread).await? == 0 || !unread[0].is_ascii_uppercase() {
            // Gone, or not speaking HTTP, such as a client that begins with TLS.
            return Ok(None);
        }
    };
    let head: Vec<u8> = unread.drain(..head_end).collect();
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut request_line = lines.next().unwrap().split(' ');
    let method = request_line.next().unwrap().to_owned();
    let path = request_line.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, length)| length.parse::<usize>().unwrap());
    while unread.len() < length {
        if incoming.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
    let body: Vec<u8> = unread.drain(..length).collect();
    Ok(Some(Request {
        method,
        path,
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }))
}
