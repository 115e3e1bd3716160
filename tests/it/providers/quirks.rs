//! What servers do that the documents do not say; each test is named after the server that does it.

use db_chat::config::Limits;
use db_chat::domain::usage::TokenUsage;
use db_chat::llm::error::AnsweredKind;
use db_chat::llm::{FinishReason, LlmError};

use super::{Collected, Dialect, call, config, connect_with};
use crate::support::fake_provider::{FakeProvider, Reply};

/// One reply of these lines, without a retry.
async fn chat(body: &str) -> Result<Collected, LlmError> {
    one_call(Dialect::Chat, Reply::script().bytes(body)).await
}

async fn messages(body: &str) -> Result<Collected, LlmError> {
    one_call(Dialect::Anthropic, Reply::script().bytes(body)).await
}

pub(super) async fn one_call(kind: Dialect, reply: Reply) -> Result<Collected, LlmError> {
    let fake = FakeProvider::start().await;
    fake.push(reply);
    let limits = Limits {
        llm_retries_max: 0,
        ..Limits::default()
    };
    call(&connect_with(&config(kind, &fake.url()), &limits)).await
}

pub(super) fn answered(result: Result<Collected, LlmError>) -> AnsweredKind {
    match result {
        Err(LlmError::Answered { kind, .. }) => kind,
        other => panic!("{other:?}"),
    }
}

pub(super) fn is_interrupted(result: &Result<Collected, LlmError>) -> bool {
    matches!(result, Err(LlmError::Interrupted { .. }))
}

pub(super) fn usage(input: u64, cached: Option<u64>, output: u64) -> Option<TokenUsage> {
    Some(TokenUsage {
        calls: 1,
        input_tokens: Some(input),
        cached_tokens: cached,
        output_tokens: Some(output),
    })
}

#[tokio::test]
async fn azure_sends_chunks_without_choices_and_annotations_in_between() {
    let reply = chat(concat!(
        r#"data: {"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":"a burst of text"}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"content_filter_results":{},"finish_reason":null}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        "\n\n",
        r#"data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":4}}"#,
        "\n\n",
        "data: [DONE]\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "a burst of text");
    assert_eq!(reply.usage, usage(5, None, 4));
}

#[tokio::test]
async fn azure_filters_the_reply_in_the_middle() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"so far"}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}"#,
        "\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "so far");
    assert_eq!(reply.finish, Some(FinishReason::Filtered));
}

#[tokio::test]
async fn azure_filters_the_prompt_with_an_error_status() {
    let body = r#"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400}}"#;
    let reply = one_call(Dialect::Chat, Reply::raw(400, "application/json", body))
        .await
        .unwrap();
    assert_eq!(reply.finish, Some(FinishReason::Filtered));
}

#[tokio::test]
async fn ollama_ends_a_failed_reply_without_a_word() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"so"},"finish_reason":null}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#, "\n\n",
    ))
    .await;
    assert!(is_interrupted(&reply), "{reply:?}");
}

#[tokio::test]
async fn ollama_vllm_and_groq_think_under_another_name() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"hmm"}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":"yes"}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#, "\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "yes");
    assert_eq!(reply.usage, None);
}

#[tokio::test]
async fn ollama_names_a_model_that_is_not_pulled() {
    let body = r#"{"error":{"message":"model \"x\" not found, try pulling it first","type":"not_found_error","param":null,"code":null}}"#;
    let reply = one_call(Dialect::Chat, Reply::raw(404, "application/json", body)).await;
    assert_eq!(answered(reply), AnsweredKind::Rejected);
}

#[tokio::test]
async fn vllm_says_done_after_an_error() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"so"}}]}"#, "\n\n",
        r#"data: {"error":{"message":"boom","type":"InternalServerError","param":null,"code":500}}"#, "\n\n",
        "data: [DONE]\n\n",
    ))
    .await;
    assert_eq!(answered(reply), AnsweredKind::Unavailable);
}

#[tokio::test]
async fn vllm_names_a_model_that_it_does_not_serve() {
    let body = r#"{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}}"#;
    let reply = Reply::raw(404, "application/json", body);
    assert_eq!(
        answered(one_call(Dialect::Chat, reply).await),
        AnsweredKind::Rejected
    );
}

#[tokio::test]
async fn vllm_has_an_older_error_shape() {
    let body = r#"{"object":"error","message":"too long","type":"BadRequestError","param":null,"code":400}"#;
    assert_eq!(
        answered(chat(&format!("data: {body}\n\n")).await),
        AnsweredKind::Rejected
    );
}

