//! What waits to be written to one client: a queue bounded in bytes, drained by the response body that
//! the HTTP worker polls whenever the socket takes more. Nothing is dropped; a client that lets the
//! queue fill, or takes nothing for too long, is closed by the actor.
//!
//! The actor and the body share the queue on one thread, so it needs no lock. The body is the only
//! writer: nothing that has been taken out waits anywhere but in the socket's own buffer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::time::Instant;

use crate::protocol::close_code::CloseCode;
use crate::telemetry::metrics::{Held, Metrics};

/// While more than this waits, no further frames are taken from turns: their tokens merge where they
/// are (see `turns::log`). Well above one network packet, well below a client's patience.
const TURN_FRAMES_BYTES_MAX: usize = 16 * 1024;

/// Pongs that may wait: a client that counts its pings gets an answer to each, one that floods does not.
const PONGS_WAITING_MAX: usize = 16;

/// The queue. Clones share it.
#[derive(Clone)]
pub(super) struct Outbox {
    shared: Rc<Shared>,
}

struct Shared {
    metrics: Metrics,
    state: RefCell<State>,
    /// Signals the actor that something was taken out, or that the body is gone.
    moved: Notify,
}

/// A text frame that has not been taken out.
struct Waiting {
    text: Arc<str>,
    permit: Option<OwnedSemaphorePermit>,
    _counted: Held,
}

struct State {
    queue: VecDeque<Waiting>,
    bytes: usize,
    bytes_max: usize,
    /// A ping that has not been written yet. More than one at a time would say nothing more.
    ping: bool,
    /// Pongs to write, at most [`PONGS_WAITING_MAX`].
    pongs: VecDeque<Bytes>,
    close: Option<CloseCode>,
    /// Since when something waits without anything having been taken.
    stalled_since: Option<Instant>,
    /// The body, waiting for something to write.
    writer: Option<Waker>,
    /// The close frame was taken, the actor gave up, or the body is gone: nothing will be written any more.
    is_over: bool,
}

/// One thing to write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// A text frame.
    Text(Arc<str>),
    /// A ping.
    Ping,
    /// The answer to the client's ping.
    Pong(Bytes),
    /// The last frame.
    Close(CloseCode),
}

/// The outbox is over its limit: the client does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overfull;

impl Outbox {
    /// `bytes_max` bounds what may wait before a frame is refused; the frame that crosses it is still
    /// taken, so that an answer larger than the limit can be sent.
    pub(super) fn new(bytes_max: usize, metrics: Metrics) -> Self {
        Self {
            shared: Rc::new(Shared {
                metrics,
                state: RefCell::new(State {
                    queue: VecDeque::new(),
                    bytes: 0,
                    bytes_max,
                    ping: false,
                    pongs: VecDeque::new(),
                    close: None,
                    stalled_since: None,
                    writer: None,
                    is_over: false,
                }),
                moved: Notify::new(),
            }),
        }
    }

    /// Queues a text frame. `permit` is given back once the frame has been taken out to be written.
    ///
    /// # Errors
    /// The queue is over its limit. The frame is gone, and the connection should be.
    pub(super) fn push(
        &self,
        text: Arc<str>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Overfull> {
        self.change(|state| {
            if state.close.is_some() || state.is_over {
                return Ok(());
            }
            if state.bytes > state.bytes_max {
                return Err(Overfull);
            }
            state.bytes += text.len();
            state.queue.push_back(Waiting {
                _counted: self.shared.metrics.outbox_holds(text.len()),
                text,
                permit,
            });
            Ok(())
        })
    }

    /// Queues a ping, in front of all text.
    pub(super) fn ping(&self) {
        self.change(|state| state.ping = true);
    }

    /// Queues a pong, in front of all text. Where too many wait, the oldest gives way: only the latest ping needs an
    /// answer (RFC 6455, section 5.5.3).
    pub(super) fn pong(&self, payload: Bytes) {
        self.change(|state| {
            if state.pongs.len() == PONGS_WAITING_MAX {
                state.pongs.pop_front();
            }
            // A copy, so that a few bytes do not keep what else came with them.
            state.pongs.push_back(Bytes::copy_from_slice(&payload));
        });
    }

    /// Ends the queue: what waits is still written, then the close frame; nothing is taken in any more.
    /// The first call counts.
    pub(super) fn close(&self, code: CloseCode) {
        self.change(|state| {
            state.close.get_or_insert(code);
        });
    }

    /// Throws away what waits and ends the body: for a client that does not read.
    pub(super) fn abandon(&self) {
        self.change(|state| {
            state.queue.clear();
            state.bytes = 0;
            state.is_over = true;
        });
        self.shared.moved.notify_one();
    }

    /// Whether turns may hand over more frames.
    pub(super) fn has_room(&self) -> bool {
        self.shared.state.borrow().bytes <= TURN_FRAMES_BYTES_MAX
    }

    /// Whether there is anything to be written.
    pub(super) fn has_waiting(&self) -> bool {
        self.shared.state.borrow().has_waiting()
    }

    /// Whether nothing will be written any more.
    pub(super) fn is_over(&self) -> bool {
        self.shared.state.borrow().is_over
    }

    /// When the client will have taken nothing for `timeout`; `None` while nothing waits.
    pub(super) fn stalls_at(&self, timeout: Duration) -> Option<Instant> {
        let since = self.shared.state.borrow().stalled_since?;
        Some(since + timeout)
    }

    /// Waits until something was taken out, or the body is gone.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn moved(&self) {
        self.shared.moved.notified().await;
    }

