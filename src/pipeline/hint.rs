//! What PostgreSQL could not find, to the nearest name that the policy shows. PostgreSQL's own hint may name what is
//! hidden, and is not passed on.

use crate::domain::schema::{Relation, Snapshot};
use crate::guard::{CheckedSql, nearest_name};

/// Columns and tables that do not exist, as SQLSTATEs (PostgreSQL manual, appendix A).
const UNDEFINED_COLUMN: &str = "42703";
const UNDEFINED_TABLE: &str = "42P01";

/// Whether an error says that the database is not what the catalog said.
pub(super) fn is_about_names(sqlstate: &str) -> bool {
    matches!(sqlstate, UNDEFINED_COLUMN | UNDEFINED_TABLE)
}

/// The hint for an error at `position`, in characters of the query from 1.
pub(super) fn hint(
    sqlstate: &str,
    position: u32,
    checked: &CheckedSql,
    snapshot: &Snapshot,
) -> Option<String> {
    let name = name_at(checked.as_str(), position)?;
    match sqlstate {
        UNDEFINED_COLUMN => {
            let is_read = |relation: &&Relation| {
                let name = format!("{}.{}", relation.schema, relation.name);
                checked.tables().contains(&name)
            };
            let columns = snapshot
                .relations
                .iter()
                .filter(is_read)
                .flat_map(Relation::visible_columns)
                .map(|column| column.name.as_str());
            let nearest = nearest_name(&name, columns.filter(|column| *column != name))?;
            Some(format!("the nearest column is {nearest}"))
        }
        UNDEFINED_TABLE => {
            let tables = snapshot
                .relations
                .iter()
                .map(|relation| relation.name.as_str());
            let nearest = nearest_name(&name, tables.filter(|table| *table != name))?;
            Some(format!("the nearest table is {nearest}"))
        }
        _ => None,
    }
}

/// The beginning of what stands at a position, for a model that does not know the query as it was run.
pub(super) fn near(sql: &str, position: u32) -> Option<String> {
    const CHARS_MAX: usize = 60;
    let from = usize::try_from(position).ok()?.checked_sub(1)?;
    let text: String = sql.chars().skip(from).take(CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

/// The last part of the name that begins at a position.
fn name_at(sql: &str, position: u32) -> Option<String> {
    let from = usize::try_from(position).ok()?.checked_sub(1)?;
    let mut rest = sql.chars().skip(from).peekable();
    loop {
        let mut name = String::new();
        if rest.next_if_eq(&'"').is_some() {
            while let Some(character) = rest.next() {
                if character == '"' && rest.next_if_eq(&'"').is_none() {
                    break;
                }
                name.push(character);
            }
        } else {
            let is_part = |c: &char| c.is_alphanumeric() || matches!(c, '_' | '$');
            while let Some(character) = rest.next_if(is_part) {
                name.push(character);
            }
        }
        if name.is_empty() {
            return None;
        }
        if rest.next_if_eq(&'.').is_none() {
            return Some(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_at_a_position_is_its_last_part() {
        let check = |sql: &str, position, expected: Option<&str>| {
            assert_eq!(name_at(sql, position).as_deref(), expected, "{sql}");
        };
        check("SELECT c.nmae FROM t", 8, Some("nmae"));
        check("SELECT ü, nmae", 11, Some("nmae"));
        check("SELECT c.\"Na\"\"me\" FROM t", 8, Some("Na\"me"));
        check("FROM public.custmers c", 6, Some("custmers"));
        check("SELECT 1 + 1", 10, None);
        check("SELECT 1", 0, None);
        check("SELECT 1", 99, None);
    }

    #[test]
    fn what_stands_there_is_shown_shortened() {
        assert_eq!(near("SELECT a", 8).as_deref(), Some("a"));
        assert_eq!(near(&"x".repeat(100), 2).map(|text| text.len()), Some(60));
        assert_eq!(near("SELECT a", 9), None);
    }
}
