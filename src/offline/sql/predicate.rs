//! Conditions as SQL. What belongs to one row is joined; what belongs to several is asked for with EXISTS, so that no
//! row is counted twice.

use super::super::calendar::{DateRange, Unit};
use super::super::column_kind::ColumnKind;
use super::super::joins::{self, Step};
use super::super::meaning;
use super::super::query::{ColumnRef, Condition, Function, Operator, Value, When};
use super::super::vocabulary::{Choice, ColumnId, RelationId};
use super::super::{Misunderstanding, resolve};
use super::expression::function_name;
use super::select::{Anchor, Select, join_condition};
use super::text::{like, literal};
use chrono::Datelike;

/// Where conditions look for their columns: what the question is about, and the rows that it adds up.
pub(super) struct Scope {
    /// The subject's row.
    pub(super) subject: Anchor,
    /// The fact's row; the subject's again where nothing is added up.
    pub(super) fact: Anchor,
}

/// One condition. Joins what it needs.
pub(super) fn write(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    condition: &Condition,
) -> Result<String, Misunderstanding> {
    match condition {
        Condition::Compare {
            column,
            operator,
            value,
        } => on_column(select, scope, column, |select, sql, id| {
            compare(select, sql, id, *operator, value)
        }),
        Condition::Between {
            column,
            low,
            high,
            negated,
        } => on_column(select, scope, column, |_, sql, _| {
            let (Value::Number(low), Value::Number(high)) = (low, high) else {
                return Err(resolve::no_way(&column.said));
            };
            let not = if *negated { "NOT " } else { "" };
            Ok(format!("{sql} {not}BETWEEN {low} AND {high}"))
        }),
        Condition::Choice { readings, negated } => choice(select, scope, readings, *negated),
        Condition::Missing { column, negated } => on_column(select, scope, column, |_, sql, _| {
            Ok(format!(
                "{sql} IS {}NULL",
                if *negated { "NOT " } else { "" }
            ))
        }),
        Condition::Flag { column, value } => on_column(select, scope, column, |_, sql, _| {
            Ok(if *value { sql } else { format!("NOT {sql}") })
        }),
        Condition::Period { when, range } => period(select, scope, when, *range),
        Condition::Place { text, negated } => super::place::write(select, scope, text, *negated),
        Condition::Named { relation, text } => named(
            select,
            scope,
            relation.unwrap_or(scope.subject.relation),
            text,
        ),
        Condition::Numbered { relation, number } => numbered(select, scope, *relation, number),
        Condition::Related {
            relation,
            operator,
            count,
            conditions,
        } => super::related::related(select, scope, *relation, *operator, *count, conditions),
        Condition::Versus {
            column,
            operator,
            function,
        } => on_column(select, scope, column, |select, sql, id| {
            let (source, inner) = select.source(id.relation);
            let inner = select.column(&inner, id);
            let function = function_name(*function);
            Ok(format!(
                "{sql} {} (SELECT {function}({inner}) FROM {source})",
                symbol(*operator)
            ))
        }),
        Condition::Any(any) => {
            let parts = any
                .iter()
                .map(|condition| write(select, scope, condition))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(format!("({})", parts.join(" OR ")))
        }
    }
}

/// Finds the column near the subject, else near the fact, and writes a condition on it.
fn on_column(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    column: &ColumnRef,
    condition: impl Fn(&mut Select<'_, '_>, String, ColumnId) -> Result<String, Misunderstanding>,
) -> Result<String, Misunderstanding> {
    let (anchor, id) = locate(select, scope, column)?;
    on_path(select, &anchor, id.relation, |select, anchor| {
        let sql = select.column(anchor, id);
        condition(select, sql, id)
    })
}

/// The anchor and the column that a condition means.
fn locate(
    select: &Select<'_, '_>,
    scope: &Scope,
    column: &ColumnRef,
) -> Result<(Anchor, ColumnId), Misunderstanding> {
    locate_over(select, scope, column, select.mentioned)
}

