//! Who answers when the provider cannot.

use std::sync::Arc;

use db_chat::config::{FallbackConfig, Limits, LlmConfig};
use db_chat::llm::LlmProvider;
use db_chat::llm::notice::{CallNotice, CallNotices};

use super::{Dialect, call, collect, config, connect_with, request};
use crate::support::fake_provider::{FakeProvider, Reply, within};

/// A provider and one of the other dialect that stands in for it, each with a fake of its own.
struct Pair {
    primary: FakeProvider,
    fallback: FakeProvider,
    provider: Arc<dyn LlmProvider>,
}

const PAIRS: [(Dialect, Dialect); 4] = [
    (Dialect::Anthropic, Dialect::Chat),
    (Dialect::Chat, Dialect::Anthropic),
    (Dialect::Anthropic, Dialect::Responses),
    (Dialect::Responses, Dialect::Anthropic),
];

/// One try each, and little patience.
fn limits() -> Limits {
    Limits {
        llm_retries_max: 0,
        llm_first_token_timeout_ms: 500,
        llm_idle_timeout_ms: 500,
        ..Limits::default()
    }
}

async fn pair(kinds: (Dialect, Dialect), limits: &Limits) -> Pair {
    let (primary, fallback) = (FakeProvider::start().await, FakeProvider::start().await);
    let of_primary = config(kinds.0, &primary.url());
    let of_fallback = config(kinds.1, &fallback.url());
    let (anthropic, openai) = match kinds.0 {
        Dialect::Anthropic => (of_primary.anthropic.clone(), of_fallback.openai),
        Dialect::Chat | Dialect::Responses => (of_fallback.anthropic, of_primary.openai.clone()),
    };
    let config = LlmConfig {
        fallback: Some(FallbackConfig {
            provider: of_fallback.provider,
            model: Some("model-2".to_owned()),
        }),
        anthropic,
        openai,
        ..of_primary
    };
    Pair {
        primary,
        fallback,
        provider: connect_with(&config, limits),
    }
}

#[tokio::test]
async fn what_may_pass_goes_to_the_fallback_once_and_is_counted() {
    let faults = [
        Reply::error(429, "rate_limit_error").header("retry-after", "60"),
        Reply::error(500, "api_error"),
        Reply::error(503, "api_error").header("x-should-retry", "false"),
        Reply::error(529, "overloaded_error"),
        Reply::script().reset(),
        Reply::script().stall(),
        Reply::script().begin().stall(),
        Reply::script().begin().error_event("overloaded_error"),
        // The model was at work, and nobody has seen a word of it.
        Reply::script().begin().thinking("hmm").cut(),
        Reply::script().begin().thinking("hmm").stall(),
        Reply::script()
            .begin()
            .thinking("hmm")
            .error_event("overloaded_error"),
    ];
    for kinds in PAIRS {
        for fault in &faults {
            let pair = pair(kinds, &limits()).await;
            pair.primary.push(fault.clone());
            pair.fallback.push(Reply::text("There are 3."));
            let (notices, mut heard) = CallNotices::channel();
            let stream = pair.provider.stream_telling(request(), notices);
            let (reply, error) = collect(within("a reply", stream).await.unwrap()).await;
            assert!(error.is_none(), "{fault:?}: {error:?}");
            assert_eq!(reply.text, "There are 3.", "{fault:?}");
            assert_eq!(reply.usage.unwrap().calls, 2, "{fault:?}");
            assert_eq!(pair.primary.requests().len(), 1);
            assert_eq!(pair.fallback.requests().len(), 1);
            assert_eq!(pair.fallback.request(0).await.body["model"], "model-2");
            let mut last = None;
            while let Ok(CallNotice::Answering(model)) = heard.try_recv() {
                last = Some(model.to_string());
            }
            let fallback = pair.provider.fallback().unwrap();
            assert_eq!(last, Some(format!("{}:model-2", fallback.name())));
            pair.primary.all_replies_ended().await;
        }
    }
}

#[tokio::test]
async fn what_somebody_has_to_correct_does_not_go_to_the_fallback() {
    for kinds in PAIRS {
        for (status, kind) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (402, "billing_error"),
            (404, "not_found_error"),
            (413, "request_too_large"),
            (429, "insufficient_quota"),
        ] {
            let pair = pair(kinds, &limits()).await;
            pair.primary.push(Reply::error(status, kind));
            assert!(call(&pair.provider).await.is_err(), "{status}");
            assert!(pair.fallback.requests().is_empty(), "{status}");
        }
    }
}

