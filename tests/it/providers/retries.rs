//! Which failures are tried again: those that may pass, before the model was at work, a bounded number of times.

use db_chat::config::Limits;
use db_chat::llm::error::AnsweredKind;
use db_chat::llm::{FinishReason, LlmError};

use super::{Dialect, call, config, connect, connect_with, for_each_dialect};
use crate::support::fake_provider::{FakeProvider, Reply, Stop};

/// An error answer after which another try comes at once.
fn transient(status: u16, kind: &str) -> Reply {
    Reply::error(status, kind).header("retry-after-ms", "1")
}

#[tokio::test]
async fn transient_statuses_are_tried_again_and_counted() {
    for_each_dialect(async |kind, fake| {
        let provider = connect(kind, &fake);
        let statuses = [
            (408, ""),
            (409, "conflict_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (529, "overloaded_error"),
        ];
        for (status, error_type) in statuses {
            fake.push(transient(status, error_type));
            fake.push(Reply::text("there"));
            let reply = call(&provider).await.unwrap();
            assert_eq!(reply.text, "there", "{status}");
            assert_eq!(reply.usage.unwrap().calls, 2, "{status}");
        }
        assert_eq!(fake.requests().len(), 10);
    })
    .await;
}

#[tokio::test]
async fn a_retry_sends_the_same_bytes() {
    for_each_dialect(async |kind, fake| {
        fake.push(transient(500, "api_error"));
        fake.push(Reply::text("there"));
        call(&connect(kind, &fake)).await.unwrap();
        let requests = fake.requests();
        assert_eq!(requests[0].body.to_string(), requests[1].body.to_string());
    })
    .await;
}

#[tokio::test]
async fn retries_end_with_the_last_error() {
    for_each_dialect(async |kind, fake| {
        for _ in 0..3 {
            fake.push(transient(503, "server_is_overloaded"));
        }
        let error = call(&connect(kind, &fake)).await.unwrap_err();
        assert!(
            matches!(
                error,
                LlmError::Answered {
                    kind: AnsweredKind::Unavailable,
                    status: 503,
                    ..
                }
            ),
            "{error:?}"
        );
        assert_eq!(fake.requests().len(), 3);
    })
    .await;
}

/// One answer, one call, this kind of error.
async fn check_final(reply: Reply, expected: AnsweredKind) {
    for_each_dialect(async |kind, fake| {
        fake.push(reply.clone());
        let error = call(&connect(kind, &fake)).await.unwrap_err();
        let LlmError::Answered { kind, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(kind, expected, "{reply:?}");
        assert_eq!(fake.requests().len(), 1, "{reply:?}");
    })
    .await;
}

#[tokio::test]
async fn what_waiting_does_not_mend_is_not_tried_again() {
    check_final(
        Reply::error(400, "invalid_request_error"),
        AnsweredKind::Rejected,
    )
    .await;
    check_final(
        Reply::error(401, "authentication_error"),
        AnsweredKind::Authentication,
    )
    .await;
    check_final(
        Reply::error(403, "permission_error"),
        AnsweredKind::Authentication,
    )
    .await;
    check_final(Reply::error(404, "not_found_error"), AnsweredKind::Rejected).await;
    check_final(
        Reply::error(413, "request_too_large"),
        AnsweredKind::TooLarge,
    )
    .await;
    check_final(
        Reply::error(402, "billing_error"),
        AnsweredKind::QuotaExceeded,
    )
    .await;
}

#[tokio::test]
async fn an_exhausted_quota_is_final_whatever_the_headers_say() {
    for code in [
        "insufficient_quota",
        "credit_balance_exhausted",
        "enforced_spend_limit_reached",
    ] {
        let reply = transient(429, code).header("x-should-retry", "true");
        check_final(reply, AnsweredKind::QuotaExceeded).await;
    }
}

#[tokio::test]
async fn the_provider_can_forbid_a_retry_and_ask_for_one() {
    let forbidden = Reply::error(503, "api_error").header("x-should-retry", "false");
    check_final(forbidden, AnsweredKind::Unavailable).await;
    for_each_dialect(async |kind, fake| {
        fake.push(transient(400, "invalid_request_error").header("x-should-retry", "true"));
        fake.push(Reply::text("there"));
        assert_eq!(call(&connect(kind, &fake)).await.unwrap().text, "there");
    })
    .await;
}

#[tokio::test]
async fn a_wait_longer_than_a_person_has_patience_is_not_waited_for() {
    let reply = Reply::error(429, "rate_limit_error").header("retry-after", "60");
    check_final(reply, AnsweredKind::RateLimited).await;
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_of_the_call_is_not_waited_for() {
    for_each_dialect(async |kind, fake| {
        let limits = Limits {
            llm_total_timeout_ms: 5_000,
            ..Limits::default()
        };
        fake.push(Reply::error(429, "rate_limit_error").header("retry-after", "6"));
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        let error = call(&provider).await.unwrap_err();
        assert!(matches!(
            error,
            LlmError::Answered {
                kind: AnsweredKind::RateLimited,
                ..
            }
        ));
        assert_eq!(fake.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_html_page_from_a_gateway_is_tried_again() {
    for_each_dialect(async |kind, fake| {
        let page = Reply::raw(502, "text/html", "<html>Bad Gateway</html>");
        fake.push(page.header("retry-after", "0.001"));
        fake.push(Reply::raw(504, "text/plain", "").header("retry-after-ms", "1"));
        fake.push(Reply::text("there"));
        let reply = call(&connect(kind, &fake)).await.unwrap();
        assert_eq!(reply.usage.unwrap().calls, 3);
    })
    .await;
}

#[tokio::test]
async fn an_error_page_that_never_ends_does_not_hold_the_call() {
    for_each_dialect(async |kind, fake| {
        let page = Reply::raw(400, "text/html", "<html>".repeat(20_000));
        fake.push(page.stall());
        let error = call(&connect(kind, &fake)).await.unwrap_err();
        assert!(error.to_string().len() < 1_000);
        fake.all_connections_closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_tried_again() {
    for_each_dialect(async |kind, fake| {
        fake.push(Reply::script().reset());
        fake.push(Reply::script().cut());
        fake.push(Reply::text("there"));
        assert_eq!(call(&connect(kind, &fake)).await.unwrap().text, "there");
        assert_eq!(fake.requests().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_breaks_before_its_first_token_is_tried_again() {
    for_each_dialect(async |kind, fake| {
        fake.push(
            Reply::script()
                .begin()
                .ping()
                .error_event("overloaded_error"),
        );
        fake.push(Reply::script().begin().cut());
        fake.push(Reply::text("there"));
        let reply = call(&connect(kind, &fake)).await.unwrap();
        assert_eq!(reply.text, "there");
        assert_eq!(reply.finish, Some(FinishReason::Complete));
        assert_eq!(reply.usage.unwrap().calls, 3);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_tried_again_once_the_model_is_at_work() {
    for_each_dialect(async |kind, fake| {
        fake.push(
            Reply::script()
                .begin()
                .thinking("hmm")
                .error_event("overloaded_error"),
        );
        fake.push(Reply::script().begin().thinking("hmm").cut());
        let provider = connect(kind, &fake);
        assert!(call(&provider).await.is_err());
        assert_eq!(fake.requests().len(), 1);
        assert!(call(&provider).await.is_err());
        assert_eq!(fake.requests().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn no_answer_within_the_first_token_timeout_is_tried_again() {
    for_each_dialect(async |kind, fake| {
        let limits = Limits {
            llm_first_token_timeout_ms: 500,
            ..Limits::default()
        };
        fake.push(Reply::script().stall());
        fake.answer_with(|_| {
            Reply::script()
                .begin()
                .delta("there")
                .finish(Stop::Complete)
        });
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        let reply = call(&provider).await.unwrap();
        assert_eq!(reply.text, "there");
        assert_eq!(reply.usage.unwrap().calls, 2);
    })
    .await;
}

#[tokio::test]
async fn the_deadline_spans_all_tries() {
    for_each_dialect(async |kind, fake| {
        let limits = Limits {
            llm_total_timeout_ms: 300,
            ..Limits::default()
        };
        fake.push(Reply::script().stall());
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        let error = call(&provider).await.unwrap_err();
        assert!(
            error.to_string().contains("no complete reply within 300ms"),
            "{error}"
        );
        assert_eq!(fake.requests().len(), 1);
        fake.all_connections_closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_a_connect_error() {
    for_each_dialect(async |kind, fake| {
        let url = fake.url();
        drop(fake);
        // The port is free again as soon as the fake's tasks have ended.
        while tokio::net::TcpStream::connect(url.trim_start_matches("http://"))
            .await
            .is_ok()
        {}
        let limits = Limits {
            llm_retries_max: 1,
            ..Limits::default()
        };
        let provider = connect_with(&config(kind, &url), &limits);
        let error = call(&provider).await.unwrap_err();
        assert!(matches!(error, LlmError::Connect { .. }), "{error:?}");
        let error = provider.reachable().await.unwrap_err();
        assert!(matches!(error, LlmError::Connect { .. }), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_connect_error() {
    let fake = FakeProvider::start().await;
    let url = fake.url().replace("http://", "https://");
    let limits = Limits {
        llm_retries_max: 1,
        ..Limits::default()
    };
    let provider = connect_with(&config(Dialect::Chat, &url), &limits);
    let error = call(&provider).await.unwrap_err();
    assert!(matches!(error, LlmError::Connect { .. }), "{error:?}");
    assert_eq!(fake.accepted_connections(), 2);
}
