//! Stopping in good order: readiness goes off and nobody new comes in; sockets close with 1001 once
//! their answers are out; what has no answer by the deadline is cancelled and hears so in a final frame.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// For the HTTP workers to write their last responses, in seconds.
pub(super) const WORKERS_SECONDS: u64 = 2;

/// For cancelled turns to say so and for their frames to be written: above the grace of `turns::runner`.
const CANCELLED_TURNS_GRACE: Duration = Duration::from_secs(4);

/// What has to be told, and waited for, at the end.
pub(super) struct Lifecycle {
    /// No new questions, no new sockets; sockets end once they are idle.
    pub(super) stop: CancellationToken,
    /// Every turn is cancelled.
    pub(super) abort: CancellationToken,
    /// Turns and their followers, those of REST included.
    pub(super) turns: TaskTracker,
    /// The sockets' actors.
    pub(super) connections: TaskTracker,
    /// For answers in flight.
    pub(super) drain_timeout: Duration,
}

impl Lifecycle {
    /// Returns when every turn and every socket has ended, at the latest a few seconds after the deadline.
    pub(super) async fn drain(&self) {
        self.stop.cancel();
        self.turns.close();
        self.connections.close();
        tracing::info!(
            turns = self.turns.len(),
            connections = self.connections.len(),
            "stopping"
        );
        if tokio::time::timeout(self.drain_timeout, self.all_ended())
            .await
            .is_ok()
        {
            return;
        }
        tracing::warn!(
            turns = self.turns.len(),
            connections = self.connections.len(),
            "cancelling what has not ended in time"
        );
        self.abort.cancel();
        let _ = tokio::time::timeout(CANCELLED_TURNS_GRACE, self.all_ended()).await;
    }

    async fn all_ended(&self) {
        self.turns.wait().await;
        self.connections.wait().await;
    }
}

/// A token that fires on SIGTERM or SIGINT. `tasks` counts the task that listens.
///
/// # Errors
/// The signals cannot be listened for.
pub fn on_signal(tasks: &TaskTracker) -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let fired = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            // The server has ended by itself.
            () = fired.cancelled() => {}
        }
        fired.cancel();
    });
    Ok(stop)
}
