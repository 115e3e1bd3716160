//! One connection to Redis or Valkey, whatever stands behind the address: a server, a cluster, one behind sentinels.
//!
//! A Redis that is away is an error at once, and one that hangs is an error once the deadline has
//! passed; nothing is queued for later and nothing is sent twice. The driver's own task reconnects.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fred::clients::{Client, WithOptions};
use fred::error::{Error as FredError, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface, FredResult};
use fred::types::config::{Options, ReconnectPolicy, Server};
use fred::types::{Builder, ClusterHash, CustomCommand, FromValue, Value};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::Instant;

use super::driver::Driver;
use super::subscription::Subscription;
use super::url::{self, RedisUrlError};
use crate::config::{ConversationsConfig, Limits};

/// Commands under way at once; more wait within their own deadline. Each holds up to a whole
/// conversation, so this bounds what a slow Redis can make the process hold: 64 MiB by default.
const COMMANDS_IN_FLIGHT_MAX: usize = 256;

/// Pauses between two attempts to connect: doubled from the first to the last.
const RECONNECT_PAUSE_MS_MIN: u32 = 50;
const RECONNECT_PAUSE_MS_MAX: u32 = 2_000;

/// Messages of a channel that wait to be taken; when there are more, the oldest are dropped.
const MESSAGES_WAITING_MAX: usize = 1_024;

/// How often one command may be sent on to another node of a cluster: for a slot that has moved, and moves again.
const REDIRECTIONS_MAX: u32 = 2;

/// Pause before a script is sent again while the slot of its keys moves to another node.
const MOVE_PAUSE: Duration = Duration::from_millis(50);

/// Where the first key of a script stands among the arguments of `EVAL`.
const FIRST_KEY: ClusterHash = ClusterHash::Offset(2);

/// A connection to Redis. Cheap to clone; the last clone that goes ends it.
#[derive(Clone)]
pub struct RedisConnection {
    inner: Arc<Inner>,
}

struct Inner {
    driver: Driver,
    faults: Mutex<ConnectionFaults>,
    permits: Semaphore,
    timeout: Duration,
    /// How often the driver may send one command. A node of a cluster that has not got the key says where it is, and the
    /// command is sent there: a second time, for the driver, though it was not carried out. In that case alone a cut
    /// connection can make it repeat one; every script bears that.
    attempts_max: u32,
}

/// What the driver says about its connection.
struct ConnectionFaults {
    /// Filled by the driver, oldest first; read only when a command has failed.
    reports: broadcast::Receiver<(FredError, Option<Server>)>,
    /// The newest one read so far.
    newest: Option<FredError>,
}

impl RedisConnection {
    /// Starts connecting to the Redis that is configured, and waits for the first connection as long as one call may take;
    /// `None` where none is. Runs within a Tokio runtime, which must outlive the connection.
    ///
    /// A Redis that does not answer is no error here: a server that starts together with its Redis, or while it is being
    /// moved, would have to be started again by hand. It is used as soon as it can be reached.
    ///
    /// # Errors
    /// The address cannot be read.
    pub async fn open(
        config: &ConversationsConfig,
        limits: &Limits,
    ) -> Result<Option<Self>, RedisUrlError> {
        let Some(address) = &config.redis_url else {
            return Ok(None);
        };
        let timeout = Duration::from_millis(limits.store_timeout_ms);
        let client = client(address, timeout)?;
        let attempts_max = match client.is_clustered() {
            true => 1 + REDIRECTIONS_MAX,
            false => 1,
        };
        let faults = ConnectionFaults {
            reports: client.error_rx(),
            newest: None,
        };
        let connection = Self {
            inner: Arc::new(Inner {
                driver: Driver::start(client),
                faults: Mutex::new(faults),
                permits: Semaphore::new(COMMANDS_IN_FLIGHT_MAX),
                timeout,
                attempts_max,
            }),
        };
        // Unlike all later commands, this one waits for a connection.
        let patient = Options {
            timeout: Some(timeout),
            ..Options::default()
        };
        let answer: FredResult<()> = connection
            .inner
            .driver
            .client()
            .with_options(&patient)
            .ping(None)
            .await;
        if let Err(error) = answer {
            let error = connection.inner.cause(error);
            tracing::warn!(
                error = &error as &dyn StdError,
                "Redis does not answer; starting without it and connecting in the background"
            );
        }
        Ok(Some(connection))
    }

    /// Listens to a channel, over one connection more. Runs within a Tokio runtime, which must outlive the subscription.
    #[must_use]
    pub fn subscribe(&self, channel: String) -> Subscription {
        let client = self.inner.driver.client().clone_new();
        Subscription::new(client, channel, self.inner.timeout)
    }

