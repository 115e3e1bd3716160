//! What backs an answer: facts of the checked query, warnings about it, and the numbers of the prose
//! that stand neither in the rows nor in the question or the query.

use super::event::Evidence;
use super::lint;
use crate::domain::result::ResultSet;
use crate::guard::CheckedSql;

/// Gathers the evidence for one answered question.
pub(super) fn gather(
    question: &str,
    checked: &CheckedSql,
    result: &ResultSet,
    prose: &str,
) -> Evidence {
    let unverified_numbers = unverified_numbers(prose, result, &[question, checked.as_str()]);
    let mut warnings = lint::warnings(checked.facts(), result);
    if !unverified_numbers.is_empty() {
        let numbers = unverified_numbers.join(", ");
        warnings.push(format!(
            "The answer names numbers that are not in the rows: {numbers}."
        ));
    }
    Evidence {
        tables: checked.tables().to_vec(),
        columns: checked.columns().to_vec(),
        filters: checked.facts().filters.clone(),
        joins: checked.facts().joins.clone(),
        warnings,
        unverified_numbers,
    }
}

/// The numbers of `prose`, as they are spelled there, that back nothing: in no cell (as a whole or
/// rounded to the digits shown), not the count of rows, and in none of the `sources`.
fn unverified_numbers(prose: &str, result: &ResultSet, sources: &[&str]) -> Vec<String> {
    let mut known: Vec<f64> = vec![to_f64(result.rows.len()), to_f64(result.columns.len())];
    let cells = result.rows.iter().flatten().flatten().map(String::as_str);
    for text in cells.chain(sources.iter().copied()) {
        known.extend(numbers(text).map(|number| number.value));
    }
    let mut unverified: Vec<String> = Vec::new();
    for number in numbers(prose).filter(|number| !number.is_list_marker) {
        let backed = known.iter().any(|value| number.could_show(*value));
        if !backed && !unverified.contains(&number.spelling) {
            unverified.push(number.spelling);
        }
    }
    unverified
}

/// A number as it is written in a text.
#[derive(Debug, Clone, PartialEq)]
struct Number {
    spelling: String,
    /// Without its sign: "a loss of 5" tells of -5.
    value: f64,
    decimals: i32,
    /// `1.` at the beginning of a line numbers the line and claims nothing.
    is_list_marker: bool,
}

impl Number {
    /// Whether `value` rounded to the digits shown, or as a percentage, gives this number.
    fn could_show(&self, value: f64) -> bool {
        let tolerance = 0.5 * 10_f64.powi(-self.decimals) + f64::EPSILON * self.value.abs();
        [value.abs(), value.abs() * 100.0]
            .iter()
            .any(|value| (value - self.value).abs() <= tolerance)
    }
}

/// Every number of a text: digits with thousands separators (`,`, `_`, narrow and hard blanks) and one decimal point.
fn numbers(text: &str) -> impl Iterator<Item = Number> + '_ {
    let mut rest = text;
    let mut at_line_start = true;
    let mut previous: Option<char> = None;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|c: char| c.is_ascii_digit())?;
            let before = &rest[..start];
            if let Some(newline) = before.rfind('\n') {
                at_line_start = before[newline + 1..].trim().is_empty();
            } else {
                at_line_start = at_line_start && before.trim().is_empty();
            }
            previous = before.chars().next_back().or(previous);
            let candidate = &rest[start..];
            let length = spelled_length(candidate);
            let (spelling, after) = candidate.split_at(length);
            rest = after;
            // Digits inside a word (`utf8`, `Q3`) are a name, not a number.
            let in_word = previous.is_some_and(|c| c.is_alphabetic() || c == '_');
            previous = spelling.chars().next_back();
            let was_line_start = std::mem::replace(&mut at_line_start, false);
            if in_word {
                continue;
            }
            let digits: String = spelling
                .chars()
                .filter(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            let Ok(value) = digits.parse::<f64>() else {
                continue;
            };
            let decimals = digits
                .split_once('.')
                .map_or(0, |(_, fraction)| fraction.len());
            let is_list_marker =
                was_line_start && (after.starts_with(". ") || after.starts_with(") "));
            let decimals = i32::try_from(decimals).unwrap_or(i32::MAX);
            return Some(Number {
                spelling: spelling.to_owned(),
                value,
                decimals,
                is_list_marker,
            });
        }
    })
}

/// How many bytes of `text`, which begins with a digit, belong to the number.
fn spelled_length(text: &str) -> usize {
    let mut length = 0;
    let mut seen_point = false;
    let mut characters = text.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        let next_is_digit = characters
            .peek()
            .is_some_and(|(_, next)| next.is_ascii_digit());
        let digits_ahead = text[index + character.len_utf8()..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        let separates = matches!(character, ',' | '_' | '\u{a0}' | '\u{202f}' | '\'')
            && digits_ahead == 3
            && !seen_point;
        match character {
            '0'..='9' => length = index + 1,
            '.' if next_is_digit && !seen_point => seen_point = true,
            _ if separates => {}
            _ => break,
        }
    }
    length
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::result::{ResultColumn, ValueKind};

    fn check(prose: &str, cells: &[&str], expected: &[&str]) {
        let column = ResultColumn {
            name: "n".to_owned(),
            type_name: "numeric".to_owned(),
            kind: ValueKind::Numeric,
        };
        let rows = cells
            .iter()
            .map(|cell| vec![Some((*cell).to_owned())])
            .collect();
        let result = ResultSet {
            columns: vec![column],
            rows,
            truncation: None,
        };
        assert_eq!(
            unverified_numbers(prose, &result, &["top 5 in 2025", "SELECT 1"]),
            expected,
            "{prose:?}"
        );
    }

    #[test]
    fn numbers_of_the_rows_are_backed_however_they_are_written() {
        check("Revenue was 1,234,567.89.", &["1234567.89"], &[]);
        check("About 1,234,568, or 1234567.9.", &["1234567.89"], &[]);
        check("A loss of 5.", &["-5"], &[]);
        check("That is 12.5 % of all.", &["0.125"], &[]);
        check("On 2026-03-01 at 10:30.", &["2026-03-01 10:30:00+00"], &[]);
        check("The top 5 of 2025 are 2 rows.", &["7", "8"], &[]);
        check("1. Anna\n2. Ben\n3. Cem", &["x"], &[]);
        check("UTF8 and Q3 are names.", &["x"], &[]);
    }

    #[test]
    fn numbers_that_nothing_backs_are_named_once() {
        check("It grew by 17 to 42, yes 17.", &["42"], &["17"]);
        check("Revenue was 1,300.", &["1234"], &["1,300"]);
        check("3.14 of them", &["3.15"], &["3.14"]);
    }
}
