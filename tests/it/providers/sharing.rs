//! What all calls to one provider share: its circuit breaker and its places.

use std::time::Duration;

use db_chat::config::Limits;
use db_chat::llm::notice::{CallNotice, CallNotices};
use db_chat::llm::{LlmDelta, LlmError};
use futures_util::StreamExt;

use super::{call, collect, config, connect_with, for_each_dialect, request};
use crate::support::fake_provider::{DEADLINE, Gate, Reply, Stop, within};

/// One try a call; the circuit opens after two failures and stays open for the rest of the test.
fn limits() -> Limits {
    Limits {
        llm_retries_max: 0,
        llm_breaker_failures_max: 2,
        llm_breaker_open_ms: 3_600_000,
        ..Limits::default()
    }
}

fn is_open<T>(called: &Result<T, LlmError>) -> bool {
    matches!(called, Err(LlmError::CircuitOpen { .. }))
}

#[tokio::test]
async fn a_dead_provider_fails_fast_for_everyone() {
    let failures: [fn() -> Reply; 6] = [
        || Reply::error(500, "api_error"),
        || Reply::error(529, "overloaded_error"),
        || Reply::script().reset(),
        || Reply::script().begin().error_event("overloaded_error"),
        || Reply::script().begin().delta("so far").cut(),
        || {
            Reply::script()
                .begin()
                .delta("so far")
                .error_event("api_error")
        },
    ];
    for failure in failures {
        for_each_dialect(async |kind, fake| {
            let provider = connect_with(&config(kind, &fake.url()), &limits());
            for _ in 0..2 {
                fake.push(failure());
                assert!(!is_open(&call(&provider).await));
            }
            for _ in 0..3 {
                let called = call(&provider).await;
                assert!(is_open(&called), "{called:?}");
            }
            assert!(is_open(&provider.reachable().await));
            assert_eq!(fake.requests().len(), 2);
        })
        .await;
    }
}

