//! The audit log and the migrations behind it, on a real PostgreSQL.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use chrono::DateTime;
use db_chat::domain::ids::{ConversationId, RequestId};
use db_chat::domain::usage::TokenUsage;
use db_chat::state::audit::{AuditEntry, AuditOutcome, AuditVerdict};
use db_chat::state::{AuditLog, StateDatabase, StateError};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_postgres::{Config, NoTls};

use crate::support::cut_proxy::CutProxy;
use crate::support::postgres::TestDatabase;

/// Long enough for a busy machine; a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(30);

fn open(url: &str) -> StateDatabase {
    let config: Config = url.parse().expect("a URL");
    StateDatabase::new(config, NoTls).expect("a pool")
}

/// A proxy in front of the server, and the database's URL through it.
async fn behind_proxy(database: &TestDatabase) -> (CutProxy, String) {
    let url = database.url();
    let config: Config = url.parse().expect("a URL");
    let port = config.get_ports()[0];
    let proxy = CutProxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
    let through = format!(":{}/", proxy.address().port());
    (proxy, url.replace(&format!(":{port}/"), &through))
}

fn entry(name: &str) -> AuditEntry {
    AuditEntry {
        principal: Some("ada@example.com".to_owned()),
        client_address: Some(Ipv4Addr::new(192, 0, 2, 7).into()),
        request_id: RequestId::parse(name).expect("a request id"),
        conversation_id: ConversationId::parse("3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b")
            .expect("a conversation id"),
        asked_at: DateTime::from_timestamp(1_700_000_000, 123_000_000).expect("a time"),
        question: "how many \"customers\"?".to_owned(),
        sql: Some("SELECT count(*) FROM public.customers".to_owned()),
        verdict: Some(AuditVerdict::Allowed),
        row_count: Some(1),
        result_bytes: Some(4),
        duration: Duration::from_millis(1_234),
        stages: vec![
            ("generating", Duration::from_millis(900)),
            ("executing", Duration::from_millis(15)),
        ],
        provider: "anthropic".to_owned(),
        model: "some-model".to_owned(),
        usage: TokenUsage {
            calls: 2,
            input_tokens: Some(4_000),
            cached_tokens: Some(3_500),
            output_tokens: None,
        },
        outcome: AuditOutcome::Answered,
        error_code: None,
    }
}

/// The rows as JSON, in the order in which they were recorded.
async fn rows(database: &TestDatabase) -> Vec<Value> {
    let client = database.admin().await;
    let rows = client
        .query(
            "SELECT to_jsonb(audit_log) FROM db_chat.audit_log ORDER BY id",
            &[],
        )
        .await
        .expect("the table");
    rows.iter().map(|row| row.get(0)).collect()
}

async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let held = async {
        while !holds() {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, held)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"));
}

#[tokio::test]
async fn instances_that_start_together_migrate_once() {
    let database = TestDatabase::create("").await;
    let instances: Vec<_> = (0..8).map(|_| open(&database.url())).collect();
    for result in join_all(instances.iter().map(StateDatabase::migrate)).await {
        result.unwrap();
    }
    // A later start finds everything done.
    open(&database.url()).migrate().await.unwrap();

    let client = database.admin().await;
    let history = "SELECT count(*) FROM db_chat.schema_history";
    let applied: i64 = client.query_one(history, &[]).await.unwrap().get(0);
    assert_eq!(applied, 2);
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    let held: i64 = client.query_one(locks, &[]).await.unwrap().get(0);
    assert_eq!(held, 0, "the lock is free again");
}

#[tokio::test]
async fn tables_of_a_newer_release_are_left_alone() {
    let database = TestDatabase::create("").await;
    open(&database.url()).migrate().await.unwrap();
    let client = database.admin().await;
    let newer = "INSERT INTO db_chat.schema_history \
        SELECT 99, 'from_the_future', applied_on, '1' FROM db_chat.schema_history LIMIT 1";
    client.batch_execute(newer).await.unwrap();

    let error = open(&database.url()).migrate().await.unwrap_err();
    assert!(
        matches!(
            error,
            StateError::TooNew {
                found: 99,
                known: 2
            }
        ),
        "{error:?}"
    );
    assert!(!error.may_pass());
}

