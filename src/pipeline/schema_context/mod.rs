//! The part of the schema that a model is shown for a question.
//!
//! In: the snapshot, the question, the earlier ones, and a budget. Out: a text, the same bytes for the same input. While
//! the whole schema fits it does not depend on the question, so that a provider's prompt cache hits. Nothing is refused here.

mod layout;
mod relevance;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use self::layout::Detail;
use self::relevance::Relevance;
use crate::domain::schema::{Relation, RelationKind, Snapshot};

/// What the model is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaContext {
    /// One block or line for each relation.
    pub text: String,
    /// Every visible relation and column is there, and the question made no difference.
    pub is_whole: bool,
}

/// Bytes that count as one token, times ten. Schema text is identifiers and punctuation, of which the tokenizers in use
/// take 3 to 4 bytes at a time; taking few keeps the text below the budget.
const BYTES_PER_TEN_TOKENS: usize = 35;

/// The number of tokens that a text is taken for.
#[must_use]
pub fn estimated_tokens(text: &str) -> usize {
    text.len().saturating_mul(10).div_ceil(BYTES_PER_TEN_TOKENS)
}

/// The beginning of a text that is taken for at most so many tokens, and a mark where it was cut.
pub(super) fn cut_to_tokens(text: &str, tokens_max: usize) -> String {
    const MARK: &str = " … (cut)";
    if estimated_tokens(text) <= tokens_max {
        return text.to_owned();
    }
    let bytes_max = tokens_max.saturating_mul(BYTES_PER_TEN_TOKENS) / 10;
    let kept = text.floor_char_boundary(bytes_max.saturating_sub(MARK.len()));
    format!("{}{MARK}", &text[..kept])
}

/// The schema text for `question` within `tokens_max` (see [`estimated_tokens`]).
///
/// The whole schema, if it fits, with as much about each column as fits. Otherwise the columns that have most to do with the
/// question and with `earlier` ones, each beside its relation's keys. Hidden columns are never there.
#[must_use]
pub fn schema_context(
    snapshot: &Snapshot,
    question: &str,
    earlier: &[&str],
    tokens_max: usize,
) -> SchemaContext {
    match whole_schema(snapshot, tokens_max) {
        Some(text) => SchemaContext {
            text,
            is_whole: true,
        },
        None => SchemaContext {
            text: part_of_schema(snapshot, question, earlier, tokens_max),
            is_whole: false,
        },
    }
}

/// The text where the question makes no difference; `None`: not even the shortest one fits.
pub(super) fn whole_schema(snapshot: &Snapshot, tokens_max: usize) -> Option<String> {
    let relations: Vec<&Relation> = snapshot
        .relations
        .iter()
        .filter(|relation| !is_redundant(snapshot, relation))
        .collect();
    let text = |detail| {
        let texts = relations.iter();
        let texts = texts.map(|relation| layout::relation_text(relation, detail, |_, _| true));
        texts.collect::<String>()
    };
    [Detail::Full, Detail::Commented, Detail::Compact]
        .into_iter()
        .map(text)
        .find(|text| estimated_tokens(text) <= tokens_max)
}

/// A partition says nothing that its parent does not: it has the parent's columns, and its rows are the parent's.
fn is_redundant(snapshot: &Snapshot, relation: &Relation) -> bool {
    relation.kind == RelationKind::Partition
        && snapshot.relations.iter().any(|other| {
            other.kind == RelationKind::PartitionedTable
                && other.columns.len() == relation.columns.len()
                && other.columns.iter().all(|column| {
                    relation
                        .column(&column.name)
                        .is_some_and(|own| own.type_name == column.type_name)
                })
        })
}

/// The best columns that fit, relation by relation in the schema's order: the text where the whole schema does not fit.
pub(super) fn part_of_schema(
    snapshot: &Snapshot,
    question: &str,
    earlier: &[&str],
    tokens_max: usize,
) -> String {
    let relevance = Relevance::of(snapshot, question, earlier);
    let mut candidates: Vec<(f64, usize, usize)> = Vec::new();
    for (at, relation) in snapshot.relations.iter().enumerate() {
        if is_redundant(snapshot, relation) {
            continue;
        }
        for (index, column) in relation.columns.iter().enumerate() {
            if !column.hidden {
                let scores = relevance.columns.get(at);
                let score = scores.and_then(|scores| scores.get(index));
                candidates.push((score.copied().unwrap_or_default(), at, index));
            }
        }
    }
    candidates.sort_by(|one, other| {
        let by_score = other.0.total_cmp(&one.0);
        by_score.then((one.1, one.2).cmp(&(other.1, other.2)))
    });
    let bytes_max = tokens_max.saturating_mul(BYTES_PER_TEN_TOKENS) / 10;
    let mut bytes = 0;
    let mut taken: Vec<(usize, usize)> = Vec::new();
    let mut begun: BTreeSet<usize> = BTreeSet::new();
    for (_, at, index) in candidates {
        let Some((relation, column)) = snapshot
            .relations
            .get(at)
            .and_then(|relation| Some((relation, relation.columns.get(index)?)))
        else {
            continue;
        };
        let head = match begun.contains(&at) {
            true => 0,
            false => layout::head_cost(relation),
        };
        let cost = head + layout::column_cost(relation, column);
        if bytes + cost <= bytes_max {
            bytes += cost;
            taken.push((at, index));
            begun.insert(at);
        }
    }
    // Keys of several columns cost a little more, and appear only when all of their columns do.
    loop {
        let text = chosen_text(snapshot, &taken);
        if text.len() <= bytes_max || taken.pop().is_none() {
            return text;
        }
    }
}

fn chosen_text(snapshot: &Snapshot, taken: &[(usize, usize)]) -> String {
    let mut columns: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (at, index) in taken {
        columns.entry(*at).or_default().insert(*index);
    }
    columns
        .iter()
        .filter_map(|(at, columns)| Some((snapshot.relations.get(*at)?, columns)))
        .map(|(relation, columns)| {
            layout::relation_text(relation, Detail::Compact, |index, _| {
                columns.contains(&index)
            })
        })
        .collect()
}
