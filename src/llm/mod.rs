//! The model, behind one trait. Knows no SQL, no rows and no frames: messages in, deltas out.

pub mod error;

mod anthropic;
mod dialect;
mod endpoint;
mod error_answer;
mod openai;
mod provider;
mod reply;
mod retry;
mod sse;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use reqwest::header::HeaderValue;

pub use error::{LlmError, LlmSetupError};

use crate::config::{Limits, LlmConfig, ProviderKind};
use crate::domain::usage::TokenUsage;

/// The configured provider; `None` means that the engine in `offline` answers. Opens no connection.
///
/// # Errors
/// Which setting has to be corrected.
pub fn connect(
    config: &LlmConfig,
    limits: &Limits,
) -> Result<Option<Arc<dyn LlmProvider>>, LlmSetupError> {
    let (dialect, config): (Box<dyn dialect::Dialect>, _) = match config.provider {
        ProviderKind::Offline => return Ok(None),
        ProviderKind::Anthropic => {
            let config = &config.anthropic;
            if config.api_key.is_none() {
                return Err(LlmSetupError::KeyMissing {
                    setting: "ANTHROPIC_API_KEY",
                });
            }
            let version = HeaderValue::from_str(config.api_version.trim())
                .map_err(|_| LlmSetupError::ApiVersion)?;
            (Box::new(anthropic::Anthropic { version }), config)
        }
        ProviderKind::OpenAi => {
            let config = &config.openai;
            let tokens_max_field = config.tokens_max_field.clone();
            let dialect = openai::OpenAi {
                tokens_max_field,
                prompt_cache_key: config.prompt_cache_key,
            };
            (Box::new(dialect), config)
        }
    };
    provider::HttpProvider::connect(dialect, config, limits).map(Some)
}

/// One model of one provider. A third provider is one file that implements this.
#[async_trait]
pub trait LlmProvider: Send + Sync + 'static {
    /// The provider's short name, e.g. `anthropic`, for logs and `/readyz`.
    fn name(&self) -> &'static str;

    /// The model's name as the provider knows it.
    fn model(&self) -> &str;

    /// Sends one request; returns once the model is at work on the reply. Until then a failure that may pass is tried again.
    ///
    /// The stream ends after [`LlmDelta::Finish`], or with an error: an end of the body without the
    /// dialect's terminal mark is [`LlmError::Interrupted`], never silence.
    ///
    /// # Errors
    /// What the provider or the network said, with retries spent.
    ///
    /// # Cancel safety
    /// Dropping the future or the stream closes the provider's connection at once.
    async fn stream(&self, request: LlmRequest) -> Result<LlmStream, LlmError>;

    /// Whether the provider can be reached, without spending tokens.
    ///
    /// # Errors
    /// Why it cannot.
    async fn reachable(&self) -> Result<(), LlmError>;
}

/// What a provider sends back, piece by piece.
pub type LlmStream = BoxStream<'static, Result<LlmDelta, LlmError>>;

/// One request to a model. The parts come in the order in which prompt caches hash them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LlmRequest {
    /// Instructions and schema: byte-identical between turns of one policy, marked for the provider's prompt cache.
    pub system: String,
    /// Names the stable prefix for providers that route by it (OpenAI's `prompt_cache_key`): no personal data.
    pub cache_key: String,
    /// Conversation so far and the question, oldest first; the last one is the user's.
    pub messages: Vec<LlmMessage>,
    /// Most tokens that the model may write, thinking included.
    pub output_tokens_max: u32,
}

/// One message of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LlmMessage {
    /// Who says it.
    pub role: LlmRole,
    /// The text; never empty.
    pub text: String,
}

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LlmRole {
    /// The person, or db-chat on their behalf.
    User,
    /// The model, in an earlier turn.
    Assistant,
}

/// A piece of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LlmDelta {
    /// Words of the answer; never thinking.
    Text(String),
    /// Counters so far; a later one replaces an earlier one.
    Usage(TokenUsage),
    /// The reply is complete.
    Finish(FinishReason),
}

/// Why a reply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishReason {
    /// The model had said everything.
    Complete,
    /// `output_tokens_max` was reached: the text is cut.
    TokensMax,
    /// The provider's model declined, with its reason where it gave one.
    Refused(Option<String>),
    /// The provider's content filter cut the reply.
    Filtered,
}
