//! What db-chat adds to a token's way from the provider to the socket: with one turn, and with 100 at once.
//!
//! A provider sends one token each 10 ms, and in it the time on a clock that the whole process shares. What a token took to the client
//! is compared, in the same run and on the same machine, with a bare relay: the same provider, an HTTP client and a WebSocket with
//! nothing in between. The difference is what db-chat adds. All of it, provider and clients too, runs in this one process.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and has nobody to report to"
)]

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use db_chat::app::Application;
use db_chat::app::private_postgres::PrivatePostgres;
use db_chat::config::{Config, ProviderKind};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Between two tokens of a reply.
const TOKEN_INTERVAL: Duration = Duration::from_millis(10);

/// Tokens of a reply.
const TOKENS: usize = 300;

/// Of these, the first are left out: connections and caches are warm after them, and all turns are under way.
const WARM_UP_TOKENS: usize = 30;

/// Turns at once. Each has a socket of its own.
const TURNS: [usize; 2] = [1, 100];

/// When the process began.
static START: OnceLock<Instant> = OnceLock::new();

fn main() {
    START.get_or_init(Instant::now);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(report());
}

async fn report() {
    let tasks = TaskTracker::new();
    let provider = serve(&tasks, provide).await;
    let bare = serve(&tasks, move |stream| relay_barely(stream, provider)).await;
    let postgres = PrivatePostgres::start().await.unwrap();
    let mut config = db_chat::config::resolve(None, std::iter::empty(), &[]).unwrap();
    configure(&mut config, provider, &postgres);
    let application = Application::build(config).await.unwrap();
    let db_chat = application.address();
    let stop = CancellationToken::new();
    let server = tasks.spawn(application.run_until_stopped(stop.clone()));

    println!(
        "{:<32}{:>10}{:>10}{:>10}{:>10}",
        "microseconds, provider to client", "median", "p99", "p99.9", "max"
    );
    for turns in TURNS {
        let through_bare = row(&format!("{turns} at once, bare relay"), turns, bare).await;
        let through_db_chat = row(&format!("{turns} at once, db-chat"), turns, db_chat).await;
        let added: Vec<String> = through_db_chat
            .iter()
            .zip(through_bare)
            .map(|(with, without)| format!("{:>10.0}", with - without))
            .collect();
        println!(
            "{:<32}{}",
            format!("{turns} at once, added"),
            added.concat()
        );
    }
    stop.cancel();
    server.await.unwrap().unwrap();
    postgres.stop().await.unwrap();
}

fn configure(config: &mut Config, provider: SocketAddr, postgres: &PrivatePostgres) {
    config.server.bind = "127.0.0.1:0".to_owned();
    config.database.url = Some(postgres.admin_url("postgres"));
    config.policy.allowed_tables = "pg_catalog.*".to_owned();
    config.llm.provider = ProviderKind::Anthropic;
    config.llm.anthropic.api_key = Some("none".to_owned().into());
    config.llm.anthropic.base_url = format!("http://{provider}");
}

/// Times all tokens of so many turns, and prints and returns some quantiles in microseconds.
async fn row(name: &str, turns: usize, address: SocketAddr) -> [f64; 4] {
    let mut clients = JoinSet::new();
    for _ in 0..turns {
        clients.spawn(ask(address));
    }
    let mut delays = clients.join_all().await.concat();
    delays.sort_unstable();
    let last = delays.len() - 1;
    let quantiles = [0.5, 0.99, 0.999, 1.0].map(|share| {
        let delay: Duration = delays[(last as f64 * share) as usize];
        delay.as_secs_f64() * 1e6
    });
    let cells: Vec<String> = quantiles.iter().map(|q| format!("{q:>10.0}")).collect();
    println!("{name:<32}{}", cells.concat());
    quantiles
}

