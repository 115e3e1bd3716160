//! The task that writes the audit log: entries in, rows out, those that came together in one transaction.
//!
//! Entries that cannot be written together are tried one by one, each a bounded number of times. Its id is made before
//! the first try, so that a row whose confirmation was lost on the way is not written twice.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tokio_postgres::Statement;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::audit::{AuditEntry, AuditOutcome, AuditVerdict, Condition};
use super::database::{StateDatabase, storable, within_deadline};
use super::error::StateError;

/// Tries for one row. With the pauses between them they outlast a restart of PostgreSQL.
const ATTEMPTS_MAX: u32 = 6;

/// The pause after the first failed try; doubled after each: 6 s in all.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// While the database does not take rows and there are none to write, how often to look: an instance
/// that is taken out of service for this gets no more turns, and would never learn that all is well.
const PROBE_INTERVAL: Duration = Duration::from_secs(2);

/// Rows of one transaction.
const BATCH_ROWS_MAX: usize = 128;

/// The pause after each transaction, in which the next one's rows gather: a commit costs more than a row. The row of a
/// question that comes alone does not wait.
const GATHER_PAUSE: Duration = Duration::from_millis(20);

const INSERT: &str = "INSERT INTO db_chat.audit_log (\
    id, asked_at, principal, client_address, request_id, conversation_id, question, sql, \
    verdict, refusal_code, row_count, result_bytes, duration_ms, stages_ms, provider, model, \
    model_calls, input_tokens, cached_tokens, output_tokens, outcome, error_code) \
    VALUES ($1, $2, $3, $4, $5, $6::text::uuid, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
    $17, $18, $19, $20, $21, $22) \
    ON CONFLICT (id) DO NOTHING";

/// A write of no row: fails for a missing right, a missing table or a server that only reads.
const PROBE: &str = "INSERT INTO db_chat.audit_log (id) SELECT NULL::uuid WHERE false";

/// Owns the writing end.
pub(super) struct AuditWriter {
    database: StateDatabase,
    condition: Arc<Condition>,
}

impl AuditWriter {
    pub(super) fn new(database: StateDatabase, condition: Arc<Condition>) -> Self {
        Self {
            database,
            condition,
        }
    }

