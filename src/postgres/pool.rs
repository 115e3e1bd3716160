//! Connections to the database being asked: how many, how long one is waited for, and what becomes of one whose
//! work was broken off.
//!
//! In: a connection string and limits. Out: one connection for one piece of work. Must not know what is run on it.
//!
//! Made to work through PgBouncer in transaction mode too: nothing that db-chat sets or prepares outlives a
//! transaction. The one exception is the driver's own: to describe a column of a type that is not built in, it
//! prepares a statement and keeps it, which PgBouncer 1.21 and later follows (`max_prepared_statements`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use futures_util::future::BoxFuture;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection_string::{ConnectionString, ConnectionStringError};
use super::error::QueryError;
use super::tls::{self, TlsError};
use super::types::TypeFacts;
use crate::telemetry::metrics::Metrics;

/// How long a TCP connection may take to be made, where the connection string does not say. The same as libpq's advice
/// for interactive use; a database that is further away than this is down for a person who waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a new connection may take in all: TCP, TLS and authentication.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a used connection may take to show that it lives, before another one is taken.
const RECYCLE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a cancel request may take. It travels on a connection of its own.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// What operators see in `pg_stat_activity`.
const APPLICATION_NAME: &str = "db-chat";

/// A pool that cannot be set up: the fault is in the settings.
#[derive(Debug, thiserror::Error)]
pub enum PoolSetupError {
    /// The connection string cannot be used.
    #[error("the connection string cannot be read")]
    ConnectionString {
        /// What is wrong with it, without any of its values.
        #[source]
        source: ConnectionStringError,
    },
    /// A certificate file cannot be used.
    #[error("the TLS settings of the connection string cannot be used")]
    Tls {
        /// What is wrong.
        #[source]
        source: TlsError,
    },
    /// The pool does not take its settings.
    #[error("the connection pool cannot be built")]
    Pool {
        /// What is wrong.
        #[source]
        source: deadpool_postgres::BuildError,
    },
}

/// How large a pool is and how patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Connections at most.
    pub connections_max: usize,
    /// How long a caller waits for one of them.
    pub wait_timeout: Duration,
}

/// Takes a libpq URL or key=value string apart, for this pool and for others of db-chat.
///
/// # Errors
/// The connection string or its certificates cannot be used.
pub fn connection_options(
    connection_string: &str,
) -> Result<(tokio_postgres::Config, MakeRustlsConnect), PoolSetupError> {
    let mut string = ConnectionString::parse(connection_string)
        .map_err(|source| PoolSetupError::ConnectionString { source })?;
    let tls = tls::connector(&string).map_err(|source| PoolSetupError::Tls { source })?;
    if string.config.get_application_name().is_none() {
        string.config.application_name(APPLICATION_NAME);
    }
    if string.config.get_connect_timeout().is_none() {
        string.config.connect_timeout(CONNECT_TIMEOUT);
    }
    Ok((string.config, tls))
}

/// The connections to one database. Cheap to clone; opens nothing until it is asked.
#[derive(Clone)]
pub struct DatabasePool {
    pool: Pool,
    tls: MakeRustlsConnect,
    wait_timeout: Duration,
    metrics: Metrics,
    /// Work on connections, and cancel requests on their way.
    tasks: TaskTracker,
    /// What is known of builtin types, which never change; see [`super::types`].
    pub(super) builtin_types: Arc<Mutex<HashMap<u32, TypeFacts>>>,
}

