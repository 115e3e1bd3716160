//! Clients that send what they should not: each class of input gets its one clean answer, and the
//! server goes on as before.

use serde_json::Value;

use crate::support::raw::{RawSocket, exchange};
use crate::support::server::TestServer;
use crate::support::turns::echoing;

const QUESTION: &str = r#"{"query":"how many"}"#;

/// The server still answers.
async fn check_alive(server: &TestServer) {
    let response = server.post(QUESTION).send().await.expect("a response");
    assert_eq!(response.status(), 200);
}

async fn check_body(server: &TestServer, body: impl Into<reqwest::Body>, status: u16, code: &str) {
    let response = server.post(body).send().await.expect("a response");
    assert_eq!(response.status(), status, "{code}");
    let text = response.text().await.expect("a body");
    let body: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(body["code"], code, "{text}");
    assert!(
        !text.contains('<'),
        "nothing of the input comes back: {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_question_are_bad_requests() {
    let server = TestServer::start(echoing()).await;
    for body in [
        "",
        "null",
        "[]",
        r#"[{"query":"a"},{"query":"b"}]"#,
        "<query>How many?</query>",
        r#"{"query":"a",}"#,
        r#"{"query":"a"} DROP"#,
        r#"{"query":"a","query":"b"}"#,
        r#"{"query":"\ud83d"}"#,
        "{\"query\":\"a\u{1}\"}",
        r#"{"query":["a"]}"#,
        r#"{"query":"a","conversation_id":false}"#,
    ] {
        check_body(&server, body, 400, "invalid_request").await;
    }
    check_body(&server, r#"{"Query":"a"}"#, 400, "question_missing").await;
    check_body(&server, r#"{"query":" \n "}"#, 400, "question_missing").await;
    check_body(&server, r#"{"query":"a\u0000"}"#, 400, "question_invalid").await;
    let html = r#"{"query":"a","conversation_id":"<svg onload=alert(1)>"}"#;
    check_body(&server, html, 400, "invalid_conversation_id").await;
    let long = format!(r#"{{"query":"{}"}}"#, "a ".repeat(10_000));
    check_body(&server, long, 400, "question_too_long").await;
    check_alive(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_utf_8_are_bad_requests() {
    let server = TestServer::start(echoing()).await;
    for bytes in [
        &b"{\"query\":\"M\xfcnchen\"}"[..],
        b"{\"query\":\"\xed\xa0\xbd\xed\xb8\x80\"}",
        b"\xff\xfe{\0\"\0",
    ] {
        check_body(&server, bytes.to_vec(), 400, "invalid_request").await;
    }
    check_alive(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_and_size_are_bounded() {
    let server = TestServer::start(echoing()).await;
    let deep = format!(r#"{{"query":"a","x":{}"#, "[".repeat(50_000));
    check_body(&server, deep, 400, "invalid_request").await;
    let large = format!(r#"{{"query":"a","n":{}}}"#, "9".repeat(10_000_000));
    check_body(&server, large.clone(), 413, "request_too_large").await;
    // The same without an announced length.
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(large)]);
    check_body(
        &server,
        reqwest::Body::wrap_stream(pieces),
        413,
        "request_too_large",
    )
    .await;
    check_alive(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_a_foreign_form_can_post_are_refused() {
    let server = TestServer::start(echoing()).await;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "*/*",
        "application/json; charset=utf-16",
    ] {
        let response = server
            .http
            .post(server.url("/api/chat/query/"))
            .header("content-type", content_type)
            .body(QUESTION)
            .send()
            .await
            .expect("a response");
        assert_eq!(response.status(), 415, "{content_type}");
    }
    let response = server
        .post(QUESTION)
        .header("content-encoding", "gzip")
        .send()
        .await
        .expect("a response");
    assert_eq!(response.status(), 415);
    assert_eq!(response.headers()["accept-encoding"], "identity");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_are_too_large_are_refused() {
    let server = TestServer::start(echoing()).await;
    for (name, value) in [
        ("x-pad", "a".repeat(20_000)),
        ("x-pad", "a".repeat(100_000)),
    ] {
        let response = server.post(QUESTION).header(name, value).send().await;
        assert_eq!(response.expect("a response").status(), 431);
    }
    let path = format!("/{}", "a".repeat(20_000));
    let response = server.http.get(server.url(&path)).send().await;
    assert_eq!(response.expect("a response").status(), 431);
    check_alive(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_that_could_forge_a_header_or_a_log_line_is_replaced() {
    let server = TestServer::start(echoing()).await;
    for id in ["a b", "é", &"x".repeat(200)] {
        let response = server
            .post(QUESTION)
            .header("x-request-id", id)
            .send()
            .await
            .expect("a response");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-request-id"].len(), 36);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_that_lie_do_not_smuggle_a_second_request() {
    let server = TestServer::start(echoing()).await;
    let post = |length: &str, body: &str| {
        format!(
            "POST /api/chat/query/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    for length in ["5", "-1"] {
        let response = exchange(server.address, post(length, QUESTION).as_bytes()).await;
        assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
        assert!(!response.contains(" 200 "), "{response}");
    }
    let garbage = exchange(
        server.address,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    )
    .await;
    assert!(
        garbage.is_empty() || garbage.starts_with("HTTP/1.1 400 "),
        "{garbage}"
    );
    check_alive(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_does_not_hold_its_place() {
    let server = TestServer::start(echoing()).await;
    let response = exchange(
        server.address,
        b"POST /api/chat/query/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{",
    )
    .await;
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    assert!(response.contains("request_timeout"), "{response}");
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_are_none_are_refused() {
    let server = TestServer::start(echoing()).await;
    let shake = |headers: &str| {
        format!(
            "GET /ws/db_chat/query/ HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: Upgrade\r\n\r\n"
        )
    };
    for (headers, status) in [
        ("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400),
        (
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: !!!\r\n",
            400,
        ),
        (
            "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            426,
        ),
        ("", 426),
    ] {
        // The server may keep the connection for another request, so only the head is awaited.
        let request = shake(headers).replace("Connection: Upgrade", "Connection: Upgrade, close");
        let response = exchange(server.address, request.as_bytes()).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{headers}: {response}"
        );
    }
    check_alive(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_the_protocol_close_the_connection_with_the_fitting_code() {
    let server = TestServer::start(echoing()).await;
    let mut huge = vec![0x81, 0xFF];
    huge.extend((1_u64 << 31).to_be_bytes());
    huge.extend([0; 4]);
    let many_empty = [
        RawSocket::encode(0x01, b""),
        RawSocket::encode(0x00, b"").repeat(1000),
    ]
    .concat();
    for (what, bytes, code) in [
        ("a binary frame", RawSocket::encode(0x82, b"x"), 1003),
        (
            "text that is not UTF-8",
            RawSocket::encode(0x81, b"\xff"),
            1007,
        ),
        (
            "UTF-8 broken over fragments",
            [
                RawSocket::encode(0x01, b"\xc3"),
                RawSocket::encode(0x80, b"x"),
            ]
            .concat(),
            1007,
        ),
        ("an announced gigabyte", huge, 1009),
        (
            "a large frame",
            RawSocket::encode(0x81, &vec![b' '; 100_000]),
            1009,
        ),
        (
            "a large message in fragments",
            [
                RawSocket::encode(0x01, &vec![b' '; 40_000]),
                RawSocket::encode(0x80, &vec![b' '; 40_000]),
            ]
            .concat(),
            1009,
        ),
        ("a reserved opcode", RawSocket::encode(0x8B, b"x"), 1002),
        ("a reserved bit", RawSocket::encode(0xC1, b"x"), 1002),
        ("a long ping", RawSocket::encode(0x89, &[b'p'; 126]), 1002),
        (
            "a continuation of nothing",
            RawSocket::encode(0x80, b"x"),
            1002,
        ),
        ("no mask", vec![0x81, 0x01, b'x'], 1002),
        (
            "a close code that is none",
            RawSocket::encode(0x88, &999_u16.to_be_bytes()),
            1002,
        ),
        ("empty fragments without end", many_empty, 1008),
    ] {
        let mut socket = RawSocket::open(server.address).await;
        socket.bytes(&bytes).await;
        assert_eq!(socket.close_code().await, Some(code), "{what}");
    }
    check_alive(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_in_one_byte_fragments_with_pings_between_is_answered() {
    let server = TestServer::start(echoing()).await;
    let mut socket = RawSocket::open(server.address).await;
    let (last, front) = QUESTION.as_bytes().split_last().expect("text");
    for (index, byte) in front.iter().enumerate() {
        let first = if index == 0 { 0x01 } else { 0x00 };
        socket.bytes(&RawSocket::encode(first, &[*byte])).await;
        socket.bytes(&RawSocket::encode(0x89, b"ping")).await;
    }
    socket.bytes(&RawSocket::encode(0x80, &[*last])).await;
    loop {
        let (opcode, payload) = socket.frame().await;
        assert!(matches!(opcode, 0x1 | 0xA), "{opcode}");
        if opcode == 0x1 {
            let frame: Value = serde_json::from_slice(&payload).expect("JSON");
            assert_ne!(frame["type"], "error");
            if frame["type"] == "chat_response" {
                break;
            }
        }
    }
}
