//! Conditions that count rows of another relation: "with more than 3 orders", "without orders".

use super::super::query::{Condition, Operator};
use super::super::vocabulary::RelationId;
use super::super::{Misunderstanding, meaning, resolve};
use super::predicate::{Scope, exists, symbol, write};
use super::select::{Anchor, Select};
use crate::domain::identifier::identifier;

/// As many rows of another relation as asked for.
pub(super) fn related(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    relation: RelationId,
    operator: Operator,
    count: u64,
    conditions: &[Condition],
) -> Result<String, Misunderstanding> {
    let anchor = scope.subject.clone();
    let path = select.path(anchor.relation, relation)?;
    let split = path.iter().position(|step| step.to_many).unwrap_or(0);
    let inner_conditions = |select: &mut Select<'_, '_>, end: &Anchor| {
        let scope = Scope {
            subject: end.clone(),
            fact: end.clone(),
        };
        let parts = conditions
            .iter()
            .map(|condition| write(select, &scope, condition))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(parts.join(" AND "))
    };
    let at_least_one = matches!(
        (operator, count),
        (Operator::AtLeast, 1) | (Operator::More, 0) | (Operator::NotEqual, 0)
    );
    let none = matches!(
        (operator, count),
        (Operator::Equal | Operator::AtMost, 0) | (Operator::Less, 1)
    );
    if at_least_one || none {
        return exists(select, &anchor, &path, split, none, inner_conditions);
    }
    // Counted once for all rows, not once for each: no index is needed to be quick.
    let (before, after) = path.split_at(split);
    let [first, rest @ ..] = after else {
        return Err(resolve::no_way("it"));
    };
    let outer_anchor = select.follow(&anchor, before, true);
    let (outer, inner) = select.begin_subquery(first.to);
    let end = select.follow(&inner, rest, false);
    let wheres = inner_conditions(select, &end)?;
    let counted = if rest.is_empty() {
        "count(*)".to_owned()
    } else {
        let key = meaning::key(select.vocabulary, relation);
        match key.as_slice() {
            [id] => format!("count(DISTINCT {})", select.column(&end, *id)),
            _ => "count(*)".to_owned(),
        }
    };
    let from = select.end_subquery(outer);
    let inner_key: Vec<String> = first
        .pairs
        .iter()
        .map(|(_, right)| format!("{}.{}", inner.alias, identifier(right)))
        .collect();
    let outer_key: Vec<String> = first
        .pairs
        .iter()
        .map(|(left, _)| format!("{}.{}", outer_anchor.alias, identifier(left)))
        .collect();
    let includes_none = matches!(operator, Operator::Less | Operator::AtMost)
        || operator == Operator::NotEqual && count > 0;
    let operator = if includes_none {
        operator.negated().unwrap_or(operator)
    } else {
        operator
    };
    let mut filters: Vec<String> = inner_key
        .iter()
        .map(|key| format!("{key} IS NOT NULL"))
        .collect();
    if !wheres.is_empty() {
        filters.push(wheres);
    }
    let not = if includes_none { "NOT " } else { "" };
    let outer_key = if outer_key.len() == 1 {
        outer_key.join("")
    } else {
        format!("({})", outer_key.join(", "))
    };
    let keys = inner_key.join(", ");
    Ok(format!(
        "{outer_key} {not}IN (SELECT {keys} FROM {from} WHERE {} GROUP BY {keys} HAVING {counted} {} {count})",
        filters.join(" AND "),
        symbol(operator),
    ))
}