#[tokio::test]
async fn nothing_goes_to_the_fallback_once_a_word_has_been_handed_out() {
    for kinds in PAIRS {
        let pair = pair(kinds, &limits()).await;
        let begun = || Reply::script().begin().delta("so ");
        for reply in [
            begun().cut(),
            begun().error_event("overloaded_error"),
            begun().stall(),
        ] {
            pair.primary.push(reply);
            let stream = pair.provider.stream(request()).await.unwrap();
            let (reply, error) = collect(stream).await;
            assert_eq!(reply.text, "so ");
            assert!(error.is_some());
        }
        assert!(pair.fallback.requests().is_empty());
    }
}

#[tokio::test]
async fn where_both_fail_the_providers_own_error_stands_and_each_was_asked_once() {
    for kinds in PAIRS {
        let pair = pair(kinds, &limits()).await;
        pair.primary.push(Reply::error(529, "overloaded_error"));
        pair.fallback
            .push(Reply::error(401, "authentication_error"));
        let error = call(&pair.provider).await.unwrap_err().to_string();
        assert!(error.contains("overloaded_error"), "{error}");
        assert_eq!(pair.primary.requests().len(), 1);
        assert_eq!(pair.fallback.requests().len(), 1);
    }
}

#[tokio::test]
async fn the_fallback_comes_after_the_retries() {
    for kinds in PAIRS {
        let limits = Limits {
            llm_retries_max: 2,
            ..limits()
        };
        let pair = pair(kinds, &limits).await;
        for _ in 0..3 {
            pair.primary
                .push(Reply::error(500, "api_error").header("retry-after-ms", "1"));
        }
        pair.fallback.push(Reply::text("there"));
        assert_eq!(call(&pair.provider).await.unwrap().usage.unwrap().calls, 4);
        assert_eq!(pair.primary.requests().len(), 3);
    }
}

#[tokio::test]
async fn a_provider_that_is_not_asked_any_more_is_stood_in_for_at_once() {
    for kinds in PAIRS {
        let limits = Limits {
            llm_breaker_failures_max: 1,
            ..limits()
        };
        let pair = pair(kinds, &limits).await;
        pair.primary.push(Reply::error(529, "overloaded_error"));
        pair.fallback.answer_with(|_| Reply::text("there"));
        for asked in 1..=3 {
            assert_eq!(call(&pair.provider).await.unwrap().text, "there");
            assert_eq!(pair.fallback.requests().len(), asked);
        }
        assert_eq!(pair.primary.requests().len(), 1);
        assert!(pair.provider.reachable().await.is_err());
        assert!(pair.provider.fallback().unwrap().reachable().await.is_ok());
    }
}

#[tokio::test]
async fn one_deadline_spans_the_provider_and_its_fallback() {
    for kinds in PAIRS {
        let limits = Limits {
            llm_total_timeout_ms: 400,
            llm_first_token_timeout_ms: 20_000,
            ..limits()
        };
        let pair = pair(kinds, &limits).await;
        pair.primary.push(Reply::error(529, "overloaded_error"));
        pair.fallback.push(Reply::script().stall());
        assert!(call(&pair.provider).await.is_err());
        pair.fallback.all_connections_closed().await;
        // None of it is left for the fallback.
        pair.primary.push(Reply::script().stall());
        let error = call(&pair.provider).await.unwrap_err().to_string();
        assert!(error.contains("no complete reply within 400ms"), "{error}");
        assert_eq!(pair.fallback.requests().len(), 1);
    }
}

#[tokio::test]
async fn leaving_a_call_that_the_fallback_has_taken_over_closes_its_connection() {
    let pair = pair(PAIRS[0], &limits()).await;
    pair.primary
        .push(Reply::script().begin().thinking("hmm").cut());
    pair.fallback.push(Reply::script().stall());
    let stream = pair.provider.stream(request()).await.unwrap();
    let mut reading = Box::pin(collect(stream));
    tokio::select! {
        _ = &mut reading => panic!("there was no answer"),
        _ = pair.fallback.request(0) => {}
    }
    drop(reading);
    pair.fallback.abandoned(1).await;
    pair.fallback.all_connections_closed().await;
}
