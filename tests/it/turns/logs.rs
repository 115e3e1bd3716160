//! The log at its usual level, of a process of its own: what a line can be found by, and what no line may hold.

use serde_json::{Value, json};

use super::client::Client;
use super::rig::{KEY, PROSE, fenced};
use crate::support::fake_provider::{FakeProvider, Reply};
use crate::support::postgres::TestDatabase;
use crate::support::serve_process::ServeProcess;

/// Words of the question, the rows, the queries and the answer, in lower case.
const UNTOLD: [&str; 5] = ["zebrafish", "lovelace", "from public.", "there are 3", KEY];

const QUESTION: &str = "How many zebrafish did Ada buy?";

fn spans(line: &Value) -> Vec<&str> {
    let spans = line["spans"].as_array().expect("spans");
    spans
        .iter()
        .map(|span| span["name"].as_str().expect("a name"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_carry_the_question_id_and_stage_and_never_what_was_asked_or_found() {
    let database = TestDatabase::create(
        "CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
         INSERT INTO customers VALUES (1, 'Ada Lovelace');",
    )
    .await;
    let fake = FakeProvider::start().await;
    let (url, base_url) = (database.url(), fake.url());
    let mut process = ServeProcess::start(&[
        ("DATABASE_URL", &url),
        ("LLM_PROVIDER", "anthropic"),
        ("ANTHROPIC_API_KEY", KEY),
        ("ANTHROPIC_BASE_URL", &base_url),
        ("DB_CHAT_LOG_JSON", "true"),
    ])
    .await;
    let mut client = Client::connect_to(process.address).await;
    let ask = |sql: &str| Reply::text(&fenced(sql));

    // Answered, after a try that failed.
    fake.push(Reply::error(529, "overloaded_error"));
    fake.push(ask("SELECT name FROM public.customers"));
    fake.push(Reply::text(PROSE));
    let answered = client.ask(QUESTION).await;
    answered.assert_answered();
    // Refused by the guard, then by PostgreSQL in words that repeat a row.
    fake.push(ask("SELECT name FROM public.zebrafish"));
    for _ in 0..2 {
        fake.push(ask("SELECT name::int FROM public.customers"));
    }
    client.ask(QUESTION).await.assert_declined("query_failed");
    // A provider that repeats what it was asked, and the key.
    let repeating = json!({"type": "error", "error": {
        "type": "invalid_request_error", "message": format!("{KEY} may not ask {QUESTION}"),
    }});
    fake.push(Reply::raw(400, "application/json", repeating.to_string()));
    let failed = client.ask(QUESTION).await;
    failed.assert_failed("provider_rejected", false);
    client.leave().await;
    process.stop().await;

    let log = process.log();
    let lower = log.to_lowercase();
    for word in UNTOLD {
        assert!(!lower.contains(word), "{word} in {log}");
    }
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let line_of = |message: &str| {
        let found = lines
            .iter()
            .find(|line| line["fields"]["message"] == message);
        found.unwrap_or_else(|| panic!("no {message:?} in {log}"))
    };
    let retried = line_of("a model call failed and is tried again");
    assert_eq!(spans(retried), ["connection", "turn", "stage"], "{retried}");
    let request_id = &answered.last()["request_id"];
    assert_eq!(&retried["spans"][1]["request_id"], request_id);
    assert_eq!(retried["spans"][2]["stage"], "generating");
    let ended = line_of("turn ended");
    assert_eq!(spans(ended), ["connection", "turn"], "{ended}");
    assert_eq!(&ended["spans"][1]["request_id"], request_id);
    assert_eq!(ended["fields"]["outcome"], "answered");
    assert_eq!(ended["fields"]["stage"], "storing");
    assert!(ended["fields"]["duration_ms"].is_u64(), "{ended}");
    let ended = |line: &&Value| line["fields"]["message"] == "turn ended";
    assert_eq!(lines.iter().filter(ended).count(), 3, "one a question");
    let failed_line = line_of("turn failed");
    assert_eq!(spans(failed_line), ["connection", "turn"]);
    let failed_id = &failed.last()["request_id"];
    assert_eq!(&failed_line["spans"][1]["request_id"], failed_id);
}
