//! A result in one or two plain sentences. Every number and value is copied from the rows as it stands, but for the tail of
//! digits of an average, which nobody reads: the sentence says "about", the rows have them all.

use crate::domain::result::{ResultColumn, ResultSet, Truncation, ValueKind};

/// How many rows a sentence tells one by one; more are in the table.
const ROWS_TOLD_MAX: usize = 3;

/// How long a value may be in a sentence, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// More digits behind the point than money or a measure has: those of a division.
const DECIMALS_MAX: usize = 4;

/// Digits behind the point of what is told instead.
const DECIMALS_TOLD: usize = 2;

/// Digits that a float can round without a doubt.
const WHOLE_DIGITS_MAX: usize = 12;

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
                Some(_) => format!("The {} is {}.", spoken(&column.name), value(column, cell)),
                None => format!("There is no {}: no value was found.", spoken(&column.name)),
            },
            _ => format!("The answer is one row: {}.", told(result, row)),
        },
        [first, ..] if result.columns.len() == 1 => {
            let shown: Vec<String> = result
                .rows
                .iter()
                .take(ROWS_TOLD_MAX)
                .filter_map(|row| Some(value(result.columns.first()?, row.first()?)))
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
    match (result.columns.as_slice(), row) {
        ([first, second], [name, number]) => {
            format!("{} ({})", value(first, name), value(second, number))
        }
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
        .map(|(column, cell)| format!("{} {}", spoken(&column.name), value(column, cell)))
        .collect();
    parts.join(", ")
}

fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

fn value(column: &ResultColumn, cell: &Option<String>) -> String {
    match cell {
        None => "(no value)".to_owned(),
        Some(text) if column.kind == ValueKind::Numeric && has_a_tail(text) => {
            rounded(text).unwrap_or_else(|| text.clone())
        }
        Some(text) if text.chars().count() > VALUE_CHARS_MAX => {
            let start: String = text.chars().take(VALUE_CHARS_MAX).collect();
            format!("{start}\u{2026}")
        }
        Some(text) => text.clone(),
    }
}

fn has_a_tail(number: &str) -> bool {
    number
        .split_once('.')
        .is_some_and(|(_, decimals)| decimals.len() > DECIMALS_MAX)
}

/// `None` where rounding would leave nothing, or a float is not exact enough.
fn rounded(number: &str) -> Option<String> {
    // PostgreSQL fills a quotient that comes out even with zeros.
    let even = number.trim_end_matches('0');
    if !has_a_tail(even) {
        return Some(even.trim_end_matches('.').to_owned());
    }
    let (whole, _) = number.split_once('.')?;
    let is_exact = whole.len() <= WHOLE_DIGITS_MAX;
    let number: f64 = number.parse().ok().filter(|_| is_exact)?;
    (number.abs() >= 1.0).then(|| format!("about {number:.DECIMALS_TOLD$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_tail_of_an_average_is_left_to_the_rows() {
        for (number, expected) in [
            ("376.1470682730923695", "about 376.15"),
            ("-20.0000000000000000", "-20"),
            ("2.5000000000000000", "2.5"),
            ("1234.5678", "1234.5678"),
            ("0.0012345678901234", "0.0012345678901234"),
            ("12345678901234567890.12345", "12345678901234567890.12345"),
            ("NaN", "NaN"),
        ] {
            let mut result = result(&["average"], &[&[Some(number)]], None);
            assert_eq!(narrate("q", &result), format!("The average is {number}."));
            result.columns[0].kind = ValueKind::Numeric;
            assert_eq!(narrate("q", &result), format!("The average is {expected}."));
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
