//! What the model's reply to a question is: SQL, a question back, a refusal, or nothing that can be used.
//!
//! Pure text work. It decides what the reply claims to be, never whether the SQL may run.

use super::event::Clarification;
use crate::domain::sql::DraftSql;

/// A reply, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ModelReply {
    /// A query.
    Sql(DraftSql),
    /// A question back to the person.
    Clarify(Clarification),
    /// These tables cannot answer the question; the model's reason, possibly empty.
    Cannot(String),
    /// Neither; what is wrong, as the rest of a sentence that begins with "That reply".
    Unreadable(&'static str),
}

/// More options than this are not shown.
const OPTIONS_MAX: usize = 4;

/// Characters of one option. An option is a pick, which is asked as the next question; a longer one is an explanation.
const OPTION_CHARS_MAX: usize = 200;

/// Reads a reply. A marker at its beginning decides; then exactly one SQL fence; then a bare query, alone or as the only
/// one among chatter; then a marker on a line of its own.
pub(super) fn read(text: &str) -> ModelReply {
    let text = without_thinking(text).trim();
    if text.is_empty() {
        return ModelReply::Unreadable("was empty");
    }
    if let Some(rest) = marked(text, "CLARIFY:") {
        return clarification(rest);
    }
    if let Some(rest) = marked(text, "CANNOT:") {
        return ModelReply::Cannot(rest.trim().to_owned());
    }
    let fences = fences(text);
    let queries: Vec<&str> = fences
        .iter()
        .filter(|fence| fence.is_sql())
        .map(|fence| fence.body.trim())
        .collect();
    match queries.as_slice() {
        [query] if !query.is_empty() => ModelReply::Sql(DraftSql::new(*query)),
        [] if fences.is_empty() && starts_like_a_query(text) => {
            ModelReply::Sql(DraftSql::new(text))
        }
        [] => match marker_on_a_line(text) {
            Some(reply) => reply,
            None => query_among_chatter(text),
        },
        [_] => ModelReply::Unreadable("held an empty query"),
        _ => ModelReply::Unreadable("held more than one query"),
    }
}

/// The text behind the thinking that some servers leave in the words of the model.
fn without_thinking(text: &str) -> &str {
    let Some(thinking) = text.trim_start().strip_prefix("<think>") else {
        return text;
    };
    // Without an end there is nothing behind it.
    thinking
        .split_once("</think>")
        .map_or("", |(_, reply)| reply)
}

/// The only query that begins a line and ends with a semicolon or a blank line.
fn query_among_chatter(text: &str) -> ModelReply {
    let mut queries: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        let line = marked(line, "SQL:").unwrap_or(line);
        if is_open && !line.trim().is_empty() {
            if let Some(query) = queries.last_mut() {
                query.push('\n');
                query.push_str(line);
            }
        } else {
            is_open = !is_open && starts_like_a_query(line);
            if is_open {
                queries.push(line.to_owned());
            }
        }
        is_open &= !line.trim_end().ends_with(';');
    }
    match queries.as_slice() {
        [query] => ModelReply::Sql(DraftSql::new(query.trim())),
        [] => ModelReply::Unreadable("held no query"),
        _ => ModelReply::Unreadable("held more than one query"),
    }
}

struct Fence<'a> {
    language: &'a str,
    body: &'a str,
}

impl Fence<'_> {
    fn is_sql(&self) -> bool {
        let language = self.language.to_ascii_lowercase();
        let says_sql = matches!(
            language.as_str(),
            "sql" | "postgresql" | "postgres" | "psql" | "pgsql"
        );
        says_sql || (language.is_empty() && starts_like_a_query(self.body.trim_start()))
    }
}

/// The fenced blocks of a Markdown text; the last one may lack its end (a reply that was cut).
fn fences(text: &str) -> Vec<Fence<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("```") {
        let opened = &rest[start + 3..];
        let (language, body) = opened.split_once('\n').unwrap_or((opened, ""));
        // One-line fences carry the language before the first blank: ```sql SELECT 1```
        let (language, body) = match language.find("```") {
            Some(_) => opened
                .split_once(char::is_whitespace)
                .unwrap_or((opened, "")),
            None => (language, body),
        };
        let end = body.find("```");
        found.push(Fence {
            language: language.trim(),
            body: end.map_or(body, |end| &body[..end]),
        });
        match end {
            Some(end) => rest = &body[end + 3..],
            None => break,
        }
    }
    found
}

