//! The WebSocket protocol byte by byte: what the Autobahn test suite, whose cases are in `autobahn`, does not ask, or not in every
//! variant.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::raw::{RawSocket, exchange};
use crate::support::server::TestServer;
use crate::support::turns::echoing;

const TEXT: u8 = 0x81;
const TEXT_BEGINS: u8 = 0x01;
const GOES_ON: u8 = 0x00;
const ENDS: u8 = 0x80;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// Characters of one to four bytes, and one that is none.
const QUESTION: &str = "Wie viele κόσμε \u{20ac} \u{1f600} \u{ffff}?";

fn question() -> String {
    json!({"query": QUESTION, "request_id": "q"}).to_string()
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    RawSocket::encode(first, payload)
}

fn frames(parts: &[(u8, &[u8])]) -> Vec<u8> {
    let frames = parts.iter().map(|(first, payload)| frame(*first, payload));
    frames.collect::<Vec<_>>().concat()
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// The question sent in these bytes is answered.
async fn check_answered(socket: &mut RawSocket, bytes: &[u8]) {
    socket.bytes(bytes).await;
    loop {
        let frame = socket.json().await;
        assert_ne!(frame["type"], "error", "{frame}");
        if frame["type"] == "chat_response" {
            assert_eq!(frame["reply"], QUESTION);
            return;
        }
    }
}

/// Each of these is answered with a close frame of its code and the end of the connection, and nothing else.
async fn check_closes(cases: Vec<(String, Vec<u8>, u16)>) {
    let server = TestServer::start(echoing()).await;
    join_all(cases.into_iter().map(async |(what, bytes, code)| {
        let mut socket = RawSocket::open(server.address).await;
        assert_eq!(socket.json().await["stage"], "connected");
        socket.bytes(&bytes).await;
        let (opcode, payload) = socket.frame().await;
        assert_eq!(opcode, 0x8, "{what}");
        assert_eq!(payload[..2], code.to_be_bytes(), "{what}: {payload:?}");
        assert!(std::str::from_utf8(&payload[2..]).is_ok(), "{what}");
        socket.ends().await;
    }))
    .await;
    let mut socket = RawSocket::open(server.address).await;
    check_answered(&mut socket, &frame(TEXT, question().as_bytes())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_cut_into_fragments_anywhere_is_one_message() {
    let server = TestServer::start(echoing()).await;
    let mut socket = RawSocket::open(server.address).await;
    let question = question();
    let question = question.as_bytes();
    for cut in 0..=question.len() {
        let (front, back) = question.split_at(cut);
        let cut = [
            frame(TEXT_BEGINS, front),
            frame(PING, b"between"),
            frame(GOES_ON, b""),
            frame(PONG, b"not asked for"),
            frame(ENDS, back),
        ];
        check_answered(&mut socket, &cut.concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_arrives_byte_by_byte_is_answered() {
    let server = TestServer::start(echoing()).await;
    let mut socket = RawSocket::open(server.address).await;
    let bytes = frames(&[(PING, b"p"), (TEXT, question().as_bytes())]);
    let (last, front) = bytes.split_last().expect("bytes");
    for byte in front {
        socket.bytes(&[*byte]).await;
    }
    check_answered(&mut socket, &[*last]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_every_form_of_length_are_answered() {
    let server = TestServer::start(echoing()).await;
    let mut socket = RawSocket::open(server.address).await;
    for bytes in [125, 126, 127, 128, 65_535, 65_536] {
        let padded = format!("{:<1$}", question(), bytes - extra_bytes());
        assert_eq!(padded.len(), bytes);
        check_answered(&mut socket, &frame(TEXT, padded.as_bytes())).await;
        let half = bytes / 2;
        let (front, back) = padded.as_bytes().split_at(half);
        check_answered(&mut socket, &frames(&[(TEXT_BEGINS, front), (ENDS, back)])).await;
    }
    // Empty, it is no question, and no reason to part.
    socket.bytes(&frame(TEXT, b"")).await;
    assert_eq!(socket.json().await["code"], "invalid_request");
    check_answered(&mut socket, &frame(TEXT, question().as_bytes())).await;
}

/// By how much the question has more bytes than characters.
fn extra_bytes() -> usize {
    question().len() - question().chars().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_of_every_length_are_answered_in_order_and_pongs_are_not() {
    let server = TestServer::start(echoing()).await;
    let mut socket = RawSocket::open(server.address).await;
    assert_eq!(socket.json().await["stage"], "connected");
    for length in 0..=125_u8 {
        let payload = vec![0xFF - length; length.into()];
        socket
            .bytes(&frames(&[(PONG, b"x"), (PING, &payload)]))
            .await;
        assert_eq!(socket.frame().await, (0xA, payload));
    }
    let payloads: Vec<_> = (0..10_u8).map(|number| vec![number; 3]).collect();
    let pings = payloads.iter().map(|payload| frame(PING, payload));
    socket.bytes(&pings.collect::<Vec<_>>().concat()).await;
    for payload in payloads {
        assert_eq!(socket.frame().await, (0xA, payload));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_rfc_6455_forbids_end_the_connection_with_1002() {
    let mut cases = vec![
        ("a long ping".to_owned(), frame(PING, &[0; 126])),
        ("a long close".to_owned(), close(1000, &[b'a'; 124])),
        ("a fragmented ping".to_owned(), frame(0x09, b"x")),
        ("a fragmented pong".to_owned(), frame(0x0A, b"x")),
        ("a fragmented close".to_owned(), frame(0x08, b"")),
        (
            "a fragmented ping within a message".to_owned(),
            frames(&[(TEXT_BEGINS, b"a"), (0x09, b""), (ENDS, b"b")]),
        ),
        ("no mask".to_owned(), vec![TEXT, 1, b'x']),
        ("no mask, empty".to_owned(), vec![PING, 0]),
        ("a continuation of nothing".to_owned(), frame(ENDS, b"x")),
        (
            "a continuation of nothing that goes on".to_owned(),
            frame(GOES_ON, b"x"),
        ),
        (
            "a message within a message".to_owned(),
            frames(&[(TEXT_BEGINS, b"a"), (TEXT, b"b")]),
        ),
        (
            "a message begun within a message".to_owned(),
            frames(&[(TEXT_BEGINS, b"a"), (TEXT_BEGINS, b"b")]),
        ),
        (
            "binary within a message".to_owned(),
            frames(&[(TEXT_BEGINS, b"a"), (BINARY, b"b")]),
        ),
        (
            "two bytes of length for one".to_owned(),
            [&[TEXT, 0xFE, 0, 5, 0, 0, 0, 0][..], b"hello"].concat(),
        ),
        (
            "eight bytes of length for two".to_owned(),
            vec![TEXT, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0],
        ),
        (
            "a negative length".to_owned(),
            [&[TEXT][..], &[0xFF; 9], &[0; 4]].concat(),
        ),
        ("a close of one byte".to_owned(), frame(CLOSE, b"\x03")),
    ];
    for bits in 1..8 {
        cases.push((
            format!("reserved bits {bits}, text"),
            frame(TEXT | bits << 4, b"x"),
        ));
        cases.push((
            format!("reserved bits {bits}, ping"),
            frame(PING | bits << 4, b""),
        ));
    }
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        cases.push((format!("opcode {opcode}"), frame(0x80 | opcode, b"x")));
        cases.push((format!("opcode {opcode}, empty"), frame(0x80 | opcode, b"")));
        let within = frames(&[(TEXT_BEGINS, b"a"), (0x80 | opcode, b"")]);
        cases.push((format!("opcode {opcode} within a message"), within));
    }
    for code in [
        0,
        999,
        1004,
        1005,
        1006,
        1015,
        1016,
        1100,
        2000,
        2999,
        5000,
        u16::MAX,
    ] {
        cases.push((format!("close {code}"), close(code, b"")));
        cases.push((
            format!("close {code} with a reason"),
            close(code, b"reason"),
        ));
    }
    check_closes(
        cases
            .into_iter()
            .map(|(what, bytes)| (what, bytes, 1002))
            .collect(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf_8_ends_the_connection_with_1007_as_soon_as_that_is_certain() {
    let wrong: [&[u8]; 16] = [
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\xff",
        b"\xfe\xfe\xff\xff",
        b"\x80",
        b"\xbf\x80",
        // Longer than need be.
        b"\xc0\xaf",
        b"\xc1\xbf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xf8\x88\x80\x80\x80",
        // Halves of a surrogate pair, and beyond Unicode.
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80",
        b"\xf5\x80\x80\x80",
        // A character that breaks off.
        b"\xe2\x82a",
    ];
    let mut cases = Vec::new();
    for text in wrong {
        cases.push((format!("{text:x?}"), frame(TEXT, text)));
        let in_bytes = text.iter().enumerate().map(|(index, byte)| {
            let first = if index == 0 { TEXT_BEGINS } else { GOES_ON };
            frame(first, &[*byte])
        });
        // The last fragment never comes.
        cases.push((
            format!("{text:x?} in fragments"),
            in_bytes.collect::<Vec<_>>().concat(),
        ));
        let mut begun = frame(TEXT, &[text, &[b' '; 1000]].concat());
        begun.truncate(begun.len() - 1000);
        cases.push((format!("{text:x?} at the beginning of a frame"), begun));
    }
    for cut in [&b"\xf0"[..], b"\xf0\x9f\x98", b"a\xc3"] {
        cases.push((format!("{cut:x?} at the end"), frame(TEXT, cut)));
        cases.push((
            format!("{cut:x?} at the end of fragments"),
            frames(&[(TEXT_BEGINS, cut), (ENDS, b"")]),
        ));
    }
    cases.push((
        "the reason of a close frame".to_owned(),
        close(1000, b"\xce\xba\xff"),
    ));
    check_closes(
        cases
            .into_iter()
            .map(|(what, bytes)| (what, bytes, 1007))
            .collect(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_spoken_or_too_large_ends_the_connection_with_its_code() {
    let announced = |length: u64| [&[TEXT, 0xFF][..], &length.to_be_bytes(), &[0; 4]].concat();
    let half = vec![b' '; 40_000];
    let mut endless = frame(TEXT_BEGINS, b"");
    endless.extend(frame(GOES_ON, b"").repeat(1_000));
    check_closes(vec![
        ("binary".to_owned(), frame(BINARY, b"{}"), 1003),
        ("empty binary".to_owned(), frame(BINARY, b""), 1003),
        ("binary in fragments".to_owned(), frame(0x02, b"{}"), 1003),
        ("one byte too many".to_owned(), announced(65_537), 1009),
        (
            "two gigabytes, announced".to_owned(),
            announced(1 << 31),
            1009,
        ),
        (
            "all that can be announced".to_owned(),
            announced(i64::MAX as u64),
            1009,
        ),
        (
            "large in fragments".to_owned(),
            frames(&[(TEXT_BEGINS, &half), (ENDS, &half)]),
            1009,
        ),
        ("empty fragments without end".to_owned(), endless, 1008),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_answered_and_what_comes_after_it_is_not_heard() {
    let mut cases = vec![
        ("empty".to_owned(), frame(CLOSE, b"")),
        (
            "a long reason".to_owned(),
            close(1000, "ü".repeat(61).as_bytes()),
        ),
        (
            "within a message".to_owned(),
            [frame(TEXT_BEGINS, b"{"), close(1000, b"")].concat(),
        ),
    ];
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000,
        4999,
    ] {
        cases.push((format!("close {code}"), close(code, b"bye")));
    }
    for (what, after) in [
        ("a question", frame(TEXT, question().as_bytes())),
        ("a ping", frame(PING, b"x")),
        ("another close", close(1001, b"")),
        ("a broken frame", vec![0xFF; 40]),
        ("a broken text", frame(TEXT, b"\xff")),
    ] {
        cases.push((
            format!("{what} after it"),
            [close(1000, b""), after].concat(),
        ));
    }
    check_closes(
        cases
            .into_iter()
            .map(|(what, bytes)| (what, bytes, 1000))
            .collect(),
    )
    .await;
}

/// RFC 6455, section 7.1.1: a client waits for the server to end TCP.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_ends_the_connection_by_itself_and_at_once() {
    let server = TestServer::start(echoing()).await;
    let began = Instant::now();
    for number in 0..20 {
        let mut socket = RawSocket::open(server.address).await;
        assert_eq!(socket.json().await["stage"], "connected");
        let ending = match number % 2 {
            0 => close(1000, b""),
            _ => frame(BINARY, b""),
        };
        socket.bytes(&ending).await;
        assert!(socket.close_code().await.is_some());
        socket.ends().await;
    }
    // One by one they would take more than a second each if it waited for the client, as the HTTP server below does.
    assert!(began.elapsed() < Duration::from_secs(10), "{began:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_a_broken_frame_is_still_answered() {
    let server = TestServer::start(echoing()).await;
    for (broken, code) in [
        (frame(0x83, b""), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(CLOSE, b"x"), 1002),
    ] {
        let mut socket = RawSocket::open(server.address).await;
        assert_eq!(socket.json().await["stage"], "connected");
        socket.bytes(&[frame(TEXT, b"{"), broken].concat()).await;
        assert_eq!(socket.json().await["code"], "invalid_request");
        assert_eq!(socket.close_code().await, Some(code));
    }
}

async fn handshake(server: &TestServer, version: &str, headers: &str) -> String {
    let request = format!(
        "GET /ws/db_chat/query/ {version}\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    // A close frame right behind, so that an open connection ends.
    let response = exchange(
        server.address,
        &[request.as_bytes(), &close(1000, b"")].concat(),
    )
    .await;
    response
        .split("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_selects_our_subprotocol_and_no_extension() {
    let server = TestServer::start(echoing()).await;
    for (offered, selected) in [
        ("", None),
        ("Sec-WebSocket-Protocol: db-chat\r\n", Some("db-chat")),
        (
            "Sec-WebSocket-Protocol: graphql-ws, db-chat\r\n",
            Some("db-chat"),
        ),
        ("Sec-WebSocket-Protocol: admin\r\n", None),
        (
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
            None,
        ),
    ] {
        let headers = format!("Sec-WebSocket-Version: 13\r\n{offered}");
        let head = handshake(&server, "HTTP/1.1", &headers).await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(
            head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
            "{head}"
        );
        assert!(!head.contains("sec-websocket-extensions"), "{head}");
        let found = head.split("sec-websocket-protocol: ").nth(1);
        assert_eq!(
            found.and_then(|rest| rest.lines().next()),
            selected,
            "{head}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_of_another_version_is_told_which_there_is() {
    let server = TestServer::start(echoing()).await;
    for version in ["8", "0", "14", "13, 8"] {
        let headers = format!("Sec-WebSocket-Version: {version}\r\n");
        let head = handshake(&server, "HTTP/1.1", &headers).await;
        assert!(head.starts_with("http/1.1 426 "), "{head}");
        assert!(head.contains("sec-websocket-version: 13"), "{head}");
        assert!(head.contains("upgrade: websocket"), "{head}");
    }
    let old = handshake(&server, "HTTP/1.0", "Sec-WebSocket-Version: 13\r\n").await;
    assert!(old.contains(" 400 "), "{old}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_never_masks_and_never_fragments() {
    let server = TestServer::start(echoing()).await;
    let mut socket = RawSocket::open(server.address).await;
    socket.text(&question()).await;
    let mut seen = Value::Null;
    while seen["type"] != "chat_response" {
        let (first, second, payload) = socket.raw_frame().await;
        assert_eq!((first, second & 0x80), (TEXT, 0));
        seen = serde_json::from_slice(&payload).expect("JSON");
    }
}
