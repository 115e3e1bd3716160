//! The provider fails at each stage of a turn.

use serde_json::{Value, json};

use super::rig::{Point, QUESTION, Rig};
use crate::support::fake_provider::Reply;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_cut_off_at_any_stage_ends_the_question_once_and_is_used_again_when_back()
 {
    let mut rig = Rig::start().await;
    let mut client = rig.connect().await;
    for point in [
        Point::Before,
        Point::SqlCall,
        Point::Execution,
        Point::ProseCall,
    ] {
        let transcript = rig
            .ask_while(&mut client, point, async |rig| rig.provider.refuse().await)
            .await;
        transcript.assert_failed("provider_unavailable", true);
        client.assert_quiet().await;

        rig.provider.resume().await;
        client.ask(QUESTION).await.assert_answered();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_falls_silent_at_any_stage_ends_the_question_once() {
    let mut rig = Rig::start().await;
    let mut client = rig.connect().await;
    for point in [Point::Before, Point::SqlCall, Point::ProseCall] {
        let transcript = rig
            .ask_while(&mut client, point, async |rig| rig.provider.stall())
            .await;
        transcript.assert_failed("provider_timeout", true);
        client.assert_quiet().await;

        rig.provider.resume().await;
        client.ask(QUESTION).await.assert_answered();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_answers_instead_of_a_reply_has_its_code() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    for (status, kind, code, is_retryable) in [
        (
            401,
            "authentication_error",
            "provider_authentication",
            false,
        ),
        (404, "not_found_error", "provider_rejected", false),
        (429, "rate_limit_error", "provider_rate_limited", true),
        (529, "overloaded_error", "provider_unavailable", true),
    ] {
        rig.fake.push(Reply::error(status, kind));
        let transcript = client.ask(QUESTION).await;
        transcript.assert_failed(code, is_retryable);
    }
    client.ask(QUESTION).await.assert_answered();
    client.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_over_http_is_told_when_to_come_back() {
    let rig = Rig::start().await;
    for (reply, header, retry_after_ms) in [
        (
            Reply::error(429, "rate_limit_error").header("retry-after", "7.5"),
            Some("8"),
            json!(7_500),
        ),
        (
            Reply::error(529, "overloaded_error").header("retry-after-ms", "20"),
            Some("1"),
            json!(20),
        ),
        (Reply::error(529, "overloaded_error"), None, Value::Null),
        (
            Reply::error(429, "insufficient_quota").header("retry-after", "7"),
            Some("2"),
            Value::Null,
        ),
    ] {
        rig.fake.push(reply);
        let body = json!({"query": QUESTION}).to_string();
        let response = rig.server.post(body).send().await.expect("a response");
        let told = response.headers().get("retry-after").cloned();
        assert_eq!(
            told.as_ref().map(|told| told.as_bytes()),
            header.map(str::as_bytes)
        );
        let document: Value = response.json().await.expect("JSON");
        assert_eq!(document["retry_after_ms"], retry_after_ms, "{document}");
    }
}
