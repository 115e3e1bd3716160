//! Computed numbers and calendar periods as SQL expressions with output names.

use super::super::calendar::Unit;
use super::super::column_kind::ColumnKind;
use super::super::meaning;
use super::super::query::{Function, Measure, Target};
use super::super::vocabulary::{ColumnId, RelationId};
use super::super::{Misunderstanding, resolve};
use super::predicate::survives_repetition;
use super::select::{Anchor, Select};

/// An expression and the name of its output column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    /// The SQL.
    pub(super) sql: String,
    /// The output name, unquoted.
    pub(super) name: String,
}

/// The aggregate's name.
pub(super) const fn function_name(function: Function) -> &'static str {
    match function {
        Function::Count | Function::CountDistinct => "count",
        Function::Sum => "sum",
        Function::Average => "avg",
        Function::Minimum => "min",
        Function::Maximum => "max",
    }
}

/// A measure over the rows of the fact.
pub(super) fn measure(
    select: &mut Select<'_, '_>,
    fact: &Anchor,
    measure: &Measure,
) -> Result<Expression, Misunderstanding> {
    match &measure.of {
        Target::Rows(relation) => rows(select, fact, *relation),
        Target::Column(column) => {
            let id = resolve::column_near(
                select.vocabulary,
                fact.relation,
                column,
                select.hints,
                select.mentioned,
            )?
            .ok_or_else(|| resolve::no_way(&column.said))?;
            of_column(select, fact, measure.function, id)
        }
        Target::Worth(relation) => {
            let words = meaning::relation_words(select.vocabulary, *relation).join("_");
            let name = match measure.function {
                Function::Average => format!("average_{words}_value"),
                Function::Minimum => format!("lowest_{words}_value"),
                Function::Maximum => format!("highest_{words}_value"),
                Function::Sum | Function::Count | Function::CountDistinct => {
                    format!("total_{words}_value")
                }
            };
            let id = meaning::worth(select.vocabulary, *relation).ok_or_else(|| {
                Misunderstanding::new(
                    "I found no column, or more than one, that says what a row is worth.",
                )
            })?;
            let mut expression = of_column(select, fact, measure.function, id)?;
            expression.name = name;
            Ok(expression)
        }
        Target::Revenue => {
            one_row_each(select, measure.function)?;
            let value = match meaning::worth(select.vocabulary, fact.relation) {
                Some(id) => select.column(fact, id),
                None => {
                    let (quantity, price) = meaning::line_columns(select.vocabulary, fact.relation)
                        .ok_or_else(|| {
                            Misunderstanding::new("I found no column that says how much was sold.")
                        })?;
                    let product = format!(
                        "{} * {}",
                        select.column(fact, quantity),
                        select.column(fact, price)
                    );
                    match meaning::discount_share(select.vocabulary, fact.relation) {
                        Some(id) => format!("{product} * (1 - {})", select.column(fact, id)),
                        None => product,
                    }
                }
            };
            Ok(Expression {
                sql: format!("sum({value})"),
                name: "revenue".to_owned(),
            })
        }
        Target::Pieces => {
            one_row_each(select, measure.function)?;
            let (quantity, _) = meaning::line_columns(select.vocabulary, fact.relation)
                .ok_or_else(|| {
                    Misunderstanding::new("I found no column that says how many pieces were sold.")
                })?;
            Ok(Expression {
                sql: format!("sum({})", select.column(fact, quantity)),
                name: "pieces_sold".to_owned(),
            })
        }
    }
}

/// Counts rows; each once, however many others a join brings with it.
fn rows(
    select: &mut Select<'_, '_>,
    fact: &Anchor,
    relation: RelationId,
) -> Result<Expression, Misunderstanding> {
    let name = select
        .vocabulary
        .relation(relation)
        .map_or("row", |r| r.name.as_str());
    let name = format!("{}_count", name.to_lowercase().replace(' ', "_"));
    if relation == fact.relation && !select.fans_out {
        return Ok(Expression {
            sql: "count(*)".to_owned(),
            name,
        });
    }
    let anchor = select.reach(fact, relation, false)?;
    let key = meaning::key(select.vocabulary, relation);
    let columns: Vec<String> = key.iter().map(|id| select.column(&anchor, *id)).collect();
    let sql = match columns.as_slice() {
        [] => {
            return Err(Misunderstanding::new(
                "I cannot count these: they have no key that tells them apart.",
            ));
        }
        [one] => format!("count(DISTINCT {one})"),
        _ => format!("count(DISTINCT ({}))", columns.join(", ")),
    };
    Ok(Expression { sql, name })
}

fn of_column(
    select: &mut Select<'_, '_>,
    fact: &Anchor,
    function: Function,
    id: ColumnId,
) -> Result<Expression, Misunderstanding> {
    let anchor = select.reach(fact, id.relation, false)?;
    let sql = select.column(&anchor, id);
    let column = select
        .vocabulary
        .column(id)
        .map_or("value", |c| c.name.as_str())
        .to_lowercase()
        .replace(' ', "_");
    if !survives_repetition(function) {
        one_row_each(select, function)?;
        if anchor.relation != fact.relation {
            return Err(Misunderstanding::new(
                "The numbers in this question belong to different things, and adding them up together would count some of them twice.",
            ));
        }
    }
    let (sql, name) = match function {
        Function::Count => (format!("count({sql})"), format!("{column}_count")),
        Function::CountDistinct => (format!("count(DISTINCT {sql})"), format!("{column}_count")),
        Function::Sum => (format!("sum({sql})"), format!("total_{column}")),
        Function::Average => (format!("avg({sql})"), format!("average_{column}")),
        Function::Minimum => (format!("min({sql})"), format!("lowest_{column}")),
        Function::Maximum => (format!("max({sql})"), format!("highest_{column}")),
    };
    Ok(Expression { sql, name })
}

/// Sums and averages are wrong where a join repeats rows.
fn one_row_each(select: &Select<'_, '_>, function: Function) -> Result<(), Misunderstanding> {
    if select.fans_out && !survives_repetition(function) {
        return Err(Misunderstanding::new(
            "What the question adds up belongs to several of what it groups by, so the sums would count it more than once.",
        ));
    }
    Ok(())
}

/// The first day of the period that a moment lies in.
pub(super) fn period(
    select: &Select<'_, '_>,
    anchor: &Anchor,
    id: ColumnId,
    unit: Unit,
) -> Option<Expression> {
    let sql = select.column(anchor, id);
    match select.vocabulary.kind(id) {
        ColumnKind::Date | ColumnKind::Timestamp => Some(Expression {
            sql: format!("date_trunc('{}', {sql})::date", unit.as_str()),
            name: unit.as_str().to_owned(),
        }),
        ColumnKind::Integer if unit == Unit::Year => Some(Expression {
            sql,
            name: "year".to_owned(),
        }),
        ColumnKind::Integer
        | ColumnKind::Decimal
        | ColumnKind::Text
        | ColumnKind::Enum
        | ColumnKind::Boolean
        | ColumnKind::Other => None,
    }
}
