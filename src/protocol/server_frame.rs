//! What the server sends, over the socket and as server-sent events.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::AnswerBody;
use super::error_code::ErrorCode;

/// A frame to the client. Every frame about an accepted question carries a [`FrameHead`].
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// What the server is doing. Without a head on connect, with one as each stage begins.
    Status {
        /// Which question, if any.
        #[serde(flatten)]
        head: Option<FrameHead>,
        /// The stage's stable name.
        stage: &'static str,
        /// The same for a person.
        message: &'static str,
        /// On connect: whether ratings of answers are kept. Absent where they are not.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        feedback: bool,
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
    /// Final: the question failed.
    #[serde(rename = "error")]
    Failure {
        /// Which question.
        #[serde(flatten)]
        head: FrameHead,
        /// What happened.
        #[serde(flatten)]
        error: ErrorBody,
    },
    /// A frame of the client was not accepted. Has no `seq`, because it belongs to no accepted question.
    #[serde(rename = "error")]
    Refusal {
        /// The frame's `request_id`, where it could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
        /// What was wrong.
        #[serde(flatten)]
        error: ErrorBody,
    },
}

/// What every frame about an accepted question carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FrameHead {
    /// The client's reference, or the one made for it.
    pub request_id: String,
    /// The conversation.
    pub conversation_id: String,
    /// 1, 2, 3 … within the question, without gaps.
    pub seq: u64,
}

/// What went wrong, in an `error` frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErrorBody {
    /// Stable, for programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// Whether the same frame may be sent again as it is, after a pause.
    pub retryable: bool,
    /// Milliseconds after which trying again makes sense, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl ServerFrame {
    /// The frame's `type`; also the name of the server-sent event.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Sql { .. } => "sql",
            Self::LlmToken { .. } => "llm_token",
            Self::LlmStreamEnd { .. } => "llm_stream_end",
            Self::ChatResponse { .. } => "chat_response",
            Self::Failure { .. } | Self::Refusal { .. } => "error",
        }
    }
}
