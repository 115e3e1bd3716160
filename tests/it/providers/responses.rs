//! What the Responses API does that no other dialect does.

use db_chat::llm::error::AnsweredKind;
use db_chat::llm::{FinishReason, LlmError};

use super::quirks::{answered, is_interrupted, one_call, usage};
use super::{Collected, Dialect, call, connect, for_each_dialect};
use crate::support::fake_provider::{Reply, Stop};

const CREATED: &str = r#"{"type":"response.created","sequence_number":0,"response":{"status":"queued","error":null}}"#;
const COMPLETED: &str =
    r#"{"type":"response.completed","response":{"status":"completed","output":[]}}"#;

/// One reply of these events, without a retry.
async fn events(events: &[&str]) -> Result<Collected, LlmError> {
    let body: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    one_call(Dialect::Responses, Reply::script().bytes(body)).await
}

fn text(output_index: u64, delta: &str) -> String {
    format!(
        r#"{{"type":"response.output_text.delta","output_index":{output_index},"content_index":0,"delta":"{delta}"}}"#
    )
}

#[tokio::test]
async fn only_the_final_answer_is_the_answer() {
    let aside = r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"message","phase":"commentary"}}"#;
    let answer = r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"message","phase":"final_answer"}}"#;
    let reply = events(&[
        CREATED,
        r#"{"type":"response.queued","response":{}}"#,
        r#"{"type":"response.in_progress","response":{}}"#,
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","encrypted_content":"half"}}"#,
        r#"{"type":"response.reasoning_text.delta","output_index":0,"delta":"hmm"}"#,
        aside,
        &text(1, "Let me look. "),
        answer,
        &text(2, "Seven"),
        &text(2, "."),
        r#"{"type":"response.function_call_arguments.delta","output_index":3,"delta":"{"}"#,
        COMPLETED,
    ])
    .await
    .unwrap();
    assert_eq!(reply.text, "Seven.");
    assert_eq!(reply.finish, Some(FinishReason::Complete));
    assert_eq!(reply.usage, None);
}

#[tokio::test]
async fn the_repeats_at_the_end_are_not_said_twice() {
    let reply = events(&[
        CREATED,
        &text(0, "Seven."),
        r#"{"type":"response.output_text.done","output_index":0,"text":"Seven."}"#,
        r#"{"type":"response.content_part.done","output_index":0,"part":{"type":"output_text","text":"Seven."}}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"content":[{"type":"output_text","text":"Seven."}]}}"#,
        r#"{"type":"response.completed","response":{"output":[{"content":[{"text":"Seven."}]}],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":2,"output_tokens_details":{"reasoning_tokens":1}}}}"#,
        "[DONE]",
    ])
    .await
    .unwrap();
    assert_eq!(reply.text, "Seven.");
    assert_eq!(reply.usage, usage(9, Some(4), 2));
}

#[tokio::test]
async fn the_longest_reply_that_is_allowed_still_fits_into_the_event_that_repeats_it() {
    for_each_dialect(async |dialect, fake| {
        // Every character is escaped where it is repeated, and the limit is 1 MiB of text.
        let line = "\"\n".repeat(32 << 10);
        let reply = Reply::script().begin().deltas(&line, 16);
        fake.push(reply.finish(Stop::Complete));
        let reply = call(&connect(dialect, &fake)).await.unwrap();
        assert_eq!(reply.text.len(), 1 << 20);
        assert_eq!(reply.finish, Some(FinishReason::Complete));
    })
    .await;
}

#[tokio::test]
async fn an_incomplete_reply_says_why() {
    let incomplete = |details: &str| {
        format!(
            r#"{{"type":"response.incomplete","response":{{"status":"incomplete","incomplete_details":{details}}}}}"#
        )
    };
    for (details, expected) in [
        (r#"{"reason":"max_output_tokens"}"#, FinishReason::TokensMax),
        (r#"{"reason":"content_filter"}"#, FinishReason::Filtered),
        (r#"{"reason":"a_new_one"}"#, FinishReason::TokensMax),
        ("null", FinishReason::TokensMax),
    ] {
        let reply = events(&[CREATED, &text(0, "Sev"), &incomplete(details)])
            .await
            .unwrap();
        assert_eq!(reply.text, "Sev");
        assert_eq!(reply.finish, Some(expected), "{details}");
    }
}

#[tokio::test]
async fn errors_come_in_three_shapes() {
    for (event, expected) in [
        (
            r#"{"type":"error","code":"server_error","message":"m","param":null,"sequence_number":2}"#,
            AnsweredKind::Unavailable,
        ),
        (
            r#"{"type":"error","sequence_number":2,"error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"m"}}"#,
            AnsweredKind::TooLarge,
        ),
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"m"}}}"#,
            AnsweredKind::RateLimited,
        ),
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"invalid_prompt","message":"m"}}}"#,
            AnsweredKind::Rejected,
        ),
        (
            r#"{"type":"response.failed","response":{"status":"failed","error":null}}"#,
            AnsweredKind::Unavailable,
        ),
    ] {
        let reply = events(&[CREATED, &text(0, "so far"), event]).await;
        assert_eq!(answered(reply), expected, "{event}");
    }
}

#[tokio::test]
async fn a_reply_without_its_terminal_event_is_a_failure() {
    let done = r#"{"type":"response.output_text.done","output_index":0,"text":"Seven."}"#;
    for last in [done, "[DONE]"] {
        let reply = events(&[CREATED, &text(0, "Seven."), last]).await;
        assert!(is_interrupted(&reply), "{reply:?}");
    }
}

#[tokio::test]
async fn a_refusal_may_follow_words() {
    let reply = events(&[
        CREATED,
        &text(0, "Well, "),
        r#"{"type":"response.refusal.delta","output_index":0,"content_index":1,"delta":"I will "}"#,
        r#"{"type":"response.refusal.delta","output_index":0,"content_index":1,"delta":"not."}"#,
        r#"{"type":"response.refusal.done","output_index":0,"content_index":1,"refusal":"I will not."}"#,
        COMPLETED,
    ])
    .await
    .unwrap();
    assert_eq!(reply.text, "Well, ");
    assert_eq!(
        reply.finish,
        Some(FinishReason::Refused(Some("I will not.".to_owned())))
    );
}