#[tokio::test]
async fn a_provider_that_turns_requests_away_lives() {
    for_each_dialect(async |kind, fake| {
        let provider = connect_with(&config(kind, &fake.url()), &limits());
        for (status, error_type) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (402, "billing_error"),
            (404, "not_found_error"),
            (413, "request_too_large"),
            (429, "rate_limit_error"),
            (429, "insufficient_quota"),
        ] {
            fake.push(Reply::error(status, error_type));
            assert!(!is_open(&call(&provider).await), "{status}");
        }
        let refusal = Stop::Refusal("No.".to_owned());
        for _ in 0..3 {
            fake.push(Reply::script().begin().finish(refusal.clone()));
            call(&provider).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn calls_that_somebody_stops_do_not_count() {
    for_each_dialect(async |kind, fake| {
        let provider = connect_with(&config(kind, &fake.url()), &limits());
        for index in 0..3 {
            fake.push(Reply::script().stall());
            tokio::select! {
                _ = call(&provider) => panic!("there was no answer"),
                _ = fake.request(index) => {}
            }
        }
        for _ in 0..3 {
            fake.push(Reply::script().begin().delta("so far").stall());
            drop(provider.stream(request()).await.unwrap());
        }
        fake.push(Reply::text("there"));
        assert_eq!(call(&provider).await.unwrap().text, "there");
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_back_is_used_again() {
    for_each_dialect(async |kind, fake| {
        let limits = Limits {
            llm_breaker_open_ms: 1,
            ..limits()
        };
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        for _ in 0..4 {
            fake.push(Reply::error(500, "api_error"));
        }
        fake.answer_with(|_| Reply::text("there"));
        let answered = async {
            while call(&provider).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        within("an answer", answered).await;
        assert_eq!(fake.requests().len(), 5);
    })
    .await;
}

#[tokio::test]
async fn retries_end_when_the_circuit_opens() {
    for_each_dialect(async |kind, fake| {
        let limits = Limits {
            llm_retries_max: 9,
            ..limits()
        };
        fake.answer_with(|_| Reply::error(500, "api_error").header("retry-after-ms", "1"));
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        let error = call(&provider).await.unwrap_err();
        assert!(
            matches!(error, LlmError::Answered { status: 500, .. }),
            "{error}"
        );
        assert_eq!(fake.requests().len(), 2);
    })
    .await;
}

/// One place, and as much patience as a test has.
fn one_place() -> Limits {
    Limits {
        llm_concurrent_calls_max: 1,
        llm_queue_timeout_ms: DEADLINE.as_millis().try_into().unwrap(),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_call_waits_for_a_place_and_says_so() {
    for_each_dialect(async |kind, fake| {
        let provider = connect_with(&config(kind, &fake.url()), &one_place());
        let gate = Gate::new();
        let reply = Reply::script().begin().delta("first").wait(&gate);
        fake.push(reply.finish(Stop::Complete));
        fake.push(Reply::text("second"));
        let first = provider.stream(request()).await.unwrap();
        let (notices, mut heard) = CallNotices::channel();
        let mut second = provider.stream_telling(request(), notices);
        tokio::select! {
            _ = &mut second => panic!("there was no place"),
            notice = heard.recv() => assert_eq!(notice, Some(CallNotice::Queued)),
        }
        assert_eq!(fake.requests().len(), 1);
        gate.open();
        assert_eq!(collect(first).await.0.text, "first");
        let second = within("the second", second).await.unwrap();
        assert_eq!(heard.recv().await, Some(CallNotice::Admitted));
        assert!(matches!(heard.recv().await, Some(CallNotice::Answering(_))));
        assert_eq!(collect(second).await.0.text, "second");
    })
    .await;
}

#[tokio::test]
async fn a_place_is_free_again_however_its_call_ends() {
    for_each_dialect(async |kind, fake| {
        let limits = Limits {
            llm_retries_max: 0,
            llm_queue_timeout_ms: 1,
            ..one_place()
        };
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        // Read to its end and kept.
        fake.push(Reply::text("kept"));
        let mut kept = provider.stream(request()).await.unwrap();
        while !matches!(kept.next().await, Some(Ok(LlmDelta::Finish(_)))) {}
        // Dropped in the middle.
        fake.push(Reply::script().begin().delta("so far").stall());
        drop(provider.stream(request()).await.unwrap());
        // Failed, before and after the first word.
        fake.push(Reply::error(500, "api_error"));
        assert!(call(&provider).await.is_err());
        fake.push(Reply::script().begin().delta("so far").cut());
        let mut broken = provider.stream(request()).await.unwrap();
        while !matches!(broken.next().await, Some(Err(_))) {}
        // Given up before an answer.
        let index = fake.requests().len();
        fake.push(Reply::script().stall());
        tokio::select! {
            _ = call(&provider) => panic!("there was no answer"),
            _ = fake.request(index) => {}
        }
        fake.push(Reply::text("there"));
        assert_eq!(call(&provider).await.unwrap().text, "there");
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_and_a_long_wait_are_errors_of_their_own() {
    for_each_dialect(async |kind, fake| {
        let limits = Limits {
            llm_queue_calls_max: 1,
            llm_queue_timeout_ms: 300,
            ..one_place()
        };
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        fake.push(Reply::script().begin().delta("endless").stall());
        let _held = provider.stream(request()).await.unwrap();
        let (notices, mut heard) = CallNotices::channel();
        let mut waiting = provider.stream_telling(request(), notices);
        tokio::select! {
            _ = &mut waiting => panic!("there was no place"),
            _ = heard.recv() => {}
        }
        let error = call(&provider).await.unwrap_err();
        let none = Duration::ZERO;
        assert!(matches!(error, LlmError::Busy { waited, .. } if waited == none));
        let error = within("the end of the wait", waiting).await.err().unwrap();
        assert!(matches!(error, LlmError::Busy { waited, .. } if waited > none));
        assert_eq!(fake.requests().len(), 1);
    })
    .await;
}
