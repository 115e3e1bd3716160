//! Conversations in Redis or Valkey, shared by any number of instances.
//!
//! One conversation is a list of turns and the summary of older ones, and each call is one command on
//! both: a script where reading and writing must be one step. So instances need no lock here, and a cluster needs no more than the
//! hash tag in the key.
//!
//! A Redis that is away is an error at once, and one that hangs is an error once the deadline has
//! passed; nothing is queued for later and nothing is sent twice. The driver's own task reconnects.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::clients::{Client, WithOptions};
use fred::error::{Error as FredError, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface, FredResult, KeysInterface};
use fred::types::config::{Options, ReconnectPolicy, Server};
use fred::types::{Builder, ClusterHash, ConnectHandle, CustomCommand, FromValue, Value};
use secrecy::ExposeSecret;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::Instant;

use super::keys::Keys;
use super::redis_url::{self, RedisUrlError};
use super::retention::Retention;
use super::{ConversationStore, StoreError, codec};
use crate::config::{ConversationsConfig, Limits};
use crate::domain::conversation::{Conversation, StoredTurn, Summary};
use crate::domain::ids::ConversationId;

const APPEND_TURN: &str = include_str!("append_turn.lua");
const LOAD_TURNS: &str = include_str!("load_turns.lua");
const PUT_SUMMARY: &str = include_str!("put_summary.lua");

/// Commands under way at once; more wait within their own deadline. Each holds up to a whole
/// conversation, so this bounds what a slow Redis can make the process hold: 64 MiB by default.
const COMMANDS_IN_FLIGHT_MAX: usize = 256;

/// Pauses between two attempts to connect: doubled from the first to the last.
const RECONNECT_PAUSE_MS_MIN: u32 = 50;
const RECONNECT_PAUSE_MS_MAX: u32 = 2_000;

/// Redis refuses a time to live whose end overflows its clock; a hundred years are for ever.
const TTL_SECONDS_MAX: u64 = 100 * 365 * 24 * 60 * 60;

/// What the driver says about its connection.
struct ConnectionFaults {
    /// Filled by the driver, oldest first; read only when a command has failed.
    reports: broadcast::Receiver<(FredError, Option<Server>)>,
    /// The newest one read so far.
    newest: Option<FredError>,
}

/// Conversations in Redis.
pub(super) struct RedisStore {
    client: Client,
    /// The driver's task. It ends when the driver gives up for good, and is then begun again.
    driver: Mutex<ConnectHandle>,
    faults: Mutex<ConnectionFaults>,
    permits: Semaphore,
    keys: Keys,
    retention: Retention,
    ttl_seconds: u64,
    timeout: Duration,
}

impl RedisStore {
    /// Starts connecting, and waits for the first connection as long as one call may take.
    ///
    /// # Errors
    /// The address is missing or cannot be read.
    pub(super) async fn connect(
        config: &ConversationsConfig,
        limits: &Limits,
    ) -> Result<Self, StoreError> {
        let timeout = Duration::from_millis(limits.store_timeout_ms);
        let client = client(config, timeout).map_err(|source| StoreError::Unavailable {
            operation: "connect",
            source,
        })?;
        let faults = ConnectionFaults {
            reports: client.error_rx(),
            newest: None,
        };
        let driver = client.connect();
        let store = Self {
            client,
            driver: Mutex::new(driver),
            faults: Mutex::new(faults),
            permits: Semaphore::new(COMMANDS_IN_FLIGHT_MAX),
            keys: Keys::new(&config.redis_prefix),
            retention: Retention::of(limits),
            ttl_seconds: config.ttl_seconds.min(TTL_SECONDS_MAX),
            timeout,
        };
        // Unlike all later commands, this one waits for a connection.
        let patient = Options {
            timeout: Some(timeout),
            ..Options::default()
        };
        let answer: FredResult<()> = store.client.with_options(&patient).ping(None).await;
        if let Err(error) = answer {
            let error = store.cause(error);
            tracing::warn!(
                error = &error as &dyn StdError,
                "Redis does not answer; starting without it and connecting in the background"
            );
        }
        Ok(store)
    }

