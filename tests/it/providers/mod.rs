//! The provider adapters against a fake that speaks the real wire protocols.
//!
//! `conformance` and `faults` run over every dialect: another provider is one more [`Dialect`], and one more writer in the fake.

mod conformance;
mod examined;
mod fallback;
mod faults;
mod quirks;
mod requests;
mod responses;
mod retries;
mod sharing;

use std::sync::Arc;

use db_chat::config::{Limits, LlmConfig, OpenAiApi, ProviderConfig, ProviderKind};
use db_chat::domain::usage::TokenUsage;
use db_chat::llm::{
    FinishReason, LlmDelta, LlmError, LlmMessage, LlmProvider, LlmRequest, LlmRole, LlmStream,
};
use db_chat::telemetry::metrics::Metrics;
use futures_util::StreamExt;
use secrecy::SecretString;

use crate::support::fake_provider::{FakeProvider, within};

const KEY: &str = "sk-not-for-any-log";

/// Every dialect that the product speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Anthropic,
    Chat,
    Responses,
}

impl Dialect {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Anthropic, Self::Chat, Self::Responses];

    /// The values of `LLM_PROVIDER` and `OPENAI_API` that select it.
    pub(crate) fn setting_values(self) -> (&'static str, &'static str) {
        match self {
            Self::Anthropic => ("anthropic", "chat"),
            Self::Chat => ("openai", "chat"),
            Self::Responses => ("openai", "responses"),
        }
    }

    /// Makes the settings select it.
    pub(crate) fn select(self, config: &mut LlmConfig) {
        (config.provider, config.openai.api) = match self {
            Self::Anthropic => (ProviderKind::Anthropic, OpenAiApi::Chat),
            Self::Chat => (ProviderKind::OpenAi, OpenAiApi::Chat),
            Self::Responses => (ProviderKind::OpenAi, OpenAiApi::Responses),
        };
    }
}

/// Runs a test once a dialect, each time with a fake and limits of its own.
async fn for_each_dialect(test: impl AsyncFn(Dialect, FakeProvider)) {
    for kind in Dialect::ALL {
        let fake = FakeProvider::start().await;
        // Shown only if the test fails.
        println!("dialect: {kind:?}");
        test(kind, fake).await;
    }
}

fn config(dialect: Dialect, url: &str) -> LlmConfig {
    let provider = ProviderConfig {
        api_key: Some(SecretString::from(KEY)),
        model: "model-1".to_owned(),
        base_url: url.to_owned(),
        api: OpenAiApi::Chat,
        api_key_header: "authorization".to_owned(),
        tokens_max_field: "max_completion_tokens".to_owned(),
        prompt_cache_key: true,
        api_version: "2026-10-21".to_owned(),
    };
    let mut config = LlmConfig {
        provider: ProviderKind::Offline,
        fallback: None,
        anthropic: provider.clone(),
        openai: provider,
        prompts_dir: None,
        reply_language: None,
        prices: Vec::new(),
    };
    dialect.select(&mut config);
    config
}

/// A provider with the default limits.
fn connect(dialect: Dialect, fake: &FakeProvider) -> Arc<dyn LlmProvider> {
    connect_with(&config(dialect, &fake.url()), &Limits::default())
}

fn connect_with(config: &LlmConfig, limits: &Limits) -> Arc<dyn LlmProvider> {
    db_chat::llm::connect(config, limits, &Metrics::default())
        .unwrap()
        .unwrap()
}

fn request() -> LlmRequest {
    let message = |role, text: &str| LlmMessage {
        role,
        text: text.to_owned(),
    };
    LlmRequest {
        system: "Instructions, then the schema.".to_owned(),
        cache_key: "policy-1".to_owned(),
        messages: vec![
            message(LlmRole::User, "How many customers?"),
            message(LlmRole::Assistant, "There are 7."),
            message(LlmRole::User, "And in Zürich?"),
        ],
        output_tokens_max: 8_192,
    }
}

/// A whole reply.
#[derive(Debug, Default, PartialEq, Eq)]
struct Collected {
    text: String,
    usage: Option<TokenUsage>,
    finish: Option<FinishReason>,
}

/// One call, read to its end.
async fn call(provider: &Arc<dyn LlmProvider>) -> Result<Collected, LlmError> {
    let stream = within("a reply to begin", provider.stream(request())).await?;
    let (collected, error) = collect(stream).await;
    match error {
        Some(error) => Err(error),
        None => Ok(collected),
    }
}

/// What a stream gives until it ends, and the error that it ends with. Nothing may follow a finish or an error.
async fn collect(mut stream: LlmStream) -> (Collected, Option<LlmError>) {
    let mut collected = Collected::default();
    let mut error = None;
    while let Some(delta) = within("the next delta", stream.next()).await {
        assert!(
            collected.finish.is_none() && error.is_none(),
            "{delta:?} after the end"
        );
        match delta {
            Ok(LlmDelta::Text(text)) => collected.text += &text,
            Ok(LlmDelta::Usage(usage)) => collected.usage = Some(usage),
            Ok(LlmDelta::Finish(finish)) => collected.finish = Some(finish),
            Err(broken) => error = Some(broken),
        }
    }
    assert!(
        collected.finish.is_some() || error.is_some(),
        "a stream ended without a word"
    );
    (collected, error)
}

/// An error with all its causes, as a log shows it, both ways of printing.
fn printed(error: &LlmError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(" {error} {error:?}");
        cause = error.source();
    }
    text
}
