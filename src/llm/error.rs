//! What can go wrong between db-chat and a provider, in the provider-neutral terms that the pipeline acts on.

use std::time::Duration;

/// A model call that gave no complete reply. Messages never hold the key or the prompt.
#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    /// No connection: refused, unknown host, TLS.
    #[error("cannot connect to the {provider} provider")]
    Connect {
        /// Which provider.
        provider: &'static str,
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
        /// The provider's words, shortened, for the log only.
        message: String,
    },
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
