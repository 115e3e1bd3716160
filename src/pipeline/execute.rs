//! A checked query to its rows. Refused here: what PostgreSQL itself refuses, which the model may
//! repair, and what takes too long, which it may not.

use tokio_util::sync::CancellationToken;

use super::error::TurnError;
use super::prompts::Prompts;
use crate::config::Limits;
use crate::domain::result::ResultSet;
use crate::guard::{CheckedSql, Rejection};
use crate::postgres::QueryError;
use crate::postgres::pool::DatabasePool;
use crate::postgres::read_only::{self, ExecutionLimits};

/// What became of one draft.
pub(super) enum Attempt {
    /// It ran.
    Ran(CheckedSql, ResultSet),
    /// The guard refused it.
    Rejected(Rejection),
    /// PostgreSQL refused it.
    Failed(QueryFailure),
    /// It ran into the time limit. Asking the model for a faster one would cost as much time again.
    TimedOut,
}

/// PostgreSQL's refusal, without anything that could carry data.
pub(super) struct QueryFailure {
    sqlstate: String,
    message: String,
    hint: Option<String>,
    position: Option<u32>,
}

impl QueryFailure {
    /// What the model is told.
    pub(super) fn objection(&self, prompts: &Prompts) -> String {
        prompts.repair_failed(
            &self.sqlstate,
            &self.message,
            self.hint.as_deref(),
            self.position,
        )
    }
}

/// Runs the query once.
pub(super) async fn execute(
    pool: &DatabasePool,
    checked: CheckedSql,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Attempt, TurnError> {
    match read_only::run(pool, &checked, &ExecutionLimits::from(limits), cancel).await {
        Ok(result) => Ok(Attempt::Ran(checked, result)),
        Err(QueryError::Refused {
            sqlstate,
            message,
            hint,
            position,
        }) => Ok(Attempt::Failed(QueryFailure {
            sqlstate,
            message,
            hint,
            position,
        })),
        Err(QueryError::StatementTimeout { .. }) => Ok(Attempt::TimedOut),
        Err(QueryError::Cancelled) => Err(TurnError::Cancelled),
        Err(source @ (QueryError::Unavailable { .. } | QueryError::PoolTimeout { .. })) => {
            Err(TurnError::Database { source })
        }
    }
}
