//! Frames of clients that are odd in one way each: every one gets its one reply, and the connection stays usable.

use serde_json::Value;

use crate::support::raw::RawSocket;
use crate::support::server::TestServer;
use crate::support::turns::echoing;
use crate::support::web_socket::is_final;

/// What answers a frame: a code, or an answer.
const ANSWER: &str = "answer";

/// Sent behind each frame; the refusal of it shows that there is only one reply to the frame before.
const MARK: &str = r#"{"type": "mark"}"#;

/// Each frame has exactly this reply.
async fn check(cases: &[(String, &str)]) {
    let server = TestServer::start(echoing()).await;
    let mut socket = RawSocket::open(server.address).await;
    assert_eq!(socket.json().await["stage"], "connected");
    for (text, expected) in cases {
        let what = text.get(..text.len().min(200)).unwrap_or("");
        socket.text(text).await;
        assert_eq!(reply(&mut socket).await, *expected, "{what}");
        socket.text(MARK).await;
        assert_eq!(reply(&mut socket).await, "unknown_frame_type", "{what}");
    }
}

async fn reply(socket: &mut RawSocket) -> String {
    loop {
        let frame: Value = socket.json().await;
        if frame["type"] == "error" {
            return frame["code"].as_str().expect("a code").to_owned();
        }
        if is_final(&frame) {
            return ANSWER.to_owned();
        }
    }
}