#[tokio::test]
async fn llama_cpp_pings_with_bare_comments_and_does_not_close_its_last_event() {
    let reply = chat(concat!(
        ":\n\n:\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":"42"}}],"timings":{"predicted_ms":1.5}}"#, "\n\n",
        ":\n\n",
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1}}"#, "\n\n",
        "data: [DONE]",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "42");
    assert_eq!(reply.usage, usage(9, None, 1));
}

#[tokio::test]
async fn llama_cpp_ends_with_a_finish_that_no_blank_line_closes() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"42"}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    ))
    .await
    .unwrap();
    assert_eq!(reply.finish, Some(FinishReason::Complete));
}

#[tokio::test]
async fn llama_cpp_is_unavailable_while_it_loads() {
    let body = r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
    let reply = one_call(Dialect::Chat, Reply::raw(503, "application/json", body)).await;
    assert_eq!(answered(reply), AnsweredKind::Unavailable);
}

#[tokio::test]
async fn llama_cpp_names_a_context_that_is_too_small() {
    let body = r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}"#;
    let reply = Reply::raw(400, "application/json", body);
    assert_eq!(
        answered(one_call(Dialect::Chat, reply).await),
        AnsweredKind::TooLarge
    );
}

#[tokio::test]
async fn lm_studio_counts_nothing_and_names_no_function_in_later_fragments() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"7"}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"","arguments":"{"}}]}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#, "\n\n",
        "data: [DONE]\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "7");
    assert_eq!(reply.usage, None);
}

#[tokio::test]
async fn lm_studio_reports_an_error_without_a_type() {
    let body = r#"{"error":{"message":"The model has crashed"},"message":"The model has crashed"}"#;
    assert_eq!(
        answered(chat(&format!("event: error\ndata: {body}\n\n")).await),
        AnsweredKind::Unavailable
    );
    let reply = one_call(Dialect::Chat, Reply::raw(200, "application/json", body)).await;
    assert_eq!(answered(reply), AnsweredKind::Unavailable);
}

#[tokio::test]
async fn groq_counts_under_its_own_name() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"fast"}}],"x_groq":{"id":"r"}}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":1}}}"#, "\n\n",
        "data: [DONE]\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.usage, usage(3, None, 1));
}

#[tokio::test]
async fn groq_has_a_status_of_its_own_for_no_capacity() {
    let body =
        r#"{"error":{"message":"full","type":"internal_server_error","code":"capacity_exceeded"}}"#;
    let reply = one_call(Dialect::Chat, Reply::raw(498, "application/json", body)).await;
    assert_eq!(answered(reply), AnsweredKind::Unavailable);
}

#[tokio::test]
async fn deepseek_keeps_alive_with_comments_and_counts_its_cache_differently() {
    let reply = chat(concat!(
        ": keep-alive\n\n: keep-alive\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"hmm"}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":"sea","reasoning_content":null}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":8,"completion_tokens":2,"prompt_cache_hit_tokens":6}}"#, "\n\n",
        "data: [DONE]\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "sea");
    assert_eq!(reply.usage, usage(8, Some(6), 2));
}

#[tokio::test]
async fn deepseek_writes_empty_lines_before_an_answer_that_is_no_stream() {
    let error = r#"{"error":{"message":"busy","type":"server_error","param":null,"code":null}}"#;
    for status in [200, 503] {
        let reply = Reply::raw(status, "application/json", format!("\n\n\n{error}"));
        assert_eq!(
            answered(one_call(Dialect::Chat, reply).await),
            AnsweredKind::Unavailable
        );
    }
}

#[tokio::test]
async fn deepseek_closes_after_keep_alives_alone_when_it_never_got_to_the_request() {
    let reply = chat(": keep-alive\n\n: keep-alive\n\n").await;
    assert!(is_interrupted(&reply), "{reply:?}");
}

#[tokio::test]
async fn deepseek_runs_out_of_resources_in_the_middle() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"so"}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]}"#, "\n\n",
    ))
    .await;
    assert_eq!(answered(reply), AnsweredKind::Unavailable);
}

#[tokio::test]
async fn deepseek_has_no_balance_left() {
    let body = r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#;
    let reply = one_call(Dialect::Chat, Reply::raw(402, "application/json", body)).await;
    assert_eq!(answered(reply), AnsweredKind::QuotaExceeded);
}

#[tokio::test]
async fn gemini_wraps_its_errors_into_an_array() {
    let body =
        r#"[{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT"}}]"#;
    let reply = one_call(Dialect::Chat, Reply::raw(400, "application/json", body)).await;
    assert_eq!(answered(reply), AnsweredKind::Rejected);
    let body = body.replace("400", "503");
    assert_eq!(
        answered(chat(&format!("data: {body}\n\n")).await),
        AnsweredKind::Unavailable
    );
}