#[tokio::test]
async fn a_history_that_does_not_fit_is_refused() {
    let database = TestDatabase::create("").await;
    open(&database.url()).migrate().await.unwrap();
    let client = database.admin().await;
    let edited = "UPDATE db_chat.schema_history SET checksum = '1'";
    client.batch_execute(edited).await.unwrap();

    let error = open(&database.url()).migrate().await.unwrap_err();
    assert!(matches!(error, StateError::Diverged { .. }), "{error:?}");
    assert!(!error.may_pass());
}

#[tokio::test]
async fn a_role_needs_no_more_than_a_schema_of_its_own() {
    let role = "CREATE ROLE keeper LOGIN PASSWORD 'secret'";
    let database = TestDatabase::create(role).await;
    let url = database.url_as("keeper", "secret");
    let error = open(&url).migrate().await.unwrap_err();
    let refused = matches!(&error, StateError::Refused { sqlstate, .. } if sqlstate == "42501");
    assert!(refused && !error.may_pass(), "{error:?}");

    let client = database.admin().await;
    let grant = "CREATE SCHEMA db_chat AUTHORIZATION keeper";
    client.batch_execute(grant).await.unwrap();
    open(&url).migrate().await.unwrap();
}

#[tokio::test]
async fn each_turn_leaves_a_row_with_all_that_is_known_of_it() {
    let database = TestDatabase::create("").await;
    let log = AuditLog::start(open(&database.url()));
    log.record(entry("full"));
    log.record(AuditEntry {
        principal: None,
        client_address: None,
        question: "what does Bob earn?".to_owned(),
        sql: Some("SELECT 'a\0b'".to_owned()),
        verdict: Some(AuditVerdict::Refused {
            code: "unknown_relation".to_owned(),
        }),
        row_count: None,
        result_bytes: None,
        stages: Vec::new(),
        usage: TokenUsage::default(),
        outcome: AuditOutcome::Declined,
        error_code: Some("query_refused".to_owned()),
        ..entry("refused")
    });
    for (name, outcome) in [
        ("clarified", AuditOutcome::Clarified),
        ("cancelled", AuditOutcome::Cancelled),
        ("failed", AuditOutcome::Failed),
    ] {
        log.record(AuditEntry {
            sql: None,
            verdict: None,
            outcome,
            ..entry(name)
        });
    }
    log.close(PATIENCE).await;
    log.health().unwrap();

    let rows = rows(&database).await;
    let mut full = rows[0].clone();
    for made in ["id", "recorded_at"] {
        assert!(full.as_object_mut().unwrap().remove(made).is_some());
    }
    assert_eq!(
        full,
        json!({
            "asked_at": "2023-11-14T22:13:20.123+00:00",
            "principal": "ada@example.com",
            "client_address": "192.0.2.7",
            "request_id": "full",
            "conversation_id": "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b",
            "question": "how many \"customers\"?",
            "sql": "SELECT count(*) FROM public.customers",
            "verdict": "allowed",
            "refusal_code": null,
            "row_count": 1,
            "result_bytes": 4,
            "duration_ms": 1_234,
            "stages_ms": {"generating": 900, "executing": 15},
            "provider": "anthropic",
            "model": "some-model",
            "model_calls": 2,
            "input_tokens": 4_000,
            "cached_tokens": 3_500,
            "output_tokens": null,
            "outcome": "answered",
            "error_code": null,
        })
    );
    let refused = &rows[1];
    assert_eq!(refused["refusal_code"], "unknown_relation");
    assert_eq!(refused["sql"], "SELECT 'a\u{fffd}b'");
    assert_eq!(refused["error_code"], "query_refused");
    let outcomes: Vec<_> = rows.iter().map(|row| &row["outcome"]).collect();
    assert_eq!(
        outcomes,
        ["answered", "declined", "clarified", "cancelled", "failed"]
    );
}

#[tokio::test]
async fn every_table_and_column_but_the_plain_ones_has_a_comment() {
    let database = TestDatabase::create("").await;
    open(&database.url()).migrate().await.unwrap();
    let silent = "SELECT coalesce(string_agg(attname, ','), '') FROM pg_attribute \
        WHERE attrelid = 'db_chat.audit_log'::regclass AND attnum > 0 \
        AND col_description(attrelid, attnum) IS NULL";
    let client = database.admin().await;
    let names: String = client.query_one(silent, &[]).await.unwrap().get(0);
    assert_eq!(names, "conversation_id,question,provider,model");
}

