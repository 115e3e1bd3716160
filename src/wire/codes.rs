//! What follows from an error code alone: whether trying again helps, and the HTTP status.
//!
//! Matches are exhaustive without a wildcard, so that a new code cannot go out without either.

use crate::protocol::error_code::ErrorCode;

/// Whether the same request may be sent again as it is, after a pause.
#[must_use]
pub const fn is_retryable(code: ErrorCode) -> bool {
    match code {
        ErrorCode::TooManyQuestions
        | ErrorCode::TooManyConnections
        | ErrorCode::RateLimited
        | ErrorCode::ConnectionLimit
        | ErrorCode::AuthenticationUnavailable
        | ErrorCode::ShuttingDown
        | ErrorCode::RequestTimeout
        | ErrorCode::ModelReplyInvalid
        | ErrorCode::ProviderUnavailable
        | ErrorCode::ProviderRateLimited
        | ErrorCode::ProviderTimeout
        | ErrorCode::ProviderBusy
        | ErrorCode::DatabaseUnavailable
        | ErrorCode::DatabaseBusy
        | ErrorCode::StoreUnavailable
        | ErrorCode::Cancelled
        | ErrorCode::TurnLost => true,
        ErrorCode::InvalidRequest
        | ErrorCode::UnknownFrameType
        | ErrorCode::QuestionMissing
        | ErrorCode::QuestionTooLong
        | ErrorCode::QuestionInvalid
        | ErrorCode::InvalidConversationId
        | ErrorCode::InvalidRequestId
        | ErrorCode::DuplicateRequestId
        | ErrorCode::RequestTooLarge
        | ErrorCode::UnsupportedMediaType
        | ErrorCode::NotFound
        | ErrorCode::MethodNotAllowed
        | ErrorCode::UpgradeRequired
        | ErrorCode::HeadersTooLarge
        | ErrorCode::OriginNotAllowed
        | ErrorCode::AuthenticationRequired
        | ErrorCode::InvalidCredentials
        | ErrorCode::TokenExpired
        | ErrorCode::TenantMissing
        | ErrorCode::LoginRequired
        | ErrorCode::HostNotAllowed
        | ErrorCode::ConversationNotFound
        | ErrorCode::RequestNotFound
        | ErrorCode::FeedbackOff
        | ErrorCode::ProviderAuthentication
        | ErrorCode::ProviderRejected
        | ErrorCode::ProviderQuotaExceeded
        | ErrorCode::ModelRefused
        | ErrorCode::TurnBudgetExceeded
        | ErrorCode::ConversationBudgetExceeded
        | ErrorCode::NotAnswerable
        | ErrorCode::QueryRefused
        | ErrorCode::QueryFailed
        | ErrorCode::QueryTooCostly
        | ErrorCode::QueryTimeout
        | ErrorCode::Internal => false,
    }
}

/// The HTTP status that goes with a code. Codes that only stand in the `error` field of an answer
/// (the question's outcome) go with 200.
#[must_use]
pub const fn http_status(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::ModelRefused
        | ErrorCode::ModelReplyInvalid
        | ErrorCode::NotAnswerable
        | ErrorCode::QueryRefused
        | ErrorCode::QueryFailed
        | ErrorCode::QueryTooCostly
        | ErrorCode::QueryTimeout => 200,
        ErrorCode::InvalidRequest
        | ErrorCode::UnknownFrameType
        | ErrorCode::QuestionMissing
        | ErrorCode::QuestionTooLong
        | ErrorCode::QuestionInvalid
        | ErrorCode::InvalidConversationId
        | ErrorCode::InvalidRequestId => 400,
        ErrorCode::AuthenticationRequired
        | ErrorCode::InvalidCredentials
        | ErrorCode::TokenExpired
        | ErrorCode::LoginRequired => 401,
        ErrorCode::OriginNotAllowed | ErrorCode::TenantMissing => 403,
        ErrorCode::NotFound
        | ErrorCode::ConversationNotFound
        | ErrorCode::RequestNotFound
        | ErrorCode::FeedbackOff => 404,
        ErrorCode::MethodNotAllowed => 405,
        ErrorCode::RequestTimeout => 408,
        ErrorCode::DuplicateRequestId => 409,
        ErrorCode::RequestTooLarge => 413,
        ErrorCode::UnsupportedMediaType => 415,
        ErrorCode::HostNotAllowed => 421,
        ErrorCode::UpgradeRequired => 426,
        ErrorCode::TooManyQuestions
        | ErrorCode::RateLimited
        | ErrorCode::ConnectionLimit
        | ErrorCode::TurnBudgetExceeded
        | ErrorCode::ConversationBudgetExceeded => 429,
        ErrorCode::HeadersTooLarge => 431,
        ErrorCode::Internal => 500,
        ErrorCode::ProviderUnavailable
        | ErrorCode::ProviderAuthentication
        | ErrorCode::ProviderRejected => 502,
        ErrorCode::TooManyConnections
        | ErrorCode::AuthenticationUnavailable
        | ErrorCode::ShuttingDown
        | ErrorCode::ProviderRateLimited
        | ErrorCode::ProviderQuotaExceeded
        | ErrorCode::ProviderBusy
        | ErrorCode::DatabaseUnavailable
        | ErrorCode::DatabaseBusy
        | ErrorCode::StoreUnavailable
        | ErrorCode::Cancelled
        | ErrorCode::TurnLost => 503,
        ErrorCode::ProviderTimeout => 504,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_the_server_kind_is_never_given_for_bad_input() {
        for code in ErrorCode::ALL {
            let status = http_status(*code);
            assert!(matches!(status, 200 | 400..=431 | 500..=504), "{code:?}");
            if is_retryable(*code) {
                assert!(!matches!(status, 400..=407), "{code:?}");
            }
        }
    }
}
