//! What the server sends, over the socket and as server-sent events.

use serde::Serialize;

use super::answer::AnswerBody;
use super::error_code::ErrorCode;

/// A frame to the client. Every frame about a question carries a [`FrameHead`].
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// What the server is doing. Without a head on connect, with one as each stage begins.
    Status {
        /// Which question, if any.
        #[serde(flatten)]
        head: Option<FrameHead>,
        /// The stage's stable name.
        stage: String,
        /// The same for a person.
        message: String,
    },
    /// The query passed the guard and is about to run.
    Sql {
        /// Which question.
        #[serde(flatten)]
        head: FrameHead,
        /// The SQL as it will be run.
        sql_query: String,
    },
    /// A piece of the answer's prose.
    LlmToken {
        /// Which question.
        #[serde(flatten)]
        head: FrameHead,
        /// The piece.
        token: String,
    },
    /// The whole prose, once.
    LlmStreamEnd {
        /// Which question.
        #[serde(flatten)]
        head: FrameHead,
        /// The whole prose.
        message: String,
    },
    /// Final: the answer.
    ChatResponse {
        /// `seq` only: the answer itself carries the ids.
        seq: u64,
        /// The answer.
        #[serde(flatten)]
        answer: Box<AnswerBody>,
    },
    /// Final for a question; without a head it is about a frame that could not be read.
    Error {
        /// Which question, if any.
        #[serde(flatten)]
        head: Option<FrameHead>,
        /// Stable, for programs.
        code: ErrorCode,
        /// For people.
        message: String,
        /// Whether the same question may be asked again as it is.
        retryable: bool,
    },
}

/// What every frame about a question carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FrameHead {
    /// The client's reference, or the one made for it.
    pub request_id: String,
    /// The conversation.
    pub conversation_id: String,
    /// 1, 2, 3 … within the question, without gaps.
    pub seq: u64,
}
