//! What can go wrong at the database, recognised by type and SQLSTATE, never by message text.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::{ErrorPosition, Severity};

/// A database operation that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// No connection: refused, cut, TLS, authentication, or the server is starting or stopping.
    #[error("the database cannot be reached")]
    Unavailable {
        /// The driver's own words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No pooled connection became free in time.
    #[error("no database connection became free within {waited:?}")]
    PoolTimeout {
        /// The limit.
        waited: Duration,
    },
    /// PostgreSQL refused the query. DETAIL and CONTEXT, which can carry data, are not kept.
    #[error("PostgreSQL answered {sqlstate}: {message}")]
    Refused {
        /// Five characters.
        sqlstate: String,
        /// The primary message.
        message: String,
        /// HINT, if any.
        hint: Option<String>,
        /// Where in the query, counted in characters from 1, if PostgreSQL says.
        position: Option<u32>,
    },
    /// The query ran into `statement_timeout` (57014 without anyone asking) or `lock_timeout`.
    #[error("the query took longer than {after:?}")]
    StatementTimeout {
        /// The limit.
        after: Duration,
    },
    /// PostgreSQL expects the query to cost more than it may. It was planned and not run.
    #[error("the query would cost {estimate}, and {max} is the most that is allowed")]
    TooCostly {
        /// In the units of `EXPLAIN`, rounded up.
        estimate: u64,
        /// The limit.
        max: u64,
    },
    /// The turn's cancellation token fired; PostgreSQL was told to stop.
    #[error("the query was cancelled")]
    Cancelled,
}

impl QueryError {
    /// Sorts a driver's error by its SQLSTATE. What has none came from the connection.
    pub(super) fn from_driver(error: tokio_postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            return Self::unavailable(error);
        };
        let sqlstate = answer.code().code();
        if is_statement_of_another(sqlstate) {
            return Self::unavailable(MixedUp { source: error });
        }
        if answer.parsed_severity().is_some_and(is_fatal) || is_connection_class(sqlstate) {
            return Self::unavailable(error);
        }
        let position = match answer.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            // In a query that PostgreSQL made itself, e.g. inside a function: not in ours.
            Some(ErrorPosition::Internal { .. }) | None => None,
        };
        Self::Refused {
            sqlstate: sqlstate.to_owned(),
            message: answer.message().to_owned(),
            hint: answer.hint().map(str::to_owned),
            position,
        }
    }

    /// The same failure for another caller who waited for the same outcome.
    pub(super) fn shared(error: &Arc<Self>) -> Self {
        match error.as_ref() {
            Self::Unavailable { .. } => Self::unavailable(SharedError(Arc::clone(error))),
            Self::PoolTimeout { waited } => Self::PoolTimeout { waited: *waited },
            Self::Refused {
                sqlstate,
                message,
                hint,
                position,
            } => Self::Refused {
                sqlstate: sqlstate.clone(),
                message: message.clone(),
                hint: hint.clone(),
                position: *position,
            },
            Self::StatementTimeout { after } => Self::StatementTimeout { after: *after },
            Self::TooCostly { estimate, max } => Self::TooCostly {
                estimate: *estimate,
                max: *max,
            },
            Self::Cancelled => Self::Cancelled,
        }
    }

    /// The connection could not be made or used.
    pub(super) fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }
}

/// The cause of an error that several callers get: it reads as if it were each caller's own.
#[derive(Debug)]
struct SharedError(Arc<QueryError>);

impl SharedError {
    fn cause(&self) -> &(dyn Error + 'static) {
        match self.0.as_ref() {
            QueryError::Unavailable { source } => source.as_ref(),
            error @ (QueryError::PoolTimeout { .. }
            | QueryError::Refused { .. }
            | QueryError::StatementTimeout { .. }
            | QueryError::TooCostly { .. }
            | QueryError::Cancelled) => error,
        }
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.cause())
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause().source()
    }
}

/// The session is not the one that it was: a pooler in between has exchanged it.
#[derive(Debug, thiserror::Error)]
#[error(
    "a prepared statement is missing or another client's, as behind a pooler that does not follow prepared statements: \
     use pool_mode = session, or PgBouncer 1.21 or newer with max_prepared_statements set"
)]
struct MixedUp {
    #[source]
    source: tokio_postgres::Error,
}

/// `duplicate_prepared_statement` and `invalid_sql_statement_name`. The driver's names are its own, so on a session of its own
/// neither can happen.
fn is_statement_of_another(sqlstate: &str) -> bool {
    matches!(sqlstate, "42P05" | "26000")
}

/// FATAL and PANIC end the session, whatever the reason.
fn is_fatal(severity: Severity) -> bool {
    matches!(severity, Severity::Fatal | Severity::Panic)
}

/// Class 08 (connection), 57P01 to 57P05 (shutdown, crash, starting, database dropped, idle), 53300 (too many connections).
fn is_connection_class(sqlstate: &str) -> bool {
    sqlstate.starts_with("08")
        || matches!(
            sqlstate,
            "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "53300"
        )
}