#[tokio::test]
async fn while_the_database_is_away_health_fails_and_then_every_row_arrives_once() {
    let database = TestDatabase::create("").await;
    let (mut proxy, url) = behind_proxy(&database).await;
    let log = AuditLog::start(open(&url));
    log.record(entry("before"));
    wait_until("the first row", || log.health().is_ok()).await;

    proxy.refuse().await;
    let started = Instant::now();
    log.record(entry("during"));
    // Far below the shortest pause between two tries: recording does not wait for the database.
    assert!(started.elapsed() < Duration::from_millis(100));
    wait_until("the failure", || log.health().is_err()).await;

    proxy.resume().await;
    wait_until("the recovery", || log.health().is_ok()).await;
    log.record(entry("after"));
    log.close(PATIENCE).await;
    assert_eq!(log.rows_lost(), 0);
    let rows = rows(&database).await;
    let names: Vec<_> = rows.iter().map(|row| &row["request_id"]).collect();
    assert_eq!(names, ["before", "during", "after"]);
}

#[tokio::test]
async fn a_log_that_starts_without_its_database_recovers_without_a_turn() {
    let database = TestDatabase::create("").await;
    let (mut proxy, url) = behind_proxy(&database).await;
    proxy.refuse().await;
    let error = open(&url).migrate().await.unwrap_err();
    assert!(error.may_pass(), "{error:?}");
    let log = AuditLog::start(open(&url));
    wait_until("the failure", || log.health().is_err()).await;

    proxy.resume().await;
    wait_until("the recovery", || log.health().is_ok()).await;
    log.record(entry("first"));
    log.close(PATIENCE).await;
    assert_eq!(rows(&database).await.len(), 1);
}

#[tokio::test]
async fn a_row_that_is_refused_is_lost_at_once_and_the_next_one_is_written() {
    let database = TestDatabase::create("").await;
    open(&database.url()).migrate().await.unwrap();
    let client = database.admin().await;
    let constraint = "ALTER TABLE db_chat.audit_log ADD CHECK (request_id <> 'poison')";
    client.batch_execute(constraint).await.unwrap();

    let log = AuditLog::start(open(&database.url()));
    log.record(entry("poison"));
    log.record(entry("good"));
    log.close(PATIENCE).await;
    assert_eq!(log.rows_lost(), 1);
    log.health().unwrap();
    let rows = rows(&database).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["request_id"], "good");
}

#[tokio::test]
async fn a_full_queue_loses_rows_and_says_so_but_never_waits() {
    let database = TestDatabase::create("").await;
    let (proxy, url) = behind_proxy(&database).await;
    proxy.stall();
    let log = AuditLog::start(open(&url));
    // Nothing here yields, so the writer takes none of these.
    for _ in 0..1_030 {
        log.record(entry("many"));
    }
    assert_eq!(log.rows_lost(), 6);
    let fault = log.health().unwrap_err();
    assert_eq!(fault.rows_lost, 6);

    // Shutting down does not wait for a database that hangs.
    let closed = log.close(Duration::from_millis(50));
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
    log.record(entry("late"));
    assert_eq!(log.rows_lost(), 7);
}

#[tokio::test]
async fn closing_writes_what_is_queued() {
    let database = TestDatabase::create("").await;
    let log = AuditLog::start(open(&database.url()));
    for number in 0..200 {
        log.record(entry(&format!("turn-{number}")));
    }
    log.close(PATIENCE).await;
    assert_eq!(log.rows_lost(), 0);
    let rows = rows(&database).await;
    assert_eq!(rows.len(), 200);
    assert_eq!(rows[199]["request_id"], "turn-199");
    // Those that came together share a transaction, of at most 128 rows.
    let count = "SELECT count(DISTINCT xmin::text) FROM db_chat.audit_log";
    let client = database.admin().await;
    let transactions: i64 = client.query_one(count, &[]).await.expect(count).get(0);
    assert_eq!(transactions, 2);
}