    /// Runs a script on keys that live in one slot. The script's text goes along each time: it is short, and nothing has
    /// to be loaded again after a restart or on another node.
    ///
    /// # Errors
    /// Redis is away, did not answer in time, or the script failed.
    ///
    /// # Cancel safety
    /// Dropped midway, the script runs whole or not at all, and nothing tells which.
    pub async fn run_script<R: FromValue>(
        &self,
        script: &'static str,
        keys: impl IntoIterator<Item = String>,
        arguments: impl IntoIterator<Item = Value>,
    ) -> Result<R, FredError> {
        let keys: Vec<Value> = keys.into_iter().map(Value::from).collect();
        let keys_count = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        // Not `LuaInterface::eval`: it passes over the options, the deadline among them.
        let eval = CustomCommand::new_static("EVAL", FIRST_KEY, false);
        let arguments: Vec<Value> = [script.into(), keys_count.into()]
            .into_iter()
            .chain(keys)
            .chain(arguments)
            .collect();
        let deadline = Instant::now() + self.inner.timeout;
        loop {
            let (eval, arguments) = (eval.clone(), arguments.clone());
            // The driver looks at the options alone: without them it takes the script's text for the key.
            let answer = self
                .call_until(deadline, Some(FIRST_KEY), |client| async move {
                    client.custom(eval, arguments).await
                })
                .await;
            match answer {
                Err(error) if is_on_the_move(&error) && Instant::now() + MOVE_PAUSE < deadline => {
                    tokio::time::sleep(MOVE_PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    /// Runs one command within the deadline, the wait for its turn included.
    ///
    /// # Errors
    /// Redis is away, did not answer in time, or refused the command.
    pub async fn call<R, F, C>(&self, command: C) -> Result<R, FredError>
    where
        C: FnOnce(WithOptions<Client>) -> F + Send,
        F: Future<Output = FredResult<R>> + Send,
    {
        let deadline = Instant::now() + self.inner.timeout;
        self.call_until(deadline, None, command).await
    }

    async fn call_until<R, F, C>(
        &self,
        deadline: Instant,
        cluster_hash: Option<ClusterHash>,
        command: C,
    ) -> Result<R, FredError>
    where
        C: FnOnce(WithOptions<Client>) -> F + Send,
        F: Future<Output = FredResult<R>> + Send,
    {
        let inner = &self.inner;
        inner.driver.revive();
        let permit = tokio::time::timeout_at(deadline, inner.permits.acquire()).await;
        let left = deadline.saturating_duration_since(Instant::now());
        let answer = match permit {
            // The driver takes milliseconds, and none of them for a command that may take for ever.
            Ok(Ok(_permit)) if left.as_millis() > 0 => {
                let options = Options {
                    // The driver's own timer, and not one around it: a command whose time is over
                    // is then not sent any more, even if the driver still has it.
                    timeout: Some(left),
                    // Without a connection the answer is an error at once, and a command that was
                    // cut off is not repeated: it may have been carried out (but see `attempts_max`).
                    fail_fast: true,
                    max_attempts: Some(inner.attempts_max),
                    max_redirections: Some(REDIRECTIONS_MAX),
                    cluster_hash,
                    ..Options::default()
                };
                command(inner.driver.client().with_options(&options)).await
            }
            Ok(_) | Err(_) => Err(FredError::new(
                ErrorKind::Timeout,
                "too many commands are waiting for Redis",
            )),
        };
        answer.map_err(|error| inner.cause(error))
    }
}

impl Inner {
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
}

/// Whether nothing was carried out, because the keys are moving from one node of a cluster to another. The first word of a
/// Redis error is its code; the driver gives up when it is sent to and fro between the two nodes.
fn is_on_the_move(error: &FredError) -> bool {
    *error.kind() == ErrorKind::Routing || error.details().starts_with("TRYAGAIN ")
}

fn client(address: &SecretString, timeout: Duration) -> Result<Client, RedisUrlError> {
    Builder::from_config(url::parse(address.expose_secret())?)
        .with_connection_config(|connection| {
            connection.connection_timeout = timeout;
            connection.internal_command_timeout = timeout;
            connection.tcp.nodelay = Some(true);
            // A connection that stays silent is cut, so that one dead link does not take every
            // later call to its deadline. Looked at often enough to act soon after the first one.
            connection.unresponsive.max_timeout = Some(timeout);
            connection.unresponsive.interval = (timeout / 4).max(Duration::from_millis(1));
        })
        .with_performance_config(|performance| {
            performance.broadcast_channel_capacity = MESSAGES_WAITING_MAX;
        })
        .set_policy(ReconnectPolicy::new_exponential(
            0,
            RECONNECT_PAUSE_MS_MIN,
            RECONNECT_PAUSE_MS_MAX,
            2,
        ))
        .build()
        .map_err(RedisUrlError::Syntax)
}