#[tokio::test]
async fn gemini_sends_tool_calls_without_index_which_are_passed_over() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":"text"},"finish_reason":"stop"}]}"#, "\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "text");
}

#[tokio::test]
async fn gemini_adds_signatures_of_its_own() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"ja","extra_content":{"google":{"thought_signature":"c2ln"}}}}]}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":1,"total_tokens":9}}"#, "\n\n",
        "data: [DONE]\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "ja");
    assert_eq!(reply.usage, usage(2, None, 1));
}

#[tokio::test]
async fn openai_pads_its_chunks_and_declines_in_a_field_of_its_own() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null}}],"usage":null,"obfuscation":"x9"}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"refusal":"I "}}],"usage":null,"obfuscation":"x"}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"refusal":"will not."}}],"usage":null}"#, "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#, "\n\n",
        r#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":0}}}"#, "\n\n",
        "data: [DONE]\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "");
    assert_eq!(
        reply.finish,
        Some(FinishReason::Refused(Some("I will not.".to_owned())))
    );
    assert_eq!(reply.usage, usage(3, Some(0), 2));
}

#[tokio::test]
async fn a_server_that_says_done_without_a_finish_reason_has_not_finished() {
    let reply = chat(concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"so"},"finish_reason":""}],"error":null}"#, "\n\n",
        "data: [DONE]\n\n",
    ))
    .await;
    assert!(is_interrupted(&reply), "{reply:?}");
}

#[tokio::test]
async fn a_server_that_breaks_after_its_finish_reason_has_finished() {
    let body = concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"all"},"finish_reason":"stop"}]}"#,
        "\n\n",
        r#"data: {"error":{"message":"late"}}"#,
        "\n\n",
    );
    let reply = one_call(Dialect::Chat, Reply::script().bytes(body).reset())
        .await
        .unwrap();
    assert_eq!(reply.text, "all");
    assert_eq!(reply.finish, Some(FinishReason::Complete));
}

#[tokio::test]
async fn a_server_that_never_closes_after_its_finish_reason_is_not_waited_for() {
    let body = concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"all"},"finish_reason":"stop"}]}"#,
        "\n\n"
    );
    let reply = one_call(Dialect::Chat, Reply::script().bytes(body).stall())
        .await
        .unwrap();
    assert_eq!(reply.finish, Some(FinishReason::Complete));
}

#[tokio::test]
async fn anthropic_needs_its_message_stop_even_after_a_stop_reason() {
    let reply = messages(concat!(
        "event: message_start\n",
        r#"data: {"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}"#, "\n\n",
        "event: message_delta\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#, "\n\n",
    ))
    .await;
    assert!(is_interrupted(&reply), "{reply:?}");
}

#[tokio::test]
async fn anthropic_counters_are_cumulative_and_missing_ones_stay() {
    let reply = messages(concat!(
        r#"data: {"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":100,"cache_creation_input_tokens":20,"output_tokens":1}}}"#, "\n\n",
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"at once"}}"#, "\n\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":5}}"#, "\n\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"model_context_window_exceeded"},"usage":{"output_tokens":9,"input_tokens":null}}"#, "\n\n",
        r#"data: {"type":"message_stop"}"#, "\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "at once");
    assert_eq!(reply.usage, usage(123, Some(100), 9));
    assert_eq!(reply.finish, Some(FinishReason::TokensMax));
}

#[tokio::test]
async fn anthropic_blocks_are_chosen_by_type_not_by_position() {
    let reply = messages(concat!(
        r#"data: {"type":"message_start","message":{"usage":{}}}"#, "\n\n",
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"opaque"}}"#, "\n\n",
        r#"data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#, "\n\n",
        r#"data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"first"}}"#, "\n\n",
        r#"data: {"type":"content_block_delta","index":3,"delta":{"type":"citations_delta","citation":{"text":"no"}}}"#, "\n\n",
        r#"data: {"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":" second"}}"#, "\n\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"a_new_one"}}"#, "\n\n",
        r#"data: {"type":"message_stop"}"#, "\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.text, "first second");
    assert_eq!(reply.finish, Some(FinishReason::Complete));
}

#[tokio::test]
async fn anthropic_refusals_may_come_without_words() {
    let reply = messages(concat!(
        r#"data: {"type":"message_start","message":{"usage":{}}}"#, "\n\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","category":null,"explanation":null}}}"#, "\n\n",
        r#"data: {"type":"message_stop"}"#, "\n\n",
    ))
    .await
    .unwrap();
    assert_eq!(reply.finish, Some(FinishReason::Refused(None)));
}
