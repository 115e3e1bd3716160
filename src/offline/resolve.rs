//! Which of its readings a column means, and which relation a question's rows come from: the nearest along foreign keys.
//! Two that are equally near are not chosen between: the person is told.

use super::Misunderstanding;
use super::joins::{self, Path};
use super::meaning;
use super::query::{ColumnRef, Group, Measure, Output, Query, Target};
use super::vocabulary::{ColumnId, RelationId, Vocabulary};

/// What a reading costs for each point that its score is below the best.
const SCORE_COST: u32 = 30;

/// The cheapest of several candidates, or `None` when there is none; a tie is an error that names the two.
fn cheapest<T: Copy + PartialEq>(
    candidates: &[(u32, T)],
    describe: impl Fn(T) -> String,
    said: &str,
) -> Result<Option<T>, Misunderstanding> {
    let Some((cost, best)) = candidates.iter().min_by_key(|(cost, _)| *cost).copied() else {
        return Ok(None);
    };
    let rival = candidates
        .iter()
        .find(|(other, candidate)| *other == cost && *candidate != best);
    if let Some((_, rival)) = rival {
        return Err(Misunderstanding::new(format!(
            "\u{201c}{said}\u{201d} could mean {} or {}: please say which.",
            describe(best),
            describe(*rival)
        )));
    }
    Ok(Some(best))
}

/// How a person would call a column: "the country of customers".
pub(super) fn describe(vocabulary: &Vocabulary<'_>, id: ColumnId) -> String {
    let column = vocabulary.column(id).map_or("", |c| c.name.as_str());
    let relation = vocabulary
        .relation(id.relation)
        .map_or("", |r| r.name.as_str());
    format!("{column} of {relation}")
}

/// The reading nearest to `from`. One reached over several rows counts only in one of the relations `over_many`.
pub(super) fn column_near(
    vocabulary: &Vocabulary<'_>,
    from: RelationId,
    column: &ColumnRef,
    hints: &[String],
    over_many: &[RelationId],
) -> Result<Option<ColumnId>, Misunderstanding> {
    let best_score = column
        .readings
        .iter()
        .map(|(_, score)| *score)
        .max()
        .unwrap_or(0);
    let candidates: Vec<(u32, ColumnId)> = column
        .readings
        .iter()
        .filter_map(|(id, score)| {
            let path = reach(vocabulary, from, id.relation, hints)?;
            if path.iter().any(|step| step.to_many) && !over_many.contains(&id.relation) {
                return None;
            }
            let cost = joins::cost(vocabulary, from, id.relation, hints)?;
            Some((cost + u32::from(best_score - score) * SCORE_COST, *id))
        })
        .collect();
    // A key column that only repeats the key it points at is the same value.
    cheapest(&candidates, |id| describe(vocabulary, id), &column.said)
}

fn reach(
    vocabulary: &Vocabulary<'_>,
    from: RelationId,
    to: RelationId,
    hints: &[String],
) -> Option<Path> {
    joins::path(vocabulary, from, to, hints)
}