    /// Writes until `closing` fires or every handle is gone, and then what is still queued.
    pub(super) async fn run(
        self,
        mut entries: mpsc::Receiver<AuditEntry>,
        closing: CancellationToken,
    ) {
        // Finds out at once whether the tables can be made, not only when someone has asked something.
        self.probe().await;
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled(), if !entries.is_closed() => entries.close(),
                count = entries.recv_many(&mut batch, BATCH_ROWS_MAX) => {
                    if count == 0 {
                        return;
                    }
                    self.write_all(&mut batch).await;
                    let gathering = tokio::time::sleep(GATHER_PAUSE);
                    closing.run_until_cancelled(gathering).await;
                }
                () = tokio::time::sleep(PROBE_INTERVAL), if self.condition.is_failing() => {
                    self.probe().await;
                }
            }
        }
    }

    /// Writes entries together, or each by itself where that fails, and leaves none of them.
    async fn write_all(&self, entries: &mut Vec<AuditEntry>) {
        let rows: Vec<Row> = entries.drain(..).map(Row::new).collect();
        if rows.len() > 1 && self.insert_all(&rows).await.is_ok() {
            self.condition.set_failing(false);
            return;
        }
        for row in &rows {
            self.write(row).await;
        }
    }

    /// Writes one row, or loses it after the last try.
    async fn write(&self, row: &Row) {
        let mut pause = RETRY_PAUSE;
        for attempt in 1..=ATTEMPTS_MAX {
            let Err(error) = self.insert_all(std::slice::from_ref(row)).await else {
                self.condition.set_failing(false);
                return;
            };
            self.condition.set_failing(true);
            if attempt == ATTEMPTS_MAX || !error.may_pass() {
                self.condition.lose_rows(1);
                tracing::error!(
                    error = &error as &dyn StdError,
                    request_id = %row.entry.request_id,
                    attempts = attempt,
                    "a row of the audit log is lost"
                );
                return;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// Sets the condition to what the database says, without writing anything.
    async fn probe(&self) {
        let answer = self.try_probe().await;
        // One line when it begins, not one for every look.
        if let Err(error) = &answer
            && !self.condition.is_failing()
        {
            tracing::error!(
                error = error as &dyn StdError,
                "the audit log cannot be written"
            );
        }
        self.condition.set_failing(answer.is_err());
    }

    async fn try_probe(&self) -> Result<(), StateError> {
        let connection = self.database.connection().await?;
        within_deadline(connection, async |connection| {
            connection.execute(PROBE, &[]).await
        })
        .await
        .map(drop)
    }

    /// Writes all of them or none.
    async fn insert_all(&self, rows: &[Row]) -> Result<(), StateError> {
        let connection = self.database.connection().await?;
        within_deadline(connection, async |connection| {
            let statement = connection.prepare_cached(INSERT).await?;
            let [row] = rows else {
                connection.batch_execute("BEGIN").await?;
                // Sent one behind the other, without waiting in between.
                try_join_all(rows.iter().map(|row| row.insert(connection, &statement))).await?;
                return connection.batch_execute("COMMIT").await;
            };
            row.insert(connection, &statement).await
        })
        .await
    }
}

/// An entry and the id under which it is written, however often that is tried.
struct Row {
    id: Uuid,
    entry: AuditEntry,
}

impl Row {
    fn new(entry: AuditEntry) -> Self {
        let id = Uuid::now_v7();
        Self { id, entry }
    }

    async fn insert(
        &self,
        connection: &Object,
        statement: &Statement,
    ) -> Result<(), tokio_postgres::Error> {
        let Self { id, entry } = self;
        let (verdict, refusal_code) = match &entry.verdict {
            None => (None, None),
            Some(AuditVerdict::Allowed) => (Some("allowed"), None),
            Some(AuditVerdict::Refused { code }) => (Some("refused"), Some(storable(code))),
        };
        let outcome = match entry.outcome {
            AuditOutcome::Answered => "answered",
            AuditOutcome::Clarified => "clarified",
            AuditOutcome::Declined => "declined",
            AuditOutcome::Cancelled => "cancelled",
            AuditOutcome::Failed => "failed",
        };
        connection
            .execute(
                statement,
                &[
                    id,
                    &entry.asked_at,
                    &entry.principal.as_deref().map(storable),
                    &entry.client_address,
                    &entry.request_id.as_str(),
                    &entry.conversation_id.to_string(),
                    &storable(&entry.question),
                    &entry.sql.as_deref().map(storable),
                    &verdict,
                    &refusal_code,
                    &entry.row_count.map(count),
                    &entry.result_bytes.map(count),
                    &milliseconds(entry.duration),
                    &stages_ms(&entry.stages),
                    &storable(&entry.provider),
                    &storable(&entry.model),
                    &i64::from(entry.usage.calls),
                    &entry.usage.input_tokens.map(count),
                    &entry.usage.cached_tokens.map(count),
                    &entry.usage.output_tokens.map(count),
                    &outcome,
                    &entry.error_code.as_deref().map(storable),
                ],
            )
            .await
            .map(drop)
    }
}

fn count<N: TryInto<i64>>(number: N) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

fn milliseconds(duration: Duration) -> i64 {
    count(duration.as_millis())
}

/// The stages with their times, those that were run more than once summed up.
fn stages_ms(stages: &[(&'static str, Duration)]) -> serde_json::Value {
    let mut sums: BTreeMap<&str, Duration> = BTreeMap::new();
    for (stage, duration) in stages {
        *sums.entry(stage).or_default() += *duration;
    }
    sums.into_iter()
        .map(|(stage, duration)| (stage.to_owned(), milliseconds(duration).into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_ran_twice_is_summed() {
        let ms = Duration::from_millis;
        let stages = [
            ("generating", ms(900)),
            ("checking", ms(2)),
            ("generating", ms(100)),
        ];
        let expected = serde_json::json!({"checking": 2, "generating": 1_000});
        assert_eq!(stages_ms(&stages), expected);
        assert_eq!(stages_ms(&[]), serde_json::json!({}));
    }
}
