//! What every dialect has to do with a reply that goes wrong after the provider has taken the request.

use std::time::Duration;

use db_chat::config::Limits;
use db_chat::llm::LlmError;
use db_chat::llm::error::AnsweredKind;

use super::{
    KEY, call, collect, config, connect, connect_with, for_each_dialect, printed, request,
};
use crate::support::fake_provider::{Reply, Stop, within};

/// The words before the fault are handed out, the fault is an error, nothing is tried again and no connection stays.
async fn check_broken(reply: impl Fn(Reply) -> Reply, expected: &str) {
    for_each_dialect(async |kind, fake| {
        fake.push(reply(Reply::script().begin().delta("so far ")));
        let provider = connect(kind, &fake);
        let stream = within("a reply to begin", provider.stream(request()))
            .await
            .unwrap();
        let (collected, error) = collect(stream).await;
        assert_eq!(collected.text, "so far ");
        let error = error.unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fake.requests().len(), 1);
        fake.all_replies_ended().await;
        drop(provider);
        fake.all_connections_closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_body_that_ends_without_the_terminal_mark_is_a_failure() {
    check_broken(|reply| reply, "the body ended without the mark").await;
}

#[tokio::test]
async fn a_connection_that_is_cut_in_the_middle_is_a_failure() {
    check_broken(Reply::cut, "stream broke off").await;
}

#[tokio::test]
async fn a_connection_that_is_reset_in_the_middle_is_a_failure() {
    check_broken(Reply::reset, "stream broke off").await;
}

#[tokio::test]
async fn an_error_event_in_the_middle_is_that_error() {
    check_broken(
        |reply| reply.error_event("overloaded_error").finish(Stop::Complete),
        "answered Unavailable: overloaded_error",
    )
    .await;
}

#[tokio::test]
async fn an_event_that_is_not_json_is_a_failure() {
    check_broken(
        |reply| reply.bytes("data: {\"half\": \n\n"),
        "an event is not JSON",
    )
    .await;
}

#[tokio::test]
async fn text_that_is_cut_inside_a_character_is_a_failure() {
    check_broken(|reply| reply.bytes(&b"data: \"Z\xc3"[..]), "not UTF-8").await;
}

#[tokio::test]
async fn an_endless_event_is_bounded() {
    check_broken(
        |reply| reply.bytes(format!("data: {}", "x".repeat(7 << 20))),
        "an event is larger than 5242880 bytes",
    )
    .await;
}

#[tokio::test]
async fn a_reply_of_fifty_megabytes_is_bounded() {
    for_each_dialect(async |kind, fake| {
        let piece = "x".repeat(64 << 10);
        let reply = Reply::script().begin().deltas(&piece, 800);
        fake.push(reply.finish(Stop::Complete));
        let provider = connect(kind, &fake);
        let stream = within("a reply to begin", provider.stream(request()))
            .await
            .unwrap();
        let (collected, error) = collect(stream).await;
        let error = error.unwrap().to_string();
        assert!(
            error.contains("its text is larger than 1048576 bytes"),
            "{error}"
        );
        assert!(collected.text.len() <= Limits::default().llm_reply_bytes_max);
        // The other 49 MB were never read.
        fake.abandoned(1).await;
        fake.all_connections_closed().await;
    })
    .await;
}

#[tokio::test]
async fn a_body_of_comments_without_end_is_bounded() {
    for_each_dialect(async |kind, fake| {
        let limits = Limits {
            llm_reply_bytes_max: 1_000,
            ..Limits::default()
        };
        let comments = ": nothing to say\n".repeat(8_000);
        fake.push(Reply::script().begin().delta("x").bytes(comments).stall());
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        let error = call(&provider).await.unwrap_err().to_string();
        assert!(
            error.contains("the reply is larger than 64000 bytes"),
            "{error}"
        );
    })
    .await;
}

/// A provider that has taken the request and then keeps the person waiting is not asked a second time: it would bill twice.
async fn check_timeout(reply: Reply, limits: Limits, expected: &str) {
    for_each_dialect(async |kind, fake| {
        fake.push(reply.clone());
        let provider = connect_with(&config(kind, &fake.url()), &limits);
        let error = call(&provider).await.unwrap_err();
        assert!(matches!(error, LlmError::Timeout { .. }), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(fake.requests().len(), 1);
        fake.all_connections_closed().await;
    })
    .await;
}

#[tokio::test]
async fn silence_after_the_headers_ends_with_the_first_token_timeout() {
    let limits = Limits {
        llm_first_token_timeout_ms: 150,
        ..Limits::default()
    };
    check_timeout(
        Reply::script().head().stall(),
        limits.clone(),
        "no first token within 150ms",
    )
    .await;
    check_timeout(
        Reply::script().begin().stall(),
        limits,
        "no first token within 150ms",
    )
    .await;
}

#[tokio::test]
async fn keep_alives_alone_do_not_count_as_a_first_token() {
    let limits = Limits {
        llm_first_token_timeout_ms: 300,
        ..Limits::default()
    };
    let reply = Reply::script()
        .begin()
        .drip_comments(Duration::from_millis(10));
    check_timeout(reply, limits, "no first token within 300ms").await;
}

#[tokio::test]
async fn silence_in_the_middle_ends_with_the_idle_timeout() {
    let limits = Limits {
        llm_idle_timeout_ms: 150,
        ..Limits::default()
    };
    let reply = Reply::script().begin().delta("well").stall();
    check_timeout(reply, limits, "no next token within 150ms").await;
}

#[tokio::test]
async fn a_model_that_thinks_in_silence_is_given_the_first_token_timeout() {
    let limits = Limits {
        llm_first_token_timeout_ms: 600,
        llm_idle_timeout_ms: 50,
        ..Limits::default()
    };
    let reply = Reply::script().begin().stall();
    check_timeout(reply, limits, "no first token within 600ms").await;
}

#[tokio::test]
async fn a_reply_that_drips_ends_with_the_deadline_for_the_whole() {
    let limits = Limits {
        llm_total_timeout_ms: 400,
        ..Limits::default()
    };
    let reply = Reply::script()
        .begin()
        .drip_text("x", Duration::from_millis(10));
    check_timeout(reply, limits, "no complete reply within 400ms").await;
}

#[tokio::test]
async fn a_page_where_events_belong_points_to_the_base_url() {
    for_each_dialect(async |kind, fake| {
        fake.push(Reply::raw(
            200,
            "text/html; charset=utf-8",
            "<html>Welcome!</html>",
        ));
        let error = call(&connect(kind, &fake)).await.unwrap_err();
        assert!(
            matches!(
                error,
                LlmError::Answered {
                    kind: AnsweredKind::Rejected,
                    status: 200,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(
            error.to_string().contains("_BASE_URL point to the API?"),
            "{error}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_since_the_key_would_go_along() {
    for_each_dialect(async |kind, fake| {
        let elsewhere = crate::support::fake_provider::FakeProvider::start().await;
        fake.push(Reply::raw(307, "text/plain", "").header("location", &elsewhere.url()));
        let error = call(&connect(kind, &fake)).await.unwrap_err();
        assert!(
            error.to_string().contains("_BASE_URL point to the API?"),
            "{error}"
        );
        assert_eq!(elsewhere.accepted_connections(), 0);
        assert_eq!(fake.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn no_error_shows_the_key_or_the_password_of_the_base_url() {
    for_each_dialect(async |kind, fake| {
        let url = fake.url().replace("http://", "http://user:hunter2@") + "?code=hunter2";
        let provider = connect_with(&config(kind, &url), &Limits::default());
        let echo = format!(
            "{{\"error\":{{\"message\":\"wrong key {KEY}\",\"type\":\"authentication_error\"}}}}"
        );
        fake.push(Reply::raw(401, "application/json", echo.clone()));
        fake.push(Reply::script().begin().bytes(format!("data: {echo}\n\n")));
        fake.push(Reply::raw(
            400,
            "text/plain",
            format!("{}{KEY}", "x".repeat(290)),
        ));
        fake.push(Reply::script().begin().delta("x").reset());
        for _ in 0..4 {
            let error = printed(&call(&provider).await.unwrap_err());
            for secret in [KEY, "sk-not", "hunter2"] {
                assert!(!error.contains(secret), "{error}");
            }
        }
        drop(fake);
        let error = printed(&call(&provider).await.unwrap_err());
        assert!(!error.contains("hunter2"), "{error}");
    })
    .await;
}