fn question_with(fields: &str) -> String {
    format!(r#"{{"query": "how many", {fields}}}"#)
}

/// An object whose field makes it as deep as this in all.
fn nested(depth: usize) -> String {
    let inner = depth - 1;
    question_with(&format!(
        r#""x": {}{}"#,
        "[".repeat(inner),
        "]".repeat(inner)
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn nesting_of_127_is_taken_and_of_128_is_refused() {
    let deep_object = |depth: usize| {
        let inner = depth - 1;
        question_with(&format!(
            r#""x": {}1{}"#,
            r#"{"a":"#.repeat(inner),
            "}".repeat(inner)
        ))
    };
    check(&[
        (nested(127), ANSWER),
        (nested(128), "invalid_request"),
        (nested(129), "invalid_request"),
        (deep_object(127), ANSWER),
        (deep_object(128), "invalid_request"),
        ("[".repeat(65_536), "invalid_request"),
        (r#"{"a":"#.repeat(13_000), "invalid_request"),
        (deep_object(9_000), "invalid_request"),
        // Deep only where nothing is deep.
        (
            question_with(&format!(r#""x": "{}""#, "[".repeat(60_000))),
            ANSWER,
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_every_kind() {
    let mut cases = Vec::new();
    for id in [
        r#""""#,
        r#"" ""#,
        r#""a b""#,
        r#""\u0000""#,
        r#""\n""#,
        r#""\u007f""#,
        r#""\u00e9""#,
        r#""\ud83d\ude00""#,
        r#""\u202e""#,
    ] {
        cases.push((
            question_with(&format!(r#""request_id": {id}"#)),
            "invalid_request_id",
        ));
    }
    cases.push((
        question_with(&format!(r#""request_id": "{}""#, "a".repeat(129))),
        "invalid_request_id",
    ));
    for id in [
        "1",
        "-0",
        "1e999",
        "true",
        "[]",
        "{}",
        r#""\ud83d""#,
        r#"["a"]"#,
    ] {
        cases.push((
            question_with(&format!(r#""request_id": {id}"#)),
            "invalid_request",
        ));
        cases.push((
            question_with(&format!(r#""conversation_id": {id}"#)),
            "invalid_request",
        ));
        cases.push((
            format!(r#"{{"type": "cancel", "request_id": {id}}}"#),
            "invalid_request",
        ));
        cases.push((
            format!(r#"{{"type": "resume", "request_id": {id}}}"#),
            "invalid_request",
        ));
    }
    for id in [
        "null",
        r#""~""#,
        r#""!""#,
        r#""*""#,
        r#""../x""#,
        r#""{a}""#,
        r#""a:b""#,
        r#""__proto__""#,
        r#""constructor""#,
        r#""<svg>""#,
        r#""\u0061""#,
    ] {
        cases.push((question_with(&format!(r#""request_id": {id}"#)), ANSWER));
    }
    cases.push((
        question_with(&format!(r#""request_id": "{}""#, "a".repeat(128))),
        ANSWER,
    ));
    for id in [
        "",
        " ",
        "null",
        "*",
        "3f2b8c1e6d4a4f0e9a570c1d2e3f4a5b",
        "{3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b}",
        "urn:uuid:3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b",
        " 3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b",
        "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5",
        "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b0",
        "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5g",
        "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5\u{661}",
        "\u{ff13}f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b",
        "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b\\u0000",
        "3f2b8c1e_6d4a_4f0e_9a57_0c1d2e3f4a5b",
    ] {
        cases.push((
            question_with(&format!(r#""conversation_id": "{id}""#)),
            "invalid_conversation_id",
        ));
    }
    for id in [
        "3F2B8C1E-6D4A-4F0E-9A57-0C1D2E3F4A5B",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ] {
        cases.push((
            question_with(&format!(r#""conversation_id": "{id}""#)),
            ANSWER,
        ));
    }
    check(&cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_of_every_kind() {
    let text = |text: &str| text.to_owned();
    let question = r#"{"query": "how many"}"#;
    let refused = "invalid_request";
    let mut cases = vec![
        // Keys that stand there twice, in whatever spelling; of unknown ones it does not matter.
        (question_with(r#""query": "b""#), refused),
        (question_with(r#""qu\u0065ry": "b""#), refused),
        (
            question_with(r#""request_id": "a", "request_id": "a""#),
            refused,
        ),
        (question_with(r#""stream": null, "stream": null"#), refused),
        (question_with(r#""x": 1, "x": {"a": 1, "a": 2}"#), ANSWER),
        (question_with(r#""__proto__": {"query": "b"}"#), ANSWER),
        (text(r#"{"qu\u0065ry": "how many"}"#), ANSWER),
        // Halves of surrogate pairs, wherever they stand.
        (text(r#"{"query": "a \ud83d b"}"#), refused),
        (text(r#"{"query": "\ude00\ud83d"}"#), refused),
        (question_with(r#""x": "\udfff""#), refused),
        (question_with(r#""\ud800": 1"#), refused),
        (text(r#"{"query": "\ud83d\ude00 \udbff\udfff"}"#), ANSWER),
        // What is around the object.
        (format!(" \t\r\n{question}\r\n"), ANSWER),
        (format!("\u{feff}{question}"), refused),
        (format!("{question}\0"), refused),
        (format!("\u{a0}{question}"), refused),
        (format!("{question}{question}"), refused),
        (format!("{question}//"), refused),
        // What is asked.
        (text(r#"{"query": "\t \n"}"#), "question_missing"),
        (
            text(r#"{"query": "\u00a0\u3000\u2028\u0085"}"#),
            "question_missing",
        ),
        (text(r#"{"query": "a\u0000b"}"#), "question_invalid"),
        (text(r#"{"query": "a\u001bb"}"#), "question_invalid"),
        (text(r#"{"query": "a\u009fb"}"#), "question_invalid"),
        (text("{\"query\": \"a\tb\"}"), refused),
        (
            format!(r#"{{"query": "{}"}}"#, "\u{1f600}".repeat(4_000)),
            ANSWER,
        ),
        (
            format!(r#"{{"query": "{}"}}"#, "\u{1f600}".repeat(4_001)),
            "question_too_long",
        ),
        (
            format!(r#"{{"query": "{}"}}"#, "\\u0041".repeat(4_001)),
            "question_too_long",
        ),
        // What kind of frame.
        (text(r#"{"type": ""}"#), "unknown_frame_type"),
        (
            text(r#"{"type": "Query", "query": "a"}"#),
            "unknown_frame_type",
        ),
        (
            text(r#"{"type": "query\u0000", "query": "a"}"#),
            "unknown_frame_type",
        ),
        (
            text(r#"{"type": "chat_response", "request_id": "a"}"#),
            "unknown_frame_type",
        ),
        (text(r#"{"type": ["query"], "query": "a"}"#), refused),
        (text(r#"{"type": "query"}"#), "question_missing"),
        (
            text(r#"{"type": "cancel", "query": "a", "request_id": "b"}"#),
            "request_not_found",
        ),
        (
            text(r#"{"type": "resume", "request_id": "b", "conversation_id": "c"}"#),
            "invalid_conversation_id",
        ),
    ];
    // Numbers, in a field that counts and in one that does not.
    for number in [
        "-1",
        "1.0",
        "1e2",
        "-0",
        "18446744073709551616",
        "1e999",
        "01",
        "+1",
        "0x1",
        "NaN",
        "1.",
        ".5",
    ] {
        cases.push((
            format!(r#"{{"type": "resume", "request_id": "r", "after": {number}}}"#),
            refused,
        ));
    }
    for number in ["0", "18446744073709551615", "null"] {
        cases.push((
            format!(r#"{{"type": "resume", "request_id": "r", "after": {number}}}"#),
            "request_not_found",
        ));
    }
    for number in ["-1e-999", "1e308", "123456789012345678901234567890", "-0.0"] {
        cases.push((question_with(&format!(r#""x": {number}"#)), ANSWER));
    }
    cases.push((
        question_with(&format!(r#""x": 0.{}"#, "9".repeat(60_000))),
        ANSWER,
    ));
    // Nothing that can be counted with.
    cases.push((question_with(r#""x": 1e999"#), refused));
    cases.push((
        question_with(&format!(r#""x": {}"#, "9".repeat(60_000))),
        refused,
    ));
    check(&cases).await;
}