/// Asks one question and returns how long each of its tokens was on its way.
async fn ask(address: SocketAddr) -> Vec<Duration> {
    let url = format!("ws://{address}/ws/db_chat/query/");
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    let question = json!({"query": "How many?"}).to_string();
    socket.send(Message::text(question)).await.unwrap();
    let mut delays = Vec::with_capacity(TOKENS);
    loop {
        let Message::Text(text) = socket.next().await.unwrap().unwrap() else {
            continue;
        };
        let arrived = now();
        let frame: Value = serde_json::from_str(&text).unwrap();
        match frame["type"].as_str() {
            // Tokens may have merged on the way; each of them has arrived now.
            Some("llm_token") => {
                let token = frame["token"].as_str().unwrap();
                let sent = token.split_whitespace().map(|sent| sent.parse().unwrap());
                delays.extend(sent.map(|sent| arrived - Duration::from_nanos(sent)));
            }
            Some("chat_response") => break,
            Some("error") => panic!("{frame}"),
            _ => {}
        }
    }
    assert_eq!(delays.len(), TOKENS);
    delays.split_off(WARM_UP_TOKENS)
}

fn now() -> Duration {
    START.get_or_init(Instant::now).elapsed()
}

/// Serves every connection to a free port with `answer`.
async fn serve<F>(
    tasks: &TaskTracker,
    answer: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = tasks.clone();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            connections.spawn(answer(stream));
        }
    });
    address
}

/// A provider that speaks Anthropic's dialect: SQL at once to the call that asks for it, tokens with the time to any other.
async fn provide(mut stream: TcpStream) {
    let mut unread = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut unread).await {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        send(
            &mut stream,
            &json!({"type": "message_start", "message": {"usage": {}}}),
        )
        .await;
        if request.contains("You tell a person") {
            let mut ticks = tokio::time::interval(TOKEN_INTERVAL);
            for _ in 0..TOKENS {
                ticks.tick().await;
                let sent = now().as_nanos();
                send(&mut stream, &delta(&format!("{sent} "))).await;
            }
        } else {
            send(&mut stream, &delta("```sql\nSELECT 1 AS one\n```")).await;
        }
        send(&mut stream, &json!({"type": "message_stop"})).await;
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    }
}

fn delta(text: &str) -> Value {
    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
}

async fn send(stream: &mut TcpStream, event: &Value) {
    let event = format!(
        "event: {}\ndata: {event}\n\n",
        event["type"].as_str().unwrap()
    );
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    stream.write_all(chunk.as_bytes()).await.unwrap();
}

/// The body of the next request; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(unread).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length:")?
                        .trim()
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if body.len() >= length {
                unread.clear();
                return Some(body.to_owned());
            }
        }
        if stream.read_buf(unread).await.ok()? == 0 {
            return None;
        }
    }
}

/// The least that a relay does: one call, each event's text to the socket as it comes.
async fn relay_barely(stream: TcpStream, provider: SocketAddr) {
    let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    socket.next().await.unwrap().unwrap();
    let mut upstream = TcpStream::connect(provider).await.unwrap();
    upstream.set_nodelay(true).unwrap();
    let body = "You tell a person";
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    upstream.write_all(request.as_bytes()).await.unwrap();
    let mut unread = String::new();
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let read = upstream.read(&mut bytes).await.unwrap();
        unread.push_str(str::from_utf8(&bytes[..read]).unwrap());
        while let Some((event, rest)) = unread.split_once("\n\n") {
            let data = event.split("data: ").nth(1).unwrap();
            let event: Value = serde_json::from_str(data).unwrap();
            unread = rest.to_owned();
            let frame = match event["type"].as_str() {
                Some("content_block_delta") => {
                    json!({"type": "llm_token", "token": event["delta"]["text"]})
                }
                Some("message_stop") => json!({"type": "chat_response"}),
                _ => continue,
            };
            socket.send(Message::text(frame.to_string())).await.unwrap();
            if event["type"] == "message_stop" {
                let _ = socket.close(None).await;
                return;
            }
        }
    }
}
