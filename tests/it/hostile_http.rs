//! Requests written by hand, each odd in one way: every one gets one clear answer, and the server goes on as before.

use std::net::SocketAddr;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::raw::exchange;
use crate::support::server::TestServer;
use crate::support::turns::{PATIENCE, echoing};

const QUESTION: &str = r#"{"query":"how many"}"#;
const PATH: &str = "/api/chat/query/";

/// A good request: what a case changes is replaced in it.
fn request() -> String {
    let length = QUESTION.len();
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{QUESTION}"
    )
}

fn with(from: &str, to: &str) -> String {
    let request = request();
    assert!(request.contains(from), "{from}");
    request.replacen(from, to, 1)
}

fn with_header(header: &str) -> String {
    with("Connection", &format!("{header}\r\nConnection"))
}

/// The good request with a body in chunks, as they stand on the wire.
fn chunked(chunks: &str) -> String {
    let (head, _) = request()
        .split_once("Content-Length")
        .map(|(head, rest)| (head.to_owned(), rest.len()))
        .expect("a length");
    format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}")
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

/// The status lines that come back, in order.
fn statuses(response: &str) -> Vec<u16> {
    let lines = response.split("HTTP/1.").skip(1);
    lines
        .filter_map(|rest| rest.get(2..5)?.parse().ok())
        .collect()
}

