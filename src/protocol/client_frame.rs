//! What a client may send over the socket.

use serde::Deserialize;

/// A frame from the client. A frame without `type` is a question, as in the Django app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// Asks a question.
    Query(QueryFrame),
    /// Stops a question that is being answered.
    Cancel {
        /// Which one.
        request_id: String,
    },
    /// Takes up the frames of a question on a new connection.
    Resume {
        /// Which one.
        request_id: String,
        /// The last `seq` that the client has.
        after: u64,
    },
}

/// A question, over the socket or as the body of the REST call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QueryFrame {
    /// The question.
    pub query: String,
    /// The conversation to continue; absent or null begins a new one.
    #[serde(default)]
    pub conversation_id: Option<String>,
    /// The client's own reference; one is made where it is absent or null.
    #[serde(default)]
    pub request_id: Option<String>,
    /// Whether `llm_token` and `llm_stream_end` frames are wanted.
    #[serde(default = "stream_by_default")]
    pub stream: bool,
}

fn stream_by_default() -> bool {
    true
}
