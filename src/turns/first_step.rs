//! The beginning of a task, taken where the task is made: what it has to say at once is not behind all the work of a busy runtime.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use tokio::runtime::Handle;

/// Polls a task once, as one of `runtime`. What is left of it is to be spawned there; `None`: it has ended.
pub(super) fn first_step<F>(task: F, runtime: &Handle) -> Option<Pin<Box<F>>>
where
    F: Future<Output = ()>,
{
    // Its timers and sockets belong where the rest of it runs.
    let _context = runtime.enter();
    let mut task = Box::pin(task);
    // Whatever wakes it before it is spawned is nothing lost: it is polled then.
    let mut context = Context::from_waker(Waker::noop());
    task.as_mut()
        .poll(&mut context)
        .is_pending()
        .then_some(task)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    #[test]
    fn what_needs_no_wait_is_done_at_once_and_the_rest_when_it_is_spawned() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (said, mut heard) = mpsc::channel(2);
        let task = async move {
            said.send("at once").await.expect("a listener");
            tokio::task::yield_now().await;
            said.send("later").await.expect("a listener");
        };
        let rest = first_step(task, runtime.handle()).expect("it yields");
        assert_eq!(heard.try_recv(), Ok("at once"));
        assert!(heard.try_recv().is_err());
        runtime.block_on(rest);
        assert_eq!(heard.try_recv(), Ok("later"));
        assert!(first_step(async {}, runtime.handle()).is_none());
    }
}
