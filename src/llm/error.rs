//! What can go wrong between db-chat and a provider, in the provider-neutral terms that the pipeline acts on.

use std::time::Duration;

pub use super::connect_fault::{ConnectFault, TlsFault};

/// A model call that gave no complete reply. Messages never hold the key or the prompt.
#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    /// No connection: refused, unknown host, TLS.
    #[error("cannot connect to the {provider} provider")]
    Connect {
        /// Which provider.
        provider: &'static str,
        /// What kind of failure.
        fault: ConnectFault,
        /// The network's own words.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A limit on time was hit.
    #[error("the {provider} provider sent no {awaited} within {after:?}")]
    Timeout {
        /// Which provider.
        provider: &'static str,
        /// What was waited for: `first token`, `next token`, `complete reply`.
        awaited: &'static str,
        /// The limit.
        after: Duration,
    },
    /// The stream ended, broke or said nonsense before its terminal mark.
    #[error("the {provider} provider's stream broke off: {problem}")]
    Interrupted {
        /// Which provider.
        provider: &'static str,
        /// What was seen instead.
        problem: String,
    },
    /// The provider answered with an error, as a status or in the stream.
    #[error("the {provider} provider answered {kind:?}: {message}")]
    Answered {
        /// Which provider.
        provider: &'static str,
        /// What kind of answer.
        kind: AnsweredKind,
        /// HTTP status; 200 where the error came in the stream.
        status: u16,
        /// The provider's own codes, or advice, for the log only. Its sentences are not kept: some repeat the question.
        message: String,
        /// How long the provider asks to be left alone, at most a day; `None` where it does not say.
        retry_after: Option<Duration>,
    },
    /// The provider has failed so often that it is not asked for a while.
    #[error("the {provider} provider keeps failing and is not asked for another {retry_after:?}")]
    CircuitOpen {
        /// Which provider.
        provider: &'static str,
        /// When to ask again.
        retry_after: Duration,
    },
    /// More calls wait for the provider than there is room or time for.
    #[error("the {provider} provider is busy: no place became free within {waited:?}")]
    Busy {
        /// Which provider.
        provider: &'static str,
        /// How long the call waited; zero if the queue was full.
        waited: Duration,
    },
}

impl LlmError {
    /// Whether the failure is of the kind that passes by itself, or that another provider need not have. What the operator or
    /// the person has to correct is not.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Timeout { .. }
            | Self::Interrupted { .. }
            | Self::CircuitOpen { .. }
            | Self::Busy { .. } => true,
            Self::Answered { kind, .. } => {
                matches!(kind, AnsweredKind::RateLimited | AnsweredKind::Unavailable)
            }
        }
    }

    /// Whether it shows that the provider does not work. One that turns a request away lives, be it for its key, its size or
    /// because there are too many.
    #[must_use]
    pub const fn is_providers_fault(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } | Self::Interrupted { .. } => true,
            Self::Answered { kind, .. } => matches!(kind, AnsweredKind::Unavailable),
            Self::CircuitOpen { .. } | Self::Busy { .. } => false,
        }
    }
}

/// Kinds of error answers that db-chat treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredKind {
    /// The key is missing, wrong or not entitled.
    Authentication,
    /// No quota or credit left: waiting does not help.
    QuotaExceeded,
    /// Too many requests: waiting helps.
    RateLimited,
    /// The provider is overloaded or failed.
    Unavailable,
    /// The request is more than the model's context holds, or too large.
    TooLarge,
    /// Anything else wrong with the request, such as an unknown model.
    Rejected,
}

/// A setting without which no provider can be used. Messages name the setting and never repeat its value.
#[derive(Debug, thiserror::Error)]
pub enum LlmSetupError {
    /// There is no key, and the provider takes no call without one.
    #[error("{setting} is not set")]
    KeyMissing {
        /// The setting.
        setting: &'static str,
    },
    /// The key holds characters that no HTTP header can carry.
    #[error("{setting} holds a line break or another character that no key has: copy it again")]
    Key {
        /// The setting.
        setting: &'static str,
    },
    /// The header for the key has no name that a header can have.
    #[error("{setting} is not the name of a header, such as authorization or api-key")]
    KeyHeader {
        /// The setting.
        setting: &'static str,
    },
    /// The model's name is empty.
    #[error("{setting} is empty: give the name of a model")]
    Model {
        /// The setting.
        setting: &'static str,
    },
    /// The base URL cannot be used.
    #[error("{setting} is not a URL that can be used: {problem}")]
    BaseUrl {
        /// The setting.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The version of the API is no header value.
    #[error("the Anthropic API version is not a date such as 2026-10-21")]
    ApiVersion,
    /// The provider is behind HTTPS and the machine trusts nobody.
    #[error(
        "{base_url_setting} is an https URL, but this machine has no root certificates: install them (on Debian the package ca-certificates)"
    )]
    RootCertificates {
        /// The setting.
        base_url_setting: &'static str,
    },
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Tls {
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The HTTP client could not be built.
    #[error("the HTTP client could not be built")]
    Client {
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}
