//! Questions that compute: counts, sums, averages, with or without groups.

use super::super::query::{Condition, Group, Measure, OrderKey, Output, Query};
use super::super::tokens::stem;
use super::super::vocabulary::{RelationId, Vocabulary};
use super::super::{Misunderstanding, joins, meaning, resolve};
use super::Written;
use super::expression::{self, Expression};
use super::predicate::{self, Scope, moment_near};
use super::select::{Anchor, Select};
use crate::domain::identifier::identifier;

/// What the rows are grouped by, as SQL.
struct Grouped {
    /// Shown, in order.
    shown: Vec<Expression>,
    /// In GROUP BY: what is shown and the keys that tell things of one name apart.
    keys: Vec<String>,
    /// Whether it is a calendar period, which is listed in time's order.
    is_period: bool,
}

/// Writes the query.
pub(super) fn write(
    query: &Query,
    vocabulary: &Vocabulary<'_>,
) -> Result<Written, Misunderstanding> {
    let mut measures: Vec<&Measure> = query
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Measure(measure) => Some(measure),
            Output::Column(_) | Output::Relation(_) => None,
        })
        .collect();
    for order in &query.orders {
        if let OrderKey::Measure(measure) = &order.key
            && !measures.contains(&measure)
        {
            measures.push(measure);
        }
    }
    if measures.is_empty() {
        return Err(Misunderstanding::new(
            "The question groups rows, but does not say what to compute for each group: a number of something, a total, an average?",
        ));
    }
    let groups = groups(query);
    let fact = fact(query, vocabulary, &measures, &groups)?;
    let (mut select, anchor) = Select::new(vocabulary, query, fact);
    let subject = match query.subject {
        Some(subject) if subject != fact => {
            let single = joins::path(vocabulary, fact, subject, &query.hints)
                .is_some_and(|path| path.iter().all(|step| !step.to_many));
            let grouped = groups.contains(&Group::Relation(subject));
            if single || grouped {
                select.reach(&anchor, subject, false)?
            } else {
                anchor.clone()
            }
        }
        _ => anchor.clone(),
    };
    let scope = Scope {
        subject,
        fact: anchor.clone(),
    };
    let grouped = groups
        .iter()
        .map(|group| write_group(&mut select, &scope, query, group))
        .collect::<Result<Vec<_>, _>>()?;
    let wheres = query
        .conditions
        .iter()
        .map(|condition| predicate::write(&mut select, &scope, condition))
        .collect::<Result<Vec<_>, _>>()?;
    let computed = measures
        .iter()
        .map(|measure| expression::measure(&mut select, &anchor, measure))
        .collect::<Result<Vec<_>, _>>()?;
    let mut keys: Vec<String> = Vec::new();
    for key in grouped.iter().flat_map(|group| &group.keys) {
        if !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    let orders = orders(
        &mut select,
        &scope,
        query,
        &measures,
        &computed,
        &grouped,
        &mut keys,
    )?;
    let shown: Vec<&Expression> = grouped
        .iter()
        .flat_map(|group| &group.shown)
        .chain(&computed)
        .collect();
    let mut sql = format!(
        "SELECT {}\nFROM {}",
        columns(&shown).join(", "),
        select.from()
    );
    super::finish(
        &mut sql,
        &wheres,
        &keys,
        &orders,
        query.limit.filter(|_| !keys.is_empty()),
    );
    Ok(Written {
        sql,
        assumptions: select.assumptions,
    })
}

/// Groups said as such, then what is shown beside a number.
fn groups(query: &Query) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for output in &query.outputs {
        let group = match output {
            Output::Column(column) => Group::Column(column.clone()),
            Output::Relation(relation) => Group::Relation(*relation),
            Output::Measure(_) => continue,
        };
        groups.push(group);
    }
    let mut all: Vec<Group> = query
        .groups
        .iter()
        .filter(|group| !groups.iter().any(|shown| is_same(shown, group)))
        .cloned()
        .collect();
    all.extend(groups);
    all
}