fn starts_like_a_query(text: &str) -> bool {
    let word: String = text
        .trim_start_matches(['(', ' ', '\n', '\t', '\r'])
        .chars()
        .take_while(|c| c.is_ascii_alphabetic())
        .collect();
    let followed = text
        .trim_start_matches('(')
        .trim_start()
        .get(word.len()..)
        .is_some_and(|rest| {
            rest.starts_with(|c: char| {
                c.is_whitespace() || matches!(c, '(' | '*' | '"' | '\'' | '-' | '/')
            })
        });
    followed
        && ["select", "with"].contains(&word.to_ascii_lowercase().as_str())
        && !reads_like_prose(text)
}

/// "With pleasure, …" and "Select a year." begin like queries too; a query has a keyword that prose lacks.
fn reads_like_prose(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if lower
        .trim_start_matches(['(', ' ', '\n'])
        .starts_with("with")
    {
        return !(lower.contains(" as ") || lower.contains(" as(") || lower.contains("\nas"))
            || !lower.contains("select");
    }
    let has_sql = [" from ", "\nfrom ", "(", "*", "'", ","]
        .iter()
        .any(|mark| lower.contains(mark));
    let is_literal = lower.bytes().any(|byte| byte.is_ascii_digit());
    !has_sql && !is_literal
}

/// The text after a marker in any letter case, bold or not.
fn marked<'a>(text: &'a str, marker: &str) -> Option<&'a str> {
    let text = text.trim_start_matches(['*', '#', ' ']);
    let head = text.get(..marker.len())?;
    head.eq_ignore_ascii_case(marker)
        .then(|| text[marker.len()..].trim_start_matches(['*', ' ']))
}

/// Small models like to say something before they say what was asked for.
fn marker_on_a_line(text: &str) -> Option<ModelReply> {
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = marked(&text[offset..], "CLARIFY:") {
            return Some(clarification(rest));
        }
        if let Some(rest) = marked(line, "CANNOT:") {
            return Some(ModelReply::Cannot(rest.trim().to_owned()));
        }
        offset += line.len();
    }
    None
}

fn clarification(text: &str) -> ModelReply {
    let mut question = Vec::new();
    let mut options = Vec::new();
    let is_worded = |line: &&str| !line.is_empty() && !line.starts_with("```");
    for line in text.lines().map(str::trim).filter(is_worded) {
        match option_of(line) {
            Some(option) if option.chars().count() > OPTION_CHARS_MAX => {}
            Some(option) if options.iter().any(|known| known == option) => {}
            Some(option) => options.push(option.to_owned()),
            None if options.is_empty() => question.push(line),
            None => {}
        }
    }
    if question.is_empty() {
        return ModelReply::Unreadable("asked no question");
    }
    options.truncate(OPTIONS_MAX);
    ModelReply::Clarify(Clarification {
        question: question.join(" "),
        options,
    })
}

