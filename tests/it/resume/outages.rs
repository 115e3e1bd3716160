//! Redis goes away while questions are answered and resumed.

use super::support::{Instance, checked_prose, resume, say};
use crate::support::cut_proxy::CutProxy;
use crate::support::redis::RedisServer;

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_empty_learns_again_what_is_running_and_what_has_ended() {
    let mut redis = RedisServer::start().await;
    let mut one = Instance::start(&redis.url()).await;
    let two = Instance::start(&redis.url()).await;
    let mut asker = one.server.connect().await;
    asker.ask("ended", None).await;
    one.playbook.next().await.answer("done").await;
    assert_eq!(asker.frame().await["reply"], "done");
    asker.ask("running", None).await;
    let turn = one.playbook.next().await;
    say(&turn, "a").await;
    assert_eq!(asker.frame().await["token"], "a");
    redis.kill().await;
    // Followers here do not need it.
    say(&turn, "b").await;
    assert_eq!(asker.frame().await["token"], "b");
    drop(asker);
    let mut socket = two.server.connect().await;
    resume(&mut socket, "running", 0).await;
    assert_eq!(socket.frame().await["code"], "store_unavailable");
    redis.start_again().await;
    // Until both have found it again, the honest answer is that nothing is known.
    let first = loop {
        resume(&mut socket, "running", 0).await;
        let frame = socket.frame().await;
        if frame["code"] != "store_unavailable" {
            break frame;
        }
    };
    assert_eq!(first["token"], "a");
    turn.answer("ab").await;
    let frames = socket.frames_of("running").await;
    assert_eq!(checked_prose(&frames, 2), "b");
    resume(&mut socket, "ended", 0).await;
    assert_eq!(socket.frame().await["reply"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_ends_for_its_live_client_whatever_becomes_of_redis() {
    let redis = RedisServer::start().await;
    let mut proxy = CutProxy::start(redis.address()).await;
    let mut one = Instance::start(&format!("redis://{}", proxy.address())).await;
    for hangs in [false, true] {
        let mut asker = one.server.connect().await;
        let id = if hangs { "hangs" } else { "refused" };
        asker.ask(id, None).await;
        let turn = one.playbook.next().await;
        match hangs {
            true => proxy.stall(),
            false => proxy.refuse().await,
        }
        say(&turn, "a").await;
        turn.answer("a").await;
        let frames = asker.frames_of(id).await;
        assert_eq!(checked_prose(&frames, 1), "a");
        // On this instance it can even be resumed.
        let mut socket = one.server.connect().await;
        resume(&mut socket, id, 1).await;
        assert_eq!(socket.frame().await["reply"], "a");
        // A new one has to be told that its conversation cannot be had.
        asker.ask("unlucky", None).await;
        assert_eq!(asker.frame().await["code"], "store_unavailable");
        proxy.resume().await;
        loop {
            asker.ask("again", None).await;
            tokio::select! {
                turn = one.playbook.next() => {
                    turn.answer("again").await;
                    assert_eq!(asker.frames_of("again").await[0]["reply"], "again");
                    break;
                }
                frame = asker.frame() => assert_eq!(frame["code"], "store_unavailable"),
            }
        }
    }
}
