//! The WebSocket: what a client sees of its questions.

use db_chat::pipeline::error::TurnError;
use db_chat::pipeline::event::{Stage, TurnEvent};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::server::TestServer;
use crate::support::turns::{echoing, played};
use crate::support::web_socket::{Socket, handshake, is_final};

const CONVERSATION: &str = "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b";

#[tokio::test(flavor = "multi_thread")]
async fn a_question_gets_numbered_frames_and_one_answer() {
    let server = TestServer::start(echoing()).await;
    let mut socket = server.connect().await;
    socket
        .text(
            json!({"query": "how many", "request_id": "q", "conversation_id": CONVERSATION})
                .to_string(),
        )
        .await;
    let frames = socket.frames_of("q").await;
    let names: Vec<_> = frames.iter().map(|frame| &frame["type"]).collect();
    assert_eq!(
        names,
        [
            "status",
            "sql",
            "llm_token",
            "llm_token",
            "llm_stream_end",
            "chat_response"
        ]
    );
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame["seq"], index + 1);
        assert_eq!(frame["request_id"], "q");
        assert_eq!(frame["conversation_id"], CONVERSATION);
    }
    assert_eq!(frames[5]["reply"], "how many");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_the_django_client_needs_no_ids() {
    let server = TestServer::start(echoing()).await;
    let mut socket = server.connect().await;
    socket.text(r#"{"query": "how many"}"#).await;
    let mut frame = socket.frame().await;
    while !is_final(&frame) {
        frame = socket.frame().await;
    }
    assert_eq!(frame["type"], "chat_response");
    for field in ["reply", "conversation_id", "raw_result"] {
        assert!(frame[field].is_string(), "{field}: {frame}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_streaming_the_prose_comes_once_and_numbers_have_no_gap() {
    let server = TestServer::start(echoing()).await;
    let mut socket = server.connect().await;
    socket
        .text(r#"{"query": "how many", "request_id": "q", "stream": false}"#)
        .await;
    let frames = socket.frames_of("q").await;
    let seen: Vec<_> = frames
        .iter()
        .map(|frame| (frame["type"].as_str().unwrap_or(""), frame["seq"].as_u64()))
        .collect();
    assert_eq!(
        seen,
        [
            ("status", Some(1)),
            ("sql", Some(2)),
            ("chat_response", Some(3))
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_arrives_while_the_turn_is_still_running() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut socket = server.connect().await;
    socket.ask("q", None).await;
    let turn = playbook.next().await;
    turn.play(TurnEvent::Token("Hel".to_owned())).await;
    assert_eq!(socket.frame().await["token"], "Hel");
    turn.play(TurnEvent::Token("lo".to_owned())).await;
    assert_eq!(socket.frame().await["token"], "lo");
    turn.answer("Hello").await;
    assert_eq!(socket.frame().await["type"], "chat_response");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_goes_away_without_a_word_still_ends_in_an_error() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut socket = server.connect().await;
    socket.ask("q", None).await;
    let turn = playbook.next().await;
    turn.play(TurnEvent::Stage(Stage::Generating)).await;
    drop(turn);
    let frames = socket.frames_of("q").await;
    assert_eq!(frames.len(), 2);
    assert_eq!(frames[1]["code"], "internal");
    assert_eq!(frames[1]["seq"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_turn_says_after_its_end_goes_nowhere() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut socket = server.connect().await;
    socket.ask("q", None).await;
    let turn = playbook.next().await;
    let failed = || {
        TurnEvent::Failed(TurnError::Internal {
            problem: "x".to_owned(),
        })
    };
    turn.play(failed()).await;
    assert_eq!(socket.frames_of("q").await.len(), 1);
    drop(turn);
    // The id is free again, and nothing of the first turn comes before the second's frames.
    socket.ask("q", None).await;
    playbook.next().await.answer("second").await;
    let frames = socket.frames_of("q").await;
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0]["reply"], "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_question_ends_at_once_and_another_one_is_not_touched() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut socket = server.connect().await;
    socket.ask("stays", None).await;
    let stays = playbook.next().await;
    socket.ask("goes", None).await;
    let goes = playbook.next().await;
    socket
        .text(r#"{"type": "cancel", "request_id": "goes"}"#)
        .await;
    goes.cancelled().await;
    let last = socket.frames_of("goes").await.pop().expect("a final frame");
    assert_eq!(last["code"], "cancelled");
    stays.answer("here").await;
    let last = socket
        .frames_of("stays")
        .await
        .pop()
        .expect("a final frame");
    assert_eq!(last["reply"], "here");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_one_conversation_run_in_the_order_in_which_they_were_asked() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut socket = server.connect().await;
    for id in ["one", "two", "three"] {
        socket.ask(id, Some(CONVERSATION)).await;
    }
    socket.ask("elsewhere", None).await;
    // The other conversation's turn starts although it was asked last: so the second and third wait.
    let (mut first, mut elsewhere) = (playbook.next().await, playbook.next().await);
    if first.turn.request_id.as_str() != "one" {
        std::mem::swap(&mut first, &mut elsewhere);
    }
    assert_eq!(first.turn.request_id.as_str(), "one");
    assert_eq!(elsewhere.turn.request_id.as_str(), "elsewhere");
    assert!(playbook.is_empty());
    // One that waits can be cancelled before it has started.
    socket
        .text(r#"{"type": "cancel", "request_id": "two"}"#)
        .await;
    assert_eq!(socket.frames_of("two").await[0]["code"], "cancelled");
    assert!(playbook.is_empty());
    first.answer("1").await;
    assert_eq!(socket.frames_of("one").await[0]["reply"], "1");
    let third = playbook.next().await;
    assert_eq!(third.turn.request_id.as_str(), "three");
    third.answer("3").await;
    assert_eq!(socket.frames_of("three").await[0]["reply"], "3");
    elsewhere.answer("4").await;
    assert_eq!(socket.frames_of("elsewhere").await[0]["reply"], "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_questions_and_ids_in_use_are_refused_without_touching_the_others() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start_with(run_turn, |config| {
        config.limits.questions_in_flight_max = 2;
    })
    .await;
    let mut socket = server.connect().await;
    socket.ask("a", None).await;
    socket.ask("a", None).await;
    let refusal = socket.frame().await;
    assert_eq!(refusal["code"], "duplicate_request_id");
    assert_eq!(refusal["request_id"], "a");
    assert_eq!(refusal["seq"], Value::Null);
    socket.ask("b", None).await;
    socket.ask("c", None).await;
    let refusal = socket.frame().await;
    assert_eq!(refusal["code"], "too_many_questions");
    assert_eq!(refusal["request_id"], "c");
    assert_eq!(refusal["retryable"], true);

    let first = playbook.next().await;
    let second = playbook.next().await;
    first.answer("1").await;
    second.answer("2").await;
    for _ in 0..2 {
        assert_eq!(socket.frame().await["type"], "chat_response");
    }
    // Both have been heard, so there is room again.
    socket.ask("c", None).await;
    playbook.next().await.answer("3").await;
    assert_eq!(socket.frame().await["reply"], "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_cannot_be_read_gets_an_error_and_the_connection_lives_on() {
    let server = TestServer::start(echoing()).await;
    let mut socket = server.connect().await;
    for (text, code, request_id) in [
        ("{", "invalid_request", None),
        ("[]", "invalid_request", None),
        (r#"{"type": "dance"}"#, "unknown_frame_type", None),
        (
            r#"{"query": 42, "request_id": "r"}"#,
            "invalid_request",
            Some("r"),
        ),
        (
            r#"{"query": " ", "request_id": "r"}"#,
            "question_missing",
            Some("r"),
        ),
        (
            r#"{"query": "a", "conversation_id": "x"}"#,
            "invalid_conversation_id",
            None,
        ),
        (r#"{"type": "cancel"}"#, "invalid_request", None),
        (
            r#"{"type": "cancel", "request_id": "r"}"#,
            "request_not_found",
            Some("r"),
        ),
        (
            r#"{"type": "resume", "request_id": "r", "after": 3}"#,
            "request_not_found",
            Some("r"),
        ),
    ] {
        socket.text(text).await;
        let frame = socket.frame().await;
        assert_eq!(frame["type"], "error", "{text}");
        assert_eq!(frame["code"], code, "{text}");
        assert_eq!(frame["request_id"].as_str(), request_id, "{text}");
        assert_eq!(frame["seq"], Value::Null, "{text}");
    }
    socket.ask("q", None).await;
    assert_eq!(socket.frames_of("q").await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_goes_away_and_does_not_come_back_stops_its_questions() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start_with(run_turn, |config| config.limits.resume_seconds = 1).await;
    let mut socket = server.connect().await;
    socket.ask("running", Some(CONVERSATION)).await;
    socket.ask("waiting", Some(CONVERSATION)).await;
    let turn = playbook.next().await;
    drop(socket);
    turn.cancelled().await;
    drop(turn);
    // The one that waited never starts: a later question of anybody's is the next to.
    let mut socket = server.connect().await;
    socket.ask("later", None).await;
    assert_eq!(playbook.next().await.turn.request_id.as_str(), "later");
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_are_answered_and_a_close_is_echoed() {
    let server = TestServer::start(echoing()).await;
    let mut socket = server.connect().await;
    socket.send(Message::Ping("hello".into())).await;
    assert_eq!(socket.message().await, Some(Message::Pong("hello".into())));
    socket.send(Message::Close(None)).await;
    assert_eq!(socket.close_code().await, Some(1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_pinged_and_then_closed() {
    let server = TestServer::start_with(echoing(), |config| {
        config.limits.ping_interval_ms = 20;
        config.limits.pong_timeout_ms = 100;
    })
    .await;
    // Raw, because the client library would answer the pings.
    let mut raw = crate::support::raw::RawSocket::open(server.address).await;
    assert_eq!(raw.frame().await.0, 0x1, "the greeting");
    assert_eq!(raw.frame().await.0, 0x9, "a ping");
    assert_eq!(raw.close_code().await, Some(1008));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_given_up_and_its_question_stopped() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start_with(run_turn, |config| {
        config.limits.write_timeout_ms = 100;
        config.limits.resume_seconds = 1;
    })
    .await;
    let mut raw = crate::support::raw::RawSocket::open(server.address).await;
    raw.text(r#"{"query": "talk", "request_id": "q"}"#).await;
    let turn = playbook.next().await;
    let mut others = server.connect().await;
    // Nobody reads: the kernel's buffers fill, then the outbox, and the turn is never held up.
    let piece = "x".repeat(64 * 1024);
    for _ in 0..512 {
        turn.play(TurnEvent::Token(piece.clone())).await;
    }
    turn.cancelled().await;
    // Meanwhile another client is served as ever.
    others.text("{").await;
    assert_eq!(others.frame().await["type"], "error");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_wait_for_a_slow_client_merge_and_none_is_lost() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut raw = crate::support::raw::RawSocket::open(server.address).await;
    raw.text(r#"{"query": "talk", "request_id": "q"}"#).await;
    let turn = playbook.next().await;
    // More pieces than any socket buffer holds.
    let pieces = 40_000;
    for number in 0..pieces {
        turn.play(TurnEvent::Token(format!("{number:0>400}"))).await;
    }
    turn.answer("done").await;
    let mut prose = String::new();
    let mut tokens = 0;
    let mut seq = 0;
    loop {
        let (opcode, payload) = raw.frame().await;
        assert_eq!(opcode, 0x1);
        let frame: Value = serde_json::from_slice(&payload).expect("JSON");
        if frame["stage"] == "connected" {
            continue;
        }
        seq += 1;
        assert_eq!(frame["seq"], seq);
        match frame["token"].as_str() {
            Some(token) => {
                prose.push_str(token);
                tokens += 1;
            }
            None => break,
        }
    }
    let expected: String = (0..pieces)
        .map(|number| format!("{number:0>400}"))
        .collect();
    assert!(prose == expected, "the prose is whole and in order");
    assert!(tokens < pieces, "tokens merged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bad_frames_from_a_client_that_does_not_read_ends_its_connection() {
    let server = TestServer::start_with(echoing(), |config| {
        config.limits.outbox_bytes_max = 10_000;
    })
    .await;
    let mut raw = crate::support::raw::RawSocket::open(server.address).await;
    // Ends when the server closes: writing fails then.
    while raw.try_text("x").await {}
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_refused_before_the_upgrade() {
    let server = TestServer::start_with(echoing(), |config| {
        config.server.allowed_origins = vec!["https://*.example.com".to_owned()];
    })
    .await;
    let own = format!("http://{}", server.address);
    for (origin, expected) in [
        (own.as_str(), 101),
        ("https://app.example.com", 101),
        ("https://evil.test", 403),
        ("null", 403),
    ] {
        let mut request = handshake(server.address);
        request
            .headers_mut()
            .insert("origin", origin.parse().expect("a header"));
        let status = match tokio_tungstenite::connect_async(request).await {
            Ok((_, response)) => response.status(),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status(),
            Err(error) => panic!("{origin}: {error}"),
        };
        assert_eq!(status, expected, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_past_the_limit_are_told_to_come_back() {
    let server = TestServer::start_with(echoing(), |config| {
        config.limits.connections_max = 1;
    })
    .await;
    let socket = server.connect().await;
    let refused = tokio_tungstenite::connect_async(handshake(server.address)).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(response)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    drop(socket);
    // The place is free once the server has seen the first one go.
    let deadline = tokio::time::Instant::now() + crate::support::turns::PATIENCE;
    while tokio_tungstenite::connect_async(handshake(server.address))
        .await
        .is_err()
    {
        assert!(tokio::time::Instant::now() < deadline, "still no place");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_websockets_off_the_path_does_not_exist() {
    let server = TestServer::start_with(echoing(), |config| {
        config.server.enable_websockets = false;
    })
    .await;
    let refused = tokio_tungstenite::connect_async(handshake(server.address)).await;
    let Err(tokio_tungstenite::tungstenite::Error::Http(response)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(response.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_turn_ends_that_question_only() {
    let server = TestServer::start(std::sync::Arc::new(|turn, _| {
        Box::pin(async move { panic!("{:?}", turn.request_id) })
    }))
    .await;
    let mut socket = Socket::open(server.address).await;
    for id in ["one", "two"] {
        socket.ask(id, None).await;
        assert_eq!(socket.frames_of(id).await[0]["code"], "internal");
    }
}