/// What a question without a named subject is about: the relation nearest to everything that it mentions.
pub(super) fn subject(
    query: &Query,
    vocabulary: &Vocabulary<'_>,
) -> Result<RelationId, Misunderstanding> {
    if let Some(subject) = query.subject {
        return Ok(subject);
    }
    let columns: Vec<&ColumnRef> = query
        .outputs
        .iter()
        .filter_map(|output| match output {
            Output::Column(column) => Some(column),
            Output::Measure(Measure {
                of: Target::Column(column),
                ..
            }) => Some(column),
            Output::Measure(_) | Output::Relation(_) => None,
        })
        .collect();
    let Some(first) = columns.first() else {
        return Err(Misunderstanding::new(
            "The question does not say which rows it is about.",
        ));
    };
    let mut candidates: Vec<(u32, RelationId)> = Vec::new();
    for (id, _) in columns.iter().flat_map(|column| &column.readings) {
        if candidates.iter().any(|(_, known)| *known == id.relation) {
            continue;
        }
        let total = columns.iter().try_fold(0_u32, |total, column| {
            column
                .readings
                .iter()
                .filter_map(|(other, score)| {
                    let cost = joins::cost(vocabulary, id.relation, other.relation, &query.hints)?;
                    Some(cost + u32::from(3_u8.saturating_sub(*score)) * SCORE_COST)
                })
                .min()
                .map(|cost| total + cost)
        });
        // What is grouped by must lie on the way of one row.
        let total = query
            .groups
            .iter()
            .try_fold(total, |total, group| match group {
                Group::Relation(to) => {
                    let path = joins::path(vocabulary, id.relation, *to, &query.hints)?;
                    let single = path.iter().all(|step| !step.to_many);
                    let cost = joins::cost(vocabulary, id.relation, *to, &query.hints)?;
                    single.then_some(total.map(|total| total + cost))
                }
                Group::Column(_) | Group::Period(..) => Some(total),
            });
        if let Some(Some(total)) = total {
            candidates.push((total, id.relation));
        }
    }
    let name = |id: RelationId| {
        let relation = vocabulary.relation(id).map_or("", |r| r.name.as_str());
        format!("the {} of {relation}", first.said)
    };
    cheapest(&candidates, name, &first.said)?.ok_or_else(|| {
        Misunderstanding::new(format!(
            "I found no way to bring together what the question asks for, starting from \u{201c}{}\u{201d}.",
            first.said
        ))
    })
}

/// The relation whose rows a measure adds up.
pub(super) fn measured(
    measure: &Measure,
    subject: Option<RelationId>,
    needed: &[RelationId],
    query: &Query,
    vocabulary: &Vocabulary<'_>,
) -> Result<RelationId, Misunderstanding> {
    match &measure.of {
        Target::Rows(relation) | Target::Worth(relation) => Ok(*relation),
        Target::Column(column) => {
            let from = match subject {
                Some(subject) => subject,
                None => self::subject(query, vocabulary)?,
            };
            column_near(
                vocabulary,
                from,
                column,
                &query.hints,
                &belonging(vocabulary, from, query),
            )?
            .map(|id| id.relation)
            .ok_or_else(|| no_way(&column.said))
        }
        Target::Revenue | Target::Pieces => sale(measure, needed, &query.hints, vocabulary),
    }
}

/// The relations whose rows each belong to one of `to`, and those that the question names.
fn belonging(vocabulary: &Vocabulary<'_>, to: RelationId, query: &Query) -> Vec<RelationId> {
    (0..vocabulary.snapshot.relations.len())
        .filter(|from| {
            query.mentioned.contains(from)
                || joins::path(vocabulary, *from, to, &query.hints)
                    .is_some_and(|path| path.iter().all(|step| !step.to_many))
        })
        .collect()
}

/// The relation whose rows hold money taken or pieces sold, and from which everything needed belongs to one row.
fn sale(
    measure: &Measure,
    needed: &[RelationId],
    hints: &[String],
    vocabulary: &Vocabulary<'_>,
) -> Result<RelationId, Misunderstanding> {
    let mut ranked: Vec<(u8, usize, RelationId)> = Vec::new();
    for relation in 0..vocabulary.snapshot.relations.len() {
        let lines = meaning::line_columns(vocabulary, relation);
        let rank = if measure.of == Target::Pieces {
            lines.map(|_| 0)
        } else {
            meaning::sale_rank(vocabulary, relation)
        };
        let Some(rank) = rank else { continue };
        let single = |to: RelationId| {
            joins::path(vocabulary, relation, to, hints)
                .filter(|path| path.iter().all(|step| !step.to_many))
                .map(|path| path.len())
        };
        let steps: Option<usize> = needed.iter().map(|to| single(*to)).sum();
        if let Some(steps) = steps {
            ranked.push((rank, steps, relation));
        }
    }
    // Whole sales before their lines: the lines leave out shipping and discounts on the whole.
    ranked.sort();
    ranked
        .first()
        .map(|(.., relation)| *relation)
        .ok_or_else(|| Misunderstanding::new("I found no column in this database that says how much was sold, for what the question asks."))
}

/// The message for something that no key leads to.
pub(super) fn no_way(said: &str) -> Misunderstanding {
    Misunderstanding::new(format!(
        "I found no way from what the question is about to \u{201c}{said}\u{201d}."
    ))
}
