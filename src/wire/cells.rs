//! Cells to JSON and to Markdown.
//!
//! In: PostgreSQL's own text forms. Out: JSON values from which nothing is lost, and the Markdown table that the
//! Django app sent. Must not know how the cells were fetched.

use std::fmt::Write;

use serde_json::{Number, Value};

use crate::domain::result::{Cell, ResultSet, ValueKind};

/// Largest integer that every JSON reader keeps exactly: 2^53.
const SAFE_INTEGER_MAX: i64 = 1 << 53;

/// One cell as JSON: a number only where it has the same digits, dates and times in ISO 8601, otherwise the text
/// that psql shows.
#[must_use]
pub fn to_json(cell: &Cell, kind: ValueKind) -> Value {
    let Some(text) = cell else {
        return Value::Null;
    };
    let shaped = match kind {
        ValueKind::Integer => integer(text).map(Value::Number),
        ValueKind::Numeric => exact_number(text).map(Value::Number),
        ValueKind::Float => float(text).map(Value::Number),
        ValueKind::Boolean => boolean(text).map(Value::Bool),
        ValueKind::Timestamp | ValueKind::TimestampTz => timestamp(text).map(Value::String),
        ValueKind::Time => Some(Value::String(with_full_offset(text))),
        ValueKind::Date | ValueKind::Json | ValueKind::Text => None,
    };
    shaped.unwrap_or_else(|| Value::String(text.clone()))
}

/// A result as a Markdown table; empty without columns. As many rows as the result holds: it is bounded already.
#[must_use]
pub fn markdown(result: &ResultSet) -> String {
    if result.columns.is_empty() {
        return String::new();
    }
    let mut table = String::new();
    for column in &result.columns {
        push_cell(&mut table, &column.name);
    }
    table.push_str("|\n");
    for _ in &result.columns {
        table.push_str("| --- ");
    }
    table.push_str("|\n");
    for row in &result.rows {
        for cell in row {
            push_cell(&mut table, cell.as_deref().unwrap_or("NULL"));
        }
        table.push_str("|\n");
    }
    table
}

/// A cell must neither end its column nor its row.
fn push_cell(table: &mut String, text: &str) {
    table.push_str("| ");
    for character in text.chars() {
        match character {
            '|' => table.push_str("\\|"),
            '\\' => table.push_str("\\\\"),
            '\n' => table.push_str("\\\\n"),
            '\r' => table.push_str("\\\\r"),
            character if character.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(table, "\\\\u{{{:x}}}", u32::from(character));
            }
            character => table.push(character),
        }
    }
    table.push(' ');
}

fn integer(text: &str) -> Option<Number> {
    let number: i64 = text.parse().ok()?;
    (-SAFE_INTEGER_MAX..=SAFE_INTEGER_MAX)
        .contains(&number)
        .then(|| number.into())
}

/// A number whose shortest form as a double has the very same digits: `1.5`, but not `1.50`.
fn exact_number(text: &str) -> Option<Number> {
    if let Some(number) = integer(text) {
        return (number.to_string() == text).then_some(number);
    }
    let number: f64 = text.parse().ok()?;
    (number.to_string() == text)
        .then(|| Number::from_f64(number))
        .flatten()
}

/// A double's text names exactly one double, so a finite one is always a number. `-0` is not the integer 0.
fn float(text: &str) -> Option<Number> {
    match integer(text) {
        Some(number) if text != "-0" => Some(number),
        _ => Number::from_f64(text.parse().ok()?),
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "t" => Some(true),
        "f" => Some(false),
        _ => None,
    }
}

/// `2024-02-29 12:34:56.789+02` to `2024-02-29T12:34:56.789+02:00`. Years that ISO 8601 cannot write in four digits,
/// BC and infinity stay as they are.
fn timestamp(text: &str) -> Option<String> {
    let (date, time) = text.split_once(' ')?;
    let is_plain = date.len() == 10 && !time.contains(' ');
    is_plain.then(|| format!("{date}T{}", with_full_offset(time)))
}

