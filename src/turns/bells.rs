//! Who on this instance waits for something that another one does to a turn. A bell only makes somebody look sooner: it may
//! ring for nothing, and it may fail to ring.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::ids::TurnId;

/// All bells of the instance, by turn. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Bells {
    waiting: Arc<Mutex<HashMap<TurnId, Vec<Arc<Notify>>>>>,
}

/// One who waits; nobody waits any more when it is dropped.
pub(super) struct Bell {
    bells: Bells,
    turn: TurnId,
    notify: Arc<Notify>,
}

impl Bells {
    /// From now on, what rings for the turn is not missed.
    pub(super) fn bell(&self, turn: TurnId) -> Bell {
        let notify = Arc::new(Notify::new());
        let mut waiting = self.waiting();
        waiting.entry(turn).or_default().push(Arc::clone(&notify));
        drop(waiting);
        Bell {
            bells: self.clone(),
            turn,
            notify,
        }
    }

    /// Whether anybody waits for something about the turn.
    pub(super) fn is_awaited(&self, turn: TurnId) -> bool {
        self.waiting().contains_key(&turn)
    }

    /// Rings for all who wait for something about the turn.
    pub(super) fn ring(&self, turn: TurnId) {
        let waiting = self.waiting();
        for notify in waiting.get(&turn).into_iter().flatten() {
            notify.notify_one();
        }
    }

    /// Rings for everybody: nobody knows what was missed.
    pub(super) fn ring_all(&self) {
        for notify in self.waiting().values().flatten() {
            notify.notify_one();
        }
    }

    /// Nothing in the map can be half-changed, so a poisoned lock is still sound.
    fn waiting(&self) -> MutexGuard<'_, HashMap<TurnId, Vec<Arc<Notify>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bell {
    /// Waits until it rings, or has rung since the last time, but no longer than this.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn rung(&self, wait_max: Duration) {
        // Either way it is time to look.
        let _ = tokio::time::timeout(wait_max, self.notify.notified()).await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let mut waiting = self.bells.waiting();
        if let Some(notifies) = waiting.get_mut(&self.turn) {
            notifies.retain(|notify| !Arc::ptr_eq(notify, &self.notify));
            if notifies.is_empty() {
                waiting.remove(&self.turn);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_bell_rings_for_its_turn_even_before_somebody_waits_and_leaves_nothing() {
        let bells = Bells::default();
        let (turn, other) = (TurnId::next(), TurnId::next());
        let (one, two, elsewhere) = (bells.bell(turn), bells.bell(turn), bells.bell(other));
        bells.ring(turn);
        bells.ring(turn);
        assert!(one.rung(LONG).now_or_never().is_some());
        assert!(one.rung(LONG).now_or_never().is_none(), "it rang once");
        assert!(two.rung(LONG).now_or_never().is_some());
        assert!(elsewhere.rung(LONG).now_or_never().is_none());
        bells.ring_all();
        assert!(elsewhere.rung(LONG).now_or_never().is_some());
        drop((one, two, elsewhere));
        assert!(bells.waiting().is_empty());
    }
}
