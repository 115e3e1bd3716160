//! A provider's error answer, whatever its shape, in; what kind of error it is, out. Never fails: proxies answer HTML, and some servers nothing.
//!
//! One table serves every dialect, since no two of them use one code for different things. It goes by the provider's codes and types, then by the status,
//! never by the words of a message.

use serde_json::Value;

use super::error::AnsweredKind;
use super::retry;

/// What an error answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorAnswer {
    /// What the pipeline acts on.
    pub(super) kind: AnsweredKind,
    /// Whether the same request may succeed in a moment.
    pub(super) transient: bool,
    /// The provider's content filter refused the request: an outcome of the turn, not a fault.
    pub(super) filtered: bool,
    /// Its codes and types, for the log.
    pub(super) codes: String,
    /// Its sentence, shortened. Some providers repeat in it what they were asked, so it is logged for debugging only.
    pub(super) message: String,
}

/// Unicode scalar values of a provider's words that go into a log line.
const MESSAGE_CHARS_MAX: usize = 300;

/// Reads the body of an answer with an error status.
///
/// For an error that came in a stream, the status is 200 and says nothing.
pub(super) fn read(status: u16, body: &str) -> ErrorAnswer {
    match serde_json::from_str::<Value>(body.trim()) {
        Ok(value) => read_value(status, &value),
        Err(_) => judge(status, &[], shorten(body)),
    }
}

fn read_value(status: u16, value: &Value) -> ErrorAnswer {
    // Gemini's endpoint wraps its answer into an array.
    let value = value.get(0).unwrap_or(value);
    let error = value
        .get("error")
        .filter(|error| is_reported(error))
        .unwrap_or(value);
    let code = &error["code"];
    // Some servers put the HTTP status of the failure into `code`; in a stream it is the only one there is.
    let status = match code.as_u64().and_then(|code| u16::try_from(code).ok()) {
        Some(code) if status < 400 && (400..600).contains(&code) => code,
        _ => status,
    };
    let words: Vec<&str> = [&error["details"]["error_code"], code, &error["type"]]
        .into_iter()
        .filter_map(Value::as_str)
        .collect();
    let message = [
        &error["message"],
        error,
        &value["message"],
        &value["detail"],
    ]
    .into_iter()
    .find_map(Value::as_str)
    .unwrap_or_default();
    judge(status, &words, shorten(message))
}

/// Whether a value under the key `error` reports one. `null`, `false`, an empty text and an empty object do not.
pub(super) fn is_reported(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::Array(_) => true,
    }
}

/// The first word that the table knows decides; without one the status does.
fn judge(status: u16, words: &[&str], message: String) -> ErrorAnswer {
    let kind = words
        .iter()
        .find_map(|word| kind_of_word(word))
        .unwrap_or_else(|| match status {
            // Beside a status this type says less than the status does; in a stream it is all that there is.
            0..=399 if words.contains(&"invalid_request_error") => AnsweredKind::Rejected,
            status => kind_of_status(status),
        });
    let transient = match kind {
        AnsweredKind::RateLimited | AnsweredKind::Unavailable => true,
        AnsweredKind::Authentication
        | AnsweredKind::QuotaExceeded
        | AnsweredKind::TooLarge
        | AnsweredKind::Rejected => false,
    };
    ErrorAnswer {
        kind,
        transient,
        filtered: words.contains(&"content_filter"),
        codes: shorten(&words.join(" ")),
        message,
    }
}

fn kind_of_word(word: &str) -> Option<AnsweredKind> {
    Some(match word {
        "authentication_error" | "permission_error" | "invalid_api_key" => {
            AnsweredKind::Authentication
        }
        "insufficient_quota"
        | "credit_balance_exhausted"
        | "billing_error"
        | "enforced_spend_limit_reached"
        | "contract_spend_limit_reached" => AnsweredKind::QuotaExceeded,
        word if word.starts_with("linked_organization_") => AnsweredKind::QuotaExceeded,
        "rate_limit_error" | "rate_limit_exceeded" | "slow_down" | "ramp_limit_exceeded" => {
            AnsweredKind::RateLimited
        }
        "overloaded_error"
        | "api_error"
        | "timeout_error"
        | "conflict_error"
        | "server_error"
        | "server_is_overloaded"
        | "unavailable_error"
        | "capacity_exceeded"
        | "insufficient_system_resource" => AnsweredKind::Unavailable,
        "request_too_large" | "context_length_exceeded" | "exceed_context_size_error" => {
            AnsweredKind::TooLarge
        }
        // The last is how a prompt that breaks OpenAI's rules fails in the middle of a stream.
        "not_found_error" | "model_not_found" | "invalid_prompt" => AnsweredKind::Rejected,
        // `invalid_request_error` stands beside many codes and statuses, and says less than any of them.
        _ => return None,
    })
}

