//! Work that no answer waits for: a few pieces at a time, ended with the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Pieces of work under way at once. More are not begun: they are worth doing only while the provider has room.
const TASKS_MAX: usize = 8;

/// Runs such work. Cheap to clone; clones share one limit.
#[derive(Debug, Clone)]
pub struct Background {
    tasks: TaskTracker,
    stop: CancellationToken,
    permits: Arc<Semaphore>,
}

impl Default for Background {
    fn default() -> Self {
        Self {
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            permits: Arc::new(Semaphore::new(TASKS_MAX)),
        }
    }
}

impl Background {
    /// Begins a piece of work, which is dropped where it stands when the server stops; `false` where there is no room.
    pub(super) fn begin(&self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return false;
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = work => {}
            }
            drop(permit);
        });
        true
    }

    /// Drops what is under way, and what is begun after this, and waits until it is gone; at most for `timeout`.
    pub async fn stop(&self, timeout: Duration) {
        self.stop.cancel();
        self.tasks.close();
        // What is dropped has nothing to finish; a timeout here is a fault that the log of the tasks would show.
        let _ = tokio::time::timeout(timeout, self.tasks.wait()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_bounded_and_ends_with_the_server() {
        let background = Background::default();
        for _ in 0..TASKS_MAX {
            assert!(background.begin(std::future::pending()));
        }
        assert!(!background.begin(std::future::ready(())));
        background.stop(Duration::from_secs(20)).await;
        assert!(background.tasks.is_empty());
        assert_eq!(background.permits.available_permits(), TASKS_MAX);
    }
}
