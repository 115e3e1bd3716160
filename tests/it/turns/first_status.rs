//! What the asker of one more question hears while the server has its hands full.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use db_chat::pipeline::Turn;
use db_chat::pipeline::event::{EventSender, Stage, TurnEvent};
use db_chat::turns::RunTurn;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use crate::support::server::TestServer;
use crate::support::turns::{PATIENCE, answered};

/// Threads that turns run on.
const THREADS: usize = 2;

fn runtime(threads: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .expect("a runtime")
}

#[test]
fn one_more_question_hears_at_once_that_it_has_begun_though_every_thread_is_at_work() {
    let (turns, own) = (runtime(THREADS), runtime(1));
    let (finish, finished) = channel::<()>();
    let (at_work, mut working) = mpsc::channel(16);
    let finished = Arc::new(Mutex::new(finished));
    let run_turn: RunTurn = Arc::new(move |_: Turn, events: EventSender| {
        let (at_work, finished) = (at_work.clone(), Arc::clone(&finished));
        Box::pin(async move {
            let _ = events.send(TurnEvent::Stage(Stage::Understanding)).await;
            // As the pipeline does before it works.
            tokio::task::yield_now().await;
            let _ = at_work.try_send(());
            // Keeps its thread until the other end is dropped.
            let _ = finished.lock().expect("no panic").recv();
            let _ = events.send(answered("done")).await;
        })
    });
    own.block_on(async {
        let server = {
            // Turns run where the server is put together; nobody else does here.
            let _context = turns.enter();
            TestServer::start(run_turn).await
        };
        let mut sockets = Vec::new();
        for _ in 0..=THREADS {
            sockets.push(server.connect().await);
        }
        let mut last = sockets.pop().expect("a socket");
        for (at, socket) in sockets.iter_mut().enumerate() {
            socket.ask(&format!("q-{at}"), None).await;
            let begun = tokio::time::timeout(PATIENCE, working.recv()).await;
            begun.expect("work in time").expect("a server");
        }

        last.ask("one-more", None).await;
        let frame = last.frame().await;
        assert_eq!(frame["stage"], "understanding", "{frame}");
        assert_eq!(frame["seq"], 1, "{frame}");
        assert_eq!(frame["request_id"], "one-more", "{frame}");

        drop(finish);
        let frames = last.frames_of("one-more").await;
        assert_eq!(frames.len(), 1, "{frames:?}");
        assert_eq!(frames[0]["seq"], 2, "{frames:?}");
        assert_eq!(frames[0]["reply"], "done", "{frames:?}");
    });
}
