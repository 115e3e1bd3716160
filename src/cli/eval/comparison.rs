//! Whether two results are the same answer. Pure.

use crate::domain::result::{Cell, ResultSet, ValueKind};

/// Digits of floating point that count: sums differ in the last ones with the order in which they were made.
const FLOAT_DIGITS: usize = 12;

/// Whether `answer` has the rows of `gold`, which is whole: columns by position, rows in any order unless `is_ordered`.
pub(super) fn is_equal(gold: &ResultSet, is_ordered: bool, answer: &ResultSet) -> bool {
    if answer.truncation.is_some()
        || gold.columns.len() != answer.columns.len()
        || gold.rows.len() != answer.rows.len()
    {
        return false;
    }
    let forms: Vec<Form> = gold
        .columns
        .iter()
        .zip(&answer.columns)
        .map(|(gold, answer)| Form::common(gold.kind, answer.kind))
        .collect();
    let (mut gold, mut answer) = (canonical(gold, &forms), canonical(answer, &forms));
    if !is_ordered {
        gold.sort_unstable();
        answer.sort_unstable();
    }
    gold == answer
}

/// How the cells of a column are written so that equal values are equal text.
#[derive(Clone, Copy)]
enum Form {
    Exact,
    Float,
    Text,
}

impl Form {
    fn common(gold: ValueKind, answer: ValueKind) -> Self {
        let is_number = |kind| {
            matches!(
                kind,
                ValueKind::Integer | ValueKind::Numeric | ValueKind::Float
            )
        };
        if !is_number(gold) || !is_number(answer) {
            Self::Text
        } else if gold == ValueKind::Float || answer == ValueKind::Float {
            Self::Float
        } else {
            Self::Exact
        }
    }

    fn write(self, text: &str) -> String {
        match self {
            Self::Text => text.to_owned(),
            Self::Exact if text.contains('.') => {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            Self::Exact => text.to_owned(),
            Self::Float => match text.parse::<f64>() {
                // Also makes one of the two zeros.
                Ok(0.0) => "0".to_owned(),
                Ok(number) => format!("{number:.*e}", FLOAT_DIGITS - 1),
                Err(_) => text.to_owned(),
            },
        }
    }
}

fn canonical(result: &ResultSet, forms: &[Form]) -> Vec<Vec<Cell>> {
    let row = |row: &Vec<Cell>| {
        row.iter()
            .zip(forms)
            .map(|(cell, form)| cell.as_deref().map(|text| form.write(text)))
            .collect()
    };
    result.rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::result::{ResultColumn, Truncation};

    fn result(kinds: &[ValueKind], rows: &[&[&str]]) -> ResultSet {
        ResultSet {
            columns: kinds
                .iter()
                .map(|kind| ResultColumn {
                    name: String::new(),
                    type_name: String::new(),
                    kind: *kind,
                })
                .collect(),
            rows: rows
                .iter()
                .map(|row| row.iter().map(|cell| Some((*cell).to_owned())).collect())
                .collect(),
            truncation: None,
        }
    }

    #[test]
    fn the_order_of_rows_counts_only_where_it_was_asked_for_and_their_number_always() {
        let kinds = [ValueKind::Text];
        let gold = result(&kinds, &[&["a"], &["b"], &["b"]]);
        let turned = result(&kinds, &[&["b"], &["a"], &["b"]]);
        assert!(is_equal(&gold, false, &turned));
        assert!(!is_equal(&gold, true, &turned));
        assert!(is_equal(&gold, true, &gold));
        assert!(!is_equal(
            &gold,
            false,
            &result(&kinds, &[&["a"], &["a"], &["b"]])
        ));
        assert!(!is_equal(&gold, false, &result(&kinds, &[&["a"], &["b"]])));
        let mut cut = gold.clone();
        cut.truncation = Some(Truncation::Rows);
        assert!(!is_equal(&gold, false, &cut));
    }

    #[test]
    fn columns_go_by_position() {
        use ValueKind::{Integer, Text};
        let gold = result(&[Text, Integer], &[&["a", "1"]]);
        assert!(!is_equal(
            &gold,
            false,
            &result(&[Integer, Text], &[&["1", "a"]])
        ));
        assert!(!is_equal(&gold, false, &result(&[Text], &[&["a"]])));
        // No rows of other columns are another answer still.
        assert!(!is_equal(
            &result(&[Text], &[]),
            false,
            &result(&[Text, Text], &[])
        ));
    }

    #[test]
    fn null_is_no_empty_text() {
        let mut null = result(&[ValueKind::Text], &[&[""]]);
        null.rows[0][0] = None;
        assert!(!is_equal(
            &result(&[ValueKind::Text], &[&[""]]),
            false,
            &null
        ));
        assert!(is_equal(&null, false, &null));
    }

    #[test]
    fn numbers_are_equal_by_value() {
        use ValueKind::{Float, Integer, Numeric, Text};
        let check = |gold: (ValueKind, &str), answer: (ValueKind, &str), expected: bool| {
            let one = |(kind, text): (ValueKind, &str)| result(&[kind], &[&[text]]);
            let is_same = is_equal(&one(gold), true, &one(answer));
            assert_eq!(is_same, expected, "{gold:?} {answer:?}");
        };
        check((Numeric, "1.50"), (Numeric, "1.5"), true);
        check((Numeric, "100.00"), (Integer, "100"), true);
        check((Integer, "100"), (Integer, "1"), false);
        check(
            (Numeric, "9007199254740993"),
            (Numeric, "9007199254740992"),
            false,
        );
        check((Float, "0.30000000000000004"), (Numeric, "0.30"), true);
        check((Float, "0.3001"), (Float, "0.3002"), false);
        check((Float, "-0"), (Float, "0"), true);
        check((Float, "NaN"), (Numeric, "NaN"), true);
        check((Text, "1.50"), (Text, "1.5"), false);
    }
}