/// What comes back, up to the head that is expected to be the last one. The server may keep the connection for another request.
async fn heads_of(address: SocketAddr, request: &str, count: usize) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The server may be done before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut response = Vec::new();
    let reading = async {
        while let Ok(1..) = stream.read_buf(&mut response).await {
            let text = String::from_utf8_lossy(&response);
            if statuses(&text).len() >= count {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .unwrap_or_else(|_| panic!("silence after {request:.400}"));
    String::from_utf8_lossy(&response).into_owned()
}

/// Each of these is answered with these statuses.
async fn check(cases: Vec<(String, &[u16])>) {
    let server =
        TestServer::start_with(echoing(), |config| config.limits.body_timeout_ms = 1_000).await;
    join_all(cases.iter().map(async |(request, expected)| {
        let response = heads_of(server.address, request, expected.len()).await;
        let what = request.get(..request.len().min(400)).unwrap_or(request);
        assert_eq!(statuses(&response), *expected, "{what}\n{response}");
        assert!(!response.contains("evil"), "{what}\n{response}");
    }))
    .await;
    let response = exchange(server.address, request().as_bytes()).await;
    assert_eq!(statuses(&response), [200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_targets() {
    let mut cases: Vec<(String, &[u16])> = Vec::new();
    for method in [
        "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW", "post",
    ] {
        cases.push((with("POST", method), &[405]));
    }
    for method in ["", "GET,POST", "<b>"] {
        cases.push((with("POST", method), &[400]));
    }
    for target in [
        "//api/chat/query/",
        "/api//chat/query/",
        "/api/chat/query//",
        "/api/chat/./query/",
        "/api/chat/x/../query/",
        "/api/chat/query%2f",
        "/api%2fchat/query/",
        "/api/chat/query/%00",
        "/api/chat/query/%zz",
        "/api/chat/query/%",
        "/api/chat/query/;a=b",
        "/API/chat/query/",
        "/..%2f..%2fetc/passwd",
        "/../../etc/passwd",
    ] {
        cases.push((with(PATH, target), &[404]));
    }
    for target in ["", "\\api", "/api/chat/query/ x", "/api/chat/query/<x>"] {
        cases.push((with(PATH, target), &[400]));
    }
    for target in [
        "/api/chat/query",
        "/api/chat/query?",
        "/api/chat/query/?debug=true&a=%zz",
        "/api/chat/%71uery/",
        "http://localhost/api/chat/query/",
    ] {
        cases.push((with(PATH, target), &[200]));
    }
    for target in [
        "http://evil.test/api/chat/query/",
        "http://evil.test:80@localhost/api/chat/query/",
        "ftp://localhost/api/chat/query/",
    ] {
        cases.push((with(PATH, target), &[421]));
    }
    for target in [
        "/static/../Cargo.toml",
        "/static/..%2fCargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static//index.html",
        "/static/",
        "/static/index.html%00",
    ] {
        cases.push((get(target), &[404]));
    }
    for target in ["/healthz", "/healthz/", "/metrics?x", "/openapi.json/"] {
        cases.push((get(target), &[200]));
    }
    for id in ["x", "%00", "..%2f..%2f", "%C3%28", "*"] {
        let target = format!("/api/chat/conversations/{id}/");
        cases.push((get(&target), &[400]));
    }
    check(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads() {
    let length = QUESTION.len();
    let many: String = (0..200).map(|n| format!("X-{n}: a\r\n")).collect();
    let mut cases: Vec<(String, &[u16])> = vec![
        (with("HTTP/1.1", "HTTP/1.0"), &[200]),
        (
            with("HTTP/1.1", "HTTP/1.0").replace("Host: localhost\r\n", ""),
            &[200],
        ),
        (with("Host: localhost\r\n", ""), &[400]),
        (
            with("Host: localhost", "Host: localhost\r\nHost: localhost"),
            &[400],
        ),
        (
            with("Host: localhost", "Host: localhost\r\nHost: evil.test"),
            &[400],
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[400]),
        (with_header("Upgrade: h2c"), &[200]),
        (with_header("X-Http-Method-Override: DELETE"), &[200]),
        (with_header(many.trim_end()), &[431]),
        (with_header("Expect: 100-continue"), &[100, 200]),
        (with_header("Content-Encoding: gzip"), &[415]),
        (with_header("Content-Encoding: gzip, identity"), &[415]),
        (with_header("Content-Encoding: identity"), &[200]),
        (with_header("Content-Type: text/plain"), &[415]),
        (
            with(
                "application/json",
                "application/json\r\nContent-Type: text/plain",
            ),
            &[415],
        ),
        (
            with("application/json", "application/json ; charset=\"UTF-8\""),
            &[200],
        ),
        (
            with("application/json", "application/json; charset=utf-16"),
            &[415],
        ),
        (with("application/json", "*/*"), &[415]),
        (with("Content-Type: application/json\r\n", ""), &[415]),
    ];
    for version in ["HTTP/1.2", "HTTP/2.0", "HTTP/11.1", "HTTP/1", ""] {
        cases.push((with("HTTP/1.1", version), &[400]));
    }
    for host in [
        "evil.test",
        "",
        "local host",
        "localhost@evil.test",
        "localhost:abc",
    ] {
        cases.push((with("localhost", host), &[421]));
    }
    for header in [
        "X-A : b",
        "X-A: b\r\n c",
        "X-A: b\0c",
        "broken",
        ": b",
        "X-\u{e9}: b",
    ] {
        cases.push((with_header(header), &[400]));
    }
    for value in [
        "+20",
        "0x14",
        "20, 20",
        "2e1",
        "",
        "abc",
        "20.0",
        "-1",
        "99999999999999999999999",
    ] {
        let from = format!("Content-Length: {length}");
        cases.push((with(&from, &format!("Content-Length: {value}")), &[400]));
    }
    let twice = format!("Content-Length: {length}\r\nContent-Length: {length}");
    cases.push((with(&format!("Content-Length: {length}"), &twice), &[400]));
    check(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies() {
    let length = QUESTION.len();
    let announced = |bytes: u64| with(&format!("Length: {length}"), &format!("Length: {bytes}"));
    let whole = format!("{length:x}\r\n{QUESTION}\r\n0\r\n\r\n");
    let large = format!("{:x}\r\n{}\r\n", 50_000, "a".repeat(50_000)).repeat(3);
    check(vec![
        (chunked(&whole), &[200]),
        (
            chunked(&whole.replacen("\r\n", ";a=b;c=\"d\"\r\n", 1)),
            &[200],
        ),
        (
            chunked(&whole.replace("0\r\n\r\n", "0\r\nX-A: b\r\n\r\n")),
            &[200],
        ),
        (chunked("0\r\n\r\n"), &[400]),
        (chunked("zz\r\n"), &[400]),
        (chunked("-1\r\n"), &[400]),
        (chunked(&format!("{}\r\n", "f".repeat(17))), &[400]),
        (chunked(&large), &[413]),
        // It never comes.
        (chunked("ffffffffffffffff\r\n{"), &[408]),
        (chunked(&format!("1;{}", "a".repeat(200_000))), &[408]),
        (announced(5_000), &[408]),
        (announced(4_294_967_316), &[413]),
        (announced(10_000_000), &[413]),
        (announced(0), &[400, 400]),
        (announced(5), &[400, 400]),
        (chunked(&whole).replace("chunked", "gzip, chunked"), &[400]),
        (
            chunked(&whole).replace("chunked", "chunked, chunked"),
            &[400],
        ),
        (chunked(&whole).replace("chunked", "xchunked"), &[400]),
        (
            chunked(&whole).replace("Transfer", "Content-Length: 5\r\nTransfer"),
            &[400],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_one_behind_the_other_are_answered_in_order() {
    let stays = with("Connection: close\r\n", "");
    let behind = |first: String| first + &request();
    let large = format!(r#"{{"query":"{}"}}"#, "a".repeat(70_000));
    let large = stays.replace(QUESTION, &large).replace(
        &format!("Length: {}", QUESTION.len()),
        &format!("Length: {}", large.len()),
    );
    check(vec![
        (behind(stays.repeat(20)), &[200; 21]),
        (
            behind(stays.replace(QUESTION, &"{".repeat(QUESTION.len()))),
            &[400, 200],
        ),
        (behind(stays.replace("POST", "PUT")), &[405, 200]),
        (behind(stays.replace(PATH, "/nowhere")), &[404, 200]),
        (
            behind(stays.replace("application/json", "text/plain")),
            &[415, 200],
        ),
        (behind(large), &[413, 200]),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes() {
    const GOOD: &str = "GET /ws/db_chat/query/ HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // Behind a handshake that succeeds, a close frame ends the connection.
    let closing = "\u{8}\0\0\0\0\0";
    let with = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1) + closing
    };
    let mut cases: Vec<(String, &[u16])> = Vec::new();
    for (from, to) in [
        ("keep-alive, Upgrade", "keep-alive"),
        ("keep-alive, Upgrade", "upgraded"),
        ("Upgrade: WebSocket", "Upgrade: h2c"),
        ("Upgrade: WebSocket", "Upgrade: notwebsocket"),
        ("Upgrade: WebSocket", "Upgrade: websocket/13"),
        ("dGhlIHNhbXBsZSBub25jZQ==", ""),
        ("dGhlIHNhbXBsZSBub25jZQ==", "AAAA"),
        ("dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAAA="),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ"),
        (
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nSec-WebSocket-Key",
        ),
        (
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8",
        ),
        ("Sec-WebSocket-Version: 13\r\n", ""),
        (
            "Sec-WebSocket-Key",
            "Content-Length: 10\r\nSec-WebSocket-Key",
        ),
        (
            "Sec-WebSocket-Key",
            "Transfer-Encoding: chunked\r\nSec-WebSocket-Key",
        ),
        ("Host: localhost\r\n", ""),
        ("HTTP/1.1", "HTTP/1.0"),
    ] {
        let mut case = with(from, to);
        case.truncate(case.len() - closing.len());
        cases.push((case, &[400]));
    }
    cases.push((
        GOOD.replace("GET", "POST").replace("keep-alive", "close"),
        &[405],
    ));
    cases.push((
        GOOD.replace("localhost", "evil.test")
            .replace("keep-alive", "close"),
        &[421],
    ));
    cases.push((
        with("/ws/", "ws://evil.test/ws/").replace("keep-alive", "close"),
        &[421],
    ));
    check(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_that_nobody_reads_ends_with_its_connection() {
    let server =
        TestServer::start_with(echoing(), |config| config.limits.body_timeout_ms = 1_000).await;
    let endless = [("1;", "a".repeat(4_096)), ("", "1\r\na\r\n".repeat(500))];
    for (path, status) in [(PATH, 413), ("/nowhere", 404), ("/static/page.js", 405)] {
        for (begin, more) in &endless {
            let request = chunked(begin).replacen(PATH, path, 1);
            let request = request.replace("Connection: close\r\n", "");
            let mut stream = TcpStream::connect(server.address)
                .await
                .expect("a connection");
            stream
                .write_all(request.as_bytes())
                .await
                .expect("an open connection");
            let (mut read, mut write) = stream.split();
            let mut response = Vec::new();
            let sending = async { while write.write_all(more.as_bytes()).await.is_ok() {} };
            let (_, ended) = tokio::join!(
                tokio::time::timeout(PATIENCE, sending),
                tokio::time::timeout(PATIENCE, read.read_to_end(&mut response)),
            );
            assert!(ended.is_ok(), "{path} {begin:?}: still open");
            let found = statuses(&String::from_utf8_lossy(&response));
            let never_whole = if begin.is_empty() { status } else { 408 };
            let expected = if path == PATH { never_whole } else { status };
            assert_eq!(found, [expected], "{path} {begin:?}");
        }
    }
    let response = exchange(server.address, request().as_bytes()).await;
    assert_eq!(statuses(&response), [200]);
}
