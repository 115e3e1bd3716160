//! The file of questions: JSON lines in, questions out. All faults of a file are told at once.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One question of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// As in the file, or the line's number.
    pub(super) id: String,
    pub(super) category: String,
    pub(super) question: String,
    /// Queries of which each is right; empty where the data has no answer.
    pub(super) gold: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    id: Option<Value>,
    question: String,
    /// Must be there, even as null: a misspelled name would make a question one without an answer.
    #[serde(alias = "gold_sql", deserialize_with = "gold")]
    sql: Vec<String>,
    category: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Gold {
    One(String),
    Several(Vec<String>),
}

fn gold<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Option::<Gold>::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Gold::One(sql)) => vec![sql],
        Some(Gold::Several(several)) => several,
    })
}

/// Reads the file.
///
/// # Errors
/// It cannot be read, holds no question, or lines of it are no questions.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Question>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("cannot use {}", path.display()))
}

fn parse(text: &str) -> anyhow::Result<Vec<Question>> {
    let mut questions = Vec::new();
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Line>(line) {
            Ok(line) => questions.push(Question {
                id: match line.id {
                    Some(Value::String(id)) => id,
                    Some(id) => id.to_string(),
                    None => format!("line {}", index + 1),
                },
                category: line.category.unwrap_or_else(|| "none".to_owned()),
                question: line.question,
                gold: line.sql,
            }),
            Err(error) => faults.push(format!("line {}: {error}", index + 1)),
        }
    }
    if !faults.is_empty() {
        anyhow::bail!("{}", faults.join("\n"));
    }
    if questions.is_empty() {
        anyhow::bail!("it holds no question");
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gold_is_one_query_or_several_or_none() {
        let questions = parse(
            r#"{"id": 7, "question": "a", "sql": "SELECT 1", "source": "elsewhere"}

{"question": "b", "gold_sql": ["SELECT 1", "SELECT 2"], "category": "two"}
{"id": "x", "question": "c", "sql": null}"#,
        )
        .expect("questions");
        let seen: Vec<_> = questions
            .iter()
            .map(|q| (q.id.as_str(), q.category.as_str(), q.gold.len()))
            .collect();
        assert_eq!(
            seen,
            [("7", "none", 1), ("line 3", "two", 2), ("x", "none", 0)]
        );
    }

    #[test]
    fn every_fault_is_told_with_its_line() {
        let error = parse("{\"question\": \"a\", \"sqll\": \"SELECT 1\"}\nhello\n")
            .expect_err("faults")
            .to_string();
        assert!(error.contains("line 1: missing field `sql`"), "{error}");
        assert!(error.contains("line 2: "), "{error}");
        assert!(parse("\n").is_err());
    }
}
