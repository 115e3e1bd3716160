//! What `/metrics` tells of turns, and that the dashboard asks for nothing that is not there.

use std::collections::BTreeSet;

use super::client::assert_tells_no_secret;
use super::rig::{GOOD_SQL, QUESTION, Rig, fenced};
use crate::support::fake_provider::{Reply, USAGE};

const HIDDEN_SQL: &str = "SELECT wage FROM public.wages";

/// One question that is answered, one whose queries are refused, one that fails after one more try; then the series.
async fn series_of_three_turns() -> String {
    let rig = Rig::start_with(|config| config.limits.llm_retries_max = 1).await;
    let mut client = rig.connect().await;
    client.ask(QUESTION).await.assert_answered();
    for _ in 0..3 {
        rig.fake.push(Reply::text(&fenced(HIDDEN_SQL)));
    }
    client.ask(QUESTION).await.assert_declined("query_refused");
    for _ in 0..2 {
        rig.fake.push(Reply::error(529, "overloaded_error"));
    }
    let failed = client.ask(QUESTION).await;
    failed.assert_failed("provider_unavailable", true);

    let response = rig.server.http.get(rig.server.url("/metrics")).send();
    let response = response.await.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    response.text().await.expect("text")
}

/// The value of one series.
fn value(text: &str, series: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {series} in {text}"));
    line.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_series_tell_how_questions_ended_and_nothing_of_what_was_asked() {
    let text = series_of_three_turns().await;
    for (series, expected) in [
        (r#"turns_total{outcome="answered",stage="storing"}"#, 1),
        (r#"turns_total{outcome="query_refused",stage="storing"}"#, 1),
        (
            r#"turns_total{outcome="provider_unavailable",stage="generating"}"#,
            1,
        ),
        ("turn_duration_seconds_count", 3),
        (r#"stage_duration_seconds_count{stage="executing"}"#, 1),
        (r#"stage_duration_seconds_count{stage="repairing"}"#, 2),
        (r#"stage_duration_seconds_count{stage="checking"}"#, 4),
        ("first_token_seconds_count", 1),
        (r#"guard_rejections_total{code="unknown_relation"}"#, 3),
        (r#"llm_retries_total{provider="anthropic"}"#, 1),
        ("connections", 1),
        ("turns_in_flight", 0),
    ] {
        let found = value(&text, &format!("db_chat_{series}"));
        assert_eq!(found, f64::from(expected), "{series} in {text}");
    }
    assert!(value(&text, "db_chat_pool_wait_seconds_count") >= 1.0);
    // Two calls for the answer, three for the refusal.
    let input = value(&text, r#"db_chat_llm_tokens_total{kind="input"}"#);
    assert_eq!(input, 5.0 * USAGE.input as f64);

    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_tells_no_secret(&text);
    for word in [QUESTION, GOOD_SQL, HIDDEN_SQL, "wage", "customers"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_series_of_the_dashboard_exists() {
    let text = series_of_three_turns().await;
    let dashboard = include_str!("../../../docs/grafana/db-chat.json");
    let names: BTreeSet<&str> = dashboard
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("db_chat_"))
        .collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        let is_there = text.lines().any(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        assert!(is_there, "{name} in {text}");
    }
}