/// PostgreSQL leaves the minutes of a whole-hour offset out.
fn with_full_offset(time: &str) -> String {
    let short = time
        .rfind(['+', '-'])
        .is_some_and(|at| time.len() - at == 3);
    if short {
        format!("{time}:00")
    } else {
        time.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::result::ResultColumn;

    fn check(kind: ValueKind, text: &str, expected: &str) {
        let json = to_json(&Some(text.to_owned()), kind).to_string();
        assert_eq!(json, expected, "{kind:?} {text}");
    }

    #[test]
    fn numbers_are_numbers_only_where_no_digit_is_lost() {
        for (text, json) in [
            ("0", "0"),
            ("-32768", "-32768"),
            ("9007199254740992", "9007199254740992"),
            ("9007199254740993", "\"9007199254740993\""),
            ("-9223372036854775808", "\"-9223372036854775808\""),
        ] {
            check(ValueKind::Integer, text, json);
            check(ValueKind::Numeric, text, json);
        }
        for (text, json) in [
            ("1.5", "1.5"),
            ("1.50", "\"1.50\""),
            ("-0.001", "-0.001"),
            ("0.1", "0.1"),
            ("5.0", "\"5.0\""),
            ("123456789012345.678", "\"123456789012345.678\""),
            ("NaN", "\"NaN\""),
            ("Infinity", "\"Infinity\""),
        ] {
            check(ValueKind::Numeric, text, json);
        }
        for (text, json) in [
            ("5", "5"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1e+300", "1e+300"),
            ("-0", "-0.0"),
            ("NaN", "\"NaN\""),
            ("-Infinity", "\"-Infinity\""),
        ] {
            check(ValueKind::Float, text, json);
        }
    }

    #[test]
    fn dates_and_times_are_iso_8601_where_it_can_write_them() {
        check(ValueKind::Date, "2024-02-29", "\"2024-02-29\"");
        check(ValueKind::Date, "0044-03-15 BC", "\"0044-03-15 BC\"");
        for (text, json) in [
            ("2024-02-29 12:34:56", "\"2024-02-29T12:34:56\""),
            (
                "2024-02-29 12:34:56.789+00",
                "\"2024-02-29T12:34:56.789+00:00\"",
            ),
            ("2024-02-29 12:34:56-03:30", "\"2024-02-29T12:34:56-03:30\""),
            ("infinity", "\"infinity\""),
            ("0044-03-15 00:00:00 BC", "\"0044-03-15 00:00:00 BC\""),
            ("10000-01-01 00:00:00+00", "\"10000-01-01 00:00:00+00\""),
        ] {
            check(ValueKind::TimestampTz, text, json);
        }
        check(ValueKind::Time, "23:59:59.5", "\"23:59:59.5\"");
        check(ValueKind::Time, "23:59:59+05", "\"23:59:59+05:00\"");
    }

    #[test]
    fn the_rest_is_what_psql_shows() {
        check(ValueKind::Boolean, "t", "true");
        check(ValueKind::Boolean, "f", "false");
        check(ValueKind::Json, "{\"a\" :  1}", r#""{\"a\" :  1}""#);
        check(ValueKind::Text, "\\x00ff", r#""\\x00ff""#);
        check(ValueKind::Text, "{1,NULL}", "\"{1,NULL}\"");
        check(ValueKind::Text, "", "\"\"");
        assert_eq!(to_json(&None, ValueKind::Text), Value::Null);
    }

    #[test]
    fn a_markdown_table_keeps_its_shape_whatever_is_in_it() {
        let column = |name: &str| ResultColumn {
            name: name.to_owned(),
            type_name: "text".to_owned(),
            kind: ValueKind::Text,
        };
        let result = ResultSet {
            columns: vec![column("a|b"), column("c")],
            rows: vec![
                vec![Some("x\ny".to_owned()), None],
                vec![Some(r"p\|q".to_owned()), Some("ü".to_owned())],
            ],
            truncation: None,
        };
        insta::assert_snapshot!(markdown(&result), @r"
        | a\|b | c |
        | --- | --- |
        | x\\ny | NULL |
        | p\\\|q | ü |
        ");
        assert_eq!(markdown(&ResultSet::default()), "");
    }
}
