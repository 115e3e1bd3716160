//! Ways from one relation to another along foreign keys. In: the visible catalog. Out: the shortest path, and whether
//! another was as good.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::domain::schema::{ForeignKey, Relation};

use super::tokens::name_stems;
use super::vocabulary::{RelationId, Vocabulary};

/// One step along a foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Where it starts.
    pub(super) from: RelationId,
    /// Where it ends.
    pub(super) to: RelationId,
    /// Pairs of column names: on the side of `from`, on the side of `to`.
    pub(super) pairs: Vec<(String, String)>,
    /// Whether one row of `from` can meet several of `to`.
    pub(super) to_many: bool,
    /// Whether a row of `from` may meet none of `to`.
    pub(super) optional: bool,
}

/// Steps from one relation to another.
pub(super) type Path = Vec<Step>;

/// What the cheapest path costs; only for comparing.
pub(super) fn cost(
    vocabulary: &Vocabulary<'_>,
    from: RelationId,
    to: RelationId,
    hints: &[String],
) -> Option<u32> {
    search(vocabulary, from, to, hints).map(|(cost, _)| cost)
}

/// More steps than this are no longer what a question means.
const STEPS_MAX: usize = 5;

/// The cheapest path; steps towards one row are cheaper than steps towards many. `hints` are stems of the question: they
/// decide between two keys to the same table.
pub(super) fn path(
    vocabulary: &Vocabulary<'_>,
    from: RelationId,
    to: RelationId,
    hints: &[String],
) -> Option<Path> {
    let (_, trail) = search(vocabulary, from, to, hints)?;
    walk(vocabulary, &trail)
}

/// Dijkstra's algorithm over the foreign keys in both directions.
fn search(
    vocabulary: &Vocabulary<'_>,
    from: RelationId,
    to: RelationId,
    hints: &[String],
) -> Option<(u32, Vec<(RelationId, usize)>)> {
    let mut best: Vec<Option<u32>> = vec![None; vocabulary.snapshot.relations.len()];
    let mut queue = BinaryHeap::new();
    queue.push(Reverse((0_u32, Vec::<(RelationId, usize)>::new(), from)));
    while let Some(Reverse((cost, trail, at))) = queue.pop() {
        if best
            .get(at)
            .copied()
            .flatten()
            .is_some_and(|known| known <= cost)
        {
            continue;
        }
        if let Some(slot) = best.get_mut(at) {
            *slot = Some(cost);
        }
        if at == to {
            return Some((cost, trail));
        }
        if trail.len() >= STEPS_MAX {
            continue;
        }
        for (index, step) in steps_from(vocabulary, at, hints).into_iter().enumerate() {
            let mut longer = trail.clone();
            longer.push((at, index));
            queue.push(Reverse((cost + step.1, longer, step.0.to)));
        }
    }
    None
}

fn walk(vocabulary: &Vocabulary<'_>, trail: &[(RelationId, usize)]) -> Option<Path> {
    trail
        .iter()
        .map(|(at, index)| {
            steps_from(vocabulary, *at, &[])
                .into_iter()
                .nth(*index)
                .map(|(step, _)| step)
        })
        .collect()
}

/// Every step that begins at a relation, with its cost; the order depends on the catalog alone.
fn steps_from(vocabulary: &Vocabulary<'_>, at: RelationId, hints: &[String]) -> Vec<(Step, u32)> {
    let mut steps = Vec::new();
    let Some(here) = vocabulary.relation(at) else {
        return steps;
    };
    for key in &here.foreign_keys {
        let Some(to) = target(vocabulary, key) else {
            continue;
        };
        let visible = key.columns.iter().all(|name| is_visible(here, name));
        if !visible {
            continue;
        }
        let optional = key
            .columns
            .iter()
            .any(|name| here.column(name).is_some_and(|column| !column.not_null));
        let step = Step {
            from: at,
            to,
            pairs: key
                .columns
                .iter()
                .cloned()
                .zip(key.target_columns.iter().cloned())
                .collect(),
            to_many: false,
            optional,
        };
        steps.push((step, 100 + preference(vocabulary, key, to, hints)));
    }
    for (owner, relation) in vocabulary.snapshot.relations.iter().enumerate() {
        for key in &relation.foreign_keys {
            if target(vocabulary, key) != Some(at)
                || !key.columns.iter().all(|name| is_visible(relation, name))
            {
                continue;
            }
            let step = Step {
                from: at,
                to: owner,
                pairs: key
                    .target_columns
                    .iter()
                    .cloned()
                    .zip(key.columns.iter().cloned())
                    .collect(),
                to_many: !is_unique(relation, &key.columns),
                optional: true,
            };
            steps.push((step, 130 + preference(vocabulary, key, at, hints)));
        }
    }
    steps
}

/// The visible relation that a key points at.
pub(super) fn target(vocabulary: &Vocabulary<'_>, key: &ForeignKey) -> Option<RelationId> {
    vocabulary
        .snapshot
        .relations
        .iter()
        .position(|r| r.schema == key.target_schema && r.name == key.target_relation)
}

fn is_visible(relation: &Relation, name: &str) -> bool {
    relation.column(name).is_some_and(|column| !column.hidden)
}

fn is_unique(relation: &Relation, columns: &[String]) -> bool {
    relation.primary_key == columns || relation.unique_keys.iter().any(|key| key == columns)
}

/// What a key costs on top of its step: nothing when its columns say only what they point at ("customer_id"), a little
/// when they say more ("billing_address_id"), unless the question says it too. Self-references come last.
fn preference(
    vocabulary: &Vocabulary<'_>,
    key: &ForeignKey,
    target: RelationId,
    hints: &[String],
) -> u32 {
    let target_words: Vec<String> = vocabulary
        .relation(target)
        .map(|relation| name_stems(&relation.name))
        .unwrap_or_default();
    let extra: Vec<String> = key
        .columns
        .iter()
        .flat_map(|name| name_stems(name))
        .filter(|word| {
            !target_words.contains(word)
                && !matches!(word.as_str(), "id" | "code" | "key" | "no" | "number")
        })
        .collect();
    if extra.is_empty() || extra.iter().any(|word| hints.contains(word)) {
        0
    } else if extra
        .iter()
        .any(|word| matches!(word.as_str(), "shipping" | "main" | "primary" | "default"))
    {
        2
    } else {
        4
    }
}
