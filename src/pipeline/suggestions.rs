//! Questions that could follow an answer, drawn from the checked query, the shape of its result and the schema: no model
//! is asked, and nothing is suggested that the schema does not hold. They are worded so that the engine without a model
//! understands them, too.

use super::choices::columns_read;
use crate::domain::result::{ResultSet, ValueKind};
use crate::domain::schema::{Column, Relation, Snapshot};
use crate::guard::CheckedSql;

/// More than so many are a menu, not a suggestion.
const SUGGESTIONS_MAX: usize = 3;

/// A column with more choices than this makes a long table instead of an overview.
const CHOICES_MAX: usize = 20;

/// Up to three of them; none where the query does not sum up.
pub(super) fn suggestions(
    checked: &CheckedSql,
    result: &ResultSet,
    snapshot: &Snapshot,
) -> Vec<String> {
    let counts_something = |kind| matches!(kind, ValueKind::Integer | ValueKind::Numeric);
    let has_figure = result
        .columns
        .iter()
        .any(|column| counts_something(column.kind));
    if !checked.facts().is_aggregate || !has_figure || result.rows.is_empty() {
        return Vec::new();
    }
    // Of several relations it is not known which one a figure is about.
    let [table] = checked.tables() else {
        return Vec::new();
    };
    let relation = snapshot
        .relations
        .iter()
        .find(|relation| format!("{}.{}", relation.schema, relation.name) == *table);
    let Some(relation) = relation else {
        return Vec::new();
    };
    let mut suggestions: Vec<String> = Vec::new();
    // A figure by one thing is already an overview.
    if result.columns.len() == 1 {
        let columns = unread(relation, checked);
        let by_choice = columns.iter().filter(|column| is_overview(column)).take(2);
        suggestions.extend(by_choice.map(|column| format!("Break it down by {}", label(column))));
        suggestions.extend(by_month(relation, checked));
    }
    suggestions.extend(another_choice(checked, snapshot));
    suggestions.truncate(SUGGESTIONS_MAX);
    suggestions
}

/// Columns that are shown and that the query does not use yet.
fn unread<'a>(relation: &'a Relation, checked: &CheckedSql) -> Vec<&'a Column> {
    let is_unread = |column: &&Column| {
        let name = format!("{}.{}.{}", relation.schema, relation.name, column.name);
        !checked.columns().contains(&name)
    };
    relation.visible_columns().filter(is_unread).collect()
}

fn is_overview(column: &Column) -> bool {
    (2..=CHOICES_MAX).contains(&column.choices.len())
}

/// Only where there is one date that can be meant, whether the query looks at it or not.
fn by_month(relation: &Relation, checked: &CheckedSql) -> Option<String> {
    let is_date = |column: &&Column| {
        matches!(
            column.type_internal_name.as_str(),
            "date" | "timestamp" | "timestamptz"
        )
    };
    let mut dates = relation.visible_columns().filter(is_date);
    let (date, None) = (dates.next()?, dates.next()) else {
        return None;
    };
    unread(relation, checked)
        .contains(&date)
        .then(|| "Show it by month".to_owned())
}

/// The same for the next of a column's choices.
fn another_choice(checked: &CheckedSql, snapshot: &Snapshot) -> Option<String> {
    let [comparison] = checked.facts().comparisons.as_slice() else {
        return None;
    };
    let [text] = comparison.texts.as_slice() else {
        return None;
    };
    let columns = columns_read(checked, snapshot, &comparison.column);
    let [column] = columns.as_slice() else {
        return None;
    };
    let at = column.choices.iter().position(|choice| choice == text)?;
    let next = column.choices.get((at + 1) % column.choices.len())?;
    (next != text && !next.is_empty()).then(|| format!("What about {next}?"))
}

/// A column's name as words.
fn label(column: &Column) -> String {
    column.name.replace('_', " ")
}