/// The same, where relations other than those named may be reached over several rows.
pub(super) fn locate_over(
    select: &Select<'_, '_>,
    scope: &Scope,
    column: &ColumnRef,
    over_many: &[RelationId],
) -> Result<(Anchor, ColumnId), Misunderstanding> {
    for (anchor, over_many) in [
        (&scope.subject, &[][..]),
        (&scope.fact, &[]),
        (&scope.subject, over_many),
    ] {
        let found = resolve::column_near(
            select.vocabulary,
            anchor.relation,
            column,
            select.hints,
            over_many,
        )?;
        if let Some(id) = found {
            return Ok((anchor.clone(), id));
        }
    }
    Err(resolve::no_way(&column.said))
}

/// Joins along a path to one row, or opens an EXISTS where it meets several.
pub(super) fn on_path(
    select: &mut Select<'_, '_>,
    anchor: &Anchor,
    to: RelationId,
    condition: impl FnOnce(&mut Select<'_, '_>, &Anchor) -> Result<String, Misunderstanding>,
) -> Result<String, Misunderstanding> {
    let path = select.path(anchor.relation, to)?;
    let split = path.iter().position(|step| step.to_many);
    let Some(split) = split else {
        // A row that meets none cannot satisfy the condition, but a LEFT JOIN keeps this true under OR.
        let end = select.follow(anchor, &path, true);
        return condition(select, &end);
    };
    exists(select, anchor, &path, split, false, condition)
}

/// `[NOT] EXISTS (SELECT FROM the rest of the path WHERE condition)`.
pub(super) fn exists(
    select: &mut Select<'_, '_>,
    anchor: &Anchor,
    path: &[Step],
    split: usize,
    negated: bool,
    condition: impl FnOnce(&mut Select<'_, '_>, &Anchor) -> Result<String, Misunderstanding>,
) -> Result<String, Misunderstanding> {
    let (before, after) = path.split_at(split);
    let [first, rest @ ..] = after else {
        return Err(resolve::no_way("it"));
    };
    let outer_anchor = select.follow(anchor, before, true);
    let (outer, inner) = select.begin_subquery(first.to);
    let link = join_condition(&outer_anchor.alias, &inner.alias, first);
    let end = select.follow(&inner, rest, false);
    let sql = condition(select, &end)?;
    let from = select.end_subquery(outer);
    let sql = if sql.is_empty() {
        String::new()
    } else {
        format!(" AND {sql}")
    };
    let not = if negated { "NOT " } else { "" };
    Ok(format!(
        "{not}EXISTS (SELECT 1 FROM {from} WHERE {link}{sql})"
    ))
}

pub(super) fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => "=",
        Operator::NotEqual => "<>",
        Operator::Less => "<",
        Operator::AtMost => "<=",
        Operator::More => ">",
        Operator::AtLeast => ">=",
        Operator::StartsWith | Operator::EndsWith | Operator::Contains => "ILIKE",
        Operator::ContainsNot => "NOT ILIKE",
    }
}

