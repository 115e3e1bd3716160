//! A result in one or two plain sentences. Every number and value is copied from the rows as it stands.

use crate::domain::result::{ResultSet, Truncation};

/// How many rows a sentence tells one by one; more are in the table.
const ROWS_TOLD_MAX: usize = 3;

/// How long a value may be in a sentence, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// Tells what the rows say. `question` is repeated only as far as an empty result needs it.
#[must_use]
pub fn narrate(question: &str, result: &ResultSet) -> String {
    let _ = question;
    let more = if matches!(
        result.truncation,
        Some(Truncation::Rows | Truncation::Bytes)
    ) {
        "more than "
    } else {
        ""
    };
    let sentence = match result.rows.as_slice() {
        [] if !more.is_empty() => "There are rows, but none is short enough to show.".to_owned(),
        [] => "No rows match this question.".to_owned(),
        [row] if !more.is_empty() => {
            format!(
                "There is more than 1 row. The first is {}.",
                told(result, row)
            )
        }
        [row] => match (row.as_slice(), result.columns.as_slice()) {
            ([cell], [column]) => match cell {
                Some(_) => format!("The {} is {}.", spoken(&column.name), value(cell)),
                None => format!("There is no {}: no value was found.", spoken(&column.name)),
            },
            _ => format!("The answer is one row: {}.", told(result, row)),
        },
        [first, ..] if result.columns.len() == 1 => {
            let shown: Vec<String> = result
                .rows
                .iter()
                .take(ROWS_TOLD_MAX)
                .map(|row| value(row.first().unwrap_or(&None)))
                .collect();
            let _ = first;
            let rest = if result.rows.len() > ROWS_TOLD_MAX {
                ", and more"
            } else {
                ""
            };
            format!(
                "There are {more}{} rows: {}{rest}.",
                result.rows.len(),
                shown.join(", ")
            )
        }
        rows => {
            let first: Vec<String> = rows
                .iter()
                .take(if result.columns.len() <= 3 {
                    ROWS_TOLD_MAX
                } else {
                    1
                })
                .map(|row| pair(result, row))
                .collect();
            format!(
                "There are {more}{} rows. {} {}.",
                rows.len(),
                if first.len() == 1 {
                    "The first is"
                } else {
                    "The first are"
                },
                first.join("; ")
            )
        }
    };
    let cut = match result.truncation {
        None | Some(Truncation::Rows) => "",
        Some(Truncation::Bytes) => " The result was too large to show whole, so rows are missing.",
        Some(Truncation::Cells) => " Some long values were cut.",
    };
    format!("{sentence}{cut}")
}

/// "a, b and c".
pub(super) fn listing(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}

/// A row of two or three columns: "Delivered (123)".
fn pair(result: &ResultSet, row: &[Option<String>]) -> String {
    match row {
        [name, number] => format!("{} ({})", value(name), value(number)),
        _ => told(result, row),
    }
}

/// "name Ann, city Bonn"; at most a handful of columns.
fn told(result: &ResultSet, row: &[Option<String>]) -> String {
    let parts: Vec<String> = result
        .columns
        .iter()
        .zip(row)
        .take(5)
        .map(|(column, cell)| format!("{} {}", spoken(&column.name), value(cell)))
        .collect();
    parts.join(", ")
}

fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

fn value(cell: &Option<String>) -> String {
    match cell {
        None => "(no value)".to_owned(),
        Some(text) if text.chars().count() > VALUE_CHARS_MAX => {
            let start: String = text.chars().take(VALUE_CHARS_MAX).collect();
            format!("{start}\u{2026}")
        }
        Some(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::result::{ResultColumn, ValueKind};

    fn result(
        columns: &[&str],
        rows: &[&[Option<&str>]],
        truncation: Option<Truncation>,
    ) -> ResultSet {
        ResultSet {
            columns: columns
                .iter()
                .map(|name| ResultColumn {
                    name: (*name).to_owned(),
                    type_name: "text".to_owned(),
                    kind: ValueKind::Text,
                })
                .collect(),
            rows: rows
                .iter()
                .map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect())
                .collect(),
            truncation,
        }
    }

    #[test]
    fn rows_are_told_as_they_stand() {
        for (columns, rows, truncation, expected) in [
            (
                vec!["orders_count"],
                vec![vec![Some("1234567")]],
                None,
                "The orders count is 1234567.",
            ),
            (
                vec!["revenue"],
                vec![vec![None]],
                None,
                "There is no revenue: no value was found.",
            ),
            (vec!["name"], vec![], None, "No rows match this question."),
            (
                vec!["status", "orders_count"],
                vec![vec![Some("open"), Some("3")], vec![None, Some("1")]],
                None,
                "There are 2 rows. The first are open (3); (no value) (1).",
            ),
            (
                vec!["name"],
                vec![vec![Some("a")], vec![Some("b")]],
                Some(Truncation::Rows),
                "There are more than 2 rows: a, b.",
            ),
            (
                vec!["name"],
                vec![vec![Some("a")]],
                Some(Truncation::Rows),
                "There is more than 1 row. The first is name a.",
            ),
        ] {
            let rows: Vec<&[Option<&str>]> = rows.iter().map(Vec::as_slice).collect();
            assert_eq!(narrate("q", &result(&columns, &rows, truncation)), expected);
        }
    }
}