impl DatabasePool {
    /// Sets up a pool for a libpq URL or key=value string. Nothing is connected yet.
    ///
    /// # Errors
    /// The connection string or its certificates cannot be used.
    pub fn new(connection_string: &str, limits: PoolLimits) -> Result<Self, PoolSetupError> {
        let (options, tls) = connection_options(connection_string)?;
        let config = ManagerConfig {
            // One empty query: a connection that a firewall or a restart has killed is found before a question is put on it.
            recycling_method: RecyclingMethod::Verified,
        };
        let manager = Manager::from_config(options, tls.clone(), config);
        let pool = Pool::builder(manager)
            .max_size(limits.connections_max)
            .wait_timeout(Some(limits.wait_timeout))
            .create_timeout(Some(CREATE_TIMEOUT))
            .recycle_timeout(Some(RECYCLE_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|source| PoolSetupError::Pool { source })?;
        Ok(Self {
            pool,
            tls,
            wait_timeout: limits.wait_timeout,
            metrics: Metrics::default(),
            tasks: TaskTracker::new(),
            builtin_types: Arc::default(),
        })
    }

    /// Counts the waits of its callers into these series.
    #[must_use]
    pub fn counted_by(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Does one piece of work on one connection, and returns the connection only when nothing is left running or
    /// open on it: the transaction is rolled back and the session reset. Where `stop` fires, `deadline` passes or the
    /// caller goes away, PostgreSQL is told to stop at once and the connection is thrown away.
    ///
    /// # Errors
    /// What `work` says; [`QueryError::PoolTimeout`] when no connection became free in time, [`QueryError::Unavailable`]
    /// when none could be made, [`QueryError::Cancelled`] when `stop` fired, [`QueryError::StatementTimeout`] when
    /// `deadline` passed, which counts from when there was a connection.
    ///
    /// # Cancel safety
    /// Dropped midway, the work is broken off as if `stop` had fired.
    pub(super) async fn run<T, W>(
        &self,
        deadline: Duration,
        stop: &CancellationToken,
        work: W,
    ) -> Result<T, QueryError>
    where
        T: Send + 'static,
        W: for<'c> FnOnce(&'c Client) -> BoxFuture<'c, Result<T, QueryError>> + Send + 'static,
    {
        let client = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(QueryError::Cancelled),
            client = self.connect() => client?,
        };
        // A task of its own, because what has to be done when the caller goes away takes time.
        let stop = stop.child_token();
        let _stops_with_caller = stop.clone().drop_guard();
        let tls = self.tls.clone();
        let task = self.tasks.spawn({
            let stop = stop.clone();
            async move {
                let outcome = tokio::select! {
                    biased;
                    () = stop.cancelled() => Err(QueryError::Cancelled),
                    () = tokio::time::sleep(deadline) => Err(QueryError::StatementTimeout { after: deadline }),
                    outcome = work(&client) => match (outcome, reset(&client).await) {
                        (Err(QueryError::Unavailable { source }), _) => Err(QueryError::Unavailable { source }),
                        (outcome, Ok(())) => return outcome,
                        (outcome, Err(error)) => {
                            tracing::debug!(%error, "a used connection could not be reset");
                            outcome
                        }
                    },
                };
                discard(client, tls).await;
                outcome
            }
        });
        tokio::select! {
            biased;
            // Not waited for: telling PostgreSQL can take as long as a lost packet.
            () = stop.cancelled() => Err(QueryError::Cancelled),
            outcome = task => outcome.unwrap_or_else(|error| Err(QueryError::unavailable(error))),
        }
    }

    /// Connections open now, in use or idle.
    #[must_use]
    pub fn connections_count(&self) -> usize {
        self.pool.status().size
    }

    /// Closes idle connections, hands out no more, and waits for work and cancel requests that are on their way.
    pub async fn close(&self) {
        self.pool.close();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// A connection that lives.
    async fn connect(&self) -> Result<Client, QueryError> {
        let began = Instant::now();
        let connection = self.pool.get().await;
        self.metrics.pool_waited(began.elapsed());
        connection.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => QueryError::PoolTimeout {
                waited: self.wait_timeout,
            },
            PoolError::Backend(error) => QueryError::unavailable(error),
            error @ (PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_)) => QueryError::unavailable(error),
        })
    }
}

/// Leaves nothing behind. The guard lets no query take an advisory lock, listen, prepare or set anything; this is the second wall.
/// The rollback undoes settings, channels, cursors and tables; what is no transaction's has to be named.
/// `DISCARD ALL` would be the usual word, but it cannot share a message with others, PgBouncer may give each message
/// another server, and it would take the statements that the driver prepared for itself, which do not come from SQL.
const RESET: &str = "ROLLBACK; SELECT pg_catalog.pg_advisory_unlock_all(); UNLISTEN *; RESET ALL; \
    DO $$ DECLARE kept text; BEGIN \
        FOR kept IN SELECT name FROM pg_catalog.pg_prepared_statements WHERE from_sql LOOP \
            EXECUTE pg_catalog.format('DEALLOCATE %I', kept); \
        END LOOP; END $$";

async fn reset(client: &Client) -> Result<(), QueryError> {
    match tokio::time::timeout(RECYCLE_TIMEOUT, client.batch_execute(RESET)).await {
        Ok(outcome) => outcome.map_err(QueryError::from_driver),
        Err(elapsed) => Err(QueryError::unavailable(elapsed)),
    }
}

/// Throws a connection away on which something may still be running, and has PostgreSQL stop that at once.
async fn discard(client: Client, tls: MakeRustlsConnect) {
    let client = Client::take(client);
    if !client.is_closed() {
        let cancel = client.cancel_token();
        match tokio::time::timeout(CANCEL_TIMEOUT, cancel.cancel_query(tls)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a cancel request failed"),
            Err(_) => tracing::warn!("a cancel request took too long"),
        }
    }
    // Only now: PostgreSQL looks at the end of a connection when the query on it has ended.
    drop(client);
}
