//! Every error code on the wire, in one list, grouped by stage.

use serde::Serialize;

/// A stable name for what went wrong. Codes are only ever added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    // The request.
    /// The frame or body is no JSON object, or a field has the wrong type.
    InvalidRequest,
    /// The frame's `type` is not known.
    UnknownFrameType,
    /// The question is missing or blank.
    QuestionMissing,
    /// The question has too many characters.
    QuestionTooLong,
    /// The question holds characters that cannot be processed.
    QuestionInvalid,
    /// `conversation_id` is no UUID.
    InvalidConversationId,
    /// `request_id` is too long or holds characters that are not visible ASCII.
    InvalidRequestId,
    /// `request_id` is in use by a question that is being answered.
    DuplicateRequestId,
    /// The body or frame is too large.
    RequestTooLarge,
    /// The body's content type or encoding is not supported.
    UnsupportedMediaType,
    /// Nothing is at this path.
    NotFound,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The client took too long to send its request.
    RequestTimeout,
    /// The browser's origin is not allowed.
    OriginNotAllowed,
    /// No such conversation.
    ConversationNotFound,
    /// No such question is being answered.
    RequestNotFound,
    /// Too many questions are in flight on this connection.
    TooManyQuestions,
    /// Too many connections are open.
    TooManyConnections,
    /// The server is stopping.
    ShuttingDown,

    // The model.
    /// The model's reply held neither SQL nor anything else that can be used.
    ModelReplyInvalid,
    /// The model's provider cannot be reached or failed.
    ProviderUnavailable,
    /// The provider refused the key.
    ProviderAuthentication,
    /// The provider refused the request, e.g. an unknown model.
    ProviderRejected,
    /// The provider asked to slow down.
    ProviderRateLimited,
    /// The account with the provider has no quota left.
    ProviderQuotaExceeded,
    /// The provider did not answer in time.
    ProviderTimeout,
    /// The model declined for safety reasons of its own.
    ModelRefused,

    // The question's outcome (in `error` of an answer).
    /// The question cannot be answered from this database.
    NotAnswerable,
    /// The query was refused by the guard, and no repair was found.
    QueryRefused,
    /// The database refused the query, and no repair was found.
    QueryFailed,
    /// The query took too long.
    QueryTimeout,

    // The database and the stores.
    /// The database cannot be reached.
    DatabaseUnavailable,
    /// No database connection became free in time.
    DatabaseBusy,
    /// The conversation store cannot be reached.
    StoreUnavailable,

    // The turn.
    /// The client stopped the question.
    Cancelled,
    /// The instance that worked on the question is gone.
    TurnLost,
    /// A fault of db-chat itself.
    Internal,
}
