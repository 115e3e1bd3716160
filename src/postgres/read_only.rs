//! The one way to the database for SQL that a model wrote, whoever asks.
//!
//! In: [`CheckedSql`], which only the guard makes. Out: a [`ResultSet`] in PostgreSQL's own text forms. What is refused
//! here is what PostgreSQL refuses: the transaction is read-only, under time limits, and rolled back.
//!
//! The checked text travels by the extended protocol only, which takes exactly one statement, as the query of
//! a cursor. tokio-postgres asks for binary values there, so the rows are fetched from the cursor by a text of our own over
//! the simple protocol, where PostgreSQL prints every type as it does for psql. One cost is known: PostgreSQL plans
//! a cursor without parallel workers.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::join;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};
use tokio_util::sync::CancellationToken;

use super::cost;
use super::error::QueryError;
use super::pool::DatabasePool;
use super::row_scope::RowScope;
use super::types::{self, TypeFacts, ValueBound};
use crate::config::Limits;
use crate::domain::result::{Cell, ResultColumn, ResultSet, Truncation, ValueKind};
use crate::guard::CheckedSql;

/// Rows of the first page. Most answers are shorter, and so cost one round trip.
const FIRST_PAGE_ROWS: usize = 32;

/// How large a later page aims to be. Rows are read from the socket one by one, so this bounds what is sent in vain, not memory.
const PAGE_BYTES: usize = 262_144;

/// How much longer than `statement_timeout` db-chat waits, so that PostgreSQL, which stops cleanly, is first where it can be.
const TIMEOUT_GRACE: Duration = Duration::from_secs(1);

/// What bounds one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionLimits {
    /// Rows that are kept.
    pub rows_max: usize,
    /// Bytes of one cell's text; a longer one is cut at a character.
    pub cell_bytes_max: usize,
    /// Bytes of all cells.
    pub result_bytes_max: usize,
    /// PostgreSQL's `statement_timeout` and `lock_timeout`, and the time for all pages together.
    pub statement_timeout: Duration,
    /// The most that PostgreSQL may expect the query to cost; `None`: it is not asked.
    pub cost_max: Option<u64>,
    /// PostgreSQL's `idle_in_transaction_session_timeout`.
    pub idle_in_transaction_timeout: Duration,
}

impl From<&Limits> for ExecutionLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            rows_max: limits.rows_max,
            cell_bytes_max: limits.cell_bytes_max,
            result_bytes_max: limits.result_bytes_max,
            statement_timeout: Duration::from_millis(limits.statement_timeout_ms),
            cost_max: limits.query_cost_max,
            idle_in_transaction_timeout: Duration::from_millis(
                limits.idle_in_transaction_timeout_ms,
            ),
        }
    }
}

/// Runs a checked query over the rows of `scope` in a read-only transaction and rolls it back.
///
/// # Errors
/// [`QueryError::Refused`] with a position in the checked text; [`QueryError::TooCostly`]; [`QueryError::StatementTimeout`];
/// [`QueryError::Cancelled`] when `cancel` fired; and what the pool says.
///
/// # Cancel safety
/// Dropped midway, PostgreSQL is told to stop and the connection is thrown away.
pub async fn run(
    pool: &DatabasePool,
    sql: &CheckedSql,
    scope: &RowScope,
    limits: &ExecutionLimits,
    cancel: &CancellationToken,
) -> Result<ResultSet, QueryError> {
    let deadline = limits.statement_timeout.saturating_add(TIMEOUT_GRACE);
    let (pool_of_task, sql, limits) = (pool.clone(), sql.clone(), *limits);
    let begin = begin_text(&limits) + &scope.begin_text();
    let outcome = pool
        .run(deadline, cancel, move |client| {
            Box::pin(async move { read(client, &pool_of_task, &begin, &sql, &limits).await })
        })
        .await;
    match outcome {
        Err(QueryError::Refused { sqlstate, .. }) if is_timeout(&sqlstate) => {
            Err(QueryError::StatementTimeout {
                after: limits.statement_timeout,
            })
        }
        Err(QueryError::StatementTimeout { .. }) => Err(QueryError::StatementTimeout {
            after: limits.statement_timeout,
        }),
        outcome => outcome,
    }
}

/// `query_canceled`, which is `statement_timeout` unless someone asked, and `lock_not_available`.
fn is_timeout(sqlstate: &str) -> bool {
    matches!(sqlstate, "57014" | "55P03")
}