/// Whether a group only repeats what is shown: "payment method codes … for each code".
fn is_same(shown: &Group, group: &Group) -> bool {
    match (shown, group) {
        (Group::Column(shown), Group::Column(group)) => {
            let last = |said: &str| said.split(' ').next_back().map(stem);
            shown
                .readings
                .iter()
                .any(|(id, _)| group.readings.iter().any(|(other, _)| other == id))
                || last(&shown.said.to_lowercase()) == last(&group.said.to_lowercase())
        }
        _ => shown == group,
    }
}

/// The relation whose rows are added up: one for all measures.
fn fact(
    query: &Query,
    vocabulary: &Vocabulary<'_>,
    measures: &[&Measure],
    groups: &[Group],
) -> Result<RelationId, Misunderstanding> {
    let mut needed: Vec<RelationId> = groups
        .iter()
        .filter_map(|group| match group {
            Group::Relation(relation) => Some(*relation),
            Group::Column(column) => {
                let first = column.readings.first()?.0.relation;
                column
                    .readings
                    .iter()
                    .all(|(id, _)| id.relation == first)
                    .then_some(first)
            }
            Group::Period(..) => None,
        })
        .collect();
    needed.extend(query.subject);
    for condition in &query.conditions {
        if let Condition::Named {
            relation: Some(relation),
            ..
        }
        | Condition::Numbered { relation, .. } = condition
        {
            needed.push(*relation);
        }
    }
    let facts = measures
        .iter()
        .map(|measure| resolve::measured(measure, query.subject, &needed, query, vocabulary))
        .collect::<Result<Vec<_>, _>>()?;
    let single = |from: RelationId, to: RelationId| {
        joins::path(vocabulary, from, to, &query.hints)
            .is_some_and(|path| path.iter().all(|step| !step.to_many))
    };
    facts
        .iter()
        .find(|fact| facts.iter().all(|other| single(**fact, *other)))
        .copied()
        .ok_or_else(|| Misunderstanding::new("The numbers in this question belong to different things that I cannot count side by side: please ask for one at a time."))
}

