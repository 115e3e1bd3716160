//! Everything that can wake the actor, as one closed enum, and the order in which it is looked at:
//! control first, then what goes out, then what comes in.

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::turns::Delivered;

use super::outbox::Outbox;
use super::socket::{Inbound, SocketReader};

/// How many frames of turns may wait between the turns' logs and the actor.
const TURN_FRAMES_WAITING_MAX: usize = 4;

/// What woke the actor.
#[derive(Debug)]
pub(super) enum Wake {
    /// The server is to stop.
    Stop,
    /// A timer is due.
    Timer,
    /// The client took something, or its socket is gone.
    OutboxMoved,
    /// A turn has a frame, or a resume or cancel was refused.
    Turn(Delivered),
    /// The client said something.
    Socket(Inbound),
}

/// The sources of [`Wake`].
pub(super) struct Mailbox {
    /// `None` once the stop was reported: it is said once.
    stop: Option<CancellationToken>,
    turns: mpsc::Receiver<Delivered>,
    /// Kept here too, so that the channel outlives every turn.
    sender: mpsc::Sender<Delivered>,
    reader: SocketReader,
    /// Off once the client has said its last, or is to be heard no more.
    is_reading: bool,
}

impl Mailbox {
    pub(super) fn new(stop: CancellationToken, reader: SocketReader) -> Self {
        let (sender, turns) = mpsc::channel(TURN_FRAMES_WAITING_MAX);
        Self {
            stop: Some(stop),
            turns,
            sender,
            reader,
            is_reading: true,
        }
    }

    /// Where turns put their frames.
    pub(super) fn turn_sender(&self) -> mpsc::Sender<Delivered> {
        self.sender.clone()
    }

    /// Nothing more is read from the client.
    pub(super) fn stop_reading(&mut self) {
        self.is_reading = false;
    }

    /// Waits for the next event; a timer wakes at `deadline`. Turns are not looked at while the outbox
    /// has no room: their frames stay, and their tokens merge, where they are.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn next(&mut self, deadline: Instant, outbox: &Outbox) -> Wake {
        let Self {
            stop,
            turns,
            reader,
            is_reading,
            sender: _,
        } = self;
        let stopped = async {
            match stop {
                Some(token) => token.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let wake = tokio::select! {
            biased;
            () = stopped => Wake::Stop,
            () = tokio::time::sleep_until(deadline) => Wake::Timer,
            Some(frame) = turns.recv(), if outbox.has_room() => Wake::Turn(frame),
            () = outbox.moved() => Wake::OutboxMoved,
            inbound = reader.next(), if *is_reading => Wake::Socket(inbound),
        };
        if matches!(wake, Wake::Stop) {
            self.stop = None;
        }
        wake
    }
}