async fn read(
    client: &Client,
    pool: &DatabasePool,
    begin: &str,
    sql: &CheckedSql,
    limits: &ExecutionLimits,
) -> Result<ResultSet, QueryError> {
    // One after the other on the connection, without waiting in between. The query is parsed and analyzed, not planned: for the
    // columns and their types.
    let preparing = client.prepare(sql.as_str());
    let (begun, prepared) = join(client.batch_execute(begin), preparing).await;
    begun.map_err(QueryError::from_driver)?;
    // Dropped, and so closed, before the transaction ends.
    let statement = prepared.map_err(QueryError::from_driver)?;
    // The guard refuses parameters; PostgreSQL would call their missing values a fault of the protocol.
    if !statement.params().is_empty() {
        return Err(QueryError::Refused {
            sqlstate: "42P02".to_owned(),
            message: "the query has parameters".to_owned(),
            hint: None,
            position: None,
        });
    }
    let oids: Vec<u32> = statement
        .columns()
        .iter()
        .map(|c| c.type_().oid())
        .collect();
    let facts = types::describe(client, pool, &oids)
        .await
        .map_err(QueryError::from_driver)?;
    let columns: Vec<ResultColumn> = statement
        .columns()
        .iter()
        .zip(&facts)
        .map(|(column, facts)| ResultColumn {
            name: column.name().to_owned(),
            type_name: facts
                .as_ref()
                .map_or_else(|| column.type_().name().to_owned(), |f| f.name.clone()),
            kind: facts.as_ref().map_or(ValueKind::Text, |f| f.kind),
        })
        .collect();
    drop(statement);

    let declaration = Declaration::write(sql.as_str(), &facts, limits.cell_bytes_max);
    if let Some(max) = limits.cost_max {
        let estimate = cost::estimate(client, &declaration.text, limits.rows_max)
            .await
            .map_err(|error| declaration.relocate_by(error, cost::EXPLAIN))?;
        if estimate > max {
            return Err(QueryError::TooCostly { estimate, max });
        }
    }

    let mut reader = Reader {
        limits,
        cells_count: columns.len(),
        rows: Vec::new(),
        bytes: 0,
        truncation: None,
    };
    // The first page is asked for together with the cursor, without which there is none.
    let declaring = client.execute_typed(&declaration.text, &[]);
    let mut wanted = reader.page(FIRST_PAGE_ROWS);
    let (declared, mut fetched) = join(declaring, fetch(client, wanted, &mut reader)).await;
    declared.map_err(|error| declaration.relocate(QueryError::from_driver(error)))?;
    loop {
        let count = fetched.map_err(|error| declaration.relocate(error))?;
        if reader.is_full() || count < wanted {
            break;
        }
        let row_bytes = reader.bytes.div_ceil(reader.rows.len().max(1)).max(1);
        let left = limits.result_bytes_max.saturating_sub(reader.bytes);
        wanted = reader.page((PAGE_BYTES.min(left) / row_bytes).saturating_add(1));
        fetched = fetch(client, wanted, &mut reader).await;
    }
    Ok(ResultSet {
        columns,
        rows: reader.rows,
        truncation: reader.truncation,
    })
}

/// Everything that decides how a query behaves and how values are printed, in one message. The time zone and the order
/// of day and month stay those of the role: they are the operator's.
fn begin_text(limits: &ExecutionLimits) -> String {
    let statement_ms = limits.statement_timeout.as_millis().max(1);
    let idle_ms = limits.idle_in_transaction_timeout.as_millis().max(1);
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; \
         SET LOCAL search_path = pg_catalog; \
         SET LOCAL statement_timeout = {statement_ms}; \
         SET LOCAL lock_timeout = {statement_ms}; \
         SET LOCAL idle_in_transaction_session_timeout = {idle_ms}; \
         SET LOCAL row_security = on; \
         SET LOCAL standard_conforming_strings = on; \
         SET LOCAL DateStyle = 'ISO'; \
         SET LOCAL IntervalStyle = 'postgres'; \
         SET LOCAL bytea_output = 'hex'; \
         SET LOCAL extra_float_digits = 1; \
         SET LOCAL cursor_tuple_fraction = 1"
    )
}

/// The statement that opens the cursor.
struct Declaration {
    text: String,
    /// Characters before the checked text.
    prefix_chars: u32,
    /// Characters of the checked text.
    sql_chars: u32,
}

