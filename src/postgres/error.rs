//! What can go wrong at the database, recognised by type and SQLSTATE, never by message text.

use std::time::Duration;

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
    /// The turn's cancellation token fired; PostgreSQL was told to stop.
    #[error("the query was cancelled")]
    Cancelled,
}
