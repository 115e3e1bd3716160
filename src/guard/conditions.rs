//! What a checked query asks of its rows, for the evidence.
//!
//! The parts of the tree are copied and put into words only for a query that will be run: that costs more than half the check.

use pg_query::NodeEnum;
use pg_query::protobuf::{JoinExpr, JoinType, Node};

use super::emit;

/// A condition of the checked tree.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// One of WHERE or HAVING.
    Filter(Node),
    /// What follows ON.
    Join(Node),
    /// USING and its columns, in words.
    Using(String),
}

/// The conditions as SQL, filters and joins apart, in the order of the text. What the deparser does not take alone is left out.
pub(super) fn in_words(conditions: Vec<Condition>) -> (Vec<String>, Vec<String>) {
    let (mut filters, mut joins) = (Vec::new(), Vec::new());
    for condition in conditions {
        match condition {
            Condition::Filter(node) => filters.extend(emit::expression_text(node)),
            Condition::Join(node) => joins.extend(emit::expression_text(node)),
            Condition::Using(words) => joins.push(words),
        }
    }
    (filters, joins)
}

/// How many groups of relations a FROM clause holds that nothing in it joins: those between commas and CROSS JOINs. Read after
/// names were resolved, when relations have a schema and CTEs have none; a CTE, a sub-select or a function is often one row.
pub(super) fn unjoined_groups(from: &[Node]) -> usize {
    from.iter().map(groups_of).sum()
}

fn groups_of(item: &Node) -> usize {
    match item.node.as_ref() {
        Some(NodeEnum::RangeVar(relation)) => usize::from(!relation.schemaname.is_empty()),
        Some(NodeEnum::RangeTableSample(sample)) => sample.relation.as_deref().map_or(0, groups_of),
        Some(NodeEnum::JoinExpr(join)) => {
            let groups = [&join.larg, &join.rarg]
                .into_iter()
                .flatten()
                .map(|side| groups_of(side))
                .sum();
            if is_cross(join) {
                groups
            } else {
                groups.min(1)
            }
        }
        _ => 0,
    }
}

fn is_cross(join: &JoinExpr) -> bool {
    JoinType::try_from(join.jointype) == Ok(JoinType::JoinInner)
        && !join.is_natural
        && join.using_clause.is_empty()
        && join.quals.is_none()
}
