//! `db-chat guard`: lines in, lines out, exit codes.

use std::io::Cursor;
use std::process::ExitCode;

use db_chat::cli::guard::{GuardArgs, run};
use db_chat::wire::schema_document::schema_document;
use serde_json::Value;

use super::library;

struct Outcome {
    code: ExitCode,
    output: String,
    problems: String,
}

/// Runs the command on the corpus database's catalog as a file.
async fn guard(sql: Option<&str>, jsonl: bool, input: &[u8]) -> Outcome {
    let (_database, snapshot) = library().await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    let document = serde_json::to_string(&schema_document(&snapshot)).expect("a document");
    std::fs::write(file.path(), document).expect("written");
    let args = GuardArgs {
        sql: sql.map(str::to_owned),
        jsonl,
        catalog: Some(file.path().to_owned()),
    };
    run_with(args, input).await
}

async fn run_with(args: GuardArgs, input: &[u8]) -> Outcome {
    let config = db_chat::config::load(None, &[]).expect("the default settings");
    let (mut output, mut problems) = (Vec::new(), Vec::new());
    let code = run(
        args,
        &config,
        Cursor::new(input.to_vec()),
        &mut output,
        &mut problems,
    )
    .await
    .expect("an exit code");
    Outcome {
        code,
        output: String::from_utf8(output).expect("text"),
        problems: String::from_utf8(problems).expect("text"),
    }
}

#[tokio::test]
async fn lines_are_answered_in_order_whatever_is_in_them() {
    let input = br#"{"id": 1, "sql": "SELECT title FROM books"}
{"id": "two", "sql": "SELECT * FROM staff"}

not json
{"id": 4}
{"id": 5, "sql": "SELECT '\ud83d'"}
{"id": 6, "sql": 7}
["id"]
{"id": null, "sql": "SELECT 1", "more": true}"#;
    let outcome = guard(None, true, input).await;
    let lines: Vec<Value> = outcome
        .output
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let ids: Vec<String> = lines.iter().map(|line| line["id"].to_string()).collect();
    assert_eq!(ids, ["1", "\"two\"", "null", "4", "5", "6", "null", "null"]);
    let codes: Vec<&str> = lines
        .iter()
        .map(|line| line["code"].as_str().unwrap_or("allowed"))
        .collect();
    assert_eq!(
        codes,
        [
            "allowed",
            "unknown_relation",
            "invalid_input",
            "invalid_input",
            "invalid_input",
            "invalid_input",
            "invalid_input",
            "allowed"
        ]
    );
    assert_eq!(lines[0]["sql"], "SELECT title FROM public.books");
    assert_eq!(lines[0]["tables"][0], "public.books");
    assert_eq!(lines[0]["columns"][0], "public.books.title");
    assert_eq!(outcome.code, ExitCode::from(1));
}

#[tokio::test]
async fn one_statement_comes_from_the_argument_or_from_standard_input() {
    let allowed = guard(Some("SELECT 1"), false, b"").await;
    assert_eq!(
        (allowed.code, allowed.output.lines().next()),
        (ExitCode::SUCCESS, Some("allowed"))
    );
    let refused = guard(None, false, b"DROP TABLE books").await;
    assert_eq!(
        (refused.code, refused.output.lines().next()),
        (ExitCode::from(1), Some("refused (not_a_query)"))
    );
}

#[tokio::test]
async fn what_cannot_be_checked_against_is_bad_usage() {
    let args = GuardArgs {
        sql: Some("SELECT 1".to_owned()),
        jsonl: false,
        catalog: Some("/no/such/file.json".into()),
    };
    let outcome = run_with(args, b"").await;
    assert_eq!(outcome.code, ExitCode::from(2));
    assert!(
        outcome.problems.contains("/no/such/file.json"),
        "{}",
        outcome.problems
    );
}
