//! Every internal error to one [`WireError`]: the only such place. Texts here are what people read:
//! they say what to do and hold no driver's, provider's or database's words.
//!
//! Matches are exhaustive without a wildcard, so that a new variant cannot go out unmapped.

use std::borrow::Cow;
use std::time::Duration;

use crate::conversations::StoreError;
use crate::domain::question::QuestionFault;
use crate::limits::RateError;
use crate::llm::LlmError;
use crate::llm::error::AnsweredKind;
use crate::pipeline::error::TurnError;
use crate::pipeline::event::{Answer, Shortfall};
use crate::pipeline::meter::SpentBudget;
use crate::postgres::QueryError;
use crate::protocol::client_frame::FrameFault;
use crate::protocol::error_code::ErrorCode;
use crate::protocol::server_frame::ErrorBody;
use crate::state::StateError;

pub use super::codes::{http_status, is_retryable};

/// When to come back to a queue that is full: calls take seconds, and each that ends makes room.
const BUSY_RETRY_AFTER: Duration = Duration::from_secs(5);

/// What a client is told about an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// Stable, for programs.
    pub code: ErrorCode,
    /// A sentence for people.
    pub message: Cow<'static, str>,
    /// Milliseconds after which trying again makes sense, where that is known.
    pub retry_after_ms: Option<u64>,
}

impl WireError {
    /// An error with a sentence of its own.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            retry_after_ms: None,
        }
    }

    /// Says when to come back.
    #[must_use]
    pub fn with_retry_after(mut self, pause: Duration) -> Self {
        self.retry_after_ms = Some(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// The body of an `error` frame.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            code: self.code,
            message: self.message.clone().into_owned(),
            retryable: is_retryable(self.code),
            retry_after_ms: self.retry_after_ms,
        }
    }
}

/// An error with all its causes, for the log.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The code in the `error` field of an answer that is none.
#[must_use]
pub const fn shortfall_code(shortfall: Shortfall) -> ErrorCode {
    match shortfall {
        Shortfall::NotAnswerable => ErrorCode::NotAnswerable,
        Shortfall::QueryRefused => ErrorCode::QueryRefused,
        Shortfall::QueryFailed => ErrorCode::QueryFailed,
        Shortfall::QueryTooCostly => ErrorCode::QueryTooCostly,
        Shortfall::QueryTimeout => ErrorCode::QueryTimeout,
        Shortfall::ModelRefused => ErrorCode::ModelRefused,
        Shortfall::ModelReplyInvalid => ErrorCode::ModelReplyInvalid,
    }
}

/// The code that a client is sent for a turn's outcome; `None` for an answer without one.
#[must_use]
pub fn outcome_code(outcome: &Result<Answer, TurnError>) -> Option<&'static str> {
    match outcome {
        Ok(answer) => answer
            .shortfall
            .map(|shortfall| shortfall_code(shortfall).as_str()),
        Err(error) => Some(WireError::from(error).code.as_str()),
    }
}

impl From<&TurnError> for WireError {
    fn from(error: &TurnError) -> Self {
        match error {
            TurnError::Cancelled => Self::new(ErrorCode::Cancelled, "The question was stopped."),
            TurnError::Llm { source, purpose: _ } => source.into(),
            TurnError::BudgetSpent { budget } => (*budget).into(),
            TurnError::NoTenant { source: _ } => Self::new(
                ErrorCode::TenantMissing,
                "Nobody said whose rows are asked for, so nothing was read. Please tell the operator.",
            ),
            TurnError::Database { source } => source.into(),
            TurnError::Store { source } => source.into(),
            TurnError::Rate { source } => source.into(),
            TurnError::Internal { problem: _ } => Self::internal(),
        }
    }
}

impl From<&LlmError> for WireError {
    fn from(error: &LlmError) -> Self {
        match error {
            LlmError::Connect { .. } => Self::new(
                ErrorCode::ProviderUnavailable,
                "The language model cannot be reached right now. Please try again in a moment.",
            ),
            LlmError::Timeout { .. } => Self::new(
                ErrorCode::ProviderTimeout,
                "The language model took too long. Please try again.",
            ),
            LlmError::Interrupted { .. } => Self::new(
                ErrorCode::ProviderUnavailable,
                "The language model broke off in the middle of its reply. Please try again.",
            ),
            LlmError::Answered {
                kind, retry_after, ..
            } => {
                let error = answered(*kind);
                match retry_after {
                    // A key or a quota is not mended by waiting, whatever the provider's headers say.
                    Some(pause) if is_retryable(error.code) => error.with_retry_after(*pause),
                    Some(_) | None => error,
                }
            }
            LlmError::CircuitOpen { retry_after, .. } => Self::new(
                ErrorCode::ProviderUnavailable,
                format!(
                    "The language model has failed several times in a row. Please ask again in {}.",
                    in_words(*retry_after)
                ),
            )
            .with_retry_after(*retry_after),
            LlmError::Busy { .. } => Self::new(
                ErrorCode::ProviderBusy,
                "Too many questions are waiting for the language model. Please ask again in a moment.",
            )
            .with_retry_after(BUSY_RETRY_AFTER),
        }
    }
}

