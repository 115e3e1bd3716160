//! Connections to the database being asked: how many, how long one is waited for, and what becomes of one whose
//! work was broken off.
//!
//! In: a connection string and limits. Out: one connection for one piece of work. Must not know what is run on it.
//!
//! Made to work through PgBouncer in transaction mode too: nothing that db-chat sets or prepares outlives a
//! transaction. The one exception is the driver's own: to describe a column of a type that is not built in, it
//! prepares a statement and keeps it, which PgBouncer 1.21 and later follows (`max_prepared_statements`).

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Client, ClientWrapper, Hook, HookError, Manager, ManagerConfig, Metrics as UseMetrics, Pool,
    PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio_postgres::SimpleQueryMessage;
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

/// How long a connection may take to show that it lives, before another one is taken or the work is given up.
const RECYCLE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a server may leave a connection in use without a word before it counts as gone: as long as a new one may take to be made,
/// so that one that is only busy is given the same time either way.
const SILENCE_TIMEOUT: Duration = CONNECT_TIMEOUT;

/// A connection that was taken later than this ago has shown that it lives: it was reset since. HikariCP's bypass window.
const ALIVE_FOR: Duration = Duration::from_millis(500);

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
            // Looks whether the connection is known to be closed; `prove_alive` does the rest.
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(options, tls.clone(), config);
        let pool = Pool::builder(manager)
            .max_size(limits.connections_max)
            .wait_timeout(Some(limits.wait_timeout))
            .create_timeout(Some(CREATE_TIMEOUT))
            .recycle_timeout(Some(RECYCLE_TIMEOUT))
            .pre_recycle(Hook::async_fn(|client, uses| {
                Box::pin(prove_alive(client, uses))
            }))
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
    /// open on it: the transaction is rolled back and the session reset, for which the caller does not wait. Where `stop` fires,
    /// `deadline` passes or the caller goes away, PostgreSQL is told to stop at once and the connection is thrown away.
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
        let (finished, outcome) = oneshot::channel();
        self.tasks.spawn({
            let stop = stop.clone();
            async move {
                let outcome = tokio::select! {
                    biased;
                    () = stop.cancelled() => Err(QueryError::Cancelled),
                    error = silence(&client) => Err(error),
                    () = tokio::time::sleep(deadline) => Err(QueryError::StatementTimeout { after: deadline }),
                    outcome = AssertUnwindSafe(work(&client)).catch_unwind() => {
                        let outcome = match outcome {
                            Ok(outcome) => outcome,
                            Err(panic) => {
                                // Its transaction is open, and back in the pool somebody else would be in it.
                                discard(client, tls).await;
                                resume_unwind(panic)
                            }
                        };
                        let is_lost = matches!(outcome, Err(QueryError::Unavailable { .. }));
                        // Fails only when the caller is gone.
                        let _ = finished.send(outcome);
                        if is_lost || !is_reset(&client).await {
                            discard(client, tls).await;
                        }
                        return;
                    }
                };
                discard(client, tls).await;
                let _ = finished.send(outcome);
            }
        });
        tokio::select! {
            biased;
            // Not waited for: telling PostgreSQL can take as long as a lost packet.
            () = stop.cancelled() => Err(QueryError::Cancelled),
            outcome = outcome => outcome.unwrap_or_else(|error| Err(QueryError::unavailable(error))),
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

/// Asks a connection for a sign of life: one that a firewall or a restart has killed is found before a question is put on it.
async fn prove_alive(client: &mut ClientWrapper, uses: &UseMetrics) -> Result<(), HookError> {
    if uses.last_used() < ALIVE_FOR {
        return Ok(());
    }
    match tokio::time::timeout(RECYCLE_TIMEOUT, client.simple_query("")).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(HookError::Backend(error)),
        Err(_) => Err(HookError::message("no sign of life")),
    }
}

/// Returns when a server does not answer at all, which is found out beside the work: the question goes in front of it and is not
/// waited for.
async fn silence(client: &Client) -> QueryError {
    match tokio::time::timeout(SILENCE_TIMEOUT, client.simple_query("")).await {
        Ok(Ok(_)) => std::future::pending().await,
        Ok(Err(error)) => QueryError::from_driver(error),
        Err(elapsed) => QueryError::unavailable(elapsed),
    }
}

/// Leaves nothing behind. The guard lets no query take an advisory lock, listen, prepare or set anything; this is the second wall.
/// The rollback undoes settings, channels, cursors and tables; what is no transaction's has to be named. The last statement
/// prints those that are still to be run.
/// `DISCARD ALL` would be the usual word, but it cannot share a message with others, PgBouncer may give each message
/// another server, and it would take the statements that the driver prepared for itself, which do not come from SQL.
const RESET: &str = "ROLLBACK; SELECT pg_catalog.pg_advisory_unlock_all(); UNLISTEN *; RESET ALL; \
    SELECT pg_catalog.format('DEALLOCATE %I', name) FROM pg_catalog.pg_prepared_statements WHERE from_sql";

/// Whether a session is as good as new.
async fn is_reset(client: &Client) -> bool {
    match tokio::time::timeout(RECYCLE_TIMEOUT, reset(client)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a used connection could not be reset");
            false
        }
        Err(_) => {
            tracing::debug!("a used connection could not be reset in time");
            false
        }
    }
}

async fn reset(client: &Client) -> Result<(), tokio_postgres::Error> {
    let answers = client.simple_query(RESET).await?;
    let rows = answers.iter().filter_map(|answer| {
        let SimpleQueryMessage::Row(row) = answer else {
            return None;
        };
        row.get(0)
    });
    // The lock function's own answer is empty.
    let left: Vec<&str> = rows.filter(|text| !text.is_empty()).collect();
    if left.is_empty() {
        return Ok(());
    }
    client.batch_execute(&left.join("; ")).await
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