    /// Runs a script on the two keys of a conversation. The script's text goes along each time: it is short, and nothing has
    /// to be loaded again after a restart or on another node.
    async fn run_script<R: FromValue>(
        &self,
        operation: &'static str,
        script: &'static str,
        id: ConversationId,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<R, StoreError> {
        // Not `LuaInterface::eval`: it passes over the options, the deadline among them.
        let eval = CustomCommand::new_static("EVAL", ClusterHash::Offset(2), false);
        let arguments: Vec<Value> = [
            script.into(),
            2.into(),
            self.keys.turns(id).into(),
            self.keys.summary(id).into(),
        ]
        .into_iter()
        .chain(arguments)
        .collect();
        self.call(operation, |client| async move {
            client.custom(eval, arguments).await
        })
        .await
    }

    /// Runs one command within the deadline, the wait for its turn included.
    async fn call<R, F, C>(&self, operation: &'static str, command: C) -> Result<R, StoreError>
    where
        C: FnOnce(WithOptions<Client>) -> F + Send,
        F: Future<Output = FredResult<R>> + Send,
    {
        self.revive_driver();
        let deadline = Instant::now() + self.timeout;
        let answer = match tokio::time::timeout_at(deadline, self.permits.acquire()).await {
            Ok(Ok(_permit)) => {
                let options = Options {
                    // The driver's own timer, and not one around it: a command whose time is over
                    // is then not sent any more, even if the driver still has it.
                    timeout: Some(deadline.saturating_duration_since(Instant::now())),
                    // Without a connection the answer is an error at once, and a command that was
                    // cut off is not repeated: it may have been carried out.
                    fail_fast: true,
                    max_attempts: Some(1),
                    ..Options::default()
                };
                command(self.client.with_options(&options)).await
            }
            Ok(Err(_)) | Err(_) => Err(FredError::new(
                ErrorKind::Timeout,
                "too many commands are waiting for Redis",
            )),
        };
        answer.map_err(|error| self.store_error(operation, error))
    }

    fn store_error(&self, operation: &'static str, error: FredError) -> StoreError {
        // The first word of a Redis error is its code.
        if error.details().split(' ').next() == Some("WRONGTYPE") {
            return StoreError::Corrupt {
                source: error.into(),
            };
        }
        StoreError::Unavailable {
            operation,
            source: self.cause(error).into(),
        }
    }

    /// A command without a connection only knows that it was cancelled, or that it waited in vain;
    /// the connection knows why.
    fn cause(&self, error: FredError) -> FredError {
        if !matches!(error.kind(), ErrorKind::Canceled | ErrorKind::Timeout) {
            return error;
        }
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let mut has_news = false;
        loop {
            match faults.reports.try_recv() {
                Ok((fault, _)) => {
                    faults.newest = Some(fault);
                    has_news = true;
                }
                // Reports were lost; the next call goes on with the oldest that is left.
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        // A command that timed out had a connection, unless there is news of it; then an old fault
        // would mislead.
        let applies = has_news || *error.kind() == ErrorKind::Canceled;
        faults.newest.clone().filter(|_| applies).unwrap_or(error)
    }

    /// The driver gives up on faults that it takes for lasting ones. They may be mended all the same
    /// (a failing name server, a cluster being set up), and nobody should have to restart db-chat then.
    fn revive_driver(&self) {
        let mut driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if driver.is_finished() {
            *driver = self.client.connect();
        }
    }
}

impl Drop for RedisStore {
    /// The driver's task holds the client, and would outlive the store.
    fn drop(&mut self) {
        self.driver
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .abort();
    }
}

#[async_trait]
impl ConversationStore for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn load(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let ttl = Value::from(self.ttl_seconds.to_string());
        let encoded: Vec<Bytes> = self.run_script("load", LOAD_TURNS, id, [ttl]).await?;
        let Some((summary, encoded)) = encoded.split_first() else {
            return Ok(None);
        };
        let turns = encoded
            .iter()
            .map(|turn| codec::decode(turn))
            .collect::<Result<_, _>>()?;
        Ok(Some(Conversation {
            id,
            turns,
            summary: codec::decode_summary(summary),
        }))
    }

    async fn append(&self, id: ConversationId, turn: StoredTurn) -> Result<(), StoreError> {
        // Redis counts list positions in 64 signed bits, from the end with a minus.
        let first_kept = -i64::try_from(self.retention.turns_max).unwrap_or(i64::MAX);
        let arguments = [
            Value::from(Bytes::from(self.retention.encode(&turn)?)),
            Value::from(first_kept.to_string()),
            Value::from(self.retention.bytes_max.to_string()),
            Value::from(self.ttl_seconds.to_string()),
        ];
        self.run_script("append", APPEND_TURN, id, arguments).await
    }

    async fn summarise(&self, id: ConversationId, summary: Summary) -> Result<bool, StoreError> {
        let summary = Value::from(Bytes::from(codec::encode_summary(&summary)?));
        let kept: i64 = self
            .run_script("summarise", PUT_SUMMARY, id, [summary])
            .await?;
        Ok(kept > 0)
    }

    async fn forget(&self, id: ConversationId) -> Result<bool, StoreError> {
        let keys = vec![self.keys.turns(id), self.keys.summary(id)];
        let keys_deleted: u64 = self
            .call("forget", |client| async move { client.del(keys).await })
            .await?;
        Ok(keys_deleted > 0)
    }

    async fn reachable(&self) -> Result<(), StoreError> {
        self.call("ping", |client| async move { client.ping(None).await })
            .await
    }
}

fn client(
    config: &ConversationsConfig,
    timeout: Duration,
) -> Result<Client, Box<dyn StdError + Send + Sync>> {
    let url = config.redis_url.as_ref().ok_or(RedisUrlError::Missing)?;
    let client = Builder::from_config(redis_url::parse(url.expose_secret())?)
        .with_connection_config(|connection| {
            connection.connection_timeout = timeout;
            connection.internal_command_timeout = timeout;
            connection.tcp.nodelay = Some(true);
            // A connection that stays silent is cut, so that one dead link does not take every
            // later call to its deadline. Looked at often enough to act soon after the first one.
            connection.unresponsive.max_timeout = Some(timeout);
            connection.unresponsive.interval = (timeout / 4).max(Duration::from_millis(1));
        })
        .set_policy(ReconnectPolicy::new_exponential(
            0,
            RECONNECT_PAUSE_MS_MIN,
            RECONNECT_PAUSE_MS_MAX,
            2,
        ))
        .build()?;
    Ok(client)
}
