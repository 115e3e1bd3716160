//! Followers: each is a task that carries a turn's frames from its log into one client's channel, at the client's pace.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::ids::RequestId;
use crate::wire::errors::WireError;

use super::frame::{Delivered, Delivery};
use super::local_turn::LocalTurn;
use super::shared::SharedTurns;
use super::{TurnHub, TurnName, remote};

/// What a client holds while it follows a turn. Dropped, nothing more is delivered; the turn goes on without it if its
/// [`Delivery`] says so, and stops if this was its last follower otherwise.
pub struct Following {
    turn: Option<Arc<LocalTurn>>,
    is_for_good: Arc<AtomicBool>,
    _stop_on_drop: DropGuard,
}

impl Following {
    /// Stops the turn; its final frame still comes. `false` where it is not known yet which turn that is.
    #[must_use]
    pub fn cancel(&self) -> bool {
        let Some(turn) = &self.turn else {
            return false;
        };
        turn.stop(super::cancelled());
        true
    }

    /// Whether the turn is on this instance. What is followed elsewhere can be followed from any other instance as well.
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.turn.is_some()
    }

    /// Leaves and will not come back: the turn stops, unless somebody else follows it.
    pub fn leave_for_good(self) {
        self.is_for_good.store(true, Ordering::Release);
    }
}

/// A follower that is counted; leaves when it is dropped.
struct Joined {
    turn: Arc<LocalTurn>,
    is_for_good: Arc<AtomicBool>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        let was_last = self.turn.log.leave();
        if was_last && self.is_for_good.load(Ordering::Acquire) {
            self.turn.leave_for_good();
        }
    }
}

/// Follows a turn of this instance after the frame `after`; the second value is the task to be spawned.
pub(super) fn local(
    turn: &Arc<LocalTurn>,
    after: u64,
    receiver: mpsc::Sender<Delivered>,
) -> (Following, impl Future<Output = ()> + Send + use<>) {
    let stop = CancellationToken::new();
    let is_for_good = Arc::new(AtomicBool::new(turn.delivery != Delivery::Resumable));
    turn.log.join();
    let joined = Joined {
        turn: Arc::clone(turn),
        is_for_good: Arc::clone(&is_for_good),
    };
    let following = Following {
        turn: Some(Arc::clone(turn)),
        is_for_good,
        _stop_on_drop: stop.clone().drop_guard(),
    };
    let pump = async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = receiver.closed() => {}
            () = carry(&joined.turn, after, &receiver) => {}
        }
    };
    (following, pump)
}

/// Follows a turn of another instance, if there is one.
pub(super) fn remote(
    hub: &TurnHub,
    shared: SharedTurns,
    name: TurnName,
    after: u64,
    receiver: mpsc::Sender<Delivered>,
) -> (Following, impl Future<Output = ()> + Send + use<>) {
    let stop = CancellationToken::new();
    let is_for_good = Arc::new(AtomicBool::new(false));
    let following = Following {
        turn: None,
        is_for_good: Arc::clone(&is_for_good),
        _stop_on_drop: stop.clone().drop_guard(),
    };
    let (abort, keep_for) = (hub.hub.abort.clone(), hub.hub.resume_timeout);
    let pump = async move {
        let carrying = async {
            let turn = remote::find(&shared, &name).await?;
            remote::carry(&shared, &name, turn, after, keep_for, &receiver).await
        };
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled() => {
                if is_for_good.load(Ordering::Acquire) {
                    // The turn is looked for again, which costs less than to remember it through every await.
                    let _ = remote::leave_for_good(&shared, &name).await;
                }
                return;
            }
            () = receiver.closed() => return,
            () = abort.cancelled() => Err(WireError::shutting_down()),
            outcome = carrying => outcome,
        };
        if let Err(error) = outcome {
            let refused = Delivered::Refused {
                request_id: name.request_id.clone(),
                ends_following: true,
                error,
            };
            // Fails only when the client is gone.
            let _ = receiver.send(refused).await;
        }
    };
    (following, pump)
}

/// Tells a client that what it named is not there.
pub(super) fn refusal(
    request_id: RequestId,
    error: WireError,
    receiver: mpsc::Sender<Delivered>,
) -> (Following, impl Future<Output = ()> + Send) {
    let stop = CancellationToken::new();
    let following = Following {
        turn: None,
        is_for_good: Arc::default(),
        _stop_on_drop: stop.clone().drop_guard(),
    };
    let telling = async move {
        let refused = Delivered::Refused {
            request_id,
            ends_following: true,
            error,
        };
        // Fails only when the client is gone.
        let _ = stop.run_until_cancelled(receiver.send(refused)).await;
    };
    (following, telling)
}

/// Carries frames up to and including the final one. A frame is taken from the log only once there is room for it.
async fn carry(turn: &LocalTurn, mut after: u64, receiver: &mpsc::Sender<Delivered>) {
    loop {
        turn.log.moved_past(after).await;
        let Ok(room) = receiver.reserve().await else {
            return;
        };
        if let Some(error) = turn.log.refusal() {
            room.send(Delivered::Refused {
                request_id: turn.request_id.clone(),
                ends_following: true,
                error,
            });
            return;
        }
        let Some(frame) = turn.log.take(after) else {
            continue;
        };
        after = frame.seq;
        let is_final = frame.ending.is_some();
        room.send(Delivered::Frame(frame));
        if is_final {
            return;
        }
    }
}