fn write_group(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    query: &Query,
    group: &Group,
) -> Result<Grouped, Misunderstanding> {
    let vocabulary = select.vocabulary;
    match group {
        Group::Relation(relation) => {
            // What belongs to several is left out where it belongs to none, like a row that is not there.
            let path = select.path(scope.fact.relation, *relation)?;
            let keeps = path.iter().all(|step| !step.to_many);
            let end = select.follow(&scope.fact, &path, keeps);
            let shown: Vec<Expression> = meaning::label(vocabulary, *relation)
                .into_iter()
                .map(|id| column_expression(select, &end, id))
                .collect();
            if shown.is_empty() {
                return Err(Misunderstanding::new(
                    "I cannot group by something that has neither a name nor a key.",
                ));
            }
            let mut keys: Vec<String> = shown.iter().map(|e| e.sql.clone()).collect();
            for id in meaning::key(vocabulary, *relation) {
                let key = select.column(&end, id);
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            Ok(Grouped {
                shown,
                keys,
                is_period: false,
            })
        }
        Group::Column(column) => {
            let near_subject = resolve::column_near(
                vocabulary,
                scope.subject.relation,
                column,
                &query.hints,
                &[],
            )?;
            let (anchor, id) = match near_subject {
                Some(id) => (scope.subject.clone(), id),
                None => {
                    let id = resolve::column_near(
                        vocabulary,
                        scope.fact.relation,
                        column,
                        &query.hints,
                        &query.mentioned,
                    )?
                    .ok_or_else(|| resolve::no_way(&column.said))?;
                    (scope.fact.clone(), id)
                }
            };
            let end = select.reach(&anchor, id.relation, true)?;
            let expression = column_expression(select, &end, id);
            Ok(Grouped {
                keys: vec![expression.sql.clone()],
                shown: vec![expression],
                is_period: false,
            })
        }
        Group::Period(unit, column) => {
            let (id, relation) = match column {
                Some(column) => {
                    let id = resolve::column_near(
                        vocabulary,
                        scope.fact.relation,
                        column,
                        &query.hints,
                        &[],
                    )?
                    .ok_or_else(|| resolve::no_way(&column.said))?;
                    (id, id.relation)
                }
                None => moment_near(select, scope.fact.relation).ok_or_else(|| {
                    Misunderstanding::new(format!(
                        "I found no date, or more than one, to group by {}.",
                        unit.as_str()
                    ))
                })?,
            };
            let end = select.reach(&scope.fact, relation, true)?;
            let expression = expression::period(select, &end, id, *unit)
                .ok_or_else(|| resolve::no_way(unit.as_str()))?;
            Ok(Grouped {
                keys: vec![expression.sql.clone()],
                shown: vec![expression],
                is_period: true,
            })
        }
    }
}

fn column_expression(
    select: &Select<'_, '_>,
    anchor: &Anchor,
    id: super::super::vocabulary::ColumnId,
) -> Expression {
    let name = select.vocabulary.column(id).map_or("", |c| c.name.as_str());
    // "name" alone does not say whose once it stands beside a number.
    let relation = meaning::relation_words(select.vocabulary, anchor.relation).join("_");
    let name = if matches!(name, "name" | "title" | "label" | "id") {
        format!("{relation}_{name}")
    } else {
        name.to_owned()
    };
    Expression {
        sql: select.column(anchor, id),
        name,
    }
}

/// The order: as asked, else time's order for periods and the largest first otherwise; then by the groups, so that it
/// is the same every time.
fn orders(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    query: &Query,
    measures: &[&Measure],
    computed: &[Expression],
    grouped: &[Grouped],
    keys: &mut Vec<String>,
) -> Result<Vec<String>, Misunderstanding> {
    let mut orders: Vec<String> = Vec::new();
    if keys.is_empty() {
        return Ok(orders);
    }
    for order in &query.orders {
        let sql = match &order.key {
            OrderKey::Measure(measure) => measures
                .iter()
                .position(|m| *m == measure)
                .and_then(|at| computed.get(at))
                .map(|e| e.sql.clone()),
            OrderKey::Shown => computed.first().map(|e| e.sql.clone()),
            OrderKey::Name => grouped
                .first()
                .and_then(|g| g.shown.first())
                .map(|e| e.sql.clone()),
            OrderKey::Moment => grouped
                .iter()
                .find(|g| g.is_period)
                .and_then(|g| g.shown.first())
                .map(|e| e.sql.clone()),
            OrderKey::Column(column) => {
                let id = resolve::column_near(
                    select.vocabulary,
                    scope.subject.relation,
                    column,
                    &query.hints,
                    &[],
                )?
                .ok_or_else(|| resolve::no_way(&column.said))?;
                let end = select.reach(&scope.subject, id.relation, true)?;
                let sql = select.column(&end, id);
                let dependent = query.outputs.contains(&Output::Relation(id.relation));
                if !keys.contains(&sql) && dependent {
                    keys.push(sql.clone());
                }
                keys.contains(&sql).then_some(sql)
            }
        };
        let sql = sql.ok_or_else(|| {
            Misunderstanding::new("I could not work out what to sort the groups by.")
        })?;
        orders.push(if order.descending {
            format!("{sql} DESC NULLS LAST")
        } else {
            sql
        });
    }
    if query.orders.is_empty() {
        for period in grouped
            .iter()
            .filter(|g| g.is_period)
            .flat_map(|g| &g.shown)
        {
            orders.push(period.sql.clone());
        }
        if let Some(first) = computed.first() {
            orders.push(format!("{} DESC NULLS LAST", first.sql));
        }
    }
    for key in keys.iter() {
        if !orders
            .iter()
            .any(|order| order == key || order.starts_with(&format!("{key} ")))
        {
            orders.push(key.clone());
        }
    }
    Ok(orders)
}

/// The select list with output names, made unique.
fn columns(shown: &[&Expression]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    shown
        .iter()
        .map(|expression| {
            let mut name = expression.name.clone();
            while names.contains(&name) {
                name.push_str("_2");
            }
            names.push(name.clone());
            let quoted = identifier(&name);
            if expression.sql.ends_with(&format!(".{quoted}")) {
                expression.sql.clone()
            } else {
                format!("{} AS {quoted}", expression.sql)
            }
        })
        .collect()
}
