//! Two instances that share a Redis, of whichever kind, act as one.

use std::time::Duration;

use db_chat::conversations::StoreError;
use db_chat::domain::ids::ConversationId;
use db_chat::domain::principal::Principal;
use db_chat::pipeline::event::{Stage, TurnEvent};

use super::support::{CONVERSATION, Instance, cancel, checked_prose, close, resume, say, stored};
use crate::support::cut_proxy::CutProxy;
use crate::support::redis::{AnyRedis, RedisKind, RedisServer, with_each_redis};
use crate::support::turns::PATIENCE;

with_each_redis! {
    what_one_instance_does_is_told_the_other_at_once
    a_question_is_taken_up_on_the_other_instance_without_gap_or_double
    a_question_is_stopped_from_the_other_instance
    who_is_done_stops_a_question_unless_it_is_followed_on_the_other_instance
    a_question_that_is_followed_elsewhere_goes_on_and_is_stopped_when_nobody_is_left
    questions_of_one_conversation_on_two_instances_run_one_after_the_other
    an_instance_that_stops_ends_its_questions_for_those_who_follow_elsewhere
    who_has_the_end_already_is_told_the_same_end_on_the_other_instance
}

async fn who_is_done_stops_a_question_unless_it_is_followed_on_the_other_instance(redis: AnyRedis) {
    let mut one = Instance::start(&redis.url()).await;
    let two = Instance::start(&redis.url()).await;

    // Followed elsewhere, and the one who asked is done; then whoever followed elsewhere is, too.
    let (mut asker, mut other) = (one.server.connect().await, two.server.connect().await);
    asker.ask("first", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    resume(&mut other, "first", 0).await;
    say(&turn, "0").await;
    assert_eq!(other.frame().await["token"], "0");
    asker.send(close(1000)).await;
    assert_eq!(asker.close_code().await, Some(1000));
    // Many looks of the one instance at what the other one follows.
    for token in 1..50 {
        say(&turn, &token.to_string()).await;
        assert_eq!(other.frame().await["token"], token.to_string());
    }
    other.send(close(1000)).await;
    turn.cancelled().await;

    // Followed where it runs, and whoever followed elsewhere is done.
    let (mut asker, mut other) = (one.server.connect().await, two.server.connect().await);
    asker.ask("second", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    resume(&mut other, "second", 0).await;
    say(&turn, "0").await;
    assert_eq!(other.frame().await["token"], "0");
    other.send(close(1000)).await;
    let id = turn.turn.holder.expect("a fence");
    let marks = [
        format!("turn:{id}:followed-at"),
        format!("turn:{id}:cancel"),
    ];
    let is_mark = |key: &String| marks.iter().any(|mark| key.contains(mark));
    let is_left = async { while redis.keys().await.iter().any(is_mark) {} };
    tokio::time::timeout(PATIENCE, is_left)
        .await
        .expect("forgotten in time");
    turn.answer("still here").await;
    let frames = asker.frames_of("second").await;
    assert_eq!(frames.last().expect("a final frame")["reply"], "still here");

    // Followed by nobody else.
    let mut asker = one.server.connect().await;
    asker.ask("third", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    asker.send(close(1000)).await;
    turn.cancelled().await;
}

async fn a_question_is_taken_up_on_the_other_instance_without_gap_or_double(redis: AnyRedis) {
    let mut one = Instance::start(&redis.url()).await;
    let two = Instance::start(&redis.url()).await;
    let mut lost = one.server.connect().await;
    lost.ask("q", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    turn.play(TurnEvent::Stage(Stage::Narrating)).await;
    say(&turn, "one ").await;
    assert_eq!(lost.frame().await["seq"], 1);
    assert_eq!(lost.frame().await["seq"], 2);
    drop(lost);
    say(&turn, "two ").await;

    let mut socket = two.server.connect().await;
    resume(&mut socket, "q", 2).await;
    let missed = socket.frame().await;
    assert_eq!(
        (missed["seq"].as_u64(), missed["token"].as_str()),
        (Some(3), Some("two "))
    );
    say(&turn, "three").await;
    let live = socket.frame().await;
    assert_eq!(
        (live["seq"].as_u64(), live["token"].as_str()),
        (Some(4), Some("three"))
    );
    turn.answer("one two three").await;
    assert_eq!(socket.frame().await["reply"], "one two three");

    // After its end, on either, and everything from the beginning.
    for server in [&two.server, &one.server] {
        let mut socket = server.connect().await;
        resume(&mut socket, "q", 0).await;
        let frames = socket.frames_of("q").await;
        assert_eq!(checked_prose(&frames, 1), "one two three");
        resume(&mut socket, "q", 5).await;
        assert_eq!(socket.frame().await["reply"], "one two three");
        resume(&mut socket, "unknown", 0).await;
        assert_eq!(socket.frame().await["code"], "request_not_found");
    }
    assert_all_expire(&redis).await;
}

async fn a_question_is_stopped_from_the_other_instance(redis: AnyRedis) {
    let mut one = Instance::start(&redis.url()).await;
    let two = Instance::start(&redis.url()).await;
    let mut asker = one.server.connect().await;
    asker.ask("q", None).await;
    let turn = one.playbook.next().await;
    let mut other = two.server.connect().await;
    cancel(&mut other, "q").await;
    turn.cancelled().await;
    assert_eq!(asker.frame().await["code"], "cancelled");
    // Whoever follows it there can stop it too.
    asker.ask("again", None).await;
    let turn = one.playbook.next().await;
    resume(&mut other, "again", 0).await;
    say(&turn, "a").await;
    assert_eq!(other.frame().await["token"], "a");
    cancel(&mut other, "again").await;
    assert_eq!(other.frame().await["code"], "cancelled");
    assert_eq!(asker.frames_of("again").await.len(), 2);
}

async fn a_question_that_is_followed_elsewhere_goes_on_and_is_stopped_when_nobody_is_left(
    redis: AnyRedis,
) {
    let short = |config: &mut db_chat::config::Config| config.limits.resume_seconds = 2;
    let mut one = Instance::start_with(&redis.url(), short).await;
    let two = Instance::start_with(&redis.url(), short).await;
    let mut lost = one.server.connect().await;
    lost.ask("q", None).await;
    let turn = one.playbook.next().await;
    // Who follows elsewhere is there before the first one goes, so that no machine is too slow for it.
    let mut socket = two.server.connect().await;
    resume(&mut socket, "q", 0).await;
    say(&turn, "here").await;
    assert_eq!(socket.frame().await["token"], "here");
    drop(lost);
    // Well past the time, it still runs: this is about a duration, so it has to pass.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!turn.turn.cancel.is_cancelled());
    say(&turn, "a").await;
    assert_eq!(socket.frame().await["token"], "a");
    drop(socket);
    turn.cancelled().await;
}

async fn questions_of_one_conversation_on_two_instances_run_one_after_the_other(redis: AnyRedis) {
    let mut one = Instance::start(&redis.url()).await;
    let mut two = Instance::start(&redis.url()).await;
    let (mut at_one, mut at_two) = (one.server.connect().await, two.server.connect().await);
    at_one.ask("first", Some(CONVERSATION)).await;
    let first = one.playbook.next().await;
    at_two.ask("second", Some(CONVERSATION)).await;
    at_two.ask("elsewhere", None).await;
    // The other conversation's turn starts although it was asked last: so the second waits.
    let elsewhere = two.playbook.next().await;
    assert_eq!(elsewhere.turn.request_id.as_str(), "elsewhere");
    wait_for_line(&redis, 1).await;
    at_one.ask("third", Some(CONVERSATION)).await;
    first.answer("1").await;
    assert_eq!(at_one.frames_of("first").await[0]["reply"], "1");
    let second = two.playbook.next().await;
    assert_eq!(second.turn.request_id.as_str(), "second");
    // The third is in line by now, and does not start before the second has ended.
    wait_for_line(&redis, 1).await;
    assert!(one.playbook.is_empty());
    second.answer("2").await;
    let third = one.playbook.next().await;
    third.answer("3").await;
    assert_eq!(at_one.frames_of("third").await[0]["reply"], "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_question_is_told_so_whatever_number_it_is_resumed_after() {
    let redis = RedisServer::start().await;
    let proxy = CutProxy::start(redis.address()).await;
    let mut one = Instance::start(&format!("redis://{}", proxy.address())).await;
    let two = Instance::start(&redis.url()).await;
    let mut asker = one.server.connect().await;
    asker.ask("q", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    say(&turn, "a").await;
    assert_eq!(asker.frame().await["token"], "a");
    proxy.stall();
    let mut socket = two.server.connect().await;
    resume(&mut socket, "q", u64::MAX).await;
    let lost = socket.frames_of("q").await;
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(lost[0]["code"], "turn_lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_was_cut_off_cannot_write_late_and_its_question_is_lost_for_everybody() {
    let redis = RedisServer::start().await;
    let proxy = CutProxy::start(redis.address()).await;
    let mut one = Instance::start(&format!("redis://{}", proxy.address())).await;
    let mut two = Instance::start(&redis.url()).await;
    let (mut asker, mut socket) = (one.server.connect().await, two.server.connect().await);
    asker.ask("q", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    say(&turn, "a").await;
    assert_eq!(asker.frame().await["token"], "a");
    resume(&mut socket, "q", 0).await;
    assert_eq!(socket.frame().await["token"], "a");

    proxy.stall();
    let cut_at = tokio::time::Instant::now();
    // Another one's turn in the conversation comes next, although the first has never ended.
    socket.ask("next", Some(CONVERSATION)).await;
    let next = two.playbook.next().await;
    let lost = socket.frames_of("q").await;
    assert!(
        cut_at.elapsed() < Duration::from_secs(10),
        "{:?}",
        cut_at.elapsed()
    );
    assert_eq!(lost[0]["code"], "turn_lost");
    assert_eq!(lost[0]["retryable"], true);
    checked_prose(&lost, 2);

    let mut proxy = proxy;
    proxy.resume().await;
    // The paused one learns of it: it is told to stop, and its asker is told the same end.
    turn.cancelled().await;
    assert_eq!(
        asker.frames_of("q").await.last().expect("a final frame")["code"],
        "turn_lost"
    );
    let conversation = ConversationId::parse(CONVERSATION).expect("an id");
    let (late, holder) = (stored("late"), turn.turn.holder.expect("a fence"));
    let written = one
        .server
        .store
        .append_as(&Principal::anonymous(), conversation, late, holder)
        .await;
    assert!(
        matches!(written, Err(StoreError::Superseded)),
        "{written:?}"
    );
    let holder = next.turn.holder.expect("a fence");
    two.server
        .store
        .append_as(
            &Principal::anonymous(),
            conversation,
            stored("next"),
            holder,
        )
        .await
        .expect("the one whose turn it is may write");
    let kept = two
        .server
        .store
        .load(&Principal::anonymous(), conversation)
        .await
        .expect("a store");
    assert_eq!(kept.expect("a conversation").turns, [stored("next")]);
}

async fn an_instance_that_stops_ends_its_questions_for_those_who_follow_elsewhere(redis: AnyRedis) {
    let mut one = Instance::start_with(&redis.url(), |config| {
        config.limits.shutdown_timeout_ms = 300;
    })
    .await;
    let two = Instance::start(&redis.url()).await;
    let mut asker = one.server.connect().await;
    asker.ask("q", None).await;
    let turn = one.playbook.next().await;
    drop(asker);
    let mut socket = two.server.connect().await;
    resume(&mut socket, "q", 0).await;
    say(&turn, "a").await;
    assert_eq!(socket.frame().await["token"], "a");
    one.server.stop();
    turn.cancelled().await;
    let frames = socket.frames_of("q").await;
    assert_eq!(frames[0]["code"], "shutting_down");
    checked_prose(&frames, 2);
    one.server.ended().await.expect("a good end");
    assert_all_expire(&redis).await;
}

async fn what_one_instance_does_is_told_the_other_at_once(redis: AnyRedis) {
    assert_told_at_once(&redis, &redis.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_that_the_manual_gives_to_a_user_of_redis_are_enough() {
    let manual = include_str!("../../../docs/RUNNING.md");
    let rights = manual.lines().find(|line| line.starts_with("ACL SETUSER"));
    let rights = rights.expect("a line to copy");
    let redis = AnyRedis::start(RedisKind::OneServer).await;
    let answer = redis.command(&rights.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(answer, "OK");
    let url = redis.url().replace("//", "//db-chat:PASSWORD@");
    assert_told_at_once(&redis, &url).await;
}

/// What happens on one instance comes to the other without its next look, whatever it is; `url` is the Redis' `REDIS_URL`.
async fn assert_told_at_once(redis: &AnyRedis, url: &str) {
    /// Without being told, each round would take three looks, and each look a second.
    const ROUNDS: usize = 15;
    let mut one = Instance::start(url).await;
    let mut two = Instance::start(url).await;
    let (mut at_one, mut at_two) = (one.server.connect().await, two.server.connect().await);
    let rounds = async {
        for number in 0..ROUNDS {
            let (here, there) = (format!("here-{number}"), format!("there-{number}"));
            at_one.ask(&here, Some(CONVERSATION)).await;
            let turn = one.playbook.next().await;
            // Frames.
            resume(&mut at_two, &here, 0).await;
            for token in ["a ", "b "] {
                say(&turn, token).await;
                assert_eq!(at_two.frame().await["token"], token);
            }
            // The conversation.
            at_two.ask(&there, Some(CONVERSATION)).await;
            wait_for_line(redis, 1).await;
            turn.answer("a b").await;
            let waited = two.playbook.next().await;
            assert_eq!(at_one.frames_of(&here).await.len(), 3);
            assert_eq!(at_two.frames_of(&here).await[0]["reply"], "a b");
            // A stop.
            cancel(&mut at_one, &there).await;
            waited.cancelled().await;
            assert_eq!(at_two.frames_of(&there).await[0]["code"], "cancelled");
        }
    };
    tokio::time::timeout(PATIENCE, rounds)
        .await
        .expect("told at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_redis_lets_nobody_publish_or_listen_everything_only_takes_longer() {
    let redis = RedisServer::start().await;
    let user = "ACL SETUSER quiet on >sesame ~* resetchannels +@all".split(' ');
    redis.command(&user.collect::<Vec<_>>()).await;
    let url = format!("redis://quiet:sesame@{}", redis.address());
    let mut one = Instance::start(&url).await;
    let mut two = Instance::start(&url).await;
    let (mut at_one, mut at_two) = (one.server.connect().await, two.server.connect().await);
    at_one.ask("q", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    resume(&mut at_two, "q", 0).await;
    for token in ["a ", "b "] {
        say(&turn, token).await;
        assert_eq!(at_two.frame().await["token"], token);
    }
    at_two.ask("next", Some(CONVERSATION)).await;
    turn.answer("a b").await;
    assert_eq!(at_two.frames_of("q").await[0]["reply"], "a b");
    let next = two.playbook.next().await;
    cancel(&mut at_one, "next").await;
    next.cancelled().await;
    assert_eq!(at_two.frames_of("next").await[0]["code"], "cancelled");
}

/// Waits until so many turns are in the conversation's line.
async fn wait_for_line(redis: &AnyRedis, wanted: usize) {
    let line = format!("db-chat:conversation:{{{CONVERSATION}}}:line");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while redis.command(&["ZCARD", &line]).await != wanted.to_string() {
        assert!(tokio::time::Instant::now() < deadline, "nobody in line");
    }
}

/// Whatever is left in Redis goes by itself.
async fn assert_all_expire(redis: &AnyRedis) {
    let keys = redis.keys().await;
    assert!(!keys.is_empty());
    for key in keys {
        let left: i64 = redis
            .command(&["PTTL", &key])
            .await
            .parse()
            .expect("a number");
        // It may have gone meanwhile; -1 would be for ever.
        assert_ne!(left, -1, "{key}");
    }
}

async fn who_has_the_end_already_is_told_the_same_end_on_the_other_instance(redis: AnyRedis) {
    let mut one = Instance::start(&redis.url()).await;
    let two = Instance::start(&redis.url()).await;
    let (mut asker, mut other) = (one.server.connect().await, two.server.connect().await);
    asker.ask("q", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    say(&turn, "a").await;
    turn.answer("a").await;
    let last = asker.frames_of("q").await.pop().expect("a final frame");
    for after in [1, 2, 3, u64::MAX] {
        resume(&mut other, "q", after).await;
        assert_eq!(other.frame().await, last, "{after}");
    }
}
