//! The guard switched off: what the role and the transaction hold alone, whatever SQL arrives.
//!
//! Part of the library's own test build, because nothing else can make a [`CheckedSql`] without the guard. From there on everything
//! is as it is served: a role made by what `db-chat grants` prints, the pool, the read-only transaction, the limits.

mod corpus;
mod leftovers;
#[cfg(target_os = "linux")]
mod memory;
#[path = "../it/support/postgres.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod postgres;
mod qualify;
#[path = "../it/support/roles.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod roles;

use std::time::Duration;

use db_chat::domain::result::ResultSet;
use db_chat::guard::CheckedSql;
use db_chat::postgres::QueryError;
use db_chat::postgres::pool::DatabasePool;
use db_chat::postgres::read_only::{self, ExecutionLimits};
use db_chat::postgres::row_scope::RowScope;
use tokio_util::sync::CancellationToken;

/// The time that is enough for every statement that means to end.
fn limits() -> ExecutionLimits {
    ExecutionLimits {
        rows_max: 1_000,
        cell_bytes_max: 65_536,
        result_bytes_max: 4_194_304,
        statement_timeout: Duration::from_secs(3),
        cost_max: None,
        idle_in_transaction_timeout: Duration::from_secs(5),
    }
}

/// Runs a text that nobody has looked at.
async fn run(
    pool: &DatabasePool,
    sql: &str,
    limits: &ExecutionLimits,
) -> Result<ResultSet, QueryError> {
    let sql = CheckedSql::unchecked(sql);
    read_only::run(
        pool,
        &sql,
        &RowScope::Everybody,
        limits,
        &CancellationToken::new(),
    )
    .await
}
