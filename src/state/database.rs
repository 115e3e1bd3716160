//! Connections to the state database, and the certainty that its tables are there.
//!
//! In: where to connect and how to speak TLS, ready made by the composition root, because reading a
//! connection string is the same for every database. Out: connections on which the migrations have run.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio::sync::OnceCell;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, Socket};

use super::error::StateError;
use super::migrate;

/// The audit log's writer needs one; the other is for what else may come, and for migrations.
const CONNECTIONS_MAX: usize = 2;

/// How long to wait for a connection, made anew or given back.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes kept of one text. Longer than what the guard takes for a query; bounds the audit log's queue.
const TEXT_BYTES_MAX: usize = 65_536;

/// What operators see in `pg_stat_activity`.
const APPLICATION_NAME: &str = "db-chat state";

/// The state database. Cheap to clone; opens nothing until it is asked.
#[derive(Clone)]
pub struct StateDatabase {
    pool: Pool,
    /// Set once the migrations have run.
    migrated: Arc<OnceCell<()>>,
}

impl StateDatabase {
    /// Sets up the connections; nothing is connected yet.
    ///
    /// The server must be reached directly, or through a pooler in session mode: the migrations hold a
    /// lock that belongs to a session.
    ///
    /// # Errors
    /// The pool does not take its settings.
    pub fn new<T>(mut config: Config, tls: T) -> Result<Self, StateError>
    where
        T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
        T::Stream: Sync + Send,
        T::TlsConnect: Sync + Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        config.application_name(APPLICATION_NAME);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        let manager_config = ManagerConfig {
            // A dead connection is found by the first statement on it, which is tried again anyway.
            recycling_method: RecyclingMethod::Fast,
        };
        let pool = Pool::builder(Manager::from_config(config, tls, manager_config))
            .max_size(CONNECTIONS_MAX)
            .wait_timeout(Some(CONNECT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|source| StateError::SetUp {
                source: source.into(),
            })?;
        Ok(Self {
            pool,
            migrated: Arc::default(),
        })
    }

    /// Brings the tables up to date, once; later calls return at once. Safe when several instances
    /// start together: one of them works, the others wait for it.
    ///
    /// # Errors
    /// [`StateError::may_pass`] tells whether trying again makes sense, or a person has to act.
    ///
    /// # Cancel safety
    /// Dropped midway, each migration has been applied whole or not at all.
    pub async fn migrate(&self) -> Result<(), StateError> {
        let migrate = || async { migrate::apply(self.connect().await?).await };
        self.migrated.get_or_try_init(migrate).await.copied()
    }

    /// A connection, with the tables as this release knows them.
    ///
    /// # Errors
    /// As [`migrate`](Self::migrate).
    pub(super) async fn connection(&self) -> Result<Object, StateError> {
        self.migrate().await?;
        self.connect().await
    }

    async fn connect(&self) -> Result<Object, StateError> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(source) => StateError::of_driver("connect", source),
            error @ (PoolError::Timeout(_)
            | PoolError::Closed
            | PoolError::NoRuntimeSpecified
            | PoolError::PostCreateHook(_)) => StateError::Unavailable {
                operation: "connect",
                source: error.into(),
            },
        })
    }
}

/// Runs a statement; a connection on which it failed or hung is closed, not used again.
pub(super) async fn within_deadline<T>(
    connection: Object,
    statement: impl AsyncFnOnce(&Object) -> Result<T, tokio_postgres::Error>,
) -> Result<T, StateError> {
    let failure = match tokio::time::timeout(STATEMENT_TIMEOUT, statement(&connection)).await {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => StateError::of_driver("write", error),
        Err(elapsed) => StateError::Unavailable {
            operation: "write",
            source: elapsed.into(),
        },
    };
    drop(Object::take(connection));
    Err(failure)
}

/// A text as PostgreSQL can take it: no NUL character, and not longer than [`TEXT_BYTES_MAX`].
pub(super) fn storable(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.get(..end).unwrap_or(text).replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_storable_without_breaking_a_character() {
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        let long = format!("{}ü", "x".repeat(TEXT_BYTES_MAX - 1));
        assert_eq!(storable(&long).len(), TEXT_BYTES_MAX - 1);
        assert_eq!(storable(&long[1..]), long[1..]);
    }
}
