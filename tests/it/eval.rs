//! `db-chat eval` with the offline engine against a real database.

use std::path::PathBuf;
use std::process::ExitCode;

use db_chat::cli::eval::{EvalArgs, run};
use serde_json::Value;

use super::support::postgres::TestDatabase;
use super::support::roles::config;

const SCHEMA: &str = "
    CREATE TABLE animals (id int PRIMARY KEY, name text, species text);
    INSERT INTO animals SELECT i, 'a' || i, (ARRAY['lion', 'owl'])[1 + i % 2] FROM generate_series(1, 7) i;
    CREATE TABLE keepers (id int PRIMARY KEY, name text);
    INSERT INTO keepers VALUES (1, 'Ann');
";

const RIGHT: &str = r#"
{"id": "counted", "category": "count", "question": "How many animals are there?", "sql": ["SELECT 0", "SELECT count(id) FROM animals"]}
{"id": "grouped", "category": "group", "question": "How many animals per species?", "sql": "SELECT species, count(*) FROM animals GROUP BY 1"}
{"id": "beyond", "category": "beyond", "question": "Who wrote the novel of the year?", "sql": null}
"#;

async fn evaluate(lines: &str, percent_min: u8) -> (ExitCode, String) {
    let database = TestDatabase::create(SCHEMA).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("questions.jsonl");
    std::fs::write(&file, lines).expect("a file");
    let config = config(&database.url(), "public.*, !public.keepers");
    let mut output = Vec::new();
    let code = run(args(file, percent_min), config, &mut output)
        .await
        .expect("a report");
    (code, String::from_utf8(output).expect("text"))
}

fn args(file: PathBuf, percent_min: u8) -> EvalArgs {
    EvalArgs {
        tenant: None,
        file,
        json: true,
        parallel: 2,
        percent_min,
    }
}

fn outcomes(report: &str) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(report).expect("JSON");
    let questions = report["questions"].as_array().expect("questions");
    questions
        .iter()
        .map(|question| {
            let text = |field: &str| question[field].as_str().expect(field).to_owned();
            (text("id"), text("outcome"))
        })
        .collect()
}

#[tokio::test]
async fn answers_with_the_rows_of_a_gold_query_are_equal() {
    let (code, report) = evaluate(RIGHT, 100).await;
    let seen = outcomes(&report);
    assert!(
        seen.iter().all(|(_, outcome)| outcome == "equal"),
        "{report}"
    );
    assert_eq!(code, ExitCode::SUCCESS);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["categories"]["count"]["equal"], 1);
    assert_eq!(report["all"]["questions"], 3);
}

#[tokio::test]
async fn other_rows_count_as_wrong_and_the_exit_code_goes_by_the_percentage() {
    let lines = r#"
{"id": "wrong", "question": "How many animals are there?", "sql": "SELECT count(*) + 1 FROM animals"}
{"id": "right", "question": "How many animals are there?", "sql": "SELECT count(*) FROM animals"}
{"id": "answered", "question": "How many animals are there?", "sql": null}
{"id": "silent", "question": "Who wrote the novel of the year?", "sql": "SELECT 1"}
"#;
    let (code, report) = evaluate(lines, 26).await;
    let expected = [
        ("wrong", "different"),
        ("right", "equal"),
        ("answered", "different"),
        ("silent", "unanswered"),
    ];
    let expected = expected.map(|(id, outcome)| (id.to_owned(), outcome.to_owned()));
    assert_eq!(outcomes(&report), expected, "{report}");
    assert_eq!(code, ExitCode::from(1));
    assert_eq!(evaluate(lines, 25).await.0, ExitCode::SUCCESS);
}

#[tokio::test]
async fn a_gold_query_that_could_not_be_an_answer_is_a_fault_of_the_file() {
    let lines = r#"
{"id": "hidden", "question": "How many keepers are there?", "sql": "SELECT count(*) FROM keepers"}
{"id": "writes", "question": "How many animals are there?", "sql": "DELETE FROM animals RETURNING 1"}
"#;
    let (code, report) = evaluate(lines, 0).await;
    let seen = outcomes(&report);
    assert!(
        seen.iter().all(|(_, outcome)| outcome == "faulty_gold"),
        "{report}"
    );
    assert_eq!(code, ExitCode::from(2));
    assert_eq!(evaluate("{}\n", 0).await.0, ExitCode::from(2));
}