fn compare(
    select: &Select<'_, '_>,
    sql: String,
    id: ColumnId,
    operator: Operator,
    value: &Value,
) -> Result<String, Misunderstanding> {
    let kind = select.vocabulary.kind(id);
    let said = resolve::describe(select.vocabulary, id);
    let misfit = || {
        Misunderstanding::new(format!(
            "The question compares the {said} with something of another kind."
        ))
    };
    let operator_sql = symbol(operator);
    match value {
        Value::Number(number) if kind.is_number() => Ok(format!("{sql} {operator_sql} {number}")),
        Value::Number(number)
            if kind == ColumnKind::Text
                && matches!(operator, Operator::Equal | Operator::NotEqual) =>
        {
            Ok(format!("{sql} {operator_sql} {}", literal(number)))
        }
        Value::Number(_) => Err(misfit()),
        Value::Text { text, quoted } => match operator {
            Operator::StartsWith
            | Operator::EndsWith
            | Operator::Contains
            | Operator::ContainsNot => {
                if kind != ColumnKind::Text {
                    return Err(misfit());
                }
                let text = like(text);
                let pattern = if operator == Operator::StartsWith {
                    format!("{text}%")
                } else if operator == Operator::EndsWith {
                    format!("%{text}")
                } else {
                    format!("%{text}%")
                };
                Ok(format!("{sql} {operator_sql} {}", literal(&pattern)))
            }
            Operator::Equal | Operator::NotEqual => match kind {
                ColumnKind::Text if *quoted => {
                    Ok(format!("{sql} {operator_sql} {}", literal(text)))
                }
                ColumnKind::Text => Ok(format!(
                    "lower({sql}) {operator_sql} {}",
                    literal(&text.to_lowercase())
                )),
                ColumnKind::Integer if text.parse::<i64>().is_ok() => {
                    Ok(format!("{sql} {operator_sql} {text}"))
                }
                ColumnKind::Integer
                | ColumnKind::Decimal
                | ColumnKind::Enum
                | ColumnKind::Date
                | ColumnKind::Timestamp
                | ColumnKind::Boolean
                | ColumnKind::Other => Err(misfit()),
            },
            Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast => Err(misfit()),
        },
    }
}

/// A half-open range of days. A column of years is compared with whole years.
fn days(select: &Select<'_, '_>, sql: &str, id: ColumnId, range: DateRange) -> Option<String> {
    let kind = select.vocabulary.kind(id);
    let mut parts = Vec::new();
    if kind.is_moment() {
        if let Some(start) = range.start {
            parts.push(format!("{sql} >= DATE '{start}'"));
        }
        if let Some(end) = range.end {
            parts.push(format!("{sql} < DATE '{end}'"));
        }
    } else if kind.is_number() && range.unit == Unit::Year {
        if let Some(start) = range.start {
            parts.push(format!("{sql} >= {}", start.year()));
        }
        if let Some(end) = range.end {
            parts.push(format!("{sql} < {}", end.year()));
        }
    } else {
        return None;
    }
    (!parts.is_empty()).then(|| parts.join(" AND "))
}

fn period(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    when: &When,
    range: DateRange,
) -> Result<String, Misunderstanding> {
    let vocabulary = select.vocabulary;
    if let When::Column(column) = when {
        return on_column(select, scope, column, |select, sql, id| {
            days(select, &sql, id, range).ok_or_else(|| resolve::no_way(&column.said))
        });
    }
    for anchor in [&scope.fact, &scope.subject] {
        let found = match when {
            When::Verb(verb) => meaning::moment_of_verb(vocabulary, anchor.relation, verb)
                .map(|id| (id, anchor.relation)),
            When::Default => moment_near(select, anchor.relation),
            When::Column(_) => None,
        };
        if let Some((id, relation)) = found {
            let end = select.reach(anchor, relation, true)?;
            let sql = select.column(&end, id);
            return days(select, &sql, id, range).ok_or_else(|| resolve::no_way("the date"));
        }
    }
    let said = match when {
        When::Verb(verb) => format!("I found no date that says when something was {verb}."),
        When::Default | When::Column(_) => {
            "I found no date, or more than one, that this period could apply to.".to_owned()
        }
    };
    Err(Misunderstanding::new(said))
}