fn option_of(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("- ")
        .or_else(|| line.strip_prefix("* "))
        .or_else(|| line.strip_prefix("• "));
    let numbered = || {
        let (number, rest) = line.split_once(['.', ')'])?;
        (number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(rest)
    };
    rest.or_else(numbered)
        .map(|option| option.trim().trim_matches('*').trim())
        .filter(|option| !option.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &ModelReply) {
        assert_eq!(&read(text), expected, "{text:?}");
    }

    fn sql(text: &str) -> ModelReply {
        ModelReply::Sql(DraftSql::new(text))
    }

    #[test]
    fn a_query_is_found_bare_or_in_its_only_fence() {
        check("SELECT 1", &sql("SELECT 1"));
        check(
            "  with a as (select 1) select * from a ",
            &sql("with a as (select 1) select * from a"),
        );
        check(
            "(SELECT 1) UNION (SELECT 2)",
            &sql("(SELECT 1) UNION (SELECT 2)"),
        );
        check(
            "Sure!\n```sql\nSELECT 1\n```\nThat counts.",
            &sql("SELECT 1"),
        );
        check("```\nSELECT 1\n```", &sql("SELECT 1"));
        check("```SQL\nSELECT 1", &sql("SELECT 1"));
        check("```sql SELECT 1```", &sql("SELECT 1"));
        check(
            "Look:\n```json\n{}\n```\n```sql\nDELETE FROM t\n```",
            &sql("DELETE FROM t"),
        );
    }

    #[test]
    fn two_queries_are_none() {
        let unreadable = ModelReply::Unreadable("held more than one query");
        check(
            "```sql\nSELECT 1\n```\nor\n```sql\nSELECT 2\n```",
            &unreadable,
        );
        check(
            "```sql\n\n```",
            &ModelReply::Unreadable("held an empty query"),
        );
    }

    #[test]
    fn prose_that_begins_like_a_query_is_no_query() {
        check(
            "With pleasure: which year do you mean?",
            &ModelReply::Unreadable("held no query"),
        );
        check(
            "Select a year first.",
            &ModelReply::Unreadable("held no query"),
        );
        check(
            "Selection bias is a thing.",
            &ModelReply::Unreadable("held no query"),
        );
        check("", &ModelReply::Unreadable("was empty"));
    }

    #[test]
    fn a_clarifying_question_carries_its_options() {
        let clarification = |question: &str, options: &[&str]| {
            let options = options.iter().map(|option| (*option).to_owned()).collect();
            ModelReply::Clarify(Clarification {
                question: question.to_owned(),
                options,
            })
        };
        check("CLARIFY: Which year?", &clarification("Which year?", &[]));
        check(
            "**Clarify:** Which\nyear?\n\n- 2025\n- 2026\n",
            &clarification("Which year?", &["2025", "2026"]),
        );
        check(
            "Hm.\nCLARIFY: Which?\n1. a\n2) b\n3. c\n4. d\n5. e",
            &clarification("Which?", &["a", "b", "c", "d"]),
        );
        check(
            "CLARIFY:\n- 2025",
            &ModelReply::Unreadable("asked no question"),
        );
    }

    #[test]
    fn a_small_model_may_chat_think_and_fence_as_it_likes() {
        check(
            "Sure! Here is the query:\nSELECT count(*)\nFROM t;\nIt counts rows.",
            &sql("SELECT count(*)\nFROM t;"),
        );
        check(
            "To count them, try this.\n\nSELECT count(*) FROM t\n\nI hope it helps.",
            &sql("SELECT count(*) FROM t"),
        );
        check(
            "SQL: SELECT count(*) FROM t",
            &sql("SELECT count(*) FROM t"),
        );
        check(
            "<think>\nSELECT 2 or not?\n```sql\nSELECT 3\n```\n</think>\n\n```sql\nSELECT 1\n```",
            &sql("SELECT 1"),
        );
        check("<think>and on", &ModelReply::Unreadable("was empty"));
        check(
            "This:\nSELECT count(*) FROM t;\nor that:\nSELECT max(n) FROM t;",
            &ModelReply::Unreadable("held more than one query"),
        );
        check(
            "```\nCANNOT: no such data\n```",
            &ModelReply::Cannot("no such data".to_owned()),
        );
        check(
            "```\nCLARIFY: Which year?\n```",
            &ModelReply::Clarify(Clarification {
                question: "Which year?".to_owned(),
                options: Vec::new(),
            }),
        );
        check(
            &format!("CLARIFY: Which?\n- **a**\n- a\n- {}\n- b", "x".repeat(201)),
            &ModelReply::Clarify(Clarification {
                question: "Which?".to_owned(),
                options: vec!["a".to_owned(), "b".to_owned()],
            }),
        );
    }

    #[test]
    fn a_refusal_carries_its_reason() {
        check(
            "CANNOT: there are no salaries",
            &ModelReply::Cannot("there are no salaries".to_owned()),
        );
        check(
            "I am sorry.\ncannot: no such data",
            &ModelReply::Cannot("no such data".to_owned()),
        );
    }
}
