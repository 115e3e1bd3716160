//! The composition root: puts the parts together, runs the server, stops it.

mod admission;
pub mod demo;
pub mod private_postgres;
mod role_check;
mod services;
pub mod shutdown;

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, web};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::{AuthSetupError, Authenticator, Tickets};
use crate::config::Config;
use crate::connection::{ConnectionContext, InboundEnd};
use crate::http::{DoorParts, Doors, OriginPatternError, envelop, routes};
use crate::limits::MinuteRate;
use crate::pipeline::background::Background;
use crate::state::AuditLog;
use crate::turns::TurnHub;

use services::shared_turns;
pub use services::{Services, ServicesError};
use shutdown::Lifecycle;

/// For the audit log's last rows to be written.
const AUDIT_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// For what no answer waits for to be dropped. It is dropped at its next wait.
const BACKGROUND_STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A server that listens and waits to be run.
pub struct Application {
    address: SocketAddr,
    server: Server,
    lifecycle: Lifecycle,
    audit: Option<AuditLog>,
    background: Background,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A part cannot be built.
    #[error("the settings cannot be used")]
    Services {
        /// Which one and why.
        #[source]
        source: ServicesError,
    },
    /// The address is taken, not ours, or no address.
    #[error("cannot listen on {bind}: change DB_CHAT_BIND")]
    Listen {
        /// What was to be listened on.
        bind: String,
        /// The system's own words.
        #[source]
        source: std::io::Error,
    },
    /// Others could reach the server, and the database role could do more than read.
    #[error(
        "listening on {bind}, which others can reach, is refused because of the database role: {reason}. \
         Ask with a role made by `db-chat grants`, or set DB_CHAT_ALLOW_UNSAFE_ROLE=true"
    )]
    UnsafeRole {
        /// What was to be listened on.
        bind: String,
        /// What the role could do.
        reason: String,
    },
    /// Others could reach the server, and nothing asks who they are.
    #[error(
        "listening on {bind}, which others can reach, is refused because anybody could ask: set DB_CHAT_API_KEYS \
         (`db-chat key NAME` makes one) or DB_CHAT_JWT_JWKS_URL, or set DB_CHAT_ALLOW_UNAUTHENTICATED_ACCESS=true"
    )]
    Unauthenticated {
        /// What was to be listened on.
        bind: String,
    },
    /// Credentials cannot be checked.
    #[error("keys or tokens cannot be checked")]
    Auth {
        /// Why.
        #[source]
        source: AuthSetupError,
    },
    /// One of the allowed origins cannot be understood.
    #[error("DB_CHAT_ALLOWED_ORIGINS cannot be used")]
    Origins {
        /// Which and why.
        #[source]
        source: OriginPatternError,
    },
}

