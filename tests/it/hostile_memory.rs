//! What clients can make the server hold: a process of its own is attacked in one way after the other, and each has a bound in
//! memory. After each, nothing is left: no connection, no turn, no task of one, no byte that waits, no file.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::support::postgres::TestDatabase;
use crate::support::raw::{RawSocket, exchange};
use crate::support::serve_process::ServeProcess;
use crate::support::turns::PATIENCE;

const MEBIBYTE: usize = 1024 * 1024;

/// Frames or connections of one flood.
const FLOOD: usize = 10_000;
const BATCH: usize = 500;

/// Connections to PostgreSQL that the process may keep for the next question.
const POOL_CONNECTIONS_MAX: usize = 16;

/// Connections that are open at once.
const SIDE_BY_SIDE: usize = 50;

/// Rows of 500 bytes, of which the first thousand make an answer of 1 MiB.
const NOTES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, text text NOT NULL);
    INSERT INTO notes SELECT n, repeat('x', 500) FROM generate_series(1, 2000) AS n;
    ANALYZE;";

const LARGE_QUESTION: &str = "List all notes";

/// Attacks the process and holds it to a bound: how much more memory it has at the worst moment than before.
async fn attack(
    process: &ServeProcess,
    what: &str,
    growth_bytes_max: usize,
    attacking: impl Future<Output = ()>,
) {
    let files = process.open_files();
    process.forget_memory_peak();
    let before = process.memory_bytes();
    attacking.await;
    for series in [
        "connections",
        "turns_in_flight",
        "turn_tasks",
        "outbox_bytes",
    ] {
        process
            .metric_falls_to(&format!("db_chat_{series}"), 0)
            .await;
    }
    let growth = process.memory_peak_bytes().saturating_sub(before);
    println!(
        "{what}: {} KiB more than {} KiB",
        growth / 1024,
        before / 1024
    );
    assert!(growth <= growth_bytes_max, "{what}: {growth} bytes");
    let deadline = Instant::now() + PATIENCE;
    while process.open_files() > files + POOL_CONNECTIONS_MAX {
        assert!(Instant::now() < deadline, "{what}: files stay open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn connect(process: &ServeProcess) -> RawSocket {
    let mut socket = RawSocket::open(process.address).await;
    assert_eq!(socket.json().await["stage"], "connected");
    socket
}

/// Asks something small, and is answered.
async fn check_served(process: &ServeProcess) {
    let mut socket = connect(process).await;
    socket
        .text(r#"{"query": "How many notes are there?"}"#)
        .await;
    while socket.json().await["type"] != "chat_response" {}
}

/// Sends what comes and does not read; ends when all is sent or the server has ended the connection.
async fn pour(socket: &mut RawSocket, bytes: &[u8], times: usize) {
    for _ in 0..times {
        if !socket.try_bytes(bytes).await {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_makes_the_server_hold_little() {
    let database = TestDatabase::create(NOTES).await;
    let process = start(&database).await;

    attack(&process, "a frame of 2 GiB", 4 * MEBIBYTE, async {
        let mut socket = connect(&process).await;
        let head = [&[0x81, 0xFF][..], &(2_u64 << 30).to_be_bytes(), &[0; 4]].concat();
        socket.bytes(&head).await;
        pour(&mut socket, &[b'x'; 64 * 1024], 512).await;
    })
    .await;
    attack(&process, "fragments without end", 8 * MEBIBYTE, async {
        let mut socket = connect(&process).await;
        socket.bytes(&RawSocket::encode(0x01, b"")).await;
        pour(
            &mut socket,
            &RawSocket::encode(0x00, b"").repeat(BATCH),
            1_000,
        )
        .await;
        // Each is a byte, and takes what its place in a list does until all together are too long.
        let mut socket = connect(&process).await;
        socket.bytes(&RawSocket::encode(0x01, b"x")).await;
        pour(
            &mut socket,
            &RawSocket::encode(0x00, b"x").repeat(BATCH),
            1_000,
        )
        .await;
    })
    .await;
    attack(&process, "pings alone, unread", 4 * MEBIBYTE, async {
        let mut socket = connect(&process).await;
        let pings = RawSocket::encode(0x89, &[b'p'; 125]).repeat(BATCH);
        for _ in 0..100 {
            socket.bytes(&pings).await;
        }
    })
    .await;
    attack(&process, "deep JSON", 8 * MEBIBYTE, async {
        let mut socket = connect(&process).await;
        for text in ["[".repeat(65_536), r#"{"a":"#.repeat(13_000)] {
            for _ in 0..50 {
                socket.text(&text).await;
                assert_eq!(socket.json().await["code"], "invalid_request");
            }
        }
        // As deep as may be, and as wide.
        let wide = format!(
            r#"{{"type": "mark", "x": {}{}1{}}}"#,
            "[".repeat(126),
            "1,".repeat(30_000),
            "]".repeat(126)
        );
        for _ in 0..20 {
            socket.text(&wide).await;
            assert_eq!(socket.json().await["code"], "unknown_frame_type");
        }
    })
    .await;
    attack(&process, "chunks without end", 4 * MEBIBYTE, async {
        let mut stream = TcpStream::connect(process.address).await.expect("a connection");
        let head = "POST /api/chat/query/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n1;";
        stream.write_all(head.as_bytes()).await.expect("an open connection");
        // The time for a body ends it.
        while stream.write_all(&[b'a'; 64 * 1024]).await.is_ok() {}
    })
    .await;
    check_served(&process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_have_one_reply_each_and_leave_nothing() {
    let database = TestDatabase::create(NOTES).await;
    let process = start(&database).await;
    for kind in ["cancel", "resume"] {
        attack(&process, kind, 8 * MEBIBYTE, async {
            let mut socket = connect(&process).await;
            let mut replies = 0;
            for batch in 0..FLOOD / BATCH {
                let frames = (0..BATCH).map(|number| {
                    let frame = json!({"type": kind, "request_id": format!("{batch}-{number}")});
                    RawSocket::encode(0x81, frame.to_string().as_bytes())
                });
                socket.bytes(&frames.collect::<Vec<_>>().concat()).await;
                for _ in 0..BATCH {
                    let reply: Value = socket.json().await;
                    assert!(reply["seq"].is_null(), "{reply}");
                    let code = reply["code"].as_str().expect("a code");
                    assert!(
                        ["request_not_found", "too_many_questions"].contains(&code),
                        "{code}"
                    );
                    replies += 1;
                }
            }
            assert_eq!(replies, FLOOD);
        })
        .await;
    }
    check_served(&process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_come_and_go_leave_nothing() {
    let database = TestDatabase::create(NOTES).await;
    let process = start(&database).await;
    let address = process.address;
    attack(&process, "connects and disconnects", 16 * MEBIBYTE, async {
        stream::iter(0..FLOOD)
            .for_each_concurrent(SIDE_BY_SIDE, |number| async move {
                match number % 4 {
                    // Not a word.
                    0 => drop(TcpStream::connect(address).await.expect("a connection")),
                    // Gone as soon as it is there, in the middle of a frame, in good order.
                    1 => drop(RawSocket::open(address).await),
                    2 => RawSocket::open(address).await.bytes(&[0x81, 0xFF]).await,
                    _ => {
                        let mut socket = RawSocket::open(address).await;
                        socket.bytes(&RawSocket::encode(0x88, b"")).await;
                        assert_eq!(socket.close_code().await, Some(1000));
                    }
                }
            })
            .await;
    })
    .await;
    attack(&process, "handshakes that never end", 8 * MEBIBYTE, async {
        let begun = b"GET /ws/db_chat/query/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: webs";
        stream::iter(0..500)
            .for_each_concurrent(None, |_| async move {
                let response = exchange(address, begun).await;
                assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
            })
            .await;
    })
    .await;
    check_served(&process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_read_hold_what_their_outboxes_may() {
    let database = TestDatabase::create(NOTES).await;
    let process = start(&database).await;
    check_served(&process).await;
    // Each may have four answers on the way, of which its outbox takes what it may and one frame more; they are kept to be
    // resumed, too.
    attack(&process, "answers, unread", 96 * MEBIBYTE, async {
        let clients = (0..10).map(async |_| {
            let socket = TcpSocket::new_v4().expect("a socket");
            // As little in between as can be.
            socket.set_recv_buffer_size(4_096).expect("a socket");
            let stream = socket.connect(process.address).await;
            let mut socket = RawSocket::open_on(stream.expect("a connection")).await;
            for number in 0..40 {
                let question = json!({"query": LARGE_QUESTION, "request_id": number.to_string()});
                if !socket.try_text(&question.to_string()).await {
                    break;
                }
            }
            socket
        });
        // Nothing is read, and the server gives them up.
        let sockets = join_all(clients).await;
        process.metric_falls_to("db_chat_connections", 0).await;
        drop(sockets);
    })
    .await;
    check_served(&process).await;
}

/// A server without a model, in which clients are given up early, and as many may come from one address as there are here.
async fn start(database: &TestDatabase) -> ServeProcess {
    let process = ServeProcess::start(&[
        ("DATABASE_URL", &database.url()),
        ("DB_CHAT_CONNECTIONS_PER_ADDRESS_MAX", "10000"),
        ("DB_CHAT_CONNECTIONS_PER_PRINCIPAL_MAX", "10000"),
        ("DB_CHAT_HEAD_TIMEOUT_MS", "1500"),
        ("DB_CHAT_BODY_TIMEOUT_MS", "1500"),
        ("DB_CHAT_WRITE_TIMEOUT_MS", "1500"),
        // Who does not read does not answer pings either.
        ("DB_CHAT_PING_INTERVAL_MS", "1000"),
        ("DB_CHAT_PONG_TIMEOUT_MS", "5000"),
        // Nobody comes back here.
        ("DB_CHAT_RESUME_SECONDS", "1"),
    ])
    .await;
    // What is made once is no growth.
    check_served(&process).await;
    process
}
