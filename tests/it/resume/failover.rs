//! The Redis that instances share goes from one server to another while questions are answered.

use serde_json::Value;

use super::support::{CONVERSATION, Instance, checked_prose, resume, say};
use crate::support::redis::{RedisCluster, WatchedRedis};
use crate::support::turns::PATIENCE;
use crate::support::web_socket::{Socket, is_final};

#[tokio::test(flavor = "multi_thread")]
async fn questions_go_on_when_sentinels_make_another_server_the_master() {
    let mut redis = WatchedRedis::start().await;
    let mut one = Instance::start(&redis.url()).await;
    let mut two = Instance::start(&redis.url()).await;
    let (mut asker, mut other) = (one.server.connect().await, two.server.connect().await);
    asker.ask("in-flight", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    say(&turn, "a ").await;
    assert_eq!(asker.frame().await["token"], "a ");
    resume(&mut other, "in-flight", 0).await;
    assert_eq!(other.frame().await["token"], "a ");

    redis.kill_master().await;
    // Who follows on the instance that answers needs no Redis.
    say(&turn, "b ").await;
    assert_eq!(asker.frame().await["token"], "b ");
    asker.ask("unlucky", None).await;
    assert_eq!(
        codes(&asker.frames_of("unlucky").await),
        ["store_unavailable"]
    );
    redis.until_promoted().await;
    say(&turn, "c").await;
    turn.answer("a b c").await;
    let frames = asker.frames_of("in-flight").await;
    assert_eq!(checked_prose(&frames, 3), "c");
    assert_eq!(frames.last().expect("frames")["reply"], "a b c");
    // Who follows elsewhere has waited for the new master, or was told that nothing is known and may ask again.
    let frames = followed_to_the_end(&mut other, "in-flight", 1).await;
    assert_eq!(checked_prose(&frames, 2), "b c");
    assert_eq!(frames.last().expect("frames")["reply"], "a b c");

    // Nothing was started again, and questions are answered, in the order of their conversation, on both.
    for instance in [&mut one, &mut two] {
        answered_before_long(instance).await;
    }
    for socket in [&mut asker, &mut other] {
        assert_no_more_frames(socket).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_whose_slot_moves_to_another_node_of_a_cluster_goes_on() {
    let redis = RedisCluster::start().await;
    let mut one = Instance::start(&redis.url()).await;
    let two = Instance::start(&redis.url()).await;
    let (mut asker, mut other) = (one.server.connect().await, two.server.connect().await);
    asker.ask("before", Some(CONVERSATION)).await;
    one.playbook.next().await.answer("before").await;
    assert_eq!(asker.frames_of("before").await[0]["reply"], "before");
    // The turn has left the conversation when the next one is let in.
    asker.ask("running", Some(CONVERSATION)).await;
    let turn = one.playbook.next().await;
    say(&turn, "a ").await;
    assert_eq!(asker.frame().await["token"], "a ");

    let holder = format!("db-chat:conversation:{{{CONVERSATION}}}:holder");
    let moving = redis.begin_to_move(&holder).await;
    say(&turn, "b ").await;
    assert_eq!(asker.frame().await["token"], "b ");
    moving.finish().await;
    resume(&mut other, "running", 0).await;
    say(&turn, "c").await;
    turn.answer("a b c").await;
    for (socket, first, said) in [(&mut asker, 3, "c"), (&mut other, 1, "a b c")] {
        let frames = socket.frames_of("running").await;
        assert_eq!(checked_prose(&frames, first), said);
        assert_eq!(frames.last().expect("frames")["reply"], "a b c");
    }
    // The first command after a move is sent on, and is no error.
    let moving = redis.begin_to_move(&holder).await;
    moving.finish().await;
    asker.ask("after", Some(CONVERSATION)).await;
    one.playbook.next().await.answer("after").await;
    assert_eq!(asker.frames_of("after").await[0]["reply"], "after");
}

fn codes(frames: &[Value]) -> Vec<&str> {
    frames
        .iter()
        .filter_map(|frame| frame["code"].as_str())
        .collect()
}

/// The frames after `after` up to the final one, resumed again where the honest answer is that nothing is known.
async fn followed_to_the_end(socket: &mut Socket, request_id: &str, mut after: u64) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        let frame = socket.frame().await;
        if frame["code"] == "store_unavailable" && frame["seq"].is_null() {
            resume(socket, request_id, after).await;
            continue;
        }
        after += 1;
        let is_last = is_final(&frame);
        frames.push(frame);
        if is_last {
            return frames;
        }
    }
}

/// Asks until a question is answered; each one before that has ended with the one honest error.
async fn answered_before_long(instance: &mut Instance) {
    let mut socket = instance.server.connect().await;
    let answered = async {
        for number in 0.. {
            let id = format!("again-{number}");
            socket.ask(&id, Some(CONVERSATION)).await;
            tokio::select! {
                turn = instance.playbook.next() => {
                    turn.answer("again").await;
                    assert_eq!(socket.frames_of(&id).await[0]["reply"], "again");
                    return;
                }
                frame = socket.frame() => assert_eq!(frame["code"], "store_unavailable"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered)
        .await
        .expect("an answer in time");
}

/// What comes next is the answer to something else.
async fn assert_no_more_frames(socket: &mut Socket) {
    socket.text("{").await;
    let next = socket.frame().await;
    assert_eq!(next["code"], "invalid_request", "{next}");
}