const fn kind_of_status(status: u16) -> AnsweredKind {
    match status {
        401 | 403 => AnsweredKind::Authentication,
        402 => AnsweredKind::QuotaExceeded,
        413 => AnsweredKind::TooLarge,
        429 => AnsweredKind::RateLimited,
        // An error inside a stream that names no kind: the request had been accepted, so the server failed.
        0..=399 => AnsweredKind::Unavailable,
        status if retry::status_is_transient(status) => AnsweredKind::Unavailable,
        _ => AnsweredKind::Rejected,
    }
}

/// One line, bounded.
fn shorten(text: &str) -> String {
    let mut characters = text
        .split_whitespace()
        .flat_map(|word| std::iter::once(' ').chain(word.chars()))
        .skip(1)
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        });
    let mut line: String = characters.by_ref().take(MESSAGE_CHARS_MAX).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, kind: AnsweredKind, transient: bool) -> ErrorAnswer {
        let answer = read(status, body);
        assert_eq!(
            (answer.kind, answer.transient),
            (kind, transient),
            "{status} {body}"
        );
        answer
    }

    #[test]
    fn anthropic_errors_go_by_error_code_then_type() {
        let body = |kind: &str| {
            format!(
                r#"{{"type":"error","error":{{"type":"{kind}","message":"m"}},"request_id":"r"}}"#
            )
        };
        check(
            400,
            &body("invalid_request_error"),
            AnsweredKind::Rejected,
            false,
        );
        check(
            401,
            &body("authentication_error"),
            AnsweredKind::Authentication,
            false,
        );
        check(
            402,
            &body("billing_error"),
            AnsweredKind::QuotaExceeded,
            false,
        );
        check(
            403,
            &body("permission_error"),
            AnsweredKind::Authentication,
            false,
        );
        check(404, &body("not_found_error"), AnsweredKind::Rejected, false);
        check(
            409,
            &body("conflict_error"),
            AnsweredKind::Unavailable,
            true,
        );
        check(
            413,
            &body("request_too_large"),
            AnsweredKind::TooLarge,
            false,
        );
        check(
            429,
            &body("rate_limit_error"),
            AnsweredKind::RateLimited,
            true,
        );
        check(500, &body("api_error"), AnsweredKind::Unavailable, true);
        check(504, &body("timeout_error"), AnsweredKind::Unavailable, true);
        check(
            529,
            &body("overloaded_error"),
            AnsweredKind::Unavailable,
            true,
        );
        for code in [
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "linked_organization_disabled",
        ] {
            let body = format!(
                r#"{{"error":{{"type":"rate_limit_error","message":"m","details":{{"error_code":"{code}"}}}}}}"#
            );
            check(429, &body, AnsweredKind::QuotaExceeded, false);
        }
        let ramp = r#"{"error":{"type":"rate_limit_error","details":{"error_code":"ramp_limit_exceeded"}}}"#;
        check(429, ramp, AnsweredKind::RateLimited, true);
    }

    #[test]
    fn openai_errors_go_by_code_before_type() {
        let body = |code: &str, kind: &str| {
            format!(r#"{{"error":{{"message":"m","type":"{kind}","param":null,"code":"{code}"}}}}"#)
        };
        check(
            401,
            &body("invalid_api_key", "invalid_request_error"),
            AnsweredKind::Authentication,
            false,
        );
        check(
            404,
            &body("model_not_found", "invalid_request_error"),
            AnsweredKind::Rejected,
            false,
        );
        check(
            400,
            &body("unsupported_parameter", "invalid_request_error"),
            AnsweredKind::Rejected,
            false,
        );
        check(
            400,
            &body("context_length_exceeded", "invalid_request_error"),
            AnsweredKind::TooLarge,
            false,
        );
        check(
            429,
            &body("rate_limit_exceeded", "requests"),
            AnsweredKind::RateLimited,
            true,
        );
        check(
            429,
            &body("slow_down", "insufficient_quota"),
            AnsweredKind::RateLimited,
            true,
        );
        check(
            429,
            &body("insufficient_quota", "insufficient_quota"),
            AnsweredKind::QuotaExceeded,
            false,
        );
        check(
            429,
            &body("credit_balance_exhausted", "insufficient_quota"),
            AnsweredKind::QuotaExceeded,
            false,
        );
        check(
            503,
            &body("server_is_overloaded", "server_error"),
            AnsweredKind::Unavailable,
            true,
        );
    }

    #[test]
    fn the_shapes_of_compatible_servers_are_read() {
        let gemini = r#"[{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED"}}]"#;
        check(429, gemini, AnsweredKind::RateLimited, true);
        let llama_cpp =
            r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
        check(503, llama_cpp, AnsweredKind::Unavailable, true);
        let llama_cpp =
            r#"{"error":{"code":400,"message":"long","type":"exceed_context_size_error"}}"#;
        check(400, llama_cpp, AnsweredKind::TooLarge, false);
        let lm_studio = r#"{"error":{"message":"model crashed"},"message":"model crashed"}"#;
        assert_eq!(
            check(200, lm_studio, AnsweredKind::Unavailable, true).message,
            "model crashed"
        );
        let vllm =
            r#"{"error":{"message":"bad","type":"BadRequestError","param":null,"code":400}}"#;
        check(200, vllm, AnsweredKind::Rejected, false);
        let ollama =
            r#"{"error":{"message":"model \"x\" not found","type":"not_found_error","code":null}}"#;
        check(404, ollama, AnsweredKind::Rejected, false);
        let text = r#"{"error":"Unexpected endpoint"}"#;
        assert_eq!(
            check(404, text, AnsweredKind::Rejected, false).message,
            "Unexpected endpoint"
        );
        let groq = r#"{"error":{"message":"m","type":"internal","code":"capacity_exceeded"}}"#;
        check(498, groq, AnsweredKind::Unavailable, true);
    }

    #[test]
    fn the_error_events_of_the_responses_api_are_read() {
        let flat = r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null,"sequence_number":3}"#;
        check(200, flat, AnsweredKind::RateLimited, true);
        let nested = r#"{"type":"error","error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"m"}}"#;
        check(200, nested, AnsweredKind::TooLarge, false);
        let nested = r#"{"type":"error","error":{"type":"invalid_request_error","code":null,"message":"m"}}"#;
        check(200, nested, AnsweredKind::Rejected, false);
        let failed = r#"{"error":{"code":"server_error","message":"m"}}"#;
        check(200, failed, AnsweredKind::Unavailable, true);
        let failed = r#"{"error":{"code":"invalid_prompt","message":"m"}}"#;
        check(200, failed, AnsweredKind::Rejected, false);
    }

    #[test]
    fn a_prompt_that_azure_filters_is_told_from_other_bad_requests() {
        let azure = r#"{"error":{"message":"m","type":null,"param":"prompt","code":"content_filter","status":400}}"#;
        assert!(check(400, azure, AnsweredKind::Rejected, false).filtered);
        assert!(!check(400, "{}", AnsweredKind::Rejected, false).filtered);
    }

    #[test]
    fn html_empty_and_huge_bodies_do_no_harm() {
        check(
            502,
            "<html><h1>Bad\r\nGateway</h1></html>",
            AnsweredKind::Unavailable,
            true,
        );
        check(503, "", AnsweredKind::Unavailable, true);
        check(400, "[]", AnsweredKind::Rejected, false);
        check(400, "null", AnsweredKind::Rejected, false);
        check(402, "no", AnsweredKind::QuotaExceeded, false);
        let answer = read(500, &"x\n".repeat(1_000_000));
        assert_eq!(answer.message.chars().count(), MESSAGE_CHARS_MAX + 1);
        assert!(!answer.message.contains('\n'));
        check(500, "\u{fffd}\u{0}", AnsweredKind::Unavailable, true);
    }
}
