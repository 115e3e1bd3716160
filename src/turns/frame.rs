//! What a follower of a turn is given.

use std::sync::Arc;

use crate::domain::ids::RequestId;
use crate::wire::errors::WireError;

/// One thing on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// A frame of a turn.
    Frame(TurnFrame),
    /// A resume or a cancel that cannot be granted, which says nothing about the turn itself; or a question that another
    /// instance is answering already.
    Refused {
        /// Which question was named.
        request_id: RequestId,
        /// Whether nothing more is delivered; a cancel that is refused ends nothing.
        ends_following: bool,
        /// Why not.
        error: WireError,
    },
}

/// One frame of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnFrame {
    /// Which question.
    pub request_id: RequestId,
    /// The frame's `type`; not told of frames that another instance has written.
    pub name: &'static str,
    /// Its number within the question.
    pub seq: u64,
    /// The frame as JSON; of a final frame for [`Delivery::Body`] the answer or the error alone.
    pub text: Arc<str>,
    /// Set on the final frame, and only there.
    pub ending: Option<Ending>,
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With a `chat_response`.
    Answered,
    /// With an `error`.
    Failed(WireError),
    /// On another instance, which has written the frame.
    Elsewhere,
}

/// What the asker wants of a turn, and what becomes of it when the asker goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Every frame; the turn goes on without its asker and can be resumed.
    Resumable,
    /// Every frame; the turn stops with its asker.
    Frames,
    /// The final frame only, as the body of an HTTP response; the turn stops with its asker.
    Body,
}
