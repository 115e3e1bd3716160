//! A connection is lost and the question is taken up on the next one, at the same server.

use db_chat::pipeline::event::{Stage, TurnEvent};
use serde_json::json;

use super::support::{CONVERSATION, cancel, checked_prose, close, resume, say};
use crate::support::server::TestServer;
use crate::support::turns::played;

const ELSEWHERE: &str = "00000000-6d4a-4f0e-9a57-0c1d2e3f4a5b";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_replayed_and_the_rest_comes_live() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut lost = server.connect().await;
    lost.ask("q", Some(CONVERSATION)).await;
    let turn = playbook.next().await;
    turn.play(TurnEvent::Stage(Stage::Narrating)).await;
    assert_eq!(lost.frame().await["seq"], 1);
    say(&turn, "one ").await;
    assert_eq!(lost.frame().await["token"], "one ");
    drop(lost);
    say(&turn, "two ").await;

    let mut socket = server.connect().await;
    resume(&mut socket, "q", 2).await;
    let missed = socket.frame().await;
    assert_eq!(
        (&missed["seq"], &missed["token"]),
        (&json!(3), &json!("two "))
    );
    say(&turn, "three").await;
    turn.answer("one two three").await;
    let rest = socket.frames_of("q").await;
    assert_eq!(checked_prose(&rest, 4), "three");
    assert_eq!(
        rest.last().expect("a final frame")["reply"],
        "one two three"
    );

    // It has ended, and can still be read from any number on.
    for after in [0, 1, 4] {
        resume(&mut socket, "q", after).await;
        let frames = socket.frames_of("q").await;
        checked_prose(&frames, after + 1);
        assert_eq!(frames.last().expect("a final frame")["seq"], 5);
    }
    // Somebody who claims to have everything is told the end again.
    resume(&mut socket, "q", 5).await;
    assert_eq!(socket.frame().await["reply"], "one two three");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_follow_one_question_and_see_the_same_frames() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let (mut asker, mut other) = (server.connect().await, server.connect().await);
    asker.ask("q", None).await;
    let turn = playbook.next().await;
    say(&turn, "a").await;
    assert_eq!(asker.frame().await["token"], "a");
    resume(&mut other, "q", 0).await;
    assert_eq!(other.frame().await["token"], "a");
    say(&turn, "b").await;
    turn.answer("ab").await;
    let (of_asker, of_other) = (asker.frames_of("q").await, other.frames_of("q").await);
    assert_eq!(of_asker, of_other);
    assert_eq!(checked_prose(&of_asker, 2), "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_stopped_from_another_connection() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let (mut asker, mut other) = (server.connect().await, server.connect().await);
    asker.ask("q", None).await;
    let turn = playbook.next().await;
    cancel(&mut other, "q").await;
    turn.cancelled().await;
    assert_eq!(asker.frames_of("q").await[0]["code"], "cancelled");
    // Nothing is left to be stopped.
    cancel(&mut other, "q").await;
    assert_eq!(other.frame().await["code"], "request_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_closes_as_done_stops_the_question_and_who_only_goes_does_not() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut done = server.connect().await;
    done.ask("done", None).await;
    let mut watched = server.connect().await;
    let turn = playbook.next().await;
    done.send(close(1000)).await;
    turn.cancelled().await;

    // A page that is reloaded closes with 1001.
    let mut reloaded = server.connect().await;
    reloaded.ask("stays", None).await;
    let turn = playbook.next().await;
    reloaded.send(close(1001)).await;
    assert_eq!(reloaded.close_code().await, Some(1000));
    resume(&mut watched, "stays", 0).await;
    // Somebody else who is done does not stop what this one follows.
    let mut second = server.connect().await;
    resume(&mut second, "stays", 0).await;
    say(&turn, "a").await;
    assert_eq!(second.frame().await["token"], "a");
    second.send(close(1000)).await;
    assert_eq!(second.close_code().await, Some(1000));
    turn.answer("still here").await;
    let frames = watched.frames_of("stays").await;
    assert_eq!(frames.last().expect("a final frame")["reply"], "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_several_questions_share_stands_for_none_of_them() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    one.ask("q", Some(CONVERSATION)).await;
    let first = playbook.next().await;
    two.ask("q", Some(ELSEWHERE)).await;
    let second = playbook.next().await;
    let mut third = server.connect().await;
    resume(&mut third, "q", 0).await;
    assert_eq!(third.frame().await["code"], "request_not_found");
    third
        .text(
            json!({"type": "resume", "request_id": "q", "conversation_id": ELSEWHERE}).to_string(),
        )
        .await;
    first.answer("first").await;
    second.answer("second").await;
    assert_eq!(third.frame().await["reply"], "second");
    assert_eq!(one.frame().await["reply"], "first");
    assert_eq!(two.frame().await["reply"], "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_asked_again_while_it_is_answered_is_to_be_resumed() {
    let (run_turn, mut playbook) = played();
    let server = TestServer::start(run_turn).await;
    let mut lost = server.connect().await;
    lost.ask("q", Some(CONVERSATION)).await;
    let turn = playbook.next().await;
    drop(lost);
    let mut socket = server.connect().await;
    socket.ask("q", Some(CONVERSATION)).await;
    assert_eq!(socket.frame().await["code"], "duplicate_request_id");
    resume(&mut socket, "q", 0).await;
    turn.answer("once").await;
    assert_eq!(socket.frame().await["reply"], "once");
    assert!(playbook.is_empty());
    // Once it has ended, the same id asks anew.
    socket.ask("q", Some(CONVERSATION)).await;
    playbook.next().await.answer("twice").await;
    let frames = socket.frames_of("q").await;
    assert_eq!((frames.len(), &frames[0]["reply"]), (1, &json!("twice")));
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_past_the_bound_of_what_is_kept_are_gone() {
    let (run_turn, mut playbook) = played();
    let server =
        TestServer::start_with(run_turn, |config| config.limits.replay_bytes_max = 2_000).await;
    let mut socket = server.connect().await;
    for id in ["old", "new"] {
        socket.ask(id, None).await;
        playbook.next().await.answer(&"x".repeat(900)).await;
        socket.frames_of(id).await;
    }
    // The registry learns of an end a moment after the client does; asking again is a way to wait.
    let code = loop {
        resume(&mut socket, "old", 0).await;
        let frame = socket.frame().await;
        if frame["type"] == "error" {
            break frame["code"].clone();
        }
    };
    assert_eq!(code, "request_not_found");
    resume(&mut socket, "new", 0).await;
    assert_eq!(socket.frame().await["type"], "chat_response");
}
