//! Sockets that are used as nobody should: floods are answered within bounds, and whoever caused them is served again.

use serde_json::{Value, json};

use crate::support::raw::{RawSocket, exchange};
use crate::support::server::TestServer;
use crate::support::turns::echoing;

const TEXT: u8 = 0x81;
const PING: u8 = 0x89;

/// How many frames are sent before the answers are read: more than fit into one go of anything in between.
const BATCH: usize = 1_000;

async fn connect(server: &TestServer) -> RawSocket {
    let mut socket = RawSocket::open(server.address).await;
    assert_eq!(socket.json().await["stage"], "connected");
    socket
}

async fn send_all(socket: &mut RawSocket, texts: impl Iterator<Item = String>) {
    let frames: Vec<_> = texts
        .map(|text| RawSocket::encode(TEXT, text.as_bytes()))
        .collect();
    socket.bytes(&frames.concat()).await;
}

fn is_refusal(frame: &Value) -> bool {
    frame["type"] == "error" && frame["seq"].is_null()
}

/// Reads until as many questions or requests have had their last word, and returns the refusals' codes.
async fn outcomes(socket: &mut RawSocket, count: usize) -> Vec<String> {
    let mut codes = Vec::new();
    let mut ended = 0;
    while codes.len() + ended < count {
        let frame = socket.json().await;
        if is_refusal(&frame) {
            codes.push(frame["code"].as_str().expect("a code").to_owned());
        } else if crate::support::web_socket::is_final(&frame) {
            ended += 1;
        }
    }
    codes
}

