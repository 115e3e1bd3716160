//! What becomes of replies of the model that are no good query, and of those that are no query at all.

use serde_json::json;

use super::rig::{GOOD_SQL, PROSE, QUESTION, Rig, SLOW_SQL, fenced};
use crate::support::fake_provider::{Gate, Reply, Stop};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_a_column_cannot_have_is_mended_once_nothing_was_found() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    for (slip, mended, rows) in [
        (
            "SELECT id FROM public.plans p WHERE p.tier = 'Gold' ORDER BY id",
            "SELECT id FROM public.plans WHERE tier = 'gold' ORDER BY id",
            json!([[2], [3]]),
        ),
        (
            "SELECT count(*) FROM public.plans WHERE tier IN ('Gold', 'basics')",
            "SELECT count(*) FROM public.plans WHERE tier = 'gold'",
            json!([[2]]),
        ),
    ] {
        let calls_before = rig.fake.requests().len();
        rig.fake.push(Reply::text(&fenced(slip)));
        rig.fake.push(Reply::text(&fenced(mended)));
        let transcript = client.ask(QUESTION).await;
        let answer = transcript.assert_answered();
        assert_eq!(answer["rows"], rows);
        assert_eq!(answer["usage"]["calls"], 3);
        let stages = transcript.stages();
        assert!(stages.contains(&"repairing"), "{stages:?}");
        let repair = rig.fake.request(calls_before + 1).await;
        let told = repair.last_message();
        for part in ["'Gold'", "'basic', 'gold'", "tier"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(repair.body.to_string().contains(slip), "the attempt itself");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_that_cannot_be_mended_the_empty_result_is_answered_with_a_warning() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    let slip = fenced("SELECT id FROM public.plans WHERE tier = 'Gold'");
    for (repairs, calls) in [
        (vec![slip.as_str(), slip.as_str()], 4),
        (vec!["CANNOT: There is no such tier."], 3),
        (vec!["Certainly!", "SELECT wage FROM public.wages"], 4),
    ] {
        rig.fake.push(Reply::text(&slip));
        for repair in &repairs {
            rig.fake.push(Reply::text(repair));
        }
        let transcript = client.ask(QUESTION).await;
        let answer = transcript.assert_answered();
        assert_eq!(answer["rows"], json!([]), "{repairs:?}");
        assert!(answer["sql_query"].to_string().contains("'Gold'"));
        let warnings = answer["evidence"]["warnings"].to_string();
        assert!(warnings.contains("not among its values"), "{warnings}");
        assert_eq!(answer["usage"]["calls"], calls, "{repairs:?}");
    }
    // Nothing found, and nothing doubtful about it.
    let honest = "SELECT id FROM public.plans WHERE tier = 'gold' AND id > 9";
    rig.fake.push(Reply::text(&fenced(honest)));
    let transcript = client.ask(QUESTION).await;
    assert_eq!(transcript.assert_answered()["usage"]["calls"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_was_renamed_meanwhile_is_found_by_its_nearest_name() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    let gate = Gate::new();
    let sql = "SELECT c.country FROM public.customers c ORDER BY c.id";
    let begun = Reply::script().begin().delta("```sql\n").wait(&gate);
    rig.fake.push(begun.delta(sql).finish(Stop::Complete));
    let mended = sql.replace("country", "countries");
    rig.fake.push(Reply::text(&fenced(&mended)));
    let id = client.send(QUESTION).await;
    // The schema has been read by now, and is read again only because of the error.
    gate.reached().await;
    let session = rig.database.admin().await;
    let rename = "ALTER TABLE public.customers RENAME COLUMN country TO countries";
    session.batch_execute(rename).await.expect("renamed");
    gate.open();
    let transcript = client.rest(&id).await;
    let answer = transcript.assert_answered();
    let rows = json!([["Germany"], ["Germany"], ["Finland"]]);
    assert_eq!(answer["rows"], rows);
    let repair = rig.fake.request(1).await;
    let told = repair.last_message();
    for part in [
        "SQLSTATE 42703",
        "at character 8",
        "it reads: c.country FROM",
        "the nearest column is countries",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_told_that_every_query_was_cut() {
    let rig = Rig::start().await;
    let mut client = rig.connect().await;
    rig.fake.answer_with(|_| {
        let begun = Reply::script().begin().delta("```sql\nSELECT ");
        begun.finish(Stop::TokensMax)
    });
    let transcript = client.ask(QUESTION).await;
    let answer = transcript.assert_declined("model_reply_invalid");
    let reply = answer["reply"].as_str().expect("a reply");
    assert!(reply.contains("cut off"), "{reply}");
    let objection = rig.fake.requests()[1].last_message().to_owned();
    assert!(objection.contains("cut off"), "{objection}");
}
