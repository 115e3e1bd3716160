//! One actor per socket: reads the client's frames, has its questions answered, writes what comes of
//! them, and ends with the reason on the wire.
//!
//! Every task here stays on the HTTP worker thread that accepted the socket, because the incoming
//! stream is not `Send`; turns run elsewhere (see `turns`), so that their work stalls no socket.

mod actor;
mod frame_bounds;
mod frame_header;
mod half_close;
mod heartbeat;
mod mailbox;
mod outbox;
mod socket;
mod utf8;

use actix_web::dev;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::config::Limits;
use crate::domain::caller::Caller;
use crate::domain::ids::RequestId;
use crate::limits::ConnectionPermit;
use crate::telemetry::metrics::Metrics;
use crate::turns::TurnHub;

pub use half_close::HalfClose;

use actor::Actor;
use outbox::Outbox;

/// What every connection of a process shares. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionContext {
    /// Starts turns, and takes them up.
    pub turns: TurnHub,
    /// Sizes, counts and timeouts.
    pub limits: Limits,
    /// Fires when the server is to stop: no new questions, and the end once those in flight are answered.
    pub stop: CancellationToken,
    /// Whether ratings of answers are kept, for the greeting.
    pub keeps_feedback: bool,
    /// Counts connections, and what waits for their clients.
    pub metrics: Metrics,
    /// Counts the actors, so that shutdown can wait for them.
    pub tasks: TaskTracker,
}

/// Shakes hands and starts the connection's actor, which asks on behalf of `caller` and holds `permit` until it ends. Must be called
/// on the worker thread that accepted the request.
///
/// # Errors
/// The request is no WebSocket handshake (RFC 6455, section 4.2.1); no actor was started.
pub async fn open(
    request: &HttpRequest,
    payload: dev::Payload,
    context: &ConnectionContext,
    caller: Caller,
    permit: ConnectionPermit,
) -> Result<HttpResponse, actix_web::Error> {
    let outbox = Outbox::new(context.limits.outbox_bytes_max, context.metrics.clone());
    let (response, reader) = socket::upgrade(
        request,
        payload,
        context.limits.frame_bytes_max,
        outbox.clone(),
    )
    .await?;
    let actor = Actor::new(context.clone(), caller, outbox, reader);
    let handshake = request.extensions().get::<RequestId>().cloned();
    let handshake = handshake.unwrap_or_else(RequestId::random);
    let span = tracing::info_span!("connection", connection_id = %handshake);
    let counted = context.metrics.connection_opened();
    let running = async move {
        actor.run().await;
        drop((permit, counted));
    };
    context.tasks.spawn_local(running.instrument(span));
    Ok(response)
}
