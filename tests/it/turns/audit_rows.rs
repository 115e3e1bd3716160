//! Each turn leaves a row in the audit log, whatever became of it; a state database that is away costs no answer.

use std::time::Instant;

use serde_json::{Value, json};
use tokio_postgres::Client as Session;

use super::client::assert_tells_no_secret;
use super::rig::{GOOD_SQL, Point, QUESTION, Rig, fenced, held};
use crate::support::cut_proxy::CutProxy;
use crate::support::fake_provider::{Gate, Reply, USAGE};
use crate::support::postgres::{self, TestDatabase};
use crate::support::turns::PATIENCE;

/// The rows, once there are so many.
async fn rows(session: &Session, count: usize) -> Vec<Value> {
    let sql = "SELECT to_jsonb(audit_log) FROM db_chat.audit_log ORDER BY id";
    let started = Instant::now();
    loop {
        let rows = session.query(sql, &[]).await.expect("the table");
        if rows.len() >= count {
            assert_eq!(rows.len(), count);
            return rows.iter().map(|row| row.get(0)).collect();
        }
        assert!(
            started.elapsed() < PATIENCE,
            "{} rows, not {count}",
            rows.len()
        );
    }
}

fn stages(row: &Value) -> Vec<&str> {
    let stages = row["stages_ms"].as_object().expect("an object");
    let mut names: Vec<&str> = stages.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn every_turn_leaves_a_row() {
    let state = TestDatabase::create("").await;
    let mut rig = Rig::start_with(|config| config.state.url = Some(state.url().into())).await;
    let mut client = rig.connect().await;

    client.ask(QUESTION).await.assert_answered();
    rig.fake.push(Reply::text("CANNOT: Nothing about that."));
    client.ask(QUESTION).await.assert_declined("not_answerable");
    rig.fake.push(Reply::text("CLARIFY: Which?"));
    client.ask(QUESTION).await;
    for _ in 0..3 {
        rig.fake
            .push(Reply::text(&fenced("SELECT wage FROM public.wages")));
    }
    client.ask(QUESTION).await.assert_declined("query_refused");
    let failed = rig.ask_while(&mut client, Point::ProseCall, async |rig| {
        rig.provider.cut().await
    });
    failed.await.assert_failed("provider_unavailable", true);
    let gate = Gate::new();
    rig.fake.push(held(&gate, "```sql\n", GOOD_SQL));
    let id = client.send(QUESTION).await;
    gate.reached().await;
    client.cancel(&id).await;
    client.rest(&id).await.assert_failed("cancelled", true);

    let session = state.admin().await;
    let rows = rows(&session, 6).await;
    let outcomes: Vec<_> = rows
        .iter()
        .map(|row| {
            json!([
                row["outcome"],
                row["error_code"],
                row["verdict"],
                row["model_calls"]
            ])
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            json!(["answered", null, "allowed", 2]),
            json!(["declined", "not_answerable", null, 1]),
            json!(["clarified", null, null, 1]),
            json!(["declined", "query_refused", "refused", 3]),
            json!(["failed", "provider_unavailable", "allowed", 2]),
            json!(["cancelled", "cancelled", null, 1]),
        ]
    );
    let [answered, .., refused, failed, cancelled] = &rows[..] else {
        panic!("six rows");
    };
    assert_eq!(answered["question"], QUESTION);
    assert_eq!(answered["row_count"], 1);
    assert_eq!(answered["result_bytes"], 1);
    assert_eq!(answered["input_tokens"], 2 * USAGE.input);
    assert_eq!(answered["cached_tokens"], 2 * USAGE.cached);
    assert_eq!(answered["output_tokens"], 2 * USAGE.output);
    let all = [
        "checking",
        "executing",
        "generating",
        "narrating",
        "storing",
        "understanding",
    ];
    assert_eq!(stages(answered), all);
    assert_eq!(refused["sql"], "SELECT wage FROM public.wages");
    assert!(refused["refusal_code"].is_string());
    assert!(stages(failed).contains(&"narrating"));
    assert_eq!(stages(cancelled), ["generating", "understanding"]);
    assert_eq!(rows[5]["request_id"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_database_that_is_away_shows_in_readyz_and_costs_no_answer() {
    let state = TestDatabase::create("").await;
    let mut proxy = CutProxy::start(postgres::address().await).await;
    let url = state.url_through(proxy.address());
    let rig = Rig::start_with(|config| config.state.url = Some(url.into())).await;
    let mut client = rig.connect().await;
    client.ask(QUESTION).await.assert_answered();
    let session = state.admin().await;
    rows(&session, 1).await;
    wait_for_audit(&rig, "up").await;

    proxy.refuse().await;
    client.ask(QUESTION).await.assert_answered();
    let readiness = wait_for_audit(&rig, "down").await;
    assert_eq!(readiness["status"], "degraded");
    assert_tells_no_secret(&readiness.to_string());

    proxy.resume().await;
    rows(&session, 2).await;
    wait_for_audit(&rig, "up").await;
}

/// Asks `/readyz` until it says this of the audit log.
async fn wait_for_audit(rig: &Rig, status: &str) -> Value {
    let started = Instant::now();
    loop {
        let response = rig.server.http.get(rig.server.url("/readyz")).send().await;
        let response = response.expect("a response");
        // Answers do not depend on it.
        assert_eq!(response.status(), 200);
        let body: Value = response.json().await.expect("JSON");
        let checks = body["checks"].as_array().expect("checks");
        let audit = checks.iter().find(|check| check["name"] == "audit");
        if audit.expect("a check of the audit log")["status"] == status {
            return body;
        }
        assert!(started.elapsed() < PATIENCE, "{body}");
    }
}