/// Rounded up: whoever comes back a moment too early comes in vain.
fn in_words(wait: Duration) -> String {
    match wait.as_millis().div_ceil(1_000) {
        0 | 1 => "a second".to_owned(),
        seconds @ 2..=90 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}

fn answered(kind: AnsweredKind) -> WireError {
    match kind {
        AnsweredKind::Authentication => WireError::new(
            ErrorCode::ProviderAuthentication,
            "The language model's provider does not accept this server's key. Please tell the operator.",
        ),
        AnsweredKind::QuotaExceeded => WireError::new(
            ErrorCode::ProviderQuotaExceeded,
            "This server's account with the language model's provider has no quota left. Please tell the operator.",
        ),
        AnsweredKind::RateLimited => WireError::new(
            ErrorCode::ProviderRateLimited,
            "The language model is getting too many requests. Please try again in a moment.",
        ),
        AnsweredKind::Unavailable => WireError::new(
            ErrorCode::ProviderUnavailable,
            "The language model is not available right now. Please try again in a moment.",
        ),
        AnsweredKind::TooLarge => WireError::new(
            ErrorCode::ProviderRejected,
            "The question with its conversation is more than the language model can take. Please start a new conversation.",
        ),
        AnsweredKind::Rejected => WireError::new(
            ErrorCode::ProviderRejected,
            "The language model's provider refused the request. Please tell the operator.",
        ),
    }
}

impl From<SpentBudget> for WireError {
    fn from(budget: SpentBudget) -> Self {
        match budget {
            SpentBudget::Turn => Self::new(
                ErrorCode::TurnBudgetExceeded,
                "The question takes more of the language model than one question may. Please ask for less at once.",
            ),
            SpentBudget::Conversation => Self::new(
                ErrorCode::ConversationBudgetExceeded,
                "This conversation has used as much of the language model as one may. Please start a new conversation.",
            ),
        }
    }
}

impl From<&QueryError> for WireError {
    fn from(error: &QueryError) -> Self {
        match error {
            QueryError::Unavailable { .. } => Self::new(
                ErrorCode::DatabaseUnavailable,
                "The database cannot be reached right now. Please try again in a moment.",
            ),
            QueryError::PoolTimeout { .. } => Self::new(
                ErrorCode::DatabaseBusy,
                "The database is busy with other questions. Please try again in a moment.",
            ),
            // These are outcomes that the pipeline turns into an answer; here they are for completeness.
            QueryError::Refused { .. } => Self::new(
                ErrorCode::QueryFailed,
                "The database could not run the query. Please ask in another way.",
            ),
            QueryError::TooCostly { .. } => Self::new(
                ErrorCode::QueryTooCostly,
                "The query would be too much work for the database. Please ask for less, for example a shorter time span.",
            ),
            QueryError::StatementTimeout { .. } => Self::new(
                ErrorCode::QueryTimeout,
                "The query took too long. Please ask for less, for example a shorter time span.",
            ),
            QueryError::Cancelled => Self::new(ErrorCode::Cancelled, "The question was stopped."),
        }
    }
}

impl From<&StoreError> for WireError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::new(
                ErrorCode::StoreUnavailable,
                "Conversations cannot be read or saved right now. Please try again in a moment.",
            ),
            StoreError::Superseded => Self::new(
                ErrorCode::TurnLost,
                "The server was away for too long and the conversation went on without it. Please ask again.",
            ),
            StoreError::NotOwned => Self::conversation_not_found(),
            StoreError::Corrupt { .. } => Self::new(
                ErrorCode::Internal,
                "This conversation cannot be read any more. Please start a new one.",
            ),
        }
    }
}

impl From<&RateError> for WireError {
    fn from(error: &RateError) -> Self {
        match error {
            RateError::Exceeded { retry_after } => Self::new(
                ErrorCode::RateLimited,
                "Those were too many questions in a minute. Please wait a moment before the next one.",
            )
            .with_retry_after(*retry_after),
            RateError::Unavailable { .. } => Self::new(
                ErrorCode::StoreUnavailable,
                "Questions cannot be taken right now. Please try again in a moment.",
            ),
        }
    }
}

impl From<&StateError> for WireError {
    fn from(error: &StateError) -> Self {
        match error {
            StateError::Unavailable { .. } => Self::new(
                ErrorCode::StoreUnavailable,
                "This cannot be saved right now. Please try again in a moment.",
            ),
            StateError::Refused { .. }
            | StateError::TooNew { .. }
            | StateError::Diverged { .. }
            | StateError::SetUp { .. } => Self::internal(),
        }
    }
}

