//! What becomes of replies of the model that are no good query, and of those that are no query at all.

use serde_json::json;

use super::rig::{GOOD_SQL, PROSE, QUESTION, Rig, SLOW_SQL, fenced};
use crate::support::fake_provider::{Reply, Stop};

/// Refused by the guard, because the table is hidden; and by PostgreSQL, because of what it computes.
const HIDDEN_SQL: &str = "SELECT wage FROM public.wages";
const FAILING_SQL: &str = "SELECT 1 / (count(*) - count(*)) AS ratio FROM public.customers";

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_refused_or_fails_is_written_again() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    for (bad_sql, objection, stages_before) in [
        (HIDDEN_SQL, "That query was not run: ", 3),
        (FAILING_SQL, "22012: division by zero", 4),
    ] {
        let calls_before = rig.fake.requests().len();
        rig.fake.push(Reply::text(&fenced(bad_sql)));
        let transcript = client.ask(QUESTION).await;
        let answer = transcript.assert_answered();
        assert_eq!(answer["reply"], PROSE);
        assert_eq!(answer["rows"], json!([[3]]));
        assert_eq!(answer["usage"]["calls"], 3);
        assert_eq!(rig.fake.requests().len() - calls_before, 3);
        let repair = rig.fake.request(calls_before + 1).await;
        assert!(repair.last_message().contains(objection), "{repair:?}");
        let expected = ["understanding", "generating", "checking", "executing"];
        let stages = transcript.stages();
        let (before, after) = stages.split_at(stages_before);
        assert_eq!(before, &expected[..stages_before]);
        assert_eq!(
            after,
            ["repairing", "checking", "executing", "narrating", "storing"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_two_repairs_the_person_is_told_politely() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    for (reply, code) in [
        (fenced(HIDDEN_SQL), "query_refused"),
        (fenced(FAILING_SQL), "query_failed"),
        ("Certainly!".to_owned(), "model_reply_invalid"),
    ] {
        let calls_before = rig.fake.requests().len();
        for _ in 0..3 {
            rig.fake.push(Reply::text(&reply));
        }
        let transcript = client.ask(QUESTION).await;
        let answer = transcript.assert_declined(code);
        assert!(answer["sql_query"].is_null(), "{answer}");
        assert_eq!(answer["rows"], json!([]));
        assert!(!answer["reply"].to_string().contains("wage"), "{answer}");
        assert_eq!(rig.fake.requests().len() - calls_before, 3);
        let repairs = transcript
            .stages()
            .into_iter()
            .filter(|stage| *stage == "repairing");
        assert_eq!(repairs.count(), 2);
    }
    client.ask(QUESTION).await.assert_answered();
    client.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_would_cost_too_much_is_written_again_and_in_the_end_declined() {
    let rig = Rig::start_with(|config| config.limits.query_cost_max = Some(100_000)).await;
    let mut client = rig.connect().await;
    rig.fake.push(Reply::text(&fenced(SLOW_SQL)));
    let transcript = client.ask(QUESTION).await;
    assert_eq!(transcript.assert_answered()["rows"], json!([[3]]));
    let repair = rig.fake.request(1).await;
    assert!(
        repair.last_message().contains("times as much"),
        "{repair:?}"
    );
    for _ in 0..3 {
        rig.fake.push(Reply::text(&fenced(SLOW_SQL)));
    }
    let transcript = client.ask(QUESTION).await;
    transcript.assert_declined("query_too_costly");
    client.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_back_refusals_and_bare_queries_are_taken_for_what_they_are() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;

    rig.fake
        .push(Reply::text("CLARIFY: Which year?\n- 2025\n- 2026"));
    let transcript = client.ask(QUESTION).await;
    let answer = transcript.last();
    assert_eq!(answer["type"], "chat_response");
    assert_eq!(answer["reply"], "Which year?");
    assert_eq!(
        answer["clarification"],
        json!({"question": "Which year?", "options": ["2025", "2026"]})
    );
    assert_eq!(answer.get("error"), None);

    rig.fake
        .push(Reply::text("CANNOT: There is nothing about the weather."));
    let transcript = client.ask("How was the weather?").await;
    let answer = transcript.assert_declined("not_answerable");
    assert_eq!(answer["reply"], "There is nothing about the weather.");
    assert_eq!(answer.get("clarification"), None);

    let refusal = Reply::script()
        .begin()
        .finish(Stop::Refusal("no".to_owned()));
    rig.fake.push(refusal);
    client.ask(QUESTION).await.assert_declined("model_refused");
    assert_eq!(rig.fake.requests().len(), 3, "one call each");

    rig.fake.push(Reply::text(GOOD_SQL));
    let transcript = client.ask(QUESTION).await;
    let answer = transcript.assert_answered();
    assert_eq!(answer["rows"], json!([[3]]));
    assert_eq!(answer["usage"]["calls"], 2);
    assert_eq!(rig.fake.requests().len(), 5, "two calls for an answer");
}
