//! Questions that list rows as they are.

use super::super::column_kind::ColumnKind;
use super::super::query::{Order, OrderKey, Output, Query};
use super::super::vocabulary::ColumnId;
use super::super::vocabulary::Vocabulary;
use super::super::{Misunderstanding, meaning, resolve};
use super::Written;
use super::predicate::{self, Scope};
use super::select::{Anchor, Select};

/// Writes the query.
pub(super) fn write(
    query: &Query,
    vocabulary: &Vocabulary<'_>,
) -> Result<Written, Misunderstanding> {
    let subject = resolve::subject(query, vocabulary)?;
    let (mut select, anchor) = Select::new(vocabulary, query, subject);
    let mut shown: Vec<(Anchor, ColumnId)> = Vec::new();
    for output in &query.outputs {
        match output {
            Output::Relation(relation) => {
                let alone = query.outputs.len() == 1 && *relation == subject;
                let columns: Vec<ColumnId> = if alone {
                    vocabulary.columns_of(subject).collect()
                } else {
                    meaning::label(vocabulary, *relation)
                };
                let end = select.reach(&anchor, *relation, !query.distinct)?;
                shown.extend(columns.into_iter().map(|id| (end.clone(), id)));
            }
            Output::Column(column) => {
                let id = resolve::column_near(
                    vocabulary,
                    subject,
                    column,
                    &query.hints,
                    &query.mentioned,
                )?
                .ok_or_else(|| resolve::no_way(&column.said))?;
                let end = select.reach(&anchor, id.relation, !query.distinct)?;
                shown.push((end, id));
            }
            Output::Measure(_) => {}
        }
    }
    let scope = Scope {
        subject: anchor.clone(),
        fact: anchor.clone(),
    };
    let wheres = query
        .conditions
        .iter()
        .map(|condition| predicate::write(&mut select, &scope, condition))
        .collect::<Result<Vec<_>, _>>()?;
    let mut orders = Vec::new();
    for order in &query.orders {
        orders.extend(order_by(&mut select, query, &anchor, &shown, order)?);
    }
    let columns: Vec<String> = shown
        .iter()
        .map(|(anchor, id)| select.column(anchor, *id))
        .collect();
    let distinct = query.distinct;
    if distinct {
        // Only what is shown can order rows that were made one; a key elsewhere would tell them apart again.
        if orders.iter().any(|order| {
            !columns
                .iter()
                .any(|column| order.starts_with(column.as_str()))
        }) {
            return Err(Misunderstanding::new(
                "Different values cannot be put in the order of something that is not shown with them.",
            ));
        }
    }
    let mut ties: Vec<String> = if distinct {
        Vec::new()
    } else {
        meaning::key(vocabulary, subject)
            .iter()
            .map(|id| select.column(&anchor, *id))
            .collect()
    };
    if ties.is_empty() || select.fans_out {
        ties.extend(
            shown
                .iter()
                .filter(|(_, id)| vocabulary.kind(*id) != ColumnKind::Other)
                .map(|(anchor, id)| select.column(anchor, *id)),
        );
    }
    for tie in ties {
        if !orders
            .iter()
            .any(|order| *order == tie || order.starts_with(&format!("{tie} ")))
        {
            orders.push(tie);
        }
    }
    let mut sql = format!(
        "SELECT {}{}\nFROM {}",
        if distinct { "DISTINCT " } else { "" },
        columns.join(", "),
        select.from()
    );
    super::finish(&mut sql, &wheres, &[], &orders, query.limit);
    Ok(Written {
        sql,
        assumptions: select.assumptions,
    })
}

fn order_by(
    select: &mut Select<'_, '_>,
    query: &Query,
    anchor: &Anchor,
    shown: &[(Anchor, ColumnId)],
    order: &Order,
) -> Result<Vec<String>, Misunderstanding> {
    let vocabulary = select.vocabulary;
    let direction = if order.descending {
        " DESC NULLS LAST"
    } else {
        ""
    };
    let columns: Vec<(Anchor, ColumnId)> = match &order.key {
        OrderKey::Column(column) => {
            let id = resolve::column_near(vocabulary, anchor.relation, column, &query.hints, &[])?
                .ok_or_else(|| resolve::no_way(&column.said))?;
            vec![(select.reach(anchor, id.relation, true)?, id)]
        }
        OrderKey::Name => meaning::label(vocabulary, anchor.relation)
            .into_iter()
            .map(|id| (anchor.clone(), id))
            .collect(),
        OrderKey::Shown => {
            let sortable = shown
                .iter()
                .find(|(_, id)| vocabulary.kind(*id) != ColumnKind::Other);
            sortable.cloned().into_iter().collect()
        }
        OrderKey::Moment => {
            let id = meaning::moment(vocabulary, anchor.relation).ok_or_else(|| {
                Misunderstanding::new(
                    "I found no date, or more than one, that says which came first.",
                )
            })?;
            vec![(anchor.clone(), id)]
        }
        OrderKey::Measure(_) => {
            return Err(Misunderstanding::new(
                "I could not work out what to sort by.",
            ));
        }
    };
    Ok(columns
        .iter()
        .map(|(anchor, id)| format!("{}{direction}", select.column(anchor, *id)))
        .collect())
}