/// The date of a relation's rows: its own, or of the nearest row that it belongs to. Years in numbers serve too.
pub(super) fn moment_near(
    select: &Select<'_, '_>,
    relation: RelationId,
) -> Option<(ColumnId, RelationId)> {
    let vocabulary = select.vocabulary;
    let own =
        |id: RelationId| meaning::moment(vocabulary, id).or_else(|| meaning::year(vocabulary, id));
    if let Some(id) = own(relation) {
        return Some((id, relation));
    }
    if vocabulary
        .columns_of(relation)
        .any(|id| vocabulary.kind(id).is_moment())
    {
        return None;
    }
    let mut near: Vec<(u32, RelationId, ColumnId)> = (0..vocabulary.snapshot.relations.len())
        .filter(|other| *other != relation)
        .filter_map(|other| {
            let id = own(other)?;
            let path = joins::path(vocabulary, relation, other, select.hints)?;
            if path.len() > 1 || path.iter().any(|step| step.to_many) {
                return None;
            }
            let cost = joins::cost(vocabulary, relation, other, select.hints)?;
            Some((cost, other, id))
        })
        .collect();
    near.sort();
    match near.as_slice() {
        [(.., other, id)] => Some((*id, *other)),
        [first, second, ..] if first.0 < second.0 => Some((first.2, first.1)),
        _ => None,
    }
}

fn choice(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    readings: &[Choice],
    negated: bool,
) -> Result<String, Misunderstanding> {
    let said = readings.first().map_or("", |choice| choice.value.as_str());
    let column = ColumnRef {
        readings: readings.iter().map(|choice| (choice.column, 3)).collect(),
        said: said.to_owned(),
    };
    on_column(select, scope, &column, |_, sql, id| {
        let mut values: Vec<String> = Vec::new();
        for choice in readings.iter().filter(|choice| choice.column == id) {
            let value = literal(&choice.value);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(match (values.as_slice(), negated) {
            ([one], false) => format!("{sql} = {one}"),
            ([one], true) => format!("{sql} IS DISTINCT FROM {one}"),
            (_, false) => format!("{sql} IN ({})", values.join(", ")),
            (_, true) => format!("({sql} IS NULL OR {sql} NOT IN ({}))", values.join(", ")),
        })
    })
}

fn named(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    relation: RelationId,
    text: &str,
) -> Result<String, Misunderstanding> {
    let label = meaning::label(select.vocabulary, relation);
    let texts: Vec<ColumnId> = label
        .into_iter()
        .filter(|id| matches!(select.vocabulary.kind(*id), ColumnKind::Text))
        .collect();
    if texts.is_empty() {
        return Err(Misunderstanding::new(
            "The question names something that has no name here.",
        ));
    }
    let anchor = nearer(select, scope, relation);
    on_path(select, &anchor, relation, |select, anchor| {
        let lower = literal(&text.to_lowercase());
        let columns: Vec<String> = texts.iter().map(|id| select.column(anchor, *id)).collect();
        Ok(match columns.as_slice() {
            [one] => format!("lower({one}) = {lower}"),
            _ => format!("lower(concat_ws(' ', {})) = {lower}", columns.join(", ")),
        })
    })
}

fn numbered(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    relation: RelationId,
    number: &str,
) -> Result<String, Misunderstanding> {
    let key = meaning::key(select.vocabulary, relation);
    let [id] = key.as_slice() else {
        return Err(Misunderstanding::new(
            "The question gives a number for something that has no single number here.",
        ));
    };
    let id = *id;
    let anchor = nearer(select, scope, relation);
    on_path(select, &anchor, relation, |select, anchor| {
        let sql = select.column(anchor, id);
        Ok(if select.vocabulary.kind(id).is_number() {
            format!("{sql} = {number}")
        } else {
            format!("{sql} = {}", literal(number))
        })
    })
}

/// The anchor from which a relation is reached without meeting several rows, the subject first.
fn nearer(select: &Select<'_, '_>, scope: &Scope, relation: RelationId) -> Anchor {
    let single = |anchor: &Anchor| {
        joins::path(select.vocabulary, anchor.relation, relation, select.hints)
            .is_some_and(|path| path.iter().all(|step| !step.to_many))
    };
    if !single(&scope.subject) && single(&scope.fact) {
        scope.fact.clone()
    } else {
        scope.subject.clone()
    }
}

/// Whether an aggregate loses nothing when rows repeat.
pub(super) const fn survives_repetition(function: Function) -> bool {
    matches!(
        function,
        Function::Minimum | Function::Maximum | Function::CountDistinct
    )
}
