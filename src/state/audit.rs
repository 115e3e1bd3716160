//! The audit log: one row for each turn, written off the answer's path.
//!
//! In: an [`AuditEntry`] for each turn, filled by the pipeline. It is put into a bounded queue, which
//! never waits; a task of its own writes the rows. A row that cannot be written is an error in the logs
//! and in [`AuditLog::health`], and never a lost or a late answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::audit_writer::AuditWriter;
use super::database::StateDatabase;
use crate::domain::ids::{ConversationId, RequestId};
use crate::domain::usage::TokenUsage;

/// Entries that wait to be written. Some seconds of a very busy instance; past it the database is
/// away or far too slow, and keeping more would only delay the news.
const QUEUE_ENTRIES_MAX: usize = 1_024;

/// What one turn leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Who asked; `None` where nobody has to sign in.
    pub principal: Option<String>,
    /// Where the question came from, as far as is known.
    pub client_address: Option<IpAddr>,
    /// The client's reference.
    pub request_id: RequestId,
    /// The conversation that the turn belongs to.
    pub conversation_id: ConversationId,
    /// When the question was accepted.
    pub asked_at: DateTime<Utc>,
    /// What was asked.
    pub question: String,
    /// The turn's last query: as the guard emitted it if allowed, as the model wrote it if refused;
    /// `None` where there was none.
    pub sql: Option<String>,
    /// What the guard said of that query.
    pub verdict: Option<AuditVerdict>,
    /// Rows read from the database; `None` where no query ran.
    pub row_count: Option<usize>,
    /// Bytes of the cells of those rows.
    pub result_bytes: Option<usize>,
    /// From accepting the question to the final event.
    pub duration: Duration,
    /// Time spent by stage, under the stage's stable name. A stage that was run twice is there twice,
    /// and is summed in the row.
    pub stages: Vec<(&'static str, Duration)>,
    /// The provider's short name.
    pub provider: String,
    /// The model's name as the provider knows it; empty where there is none.
    pub model: String,
    /// Tokens of all calls of the turn.
    pub usage: TokenUsage,
    /// How the turn ended.
    pub outcome: AuditOutcome,
    /// The error code that the client was sent, if any.
    pub error_code: Option<String>,
}

/// What the guard said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditVerdict {
    /// The query might run.
    Allowed,
    /// It might not.
    Refused {
        /// The stable code of the rule.
        code: String,
    },
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// SQL ran and the reply tells what it found.
    Answered,
    /// The reply asked the person something.
    Clarified,
    /// There was no answer, although nothing failed.
    Declined,
    /// Someone stopped it.
    Cancelled,
    /// It failed.
    Failed,
}

/// The audit log does not work at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written; {rows_lost} rows were lost since the start")]
pub struct AuditFault {
    /// Rows lost since the process started.
    pub rows_lost: u64,
}

/// The handle to the audit log. Cheap to clone.
#[derive(Clone)]
pub struct AuditLog {
    queue: mpsc::Sender<AuditEntry>,
    condition: Arc<Condition>,
    /// Tells the writer to write what is queued and end.
    closing: CancellationToken,
    writer: TaskTracker,
}

/// Shared by the handle and the writer.
#[derive(Debug, Default)]
pub(super) struct Condition {
    failing: AtomicBool,
    rows_lost: AtomicU64,
}

impl AuditLog {
    /// Starts the writer. It brings the tables up to date first, and where the database is away it
    /// goes on trying; see [`StateDatabase::migrate`] for what should keep a server from starting.
    /// Runs within a Tokio runtime, which must outlive the log.
    #[must_use]
    pub fn start(database: StateDatabase) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE_ENTRIES_MAX);
        let log = Self {
            queue,
            condition: Arc::default(),
            closing: CancellationToken::new(),
            writer: TaskTracker::new(),
        };
        let writer = AuditWriter::new(database, Arc::clone(&log.condition));
        log.writer.spawn(writer.run(entries, log.closing.clone()));
        log.writer.close();
        log
    }

    /// Queues one entry. Never waits and never fails: an entry for which there is no room, or which
    /// comes after [`close`](Self::close), is lost, counted and logged.
    pub fn record(&self, entry: AuditEntry) {
        if let Err(error) = self.queue.try_send(entry) {
            let (reason, entry) = match error {
                mpsc::error::TrySendError::Full(entry) => ("the queue is full", entry),
                mpsc::error::TrySendError::Closed(entry) => ("the log is closed", entry),
            };
            self.condition.lose_rows(1);
            tracing::error!(
                request_id = %entry.request_id,
                reason,
                "a row of the audit log is lost"
            );
        }
    }

    /// Whether rows can be written, for `/readyz`. Fails from the first attempt that failed, or the
    /// first row lost, until the database takes writes again, which the writer looks for by itself.
    ///
    /// # Errors
    /// How many rows were lost.
    pub fn health(&self) -> Result<(), AuditFault> {
        if self.condition.failing.load(Ordering::Relaxed) {
            return Err(AuditFault {
                rows_lost: self.rows_lost(),
            });
        }
        Ok(())
    }

    /// Rows lost since the process started.
    #[must_use]
    pub fn rows_lost(&self) -> u64 {
        self.condition.rows_lost.load(Ordering::Relaxed)
    }

    /// Writes what is queued, and ends the writer; at most for `timeout`. Entries recorded after this
    /// are lost.
    pub async fn close(&self, timeout: Duration) {
        self.closing.cancel();
        if tokio::time::timeout(timeout, self.writer.wait())
            .await
            .is_err()
        {
            tracing::error!(
                rows_waiting = self.queue.max_capacity() - self.queue.capacity(),
                "the audit log could not be written to its end before the server stopped"
            );
        }
    }
}

impl Condition {
    /// Counts rows that will never be written.
    pub(super) fn lose_rows(&self, rows: u64) {
        self.rows_lost.fetch_add(rows, Ordering::Relaxed);
        self.set_failing(true);
    }

    /// Notes whether the last attempt failed.
    pub(super) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    /// Whether it did.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }
}
