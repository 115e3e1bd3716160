//! What `/metrics` tells of turns, and that the dashboard asks for nothing that is not there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::assert_tells_no_secret;
use super::rig::{GOOD_SQL, QUESTION, Rig, fenced, held};
use crate::support::fake_provider::{Gate, Reply, USAGE};

const HIDDEN_SQL: &str = "SELECT wage FROM public.wages";

/// One question that is answered, one whose queries are refused, one that fails after one more try, one that is stopped while
/// the model speaks; then the series.
async fn series_of_four_turns() -> String {
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
    let gate = Gate::new();
    rig.fake.push(Reply::text(&fenced(GOOD_SQL)));
    rig.fake.push(held(&gate, "There ", "are 3."));
    let id = client.send(QUESTION).await;
    client.until("llm_token", "token", "There ").await;
    client.cancel(&id).await;
    client.rest(&id).await.assert_failed("cancelled", true);

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
    let text = series_of_four_turns().await;
    for (series, expected) in [
        (r#"turns_total{outcome="answered",stage="storing"}"#, 1),
        (r#"turns_total{outcome="query_refused",stage="storing"}"#, 1),
        (
            r#"turns_total{outcome="provider_unavailable",stage="generating"}"#,
            1,
        ),
        (r#"turns_total{outcome="cancelled",stage="narrating"}"#, 1),
        ("turn_duration_seconds_count", 4),
        (r#"stage_duration_seconds_count{stage="executing"}"#, 2),
        (r#"stage_duration_seconds_count{stage="repairing"}"#, 2),
        (r#"stage_duration_seconds_count{stage="checking"}"#, 5),
        ("first_token_seconds_count", 2),
        (r#"guard_rejections_total{code="unknown_relation"}"#, 3),
        (r#"llm_retries_total{provider="anthropic"}"#, 1),
        ("connections", 1),
        ("turns_in_flight", 0),
    ] {
        let found = value(&text, &format!("db_chat_{series}"));
        assert_eq!(found, f64::from(expected), "{series} in {text}");
    }
    assert!(value(&text, "db_chat_pool_wait_seconds_count") >= 1.0);
    // Two calls for the answer, three for the refusal, two for the question that was stopped. The call that failed had not
    // begun.
    let input = value(&text, r#"db_chat_llm_tokens_total{kind="input"}"#);
    assert_eq!(input, 7.0 * USAGE.input as f64);

    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_tells_no_secret(&text);
    for word in [QUESTION, GOOD_SQL, HIDDEN_SQL, "wage", "customers"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

/// The series as the text declares them: name and kind.
fn declared(text: &str) -> BTreeMap<&str, &str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split_once(' ')).collect()
}

/// What a query has to look like that asks for a series of this kind, and the name that it asks by.
fn asks_rightly(query: &str, name: &str, kind: &str) -> bool {
    match kind {
        "gauge" => query.contains(&format!("sum({name})")),
        "counter" => {
            query.contains(&format!("rate({name}_total["))
                || query.contains(&format!("rate({name}_total{{"))
        }
        "histogram" => {
            query.contains("histogram_quantile(")
                && query.contains("sum by (le")
                && query.contains(&format!("rate({name}_bucket["))
        }
        other => panic!("a series of kind {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_asks_for_every_series_by_its_name_and_as_its_kind() {
    let text = series_of_four_turns().await;
    let declared = declared(&text);
    assert_eq!(declared.len(), 12, "{declared:?}");
    let dashboard: Value =
        serde_json::from_str(include_str!("../../../docs/grafana/db-chat.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries: Vec<&str> = targets
        .flatten()
        .map(|target| target["expr"].as_str().expect("a query"))
        .collect();
    for (name, kind) in &declared {
        let is_asked = queries.iter().any(|query| asks_rightly(query, name, kind));
        assert!(is_asked, "{name} ({kind}) in {queries:#?}");
    }
    for query in queries {
        let of = declared
            .iter()
            .find(|(name, kind)| asks_rightly(query, name, kind));
        let (name, _) = of.unwrap_or_else(|| panic!("nothing answers {query}"));
        // Labels that no line of the series has would group, or leave out, nothing.
        let labels = query.split(['(', ')', '{']).filter(|part| {
            query.contains(&format!("by ({part})")) || query.contains(&format!("{{{part}"))
        });
        let labels = labels
            .flat_map(|part| part.split(", "))
            .map(|label| label.split(['!', '=', '}']).next().unwrap_or_default());
        for label in labels.filter(|label| !label.is_empty()) {
            let has_label = text
                .lines()
                .any(|line| line.starts_with(*name) && line.contains(&format!("{label}=")));
            assert!(has_label, "{label} of {name} in {query}");
        }
    }
}
