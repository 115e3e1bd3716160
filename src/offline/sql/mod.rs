//! A [`Query`] to SQL text. In: what the question means. Out: one SELECT with every relation schema-qualified and a
//! complete order. Knows PostgreSQL, no English.

mod aggregate;
mod expression;
mod list;
mod place;
mod predicate;
mod related;
mod select;
mod text;

use super::Misunderstanding;
use super::query::{OrderKey, Output, Query};
use super::vocabulary::Vocabulary;

/// SQL and the choices that were made on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    /// The text.
    pub(super) sql: String,
    /// Sentences for the person.
    pub(super) assumptions: Vec<String>,
}

/// Writes the query.
pub(super) fn write(
    query: &Query,
    vocabulary: &Vocabulary<'_>,
) -> Result<Written, Misunderstanding> {
    let computes = query
        .outputs
        .iter()
        .any(|output| matches!(output, Output::Measure(_)))
        || query
            .orders
            .iter()
            .any(|order| matches!(order.key, OrderKey::Measure(_)))
        || !query.groups.is_empty();
    if computes {
        aggregate::write(query, vocabulary)
    } else {
        list::write(query, vocabulary)
    }
}

/// Adds the clauses after FROM.
fn finish(
    sql: &mut String,
    wheres: &[String],
    groups: &[String],
    orders: &[String],
    limit: Option<u64>,
) {
    for (keyword, parts, joint) in [
        ("WHERE", wheres, " AND "),
        ("GROUP BY", groups, ", "),
        ("ORDER BY", orders, ", "),
    ] {
        if !parts.is_empty() {
            sql.push_str(&format!("\n{keyword} {}", parts.join(joint)));
        }
    }
    if let Some(limit) = limit {
        sql.push_str(&format!("\nLIMIT {limit}"));
    }
}
