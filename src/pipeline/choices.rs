//! An empty result whose query asks for a value that its column cannot have: a slip that the model can mend.

use crate::domain::result::ResultSet;
use crate::domain::schema::{Column, Snapshot};
use crate::guard::CheckedSql;

/// Choices named to the model or the person, of a column.
const CHOICES_NAMED_MAX: usize = 20;

/// Characters of a text that is quoted.
const QUOTED_CHARS_MAX: usize = 80;

/// A text that a column is compared with and cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnknownChoice {
    column: String,
    text: String,
    choices: Vec<String>,
}

impl UnknownChoice {
    /// For the model, and for the person: what is compared, and what would be there to compare with.
    pub(super) fn sentence(&self) -> String {
        let quoted = |text: &str| {
            let text: String = text.chars().take(QUOTED_CHARS_MAX).collect();
            format!("'{text}'")
        };
        let mut choices: Vec<String> = self
            .choices
            .iter()
            .take(CHOICES_NAMED_MAX)
            .map(|choice| quoted(choice))
            .collect();
        if self.choices.len() > CHOICES_NAMED_MAX {
            choices.push("…".to_owned());
        }
        let (column, text, choices) = (&self.column, quoted(&self.text), choices.join(", "));
        format!("{column} is compared with {text}, which is not among its values: {choices}.")
    }
}

/// The unknown choices of a query that found nothing; none where it found something, or could have.
pub(super) fn unknown_choices(
    checked: &CheckedSql,
    result: &ResultSet,
    snapshot: &Snapshot,
) -> Vec<UnknownChoice> {
    if !found_nothing(checked, result) {
        return Vec::new();
    }
    let mut unknown = Vec::new();
    for comparison in &checked.facts().comparisons {
        let columns = columns_read(checked, snapshot, &comparison.column);
        // A column of that name that can hold anything may be the one that is meant.
        if columns.is_empty() || columns.iter().any(|column| column.choices.is_empty()) {
            continue;
        }
        let is_known = |text: &String| columns.iter().any(|column| column.choices.contains(text));
        for text in comparison.texts.iter().filter(|text| !is_known(text)) {
            unknown.push(UnknownChoice {
                column: comparison.column.clone(),
                text: text.clone(),
                choices: columns
                    .iter()
                    .flat_map(|column| column.choices.iter().cloned())
                    .collect(),
            });
        }
    }
    unknown
}

/// No rows, or the one row of an aggregate over none.
fn found_nothing(checked: &CheckedSql, result: &ResultSet) -> bool {
    match result.rows.as_slice() {
        [] => true,
        [row] => {
            let is_nothing = |cell: &Option<String>| matches!(cell.as_deref(), None | Some("0"));
            checked.facts().is_aggregate && row.iter().all(is_nothing)
        }
        _ => false,
    }
}

/// The columns of this name that a query reads. The policy shows them: the guard let the query through.
pub(super) fn columns_read<'a>(
    checked: &CheckedSql,
    snapshot: &'a Snapshot,
    name: &str,
) -> Vec<&'a Column> {
    let mut columns = Vec::new();
    for relation in &snapshot.relations {
        let full_name = format!("{}.{}.{name}", relation.schema, relation.name);
        if checked.columns().contains(&full_name) {
            columns.extend(relation.column(name).filter(|column| !column.hidden));
        }
    }
    columns
}