async fn check_usable(socket: &mut RawSocket) {
    let question = json!({"query": "still there?", "request_id": "the-last-one"});
    socket.text(&question.to_string()).await;
    loop {
        let frame = socket.json().await;
        assert!(!is_refusal(&frame), "{frame}");
        if frame["type"] == "chat_response" {
            assert_eq!(frame["request_id"], "the-last-one");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_never_ends_does_not_hold_its_place() {
    let server =
        TestServer::start_with(echoing(), |config| config.limits.head_timeout_ms = 1_000).await;
    let begun = b"GET /ws/db_chat/query/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: webs";
    let response = exchange(server.address, begun).await;
    assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    check_usable(&mut connect(&server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_very_many_bad_frames_is_refused_and_the_connection_lives_on() {
    let server = TestServer::start(echoing()).await;
    let mut socket = connect(&server).await;
    for _ in 0..10 {
        send_all(&mut socket, (0..BATCH).map(|_| "x".to_owned())).await;
        let codes = outcomes(&mut socket, BATCH).await;
        assert!(
            codes.iter().all(|code| code == "invalid_request"),
            "{codes:?}"
        );
    }
    check_usable(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_lets_its_refusals_wait_is_told_so_when_it_reads_at_last() {
    let server =
        TestServer::start_with(echoing(), |config| config.limits.outbox_bytes_max = 1).await;
    let mut socket = connect(&server).await;
    // No refusal can be written between frames that arrive as one.
    send_all(&mut socket, (0..3).map(|_| "x".to_owned())).await;
    let mut refusals = 0;
    let code = loop {
        let (opcode, payload) = socket.frame().await;
        if opcode == 0x8 {
            break u16::from_be_bytes([payload[0], payload[1]]);
        }
        refusals += 1;
    };
    assert_eq!((refusals, code), (1, 1008));
    socket.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_without_end_get_at_most_as_many_pongs() {
    let server = TestServer::start(echoing()).await;
    let mut socket = connect(&server).await;
    let pings = RawSocket::encode(PING, b"p").repeat(BATCH);
    for round in 0..20_u8 {
        socket.bytes(&pings).await;
        socket.bytes(&RawSocket::encode(PING, &[round])).await;
        let mut pongs = 0;
        loop {
            let (opcode, payload) = socket.frame().await;
            assert_eq!(opcode, 0xA);
            if payload == [round] {
                break;
            }
            pongs += 1;
        }
        assert!(pongs <= BATCH);
    }
    check_usable(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_cancels_of_nothing_are_refused_one_by_one() {
    let server = TestServer::start(echoing()).await;
    let mut socket = connect(&server).await;
    for round in 0..10 {
        let cancels = (0..BATCH).map(|number| {
            json!({"type": "cancel", "request_id": format!("{round}-{number}")}).to_string()
        });
        send_all(&mut socket, cancels).await;
        for code in outcomes(&mut socket, BATCH).await {
            assert!(
                ["request_not_found", "too_many_questions"].contains(&code.as_str()),
                "{code}"
            );
        }
    }
    check_usable(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_resumes_are_refused_or_answered_one_by_one() {
    let server = TestServer::start(echoing()).await;
    let mut socket = connect(&server).await;
    let resume = |id: &str| json!({"type": "resume", "request_id": id}).to_string();
    send_all(
        &mut socket,
        (0..BATCH).map(|number| resume(&number.to_string())),
    )
    .await;
    for code in outcomes(&mut socket, BATCH).await {
        assert!(
            ["request_not_found", "too_many_questions"].contains(&code.as_str()),
            "{code}"
        );
    }
    socket
        .text(r#"{"query": "known", "request_id": "known"}"#)
        .await;
    assert!(outcomes(&mut socket, 1).await.is_empty());
    send_all(&mut socket, (0..BATCH).map(|_| resume("known"))).await;
    let codes = outcomes(&mut socket, BATCH).await;
    assert!(codes.len() < BATCH, "one at least is answered");
    for code in codes {
        assert!(
            ["duplicate_request_id", "too_many_questions"].contains(&code.as_str()),
            "{code}"
        );
    }
    check_usable(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_questions_at_once_are_answered_or_refused_one_by_one() {
    let server = TestServer::start(echoing()).await;
    let mut socket = connect(&server).await;
    let ask =
        |number: usize| json!({"query": "how many", "request_id": number.to_string()}).to_string();
    send_all(&mut socket, (0..BATCH).map(ask)).await;
    let codes = outcomes(&mut socket, BATCH).await;
    assert!(codes.len() < BATCH, "some are answered");
    assert!(
        codes.iter().all(|code| code == "too_many_questions"),
        "{codes:?}"
    );
    check_usable(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_used_again_and_again_names_the_latest_question() {
    let server = TestServer::start(echoing()).await;
    let mut socket = server.connect().await;
    let conversation = "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b";
    for number in 0..100 {
        let question = json!({"query": number.to_string(), "request_id": "same", "conversation_id": conversation});
        socket.text(question.to_string()).await;
        let frames = socket.frames_of("same").await;
        assert_eq!(frames[0]["seq"], 1);
        assert_eq!(
            frames.last().expect("a final frame")["reply"],
            number.to_string()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_numbers_in_after_are_refused_and_huge_ones_mean_the_end() {
    let server = TestServer::start(echoing()).await;
    let mut socket = server.connect().await;
    socket.ask("q", None).await;
    let last = socket.frames_of("q").await.pop().expect("a final frame");
    for after in [
        "-1",
        "1.5",
        "1e3",
        "\"1\"",
        "18446744073709551616",
        "[]",
        "true",
    ] {
        socket
            .text(format!(
                r#"{{"type": "resume", "request_id": "q", "after": {after}}}"#
            ))
            .await;
        let refusal = socket.frame().await;
        assert_eq!(refusal["code"], "invalid_request", "{after}");
        assert_eq!(refusal["request_id"], "q", "{after}");
    }
    for after in ["7", "9007199254740993", "18446744073709551615"] {
        socket
            .text(format!(
                r#"{{"type": "resume", "request_id": "q", "after": {after}}}"#
            ))
            .await;
        assert_eq!(socket.frame().await, last, "{after}");
    }
}
