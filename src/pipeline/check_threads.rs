//! Threads with much stack, which stay for the next text: to make one costs as much as to check an ordinary query.
//!
//! In: work that needs the stack. Knows nothing of the guard.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a thread waits for more work. What its stack has touched stays in memory as long as it does.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Threads that wait for work; one more ends instead.
const IDLE_MAX: usize = 4;

/// What is done on such a thread. `false`: the thread ends after it, and gives its stack back.
type Work = Box<dyn FnOnce() -> bool + Send>;

/// The threads. Clones share them; they end with the last one.
#[derive(Debug, Clone)]
pub(super) struct CheckThreads {
    stack_bytes: usize,
    /// One for each thread that waits.
    idle: Arc<Mutex<Vec<SyncSender<Work>>>>,
}

impl CheckThreads {
    /// None yet.
    pub(super) fn new(stack_bytes: usize) -> Self {
        Self {
            stack_bytes,
            idle: Arc::default(),
        }
    }

    /// Does the work on a thread that waits, or a new one. Where it panics, that thread ends.
    ///
    /// # Errors
    /// No thread could be started.
    pub(super) fn run(&self, work: impl FnOnce() -> bool + Send + 'static) -> io::Result<()> {
        let mut work: Work = Box::new(work);
        loop {
            let waiting = self.idle().pop();
            let Some(waiting) = waiting else {
                break;
            };
            match waiting.send(work) {
                Ok(()) => return Ok(()),
                // It has waited for too long.
                Err(refused) => work = refused.0,
            }
        }
        let threads = Arc::downgrade(&self.idle);
        let stack_bytes = self.stack_bytes;
        let working = move || {
            let mut next = Some(work);
            while let Some(work) = next {
                if !work() {
                    return;
                }
                let Some(idle) = threads.upgrade() else {
                    return;
                };
                let more = {
                    let mut idle = lock(&idle);
                    if idle.len() >= IDLE_MAX {
                        return;
                    }
                    // Handed over, not put down: nothing is left in a channel whose thread has just given up waiting.
                    let (sender, more) = sync_channel(0);
                    idle.push(sender);
                    more
                };
                drop(idle);
                next = more.recv_timeout(IDLE_TIMEOUT).ok();
            }
        };
        thread::Builder::new()
            .name("guard".to_owned())
            .stack_size(stack_bytes)
            .spawn(working)
            .map(drop)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SyncSender<Work>>> {
        lock(&self.idle)
    }
}

/// Nothing panics while it is locked, so a poisoned lock is still sound.
fn lock(idle: &Mutex<Vec<SyncSender<Work>>>) -> MutexGuard<'_, Vec<SyncSender<Work>>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::thread::ThreadId;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn threads() -> CheckThreads {
        CheckThreads::new(1 << 20)
    }

    /// Does nothing, and tells on which thread, once that waits again or has ended.
    fn work(threads: &CheckThreads, is_kept: bool) -> ThreadId {
        let (tell, told): (_, Receiver<ThreadId>) = channel();
        let waiting = Arc::clone(&threads.idle);
        threads
            .run(move || {
                tell.send(thread::current().id()).expect("a test");
                is_kept
            })
            .expect("a thread");
        let id = told.recv_timeout(PATIENCE).expect("an answer");
        while is_kept && lock(&waiting).is_empty() {
            thread::yield_now();
        }
        id
    }

    #[test]
    fn a_thread_does_one_piece_of_work_after_the_other_unless_it_is_told_to_end() {
        let threads = threads();
        let first = work(&threads, true);
        assert_eq!(work(&threads, true), first);
        assert_eq!(work(&threads, false), first);
        assert_ne!(work(&threads, true), first);
    }

    #[test]
    fn work_that_panics_takes_its_thread_along_and_no_other() {
        let threads = threads();
        let (alive, is_dropped) = channel::<()>();
        threads
            .run(move || {
                let _alive = alive;
                std::panic::resume_unwind(Box::new("as a fault would"));
            })
            .expect("a thread");
        assert!(is_dropped.recv_timeout(PATIENCE).is_err());
        work(&threads, true);
    }
}
