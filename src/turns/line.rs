//! The order within a conversation on this instance: its turns queue, and the first one runs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::domain::ids::ConversationId;

/// One queue for each conversation that has turns. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Line {
    queues: Arc<Mutex<HashMap<ConversationId, Queue>>>,
}

#[derive(Default)]
struct Queue {
    /// The first one has been told to go.
    places: VecDeque<(u64, Option<oneshot::Sender<()>>)>,
    places_given: u64,
}

/// A place in a queue; dropping it lets the next one go.
pub(super) struct Place {
    line: Line,
    conversation_id: ConversationId,
    number: u64,
    /// `None` once it has been waited for.
    signal: Option<oneshot::Receiver<()>>,
}

impl Line {
    /// Queues at the end.
    pub(super) fn enter(&self, conversation_id: ConversationId) -> Place {
        let (sender, receiver) = oneshot::channel();
        let number = self.change(conversation_id, |queue| {
            queue.places_given += 1;
            queue.places.push_back((queue.places_given, Some(sender)));
            queue.places_given
        });
        Place {
            line: self.clone(),
            conversation_id,
            number,
            signal: Some(receiver),
        }
    }

    /// Changes a queue, then tells its first place to go if it has not been told.
    fn change<T>(&self, id: ConversationId, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queues.entry(id).or_default();
        let result = change(queue);
        match queue.places.front_mut() {
            Some((_, signal)) => {
                if let Some(signal) = signal.take() {
                    // Its receiver lives as long as the place does.
                    let _ = signal.send(());
                }
            }
            None => {
                queues.remove(&id);
            }
        }
        result
    }
}

impl Place {
    /// Waits until it is the first one.
    ///
    /// # Cancel safety
    /// The place is kept when it is dropped, and can be waited for again.
    pub(super) async fn first(&mut self) {
        if let Some(signal) = &mut self.signal {
            // The sender is dropped only together with the place.
            let _ = signal.await;
            self.signal = None;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.number;
        self.line.change(self.conversation_id, |queue| {
            queue.places.retain(|(other, _)| *other != number);
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn places_go_in_order_and_an_empty_queue_leaves_nothing() {
        let line = Line::default();
        let id = ConversationId::random();
        let (mut one, mut two, mut three) = (line.enter(id), line.enter(id), line.enter(id));
        let mut elsewhere = line.enter(ConversationId::random());
        assert!(elsewhere.first().now_or_never().is_some());
        assert!(one.first().now_or_never().is_some());
        assert!(two.first().now_or_never().is_none());
        drop(two);
        assert!(three.first().now_or_never().is_none());
        drop(one);
        assert!(three.first().now_or_never().is_some());
        drop((three, elsewhere));
        assert!(line.queues.lock().expect("no panic").is_empty());
    }
}