    /// The next thing to write, control frames first; `Ready(None)` after the last one. For the body only.
    pub(super) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Outgoing>> {
        let mut state = self.shared.state.borrow_mut();
        if state.is_over {
            return Poll::Ready(None);
        }
        let outgoing = if let Some(payload) = state.pongs.pop_front() {
            Outgoing::Pong(payload)
        } else if std::mem::take(&mut state.ping) {
            Outgoing::Ping
        } else if let Some(waiting) = state.queue.pop_front() {
            state.bytes -= waiting.text.len();
            drop(waiting.permit);
            Outgoing::Text(waiting.text)
        } else if let Some(code) = state.close {
            state.is_over = true;
            Outgoing::Close(code)
        } else {
            state.writer = Some(context.waker().clone());
            return Poll::Pending;
        };
        state.stalled_since = state.has_waiting().then(Instant::now);
        drop(state);
        self.shared.moved.notify_one();
        Poll::Ready(Some(outgoing))
    }

    /// The body is gone: the socket was closed, by whomever.
    pub(super) fn body_dropped(&self) {
        self.shared.state.borrow_mut().is_over = true;
        self.shared.moved.notify_one();
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.shared.state.borrow_mut();
        let result = change(&mut state);
        if state.stalled_since.is_none() && state.has_waiting() {
            state.stalled_since = Some(Instant::now());
        }
        let writer = state.writer.take();
        drop(state);
        if let Some(writer) = writer {
            writer.wake();
        }
        result
    }
}

impl State {
    fn has_waiting(&self) -> bool {
        !self.is_over
            && (!self.queue.is_empty()
                || self.ping
                || !self.pongs.is_empty()
                || self.close.is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn drain(outbox: &Outbox) -> Vec<Outgoing> {
        let context = Context::from_waker(Waker::noop());
        let mut drained = Vec::new();
        while let Poll::Ready(Some(outgoing)) = outbox.poll_next(&context) {
            drained.push(outgoing);
        }
        drained
    }

    #[tokio::test]
    async fn control_frames_overtake_text_and_close_comes_last() {
        let outbox = Outbox::new(100, Metrics::default());
        outbox.push("a".into(), None).expect("room");
        outbox.close(CloseCode::GoingAway);
        outbox.push("too late".into(), None).expect("ignored");
        outbox.ping();
        outbox.pong(Bytes::from_static(b"1"));
        outbox.pong(Bytes::from_static(b"2"));
        assert_eq!(
            drain(&outbox),
            [
                Outgoing::Pong(Bytes::from_static(b"1")),
                Outgoing::Pong(Bytes::from_static(b"2")),
                Outgoing::Ping,
                Outgoing::Text("a".into()),
                Outgoing::Close(CloseCode::GoingAway),
            ]
        );
        assert!(outbox.is_over());
    }

    #[tokio::test]
    async fn of_very_many_pongs_the_latest_are_kept() {
        let outbox = Outbox::new(100, Metrics::default());
        for number in 0..=u8::try_from(PONGS_WAITING_MAX).expect("few") {
            outbox.pong(Bytes::copy_from_slice(&[number]));
        }
        let drained = drain(&outbox);
        assert_eq!(drained.len(), PONGS_WAITING_MAX);
        assert_eq!(drained[0], Outgoing::Pong(Bytes::from_static(&[1])));
    }

    #[tokio::test]
    async fn one_frame_may_cross_the_limit_and_the_next_is_refused() {
        let outbox = Outbox::new(10, Metrics::default());
        outbox
            .push("x".repeat(50).into(), None)
            .expect("the first always fits");
        assert_eq!(outbox.push("y".into(), None), Err(Overfull));
        assert_eq!(drain(&outbox).len(), 1);
        outbox.push("z".into(), None).expect("room again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_something_does_not_stall() {
        let timeout = Duration::from_secs(10);
        let outbox = Outbox::new(100, Metrics::default());
        assert_eq!(outbox.stalls_at(timeout), None);
        outbox.push("a".into(), None).expect("room");
        outbox.push("b".into(), None).expect("room");
        let first = outbox.stalls_at(timeout).expect("something waits");
        tokio::time::advance(Duration::from_secs(5)).await;
        let context = Context::from_waker(Waker::noop());
        assert!(outbox.poll_next(&context).is_ready());
        assert_eq!(
            outbox.stalls_at(timeout),
            Some(first + Duration::from_secs(5))
        );
        assert!(outbox.poll_next(&context).is_ready());
        assert_eq!(outbox.stalls_at(timeout), None);
    }
}
