//! The model, behind one trait. Knows no SQL, no rows and no frames: messages in, deltas out.

pub mod error;

pub mod examine;
pub mod notice;

mod anthropic;
mod breaker;
mod connect_fault;
mod dialect;
mod endpoint;
mod error_answer;
mod fallback;
mod lane;
mod openai;
mod provider;
mod queue;
mod reply;
mod responses;
mod retry;
mod sse;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use reqwest::header::{HeaderName, HeaderValue};

pub use error::{LlmError, LlmSetupError};

use self::breaker::{Breaker, BreakerSettings};
use self::dialect::Dialect;
use self::fallback::WithFallback;
use self::lane::Lane;
use self::notice::CallNotices;
use self::provider::HttpProvider;
use self::queue::{CallQueue, QueueSettings};
use crate::config::{Limits, LlmConfig, OpenAiApi, ProviderConfig, ProviderKind};
use crate::domain::usage::TokenUsage;
use crate::telemetry::metrics::Metrics;

/// The configured provider, with its fallback behind it where there is one; `None` means that the engine in `offline` answers.
/// Opens no connection. Retries are counted into `metrics`.
///
/// # Errors
/// Which setting has to be corrected.
pub fn connect(
    config: &LlmConfig,
    limits: &Limits,
    metrics: &Metrics,
) -> Result<Option<Arc<dyn LlmProvider>>, LlmSetupError> {
    let mut lanes = lanes(config, limits, metrics)?.into_iter();
    Ok(match (lanes.next(), lanes.next()) {
        (Some(primary), Some(fallback)) => Some(Arc::new(WithFallback::new(primary, fallback))),
        (Some(primary), None) => Some(lane::shared(&primary)),
        (None, _) => None,
    })
}

/// The provider, then its fallback.
fn lanes(
    config: &LlmConfig,
    limits: &Limits,
    metrics: &Metrics,
) -> Result<Vec<Arc<Lane>>, LlmSetupError> {
    let mut queues: Vec<(ProviderKind, CallQueue)> = Vec::new();
    let providers = providers(config, limits)?.into_iter();
    let lanes = providers.map(|Configured { kind, http }| {
        // Two models of one provider share what the provider can take, but not each other's failures: it is often one model
        // that is overloaded.
        let shared = queues.iter().find(|(other, _)| *other == kind);
        let queue = shared.map_or_else(|| queue(limits), |(_, queue)| queue.clone());
        queues.push((kind, queue.clone()));
        let breaker = Breaker::new(
            http.name(),
            BreakerSettings {
                failures_max: limits.llm_breaker_failures_max,
                failure_percent_max: limits.llm_breaker_failure_percent_max,
                open: Duration::from_millis(limits.llm_breaker_open_ms),
            },
        );
        let total_timeout = Duration::from_millis(limits.llm_total_timeout_ms);
        Arc::new(Lane::new(
            http,
            breaker,
            queue,
            limits.llm_retries_max,
            total_timeout,
            metrics.clone(),
        ))
    });
    Ok(lanes.collect())
}

/// A provider with nothing around it yet.
struct Configured {
    kind: ProviderKind,
    http: HttpProvider,
}

/// The provider, then its fallback.
fn providers(config: &LlmConfig, limits: &Limits) -> Result<Vec<Configured>, LlmSetupError> {
    let primary = (config.provider, None);
    let fallback = config.fallback.as_ref();
    let fallback = fallback.map(|fallback| (fallback.provider, fallback.model.as_ref()));
    let mut providers = Vec::new();
    for (kind, model) in [Some(primary), fallback].into_iter().flatten() {
        // The engine without a model; there is nothing that could stand in for it.
        let Some((dialect, settings)) = dialect(config, kind)? else {
            break;
        };
        let mut settings = settings.clone();
        if let Some(model) = model {
            settings.model.clone_from(model);
        }
        let http = HttpProvider::connect(dialect, &settings, limits)?;
        providers.push(Configured { kind, http });
    }
    Ok(providers)
}

/// A dialect, and the settings of whoever speaks it.
type Spoken<'a> = (Box<dyn Dialect>, &'a ProviderConfig);

/// The dialect of a kind of provider with its section of the settings; `None` for the engine without a model.
fn dialect(config: &LlmConfig, kind: ProviderKind) -> Result<Option<Spoken<'_>>, LlmSetupError> {
    Ok(match kind {
        ProviderKind::Offline => None,
        ProviderKind::Anthropic => {
            let config = &config.anthropic;
            if config.api_key.is_none() {
                return Err(LlmSetupError::KeyMissing {
                    setting: "ANTHROPIC_API_KEY",
                });
            }
            let version = HeaderValue::from_str(config.api_version.trim())
                .map_err(|_| LlmSetupError::ApiVersion)?;
            Some((Box::new(anthropic::Anthropic { version }), config))
        }
        ProviderKind::OpenAi => Some((openai_dialect(&config.openai)?, &config.openai)),
    })
}

/// The one of OpenAI's APIs that is set.
fn openai_dialect(config: &ProviderConfig) -> Result<Box<dyn Dialect>, LlmSetupError> {
    let key_header =
        HeaderName::from_bytes(config.api_key_header.trim().as_bytes()).map_err(|_| {
            LlmSetupError::KeyHeader {
                setting: "OPENAI_API_KEY_HEADER",
            }
        })?;
    Ok(match config.api {
        OpenAiApi::Chat => Box::new(openai::OpenAi {
            tokens_max_field: config.tokens_max_field.clone(),
            prompt_cache_key: config.prompt_cache_key,
            key_header,
        }),
        OpenAiApi::Responses => Box::new(responses::Responses {
            prompt_cache_key: config.prompt_cache_key,
            key_header,
        }),
    })
}

fn queue(limits: &Limits) -> CallQueue {
    CallQueue::new(QueueSettings {
        concurrent_calls_max: limits.llm_concurrent_calls_max,
        waiting_calls_max: limits.llm_queue_calls_max,
        timeout: Duration::from_millis(limits.llm_queue_timeout_ms),
    })
}

/// One model of one provider, or several that stand in for each other. A provider that speaks HTTP is one file with a dialect instead
/// (`docs/PROVIDERS.md`).
#[async_trait]
pub trait LlmProvider: Send + Sync + 'static {
    /// The provider's short name, e.g. `anthropic`, for logs and `/readyz`.
    fn name(&self) -> &'static str;

    /// The model's name as the provider knows it.
    fn model(&self) -> &str;

    /// Who stands in for this one; `None` where nobody does.
    fn fallback(&self) -> Option<Arc<dyn LlmProvider>> {
        None
    }

    /// Like [`LlmProvider::stream_telling`], for a caller that does not want to know what happens on the way.
    ///
    /// # Errors
    /// As there.
    async fn stream(&self, request: LlmRequest) -> Result<LlmStream, LlmError> {
        self.stream_telling(request, CallNotices::unheard()).await
    }

    /// Sends one request; returns once the model is at work on the reply. Until then a failure that may pass is tried again.
    /// `notices` hears when the call has to wait, and which model answers.
    ///
    /// The stream ends after [`LlmDelta::Finish`], or with an error: an end of the body without the
    /// dialect's terminal mark is [`LlmError::Interrupted`], never silence.
    ///
    /// # Errors
    /// What the provider or the network said, with retries spent.
    ///
    /// # Cancel safety
    /// Dropping the future or the stream closes the provider's connection at once.
    async fn stream_telling(
        &self,
        request: LlmRequest,
        notices: CallNotices,
    ) -> Result<LlmStream, LlmError>;

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