impl From<QuestionFault> for WireError {
    fn from(fault: QuestionFault) -> Self {
        match fault {
            QuestionFault::Blank => Self::new(
                ErrorCode::QuestionMissing,
                "The question is empty. Please write what you want to know in `query`.",
            ),
            QuestionFault::TooLong { chars_max } => Self::new(
                ErrorCode::QuestionTooLong,
                format!("The question is too long. Please keep it within {chars_max} characters."),
            ),
            QuestionFault::ControlCharacter => Self::new(
                ErrorCode::QuestionInvalid,
                "The question holds control characters. Please remove them.",
            ),
        }
    }
}

impl From<FrameFault> for WireError {
    fn from(fault: FrameFault) -> Self {
        match fault {
            FrameFault::NotJson { line, column } => Self::new(
                ErrorCode::InvalidRequest,
                format!(
                    "This is not valid JSON (line {line}, column {column}). Please send one JSON object with each field once."
                ),
            ),
            FrameFault::NotAnObject => Self::new(
                ErrorCode::InvalidRequest,
                "Please send a JSON object such as {\"query\": \"How many customers are there?\"}.",
            ),
            FrameFault::WrongType { field, expected } => Self::new(
                ErrorCode::InvalidRequest,
                format!("`{field}` must be {expected}."),
            ),
            FrameFault::Missing { field } => {
                Self::new(ErrorCode::InvalidRequest, format!("`{field}` is missing."))
            }
            FrameFault::UnknownType => Self::new(
                ErrorCode::UnknownFrameType,
                "`type` must be `query`, `cancel` or `resume`; a frame without it is a question.",
            ),
        }
    }
}

impl WireError {
    /// A fault of db-chat itself; the log knows more.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            ErrorCode::Internal,
            "Something went wrong inside the server. Please try again; if it stays, tell the operator the request id.",
        )
    }

    /// There is no such conversation, or it is of somebody else: the same words for both.
    #[must_use]
    pub fn conversation_not_found() -> Self {
        Self::new(
            ErrorCode::ConversationNotFound,
            "There is no such conversation. It may have been forgotten after a time without use.",
        )
    }

    /// The server is stopping.
    #[must_use]
    pub fn shutting_down() -> Self {
        Self::new(
            ErrorCode::ShuttingDown,
            "The server is restarting. Please ask again in a moment.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_or_the_driver_said_stays_inside() {
        let secret = "db.internal:5432 sk-secret salaries";
        let source = || -> Box<dyn std::error::Error + Send + Sync> { secret.into() };
        let errors = [
            TurnError::Internal {
                problem: secret.to_owned(),
            },
            TurnError::Database {
                source: QueryError::Unavailable { source: source() },
            },
            TurnError::Database {
                source: QueryError::Refused {
                    sqlstate: "42P01".to_owned(),
                    message: secret.to_owned(),
                    hint: Some(secret.to_owned()),
                    position: None,
                },
            },
            TurnError::Store {
                source: StoreError::Corrupt { source: source() },
            },
            TurnError::Llm {
                purpose: "sql",
                source: LlmError::Answered {
                    provider: "openai",
                    kind: AnsweredKind::Authentication,
                    status: 401,
                    message: secret.to_owned(),
                    retry_after: None,
                },
            },
        ];
        for error in errors {
            let message = WireError::from(&error).message;
            for word in ["internal:", "sk-", "salaries", "42P01", "openai"] {
                assert!(!message.contains(word), "{message}");
            }
        }
    }

    #[test]
    fn when_to_come_back_is_told_only_where_coming_back_helps() {
        let wait = Some(Duration::from_micros(1_500_001));
        let told = |kind| {
            let error = LlmError::Answered {
                provider: "openai",
                kind,
                status: 429,
                message: String::new(),
                retry_after: wait,
            };
            WireError::from(&error).body().retry_after_ms
        };
        assert_eq!(told(AnsweredKind::RateLimited), Some(1_500));
        assert_eq!(told(AnsweredKind::Unavailable), Some(1_500));
        assert_eq!(told(AnsweredKind::QuotaExceeded), None);
        assert_eq!(told(AnsweredKind::Authentication), None);
    }

    #[test]
    fn a_person_is_told_when_to_come_back() {
        let open = |milliseconds| {
            WireError::from(&LlmError::CircuitOpen {
                provider: "openai",
                retry_after: Duration::from_millis(milliseconds),
            })
        };
        assert_eq!(open(4_200).retry_after_ms, Some(4_200));
        for (milliseconds, words) in [
            (0, "in a second."),
            (4_200, "in 5 seconds."),
            (90_000, "in 90 seconds."),
            (90_001, "in 2 minutes."),
        ] {
            assert!(
                open(milliseconds).message.ends_with(words),
                "{milliseconds}"
            );
        }
    }
}
