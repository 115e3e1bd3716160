//! The provider adapters against a fake that speaks the real wire protocols.
//!
//! `conformance` and `faults` run over every dialect: another provider is one more line in [`dialects`], and one more writer in the fake.

mod conformance;
mod faults;
mod quirks;
mod requests;
mod retries;

use std::sync::Arc;

use db_chat::config::{Limits, LlmConfig, ProviderConfig, ProviderKind};
use db_chat::domain::usage::TokenUsage;
use db_chat::llm::{
    FinishReason, LlmDelta, LlmError, LlmMessage, LlmProvider, LlmRequest, LlmRole, LlmStream,
};
use futures_util::StreamExt;
use secrecy::SecretString;

use crate::support::fake_provider::{FakeProvider, within};

const KEY: &str = "sk-not-for-any-log";

/// Every dialect that the product speaks.
fn dialects() -> [ProviderKind; 2] {
    [ProviderKind::Anthropic, ProviderKind::OpenAi]
}

/// Runs a test once a dialect, each time with a fake and limits of its own.
async fn for_each_dialect(test: impl AsyncFn(ProviderKind, FakeProvider)) {
    for kind in dialects() {
        let fake = FakeProvider::start().await;
        // Shown only if the test fails.
        println!("dialect: {kind:?}");
        test(kind, fake).await;
    }
}

fn config(kind: ProviderKind, url: &str) -> LlmConfig {
    let provider = ProviderConfig {
        api_key: Some(SecretString::from(KEY)),
        model: "model-1".to_owned(),
        base_url: url.to_owned(),
        tokens_max_field: "max_completion_tokens".to_owned(),
        prompt_cache_key: true,
        api_version: "2026-10-21".to_owned(),
    };
    LlmConfig {
        provider: kind,
        anthropic: provider.clone(),
        openai: provider,
        prompts_dir: None,
        reply_language: None,
        prices: Vec::new(),
    }
}

/// A provider with the default limits.
fn connect(kind: ProviderKind, fake: &FakeProvider) -> Arc<dyn LlmProvider> {
    connect_with(&config(kind, &fake.url()), &Limits::default())
}

fn connect_with(config: &LlmConfig, limits: &Limits) -> Arc<dyn LlmProvider> {
    db_chat::llm::connect(config, limits).unwrap().unwrap()
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
