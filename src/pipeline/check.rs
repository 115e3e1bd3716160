//! DraftSql -> CheckedSql, away from the threads that serve sockets.
//!
//! May be refused here: whatever the guard refuses, and a text that cannot be checked in time. The guard itself is pure and
//! bounded; this file gives it room on a stack of its own and a deadline, so that a text made to be slow stalls nobody.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::check_threads::CheckThreads;
use crate::domain::schema::Snapshot;
use crate::domain::sql::DraftSql;
use crate::guard::{self, CheckedSql, Rejection};
use crate::telemetry::metrics::Metrics;

/// Stack of a checking thread. The deepest trees that 16 KiB of text can make (chains of NOT or of casts) need 115 MiB in a
/// debug build and a fraction of it in a release build. Only what is touched takes memory.
pub const STACK_BYTES: usize = 256 * 1024 * 1024;

/// Texts that are checked at the same time. An ordinary one takes well under a millisecond, so a queue is short;
/// the worst takes under a tenth of a second.
const CHECKS_MAX: usize = 4;

/// A thread that checked a longer text ends, as it may have touched much of its stack. Of shorter ones, 4 threads keep at most some MiB.
const KEPT_TEXT_BYTES_MAX: usize = 2_048;

/// How long a caller waits, queueing included. Far above the worst measured check, far below a person's patience.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Checks texts on threads of their own. Cheap to clone; clones share one limit.
#[derive(Debug, Clone)]
pub struct SqlChecker {
    permits: Arc<Semaphore>,
    threads: CheckThreads,
    metrics: Metrics,
}

impl Default for SqlChecker {
    fn default() -> Self {
        Self::new(Metrics::default())
    }
}

impl SqlChecker {
    /// Counts what it refuses into `metrics`.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(CHECKS_MAX)),
            threads: CheckThreads::new(STACK_BYTES),
            metrics,
        }
    }

    /// Checks one text against a snapshot.
    ///
    /// # Errors
    /// The guard's [`Rejection`], or one that says the text could not be checked in time.
    ///
    /// # Cancel safety
    /// Dropped midway, the check runs to its end on its thread and its outcome is thrown away.
    pub async fn check(
        &self,
        draft: DraftSql,
        snapshot: Arc<Snapshot>,
    ) -> Result<CheckedSql, Rejection> {
        let checking = self.check_on_thread(draft, snapshot);
        let verdict = tokio::time::timeout(CHECK_TIMEOUT, checking)
            .await
            .unwrap_or_else(|_| Err(Rejection::not_checked()));
        if let Err(rejection) = &verdict {
            self.metrics.query_rejected(rejection.code().as_str());
        }
        verdict
    }

    async fn check_on_thread(
        &self,
        draft: DraftSql,
        snapshot: Arc<Snapshot>,
    ) -> Result<CheckedSql, Rejection> {
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else {
            return Err(Rejection::not_checked());
        };
        let (outcome, received) = oneshot::channel();
        let started = self.threads.run(move || {
            // The permit belongs to the thread: a caller that gave up does not make room for another text.
            let _permit = permit;
            let verdict =
                guard::check(&draft, &snapshot).map(|checked| checked.described(&snapshot));
            let _ = outcome.send(verdict);
            draft.as_str().len() <= KEPT_TEXT_BYTES_MAX
        });
        if let Err(error) = started {
            tracing::error!(%error, "no thread for checking a query could be started");
            return Err(Rejection::not_checked());
        }
        received
            .await
            .unwrap_or_else(|_| Err(Rejection::not_checked()))
    }
}
