//! What clients call their questions, over two instances.

use db_chat::config::{Config, JwtConfig, JwtKeys};
use serde_json::{Value, json};

use super::support::{CONVERSATION, Instance, cancel, checked_prose, resume, say};
use crate::support::issuer::{SigningKey, claims};
use crate::support::redis::{AnyRedis, with_each_redis};
use crate::support::web_socket::{Socket, handshake};

const ELSEWHERE: &str = "00000000-6d4a-4f0e-9a57-0c1d2e3f4a5b";

with_each_redis! {
    a_question_that_is_sent_to_both_at_once_is_answered_once
    questions_are_resumed_on_any_instance_by_their_request_id_alone
    nobodys_name_is_in_a_key
}

async fn a_question_that_is_sent_to_both_at_once_is_answered_once(redis: AnyRedis) {
    let mut one = Instance::start(&redis.url()).await;
    let mut two = Instance::start(&redis.url()).await;
    let (mut at_one, mut at_two) = (one.server.connect().await, two.server.connect().await);
    for number in 0..10 {
        let id = format!("q{number}");
        tokio::join!(
            at_one.ask(&id, Some(CONVERSATION)),
            at_two.ask(&id, Some(CONVERSATION))
        );
        let (turn, winner, loser) = tokio::select! {
            turn = one.playbook.next() => (turn, &mut at_one, &mut at_two),
            turn = two.playbook.next() => (turn, &mut at_two, &mut at_one),
        };
        let refusal = loser.frame().await;
        assert_eq!(refusal["code"], "duplicate_request_id");
        assert_eq!(
            (&refusal["request_id"], &refusal["seq"]),
            (&json!(id), &Value::Null),
            "it never was a question"
        );
        // What the contract says to do then.
        resume(loser, &id, 0).await;
        say(&turn, "a").await;
        let first = loser.frame().await;
        assert_eq!(first["token"], "a", "{number} {first}");
        turn.answer("a").await;
        for socket in [winner, loser] {
            let frames = socket.frames_of(&id).await;
            assert_eq!(frames.last().expect("frames")["reply"], "a");
        }
        assert!(one.playbook.is_empty() && two.playbook.is_empty());
        // Its final frame has been sent: the id asks anew, on either.
        for (instance, socket) in [(&mut two, &mut at_two), (&mut one, &mut at_one)] {
            socket.ask(&id, Some(CONVERSATION)).await;
            instance.playbook.next().await.answer("anew").await;
            assert_eq!(socket.frames_of(&id).await[0]["reply"], "anew");
        }
    }

    // The other doors keep to it too, and other conversations have questions of their own.
    at_one.ask("q", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    let body = json!({"query": "how many", "request_id": "q", "conversation_id": CONVERSATION})
        .to_string();
    let response = two.server.post(body.clone()).send().await;
    let response = response.expect("a response");
    assert_eq!(response.status(), 409);
    let refusal: Value = response.json().await.expect("JSON");
    assert_eq!(refusal["code"], "duplicate_request_id");
    let events = two.server.post(body).header("accept", "text/event-stream");
    let events = events.send().await.expect("a response").text().await;
    let events = events.expect("events");
    assert!(events.starts_with("event: error\ndata: {"), "{events}");
    assert!(events.contains("duplicate_request_id"), "{events}");
    at_two.ask("q", Some(ELSEWHERE)).await;
    let namesake = two.playbook.next().await;
    namesake.answer("namesake").await;
    turn.answer("first").await;
    assert_eq!(at_two.frames_of("q").await[0]["reply"], "namesake");
    assert_eq!(at_one.frames_of("q").await[0]["reply"], "first");
    assert!(one.playbook.is_empty() && two.playbook.is_empty());
}

async fn questions_are_resumed_on_any_instance_by_their_request_id_alone(redis: AnyRedis) {
    const CLIENTS: usize = 6;
    let mut one = Instance::start(&redis.url()).await;
    let mut two = Instance::start(&redis.url()).await;
    let three = Instance::start(&redis.url()).await;
    let mut running = Vec::new();
    for client in 0..CLIENTS {
        let mut lost = one.server.connect().await;
        let id = format!("client-{client}");
        lost.ask(&id, None).await;
        let turn = one.playbook.next().await;
        say(&turn, &id).await;
        let frame = lost.frame().await;
        assert_eq!(frame["token"], id.as_str());
        running.push((id, turn, frame["conversation_id"].clone()));
    }
    let mut resumed = Vec::new();
    for (client, (id, turn, conversation)) in running.into_iter().enumerate() {
        let instance = [&one, &two, &three][client % 3];
        let mut socket = instance.server.connect().await;
        resume(&mut socket, &id, 0).await;
        let frame = socket.frame().await;
        assert_eq!(
            (&frame["token"], &frame["conversation_id"]),
            (&json!(id), &conversation)
        );
        resumed.push((socket, id, turn));
    }
    for (mut socket, id, turn) in resumed {
        turn.answer(&id).await;
        let frames = socket.frames_of(&id).await;
        checked_prose(&frames, 2);
        assert_eq!(frames.last().expect("frames")["reply"], id.as_str());
    }

    // An id that two have chosen stands for neither, until the conversation is named.
    let mut asker = one.server.connect().await;
    let mut namesake = two.server.connect().await;
    asker.ask("same", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    namesake.ask("same", Some(ELSEWHERE)).await;
    let namesakes = two.playbook.next().await;
    let mut other = three.server.connect().await;
    resume(&mut other, "same", 0).await;
    assert_eq!(other.frame().await["code"], "request_not_found");
    let named = json!({"type": "resume", "request_id": "same", "conversation_id": ELSEWHERE});
    other.text(named.to_string()).await;
    namesakes.answer("namesake").await;
    assert_eq!(other.frames_of("same").await[0]["reply"], "namesake");
    turn.answer("first").await;
    assert_eq!(asker.frames_of("same").await[0]["reply"], "first");
}

async fn nobodys_name_is_in_a_key(redis: AnyRedis) {
    const SECRET: &str = "a secret of at least thirty-two bytes";
    let signed = |config: &mut Config| {
        config.auth.jwt = Some(JwtConfig {
            keys: JwtKeys::Secret(SECRET.into()),
            issuer: Some("https://issuer.test/".to_owned()),
            audience: Some("db-chat".to_owned()),
            clock_skew_seconds: 60,
        });
    };
    let mut one = Instance::start_with(&redis.url(), signed).await;
    let two = Instance::start_with(&redis.url(), signed).await;
    let token = SigningKey::secret(SECRET).token(None, &claims("ada.lovelace"));
    let open = async |instance: &Instance| {
        let mut request = handshake(instance.server.address);
        let bearer = format!("Bearer {token}").parse().expect("a header");
        request.headers_mut().insert("authorization", bearer);
        let mut socket = Socket::open_with(request).await;
        assert_eq!(socket.frame().await["stage"], "connected");
        socket
    };
    let (mut asker, mut other) = (open(&one).await, open(&two).await);
    let ticket = one.server.http.post(one.server.url("/api/chat/ticket/"));
    let ticket = ticket.bearer_auth(&token).send().await;
    assert_eq!(ticket.expect("a response").status(), 200);
    asker.ask("q", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    let principal = turn.turn.principal.clone();
    assert!(principal.as_str().contains("ada.lovelace"));
    resume(&mut other, "q", 0).await;
    say(&turn, "a").await;
    assert_eq!(other.frame().await["token"], "a");
    asker.ask("waiting", Some(CONVERSATION)).await;
    asker.ask("stopped", None).await;
    let stopped = one.playbook.next().await;
    cancel(&mut other, "stopped").await;
    stopped.cancelled().await;
    let conversation = db_chat::domain::ids::ConversationId::parse(CONVERSATION).expect("an id");
    let stored = super::support::stored("q");
    let kept = one.server.store.append(&principal, conversation, stored);
    kept.await.expect("a store");

    let keys = redis.keys().await;
    for wanted in [
        "lease",
        "frames",
        "followed-at",
        "cancel",
        "request:",
        "conversations",
    ] {
        assert!(
            keys.iter().any(|key| key.contains(wanted)),
            "{wanted}: {keys:#?}"
        );
    }
    // Not the first name: three hexadecimal digits, which an id may have.
    for key in keys {
        assert!(!key.contains("lovelace"), "{key}");
        assert!(
            !key.contains("issuer.test") && !key.contains("jwt"),
            "{key}"
        );
    }
    turn.answer("a").await;
}
