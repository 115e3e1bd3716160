//! A provider that speaks Anthropic's dialect: a query at once to the call that asks for one, and to any other tokens at the pace
//! that the question names, each with the time at which it was sent.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::client::{Pace, stamp};
use crate::process;

pub(crate) const ROLE: &str = "serve-provider";

/// What the call for prose says and the call for a query does not.
pub(crate) const PROSE_MARK: &str = "You tell a person";

pub(crate) async fn run() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tasks = TaskTracker::new();
    let stop = process::announce(&tasks, listener.local_addr().unwrap());
    let serving = async {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tasks.spawn(async move {
                // A caller that leaves early is no fault.
                let _ = serve(stream).await;
            });
        }
    };
    stop.run_until_cancelled(serving).await;
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut unread = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut unread).await? {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await?;
        let start = json!({"type": "message_start", "message": {"usage": {}}});
        send(&mut stream, &start).await?;
        if request.contains(PROSE_MARK) {
            write_tokens(&mut stream, Pace::named_in(&request)).await?;
        } else {
            let sql = "```sql\nSELECT count(*) AS suppliers FROM suppliers\n```";
            send(&mut stream, &delta(sql)).await?;
        }
        send(&mut stream, &json!({"type": "message_stop"})).await?;
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

async fn write_tokens(stream: &mut TcpStream, pace: Pace) -> std::io::Result<()> {
    let interval = Duration::from_micros(pace.microseconds);
    let mut ticks = (!interval.is_zero()).then(|| tokio::time::interval(interval));
    for _ in 0..pace.tokens {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        send(stream, &delta(&format!("{} ", stamp()))).await?;
    }
    Ok(())
}

fn delta(text: &str) -> Value {
    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
}

async fn send(stream: &mut TcpStream, event: &Value) -> std::io::Result<()> {
    let name = event["type"].as_str().unwrap_or_default();
    let event = format!("event: {name}\ndata: {event}\n\n");
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    stream.write_all(chunk.as_bytes()).await
}

/// The body of the next request; `None` at the end of the connection.
async fn read_request(
    stream: &mut TcpStream,
    unread: &mut Vec<u8>,
) -> std::io::Result<Option<String>> {
    loop {
        let text = String::from_utf8_lossy(unread);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            let body = body.to_owned();
            unread.clear();
            return Ok(Some(body));
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
}

fn content_length(head: &str) -> usize {
    let mut lengths = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse().ok())?
    });
    lengths.next().unwrap_or(0)
}