impl Declaration {
    /// Puts a bound on cells around the query. A value of 1 GB would otherwise arrive whole before it could be cut. A value
    /// that is short enough comes out as it would without: texts through `left`, all other types of varying
    /// length through their own output function.
    fn write(sql: &str, facts: &[Option<TypeFacts>], cell_bytes_max: usize) -> Self {
        // One more than is kept, so that a cut is noticed. A character has at least one byte, a byte prints as two digits.
        let chars = i32::try_from(cell_bytes_max)
            .unwrap_or(i32::MAX - 1)
            .saturating_add(1);
        let bytes = chars / 2 + 1;
        let bounded = |(index, facts): (usize, &Option<TypeFacts>)| {
            let cell = format!("r.c{index}");
            match facts.as_ref().map(|facts| &facts.bound) {
                Some(ValueBound::Text) => format!("pg_catalog.left({cell}, {chars})"),
                Some(ValueBound::Bytes) => format!("pg_catalog.substring({cell}, 1, {bytes})"),
                Some(ValueBound::Printed { output_function }) => {
                    format!(
                        "pg_catalog.left(pg_catalog.textin({output_function}({cell})), {chars})"
                    )
                }
                Some(ValueBound::Short) | None => cell,
            }
        };
        let is_short = |facts: &Option<TypeFacts>| {
            facts
                .as_ref()
                .is_none_or(|facts| facts.bound == ValueBound::Short)
        };
        let (prefix, suffix) = if facts.iter().all(is_short) {
            (String::new(), String::new())
        } else {
            let cells: Vec<String> = facts.iter().enumerate().map(bounded).collect();
            let names: Vec<String> = (0..facts.len()).map(|index| format!("c{index}")).collect();
            (
                format!("SELECT {} FROM (", cells.join(", ")),
                format!("\n) AS r({})", names.join(", ")),
            )
        };
        let prefix = format!("DECLARE db_chat_rows NO SCROLL CURSOR FOR {prefix}");
        Self {
            prefix_chars: u32::try_from(prefix.chars().count()).unwrap_or(u32::MAX),
            sql_chars: u32::try_from(sql.chars().count()).unwrap_or(u32::MAX),
            text: format!("{prefix}{sql}{suffix}"),
        }
    }

    /// Counts an error's position from the beginning of the checked text.
    fn relocate(&self, error: QueryError) -> QueryError {
        self.relocate_by(error, "")
    }

    /// The same where there was `more`, which is ASCII, before the declaration.
    fn relocate_by(&self, mut error: QueryError, more: &str) -> QueryError {
        let prefix_chars = u32::try_from(more.len())
            .unwrap_or(u32::MAX)
            .saturating_add(self.prefix_chars);
        if let QueryError::Refused { position, .. } = &mut error {
            *position = position
                .and_then(|position| position.checked_sub(prefix_chars))
                .filter(|position| (1..=self.sql_chars).contains(position));
        }
        error
    }
}

/// Fetches one page and returns how many rows PostgreSQL had for it.
async fn fetch(client: &Client, rows: usize, reader: &mut Reader<'_>) -> Result<usize, QueryError> {
    let text = format!("FETCH FORWARD {rows} FROM db_chat_rows");
    let stream = client
        .simple_query_raw(&text)
        .await
        .map_err(QueryError::from_driver)?;
    let mut stream = pin!(stream);
    let mut fetched = 0;
    while let Some(message) = stream.try_next().await.map_err(QueryError::from_driver)? {
        if let SimpleQueryMessage::Row(row) = message {
            fetched += 1;
            reader.take(&row)?;
        }
    }
    Ok(fetched)
}

/// Collects rows until a limit is met.
struct Reader<'a> {
    limits: &'a ExecutionLimits,
    cells_count: usize,
    rows: Vec<Vec<Cell>>,
    bytes: usize,
    truncation: Option<Truncation>,
}

impl Reader<'_> {
    /// How many rows to ask for, of `rows` that would be convenient: one more than is kept tells that there are more.
    fn page(&self, rows: usize) -> usize {
        rows.min(self.limits.rows_max.saturating_add(1) - self.rows.len())
    }

    fn is_full(&self) -> bool {
        matches!(self.truncation, Some(Truncation::Rows | Truncation::Bytes))
    }

    /// Keeps a row, or notes why not. Rows that are on their way after a limit was met are let go.
    fn take(&mut self, row: &SimpleQueryRow) -> Result<(), QueryError> {
        if self.is_full() {
            return Ok(());
        }
        if self.rows.len() >= self.limits.rows_max {
            self.truncation = Some(Truncation::Rows);
            return Ok(());
        }
        let mut cells = Vec::with_capacity(self.cells_count);
        let (mut row_bytes, mut was_cut) = (0, false);
        for index in 0..self.cells_count {
            let text = row.try_get(index).map_err(|_| invalid_text())?;
            let kept = text.map(|text| {
                text.get(..text.floor_char_boundary(self.limits.cell_bytes_max))
                    .unwrap_or(text)
            });
            was_cut |= kept != text;
            row_bytes += kept.map_or(0, str::len);
            cells.push(kept.map(str::to_owned));
        }
        if self.bytes.saturating_add(row_bytes) > self.limits.result_bytes_max {
            self.truncation = Some(Truncation::Bytes);
            return Ok(());
        }
        if was_cut {
            self.truncation = Some(Truncation::Cells);
        }
        self.bytes += row_bytes;
        self.rows.push(cells);
        Ok(())
    }
}

/// A database in SQL_ASCII hands out bytes as they were put in.
fn invalid_text() -> QueryError {
    QueryError::Refused {
        sqlstate: "22021".to_owned(),
        message: "the result holds text that is not valid UTF-8".to_owned(),
        hint: None,
        position: None,
    }
}