impl Application {
    /// Builds every part from the settings and listens.
    ///
    /// # Errors
    /// A setting is no good, the address cannot be listened on, or it is one that others reach and the database role could
    /// change data.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn build(config: Config) -> Result<Self, BuildError> {
        if let Some(reason) = role_check::refusal(&config).await {
            let bind = config.server.bind;
            return Err(BuildError::UnsafeRole { bind, reason });
        }
        let services = Services::connect(&config)
            .await
            .map_err(|source| BuildError::Services { source })?;
        Self::assemble(&config, services)
    }

    /// Listens, with parts that were built elsewhere. Turns run on the tokio runtime that this is called
    /// in; the sockets have threads of their own.
    ///
    /// # Errors
    /// The address cannot be listened on, or a setting is no good.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn assemble(config: &Config, services: Services) -> Result<Self, BuildError> {
        let bind = &config.server.bind;
        let listen = |source| BuildError::Listen {
            bind: bind.clone(),
            source,
        };
        let listener = TcpListener::bind(bind).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let authenticator = Authenticator::new(&config.auth, &config.limits)
            .map_err(|source| BuildError::Auth { source })?;
        let is_open = !authenticator.is_required() && !address.ip().to_canonical().is_loopback();
        if is_open && !config.auth.allow_unauthenticated {
            let bind = bind.clone();
            return Err(BuildError::Unauthenticated { bind });
        }
        let redis_prefix = &config.conversations.redis_prefix;
        let redis = || services.redis.clone();
        let question_rate = MinuteRate::of_questions(&config.limits, redis(), redis_prefix);
        let ticket_rate = MinuteRate::of_tickets(&config.limits, redis(), redis_prefix);
        let shared = shared_turns(config, services.redis.as_ref());
        let tickets = Tickets::new(services.redis, redis_prefix);

        let stop = CancellationToken::new();
        let abort = CancellationToken::new();
        let turns = TaskTracker::new();
        let connections = TaskTracker::new();
        let hub = TurnHub::new(
            admission::within_rate(services.run_turn, question_rate),
            &config.limits,
            tokio::runtime::Handle::current(),
            turns.clone(),
            abort.clone(),
            shared,
            services.metrics.clone(),
        );
        let context = ConnectionContext {
            turns: hub,
            limits: config.limits.clone(),
            keeps_feedback: services.feedback.is_some(),
            metrics: services.metrics,
            stop: stop.clone(),
            tasks: connections.clone(),
        };
        let parts = DoorParts {
            connections: context,
            authenticator,
            tickets,
            ticket_rate,
            store: services.store,
            schema: services.schema,
            feedback: services.feedback,
            checks: services.checks,
            is_demo: config.database.is_demo,
        };
        let doors =
            Doors::new(&config.server, parts).map_err(|source| BuildError::Origins { source })?;
        let doors = web::Data::new(doors);

        let write_timeout_ms = config.limits.write_timeout_ms;
        let server = HttpServer::new(move || {
            App::new()
                .wrap(from_fn(envelop))
                .configure(routes(doors.clone()))
        })
        .on_connect(move |connection, data| {
            bound_writes(connection, write_timeout_ms);
            if let Some(end) = InboundEnd::of(connection) {
                data.insert(end);
            }
        })
        .client_request_timeout(Duration::from_millis(config.limits.head_timeout_ms))
        .keep_alive(Duration::from_millis(config.limits.keep_alive_timeout_ms))
        // Without it the kernel holds a small frame back until the client has acknowledged the one before it, which clients put
        // off for 40 ms; the first token follows close upon frames of other kinds.
        .tcp_nodelay(true)
        // A client that closes its side has gone; its question is stopped.
        .h1_allow_half_closed(false)
        .shutdown_timeout(shutdown::WORKERS_SECONDS)
        // Signals are the business of `shutdown`.
        .disable_signals()
        .listen(listener)
        .map_err(listen)?
        .run();

        let lifecycle = Lifecycle {
            stop,
            abort,
            turns,
            connections,
            drain_timeout: Duration::from_millis(config.limits.shutdown_timeout_ms),
        };
        Ok(Self {
            address,
            server,
            lifecycle,
            audit: services.audit,
            background: services.background,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port that it listens on: the one taken, where 0 was asked for.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Serves until `stop` fires, then ends in good order (see `shutdown`).
    ///
    /// # Errors
    /// The server failed by itself.
    pub async fn run_until_stopped(self, stop: CancellationToken) -> std::io::Result<()> {
        let Self {
            server,
            lifecycle,
            audit,
            background,
            ..
        } = self;
        let handle = server.handle();
        let serving = async {
            let result = server.await;
            // Whatever made it end, nobody is left to wait for a signal.
            stop.cancel();
            result
        };
        let stopping = async {
            stop.cancelled().await;
            background.stop(BACKGROUND_STOP_TIMEOUT).await;
            lifecycle.drain().await;
            handle.stop(true).await;
        };
        let (result, ()) = tokio::join!(serving, stopping);
        if let Some(audit) = audit {
            audit.close(AUDIT_CLOSE_TIMEOUT).await;
        }
        result
    }
}

/// Has the kernel drop a client that takes nothing of what it was sent for the write timeout. Actix waits
/// for such a client for ever, and then keeps whatever the response holds.
fn bound_writes(connection: &dyn Any, write_timeout_ms: u64) {
    #[cfg(target_os = "linux")]
    if let Some(stream) = connection.downcast_ref::<TcpStream>() {
        let timeout_ms = u32::try_from(write_timeout_ms).unwrap_or(u32::MAX);
        if let Err(error) = nix::sys::socket::setsockopt(
            stream,
            nix::sys::socket::sockopt::TcpUserTimeout,
            &timeout_ms,
        ) {
            tracing::debug!(%error, "TCP_USER_TIMEOUT cannot be set");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (connection, write_timeout_ms);
}
