//! Every error code on the wire, in one list, grouped by stage.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

/// A stable name for what went wrong. Codes are only ever added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The path speaks WebSocket only.
    UpgradeRequired,
    /// The head of the request is too large.
    HeadersTooLarge,
    /// The client took too long to send its request.
    RequestTimeout,
    /// The browser's origin is not allowed.
    OriginNotAllowed,
    /// Nobody in particular may come in: credentials are needed.
    AuthenticationRequired,
    /// The key, the token or the ticket is not valid.
    InvalidCredentials,
    /// The token was valid once: get a new one.
    TokenExpired,
    /// Only members of a tenant may come in, and the token names none.
    TenantMissing,
    /// This belongs to somebody who has signed in, and the server has no way to sign in.
    LoginRequired,
    /// Tokens cannot be checked at present.
    AuthenticationUnavailable,
    /// The server is not known under this name.
    HostNotAllowed,
    /// No such conversation.
    ConversationNotFound,
    /// No such question is being answered.
    RequestNotFound,
    /// Ratings are not kept here.
    FeedbackOff,
    /// Too many questions are in flight on this connection.
    TooManyQuestions,
    /// Too many connections are open.
    TooManyConnections,
    /// Too many requests in a minute.
    RateLimited,
    /// Too many connections of one person or from one address.
    ConnectionLimit,
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
    /// Too many questions wait for the provider.
    ProviderBusy,
    /// The model declined for safety reasons of its own.
    ModelRefused,
    /// The question has cost as many tokens as one may.
    TurnBudgetExceeded,
    /// The conversation has cost as many tokens as one may.
    ConversationBudgetExceeded,

    // The question's outcome (in `error` of an answer).
    /// The question cannot be answered from this database.
    NotAnswerable,
    /// The query was refused by the guard, and no repair was found.
    QueryRefused,
    /// The database refused the query, and no repair was found.
    QueryFailed,
    /// The query would cost the database more than it may, and no repair was found.
    QueryTooCostly,
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

impl ErrorCode {
    /// Every code, in the order of the list above.
    pub const ALL: &'static [Self] = &[
        Self::InvalidRequest,
        Self::UnknownFrameType,
        Self::QuestionMissing,
        Self::QuestionTooLong,
        Self::QuestionInvalid,
        Self::InvalidConversationId,
        Self::InvalidRequestId,
        Self::DuplicateRequestId,
        Self::RequestTooLarge,
        Self::UnsupportedMediaType,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::UpgradeRequired,
        Self::HeadersTooLarge,
        Self::RequestTimeout,
        Self::OriginNotAllowed,
        Self::AuthenticationRequired,
        Self::InvalidCredentials,
        Self::TokenExpired,
        Self::TenantMissing,
        Self::LoginRequired,
        Self::AuthenticationUnavailable,
        Self::HostNotAllowed,
        Self::ConversationNotFound,
        Self::RequestNotFound,
        Self::FeedbackOff,
        Self::TooManyQuestions,
        Self::TooManyConnections,
        Self::RateLimited,
        Self::ConnectionLimit,
        Self::ShuttingDown,
        Self::ModelReplyInvalid,
        Self::ProviderUnavailable,
        Self::ProviderAuthentication,
        Self::ProviderRejected,
        Self::ProviderRateLimited,
        Self::ProviderQuotaExceeded,
        Self::ProviderTimeout,
        Self::ProviderBusy,
        Self::ModelRefused,
        Self::TurnBudgetExceeded,
        Self::ConversationBudgetExceeded,
        Self::NotAnswerable,
        Self::QueryRefused,
        Self::QueryFailed,
        Self::QueryTooCostly,
        Self::QueryTimeout,
        Self::DatabaseUnavailable,
        Self::DatabaseBusy,
        Self::StoreUnavailable,
        Self::Cancelled,
        Self::TurnLost,
        Self::Internal,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::UnknownFrameType => "unknown_frame_type",
            Self::QuestionMissing => "question_missing",
            Self::QuestionTooLong => "question_too_long",
            Self::QuestionInvalid => "question_invalid",
            Self::InvalidConversationId => "invalid_conversation_id",
            Self::InvalidRequestId => "invalid_request_id",
            Self::DuplicateRequestId => "duplicate_request_id",
            Self::RequestTooLarge => "request_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UpgradeRequired => "upgrade_required",
            Self::HeadersTooLarge => "headers_too_large",
            Self::RequestTimeout => "request_timeout",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::AuthenticationRequired => "authentication_required",
            Self::InvalidCredentials => "invalid_credentials",
            Self::TokenExpired => "token_expired",
            Self::TenantMissing => "tenant_missing",
            Self::LoginRequired => "login_required",
            Self::AuthenticationUnavailable => "authentication_unavailable",
            Self::HostNotAllowed => "host_not_allowed",
            Self::ConversationNotFound => "conversation_not_found",
            Self::RequestNotFound => "request_not_found",
            Self::FeedbackOff => "feedback_off",
            Self::TooManyQuestions => "too_many_questions",
            Self::TooManyConnections => "too_many_connections",
            Self::RateLimited => "rate_limited",
            Self::ConnectionLimit => "connection_limit",
            Self::ShuttingDown => "shutting_down",
            Self::ModelReplyInvalid => "model_reply_invalid",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::ProviderAuthentication => "provider_authentication",
            Self::ProviderRejected => "provider_rejected",
            Self::ProviderRateLimited => "provider_rate_limited",
            Self::ProviderQuotaExceeded => "provider_quota_exceeded",
            Self::ProviderTimeout => "provider_timeout",
            Self::ProviderBusy => "provider_busy",
            Self::ModelRefused => "model_refused",
            Self::TurnBudgetExceeded => "turn_budget_exceeded",
            Self::ConversationBudgetExceeded => "conversation_budget_exceeded",
            Self::NotAnswerable => "not_answerable",
            Self::QueryRefused => "query_refused",
            Self::QueryFailed => "query_failed",
            Self::QueryTooCostly => "query_too_costly",
            Self::QueryTimeout => "query_timeout",
            Self::DatabaseUnavailable => "database_unavailable",
            Self::DatabaseBusy => "database_busy",
            Self::StoreUnavailable => "store_unavailable",
            Self::Cancelled => "cancelled",
            Self::TurnLost => "turn_lost",
            Self::Internal => "internal",
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl JsonSchema for ErrorCode {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("ErrorCode")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<_> = Self::ALL.iter().map(|code| code.as_str()).collect();
        json_schema!({
            "description": "What went wrong, for programs. New codes may come.",
            "type": "string",
            "enum": codes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_codes_share_a_name() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }
}
