//! How much each relation and column has to do with a question.
//!
//! In: the schema, the question and the earlier ones. Out: numbers that only mean something beside each other. A match counts
//! by how rare it is in this schema; what joins two relations that matter, matters too.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::words::{likeness, name_stems, question_stems};
use crate::domain::schema::{Column, Relation, Snapshot};

/// What an earlier question's word is worth beside one of this question.
const EARLIER_WEIGHT: f64 = 0.4;

/// What a match in a relation's name is worth beside one in a column's.
const RELATION_NAME_WEIGHT: f64 = 1.5;

/// A word of a comment: comments hold the synonyms, but many other words too.
const COMMENT_WEIGHT: f64 = 0.7;

/// A value that the question names.
const CHOICE_WEIGHT: f64 = 0.9;

/// What a relation inherits from one that it is joined to.
const NEIGHBOUR_WEIGHT: f64 = 0.35;

/// What a relation on the way between two that matter has of the lesser one.
const BRIDGE_WEIGHT: f64 = 0.9;

/// Between so many of the best relations ways are looked for.
const BRIDGE_ENDS: usize = 6;

/// Keys are needed for joins whatever the question says.
const KEY_BONUS: f64 = 0.6;

/// What a row is called.
const LABEL_BONUS: f64 = 0.4;

/// Any column of a relation that matters may be needed.
const COLUMN_BASE: f64 = 0.35;

/// The scores.
pub(super) struct Relevance {
    /// By the index of the relation and of the column in it, the relation's own score included.
    pub(super) columns: Vec<Vec<f64>>,
}

impl Relevance {
    /// Scores a whole schema.
    pub(super) fn of(snapshot: &Snapshot, question: &str, earlier: &[&str]) -> Self {
        let index = Index::of(snapshot);
        let terms = weighted_terms(question, earlier);
        let mut relations = vec![0.0; snapshot.relations.len()];
        let mut columns: Vec<Vec<f64>> = snapshot
            .relations
            .iter()
            .map(|relation| vec![0.0; relation.columns.len()])
            .collect();
        for (term, weight) in &terms {
            index.add(term, *weight, &mut relations, &mut columns);
        }
        let joins = Joins::of(snapshot);
        let relations = joins.spread(&relations);
        for (at, relation) in snapshot.relations.iter().enumerate() {
            let of_relation = relations.get(at).copied().unwrap_or_default();
            let scores = columns.get_mut(at).into_iter().flatten();
            for (score, column) in scores.zip(&relation.columns) {
                let mut share = COLUMN_BASE;
                if joins.is_key(relation, column) {
                    share += KEY_BONUS;
                }
                if is_label(column) {
                    share += LABEL_BONUS;
                }
                *score += of_relation * share;
            }
        }
        Self { columns }
    }
}

/// The words asked about, with what each is worth.
fn weighted_terms(question: &str, earlier: &[&str]) -> Vec<(String, f64)> {
    let mut terms: Vec<(String, f64)> = question_stems(question)
        .into_iter()
        .map(|stem| (stem, 1.0))
        .collect();
    for text in earlier {
        for stem in question_stems(text) {
            if !terms.iter().any(|(known, _)| known == &stem) {
                terms.push((stem, EARLIER_WEIGHT));
            }
        }
    }
    terms
}

/// The stems of everything in a schema.
struct Index {
    relations: Vec<RelationStems>,
    columns_count: usize,
}

struct RelationStems {
    name: Vec<String>,
    comment: Vec<String>,
    columns: Vec<ColumnStems>,
}

struct ColumnStems {
    is_hidden: bool,
    name: Vec<String>,
    comment: Vec<String>,
    choices: Vec<String>,
}

impl Index {
    fn of(snapshot: &Snapshot) -> Self {
        let comment_stems =
            |comment: &Option<String>| comment.as_deref().map(question_stems).unwrap_or_default();
        let relations: Vec<RelationStems> = snapshot
            .relations
            .iter()
            .map(|relation| RelationStems {
                name: name_stems(&relation.name),
                comment: comment_stems(&relation.comment),
                columns: relation
                    .columns
                    .iter()
                    .map(|column| ColumnStems {
                        is_hidden: column.hidden,
                        name: name_stems(&column.name),
                        comment: comment_stems(&column.comment),
                        choices: column.choices.iter().flat_map(|c| name_stems(c)).collect(),
                    })
                    .collect(),
            })
            .collect();
        let columns_count = relations
            .iter()
            .map(|relation| relation.columns.len())
            .sum();
        Self {
            relations,
            columns_count,
        }
    }

    /// Adds what one word says.
    fn add(&self, term: &str, weight: f64, relations: &mut [f64], columns: &mut [Vec<f64>]) {
        let mut matches: Vec<(f64, Vec<f64>)> = Vec::with_capacity(self.relations.len());
        let mut matched = 0_usize;
        for relation in &self.relations {
            let of_relation = (named(term, &relation.name) * RELATION_NAME_WEIGHT)
                .max(mentioned(term, &relation.comment) * COMMENT_WEIGHT);
            let of_columns: Vec<f64> = relation
                .columns
                .iter()
                .map(|column| match column.is_hidden {
                    true => 0.0,
                    false => named(term, &column.name)
                        .max(mentioned(term, &column.comment) * COMMENT_WEIGHT)
                        .max(mentioned(term, &column.choices) * CHOICE_WEIGHT),
                })
                .collect();
            matched += usize::from(of_relation > 0.3)
                + of_columns.iter().filter(|score| **score > 0.3).count();
            matches.push((of_relation, of_columns));
        }
        if matched == 0 {
            return;
        }
        let worth = weight * rarity(matched, self.columns_count);
        for ((of_relation, of_columns), (relation, columns)) in
            matches.into_iter().zip(relations.iter_mut().zip(columns))
        {
            let best = of_columns.iter().copied().fold(of_relation, f64::max);
            *relation += best * worth;
            for (score, of_column) in columns.iter_mut().zip(of_columns) {
                *score += of_column * worth;
            }
        }
    }
}

/// 1 for a word that is nearly nowhere, towards 0 for one that is everywhere.
fn rarity(matched: usize, all: usize) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of columns are far below 2^52"
    )]
    let (matched, all) = (matched as f64, all as f64);
    ((1.0 + all / matched).ln() / (1.0 + all).ln()).clamp(0.05, 1.0)
}

/// How well a word matches a name: a name that says more besides is matched less.
fn named(term: &str, name: &[String]) -> f64 {
    let best = name
        .iter()
        .map(|part| likeness(term, part))
        .fold(0.0, f64::max);
    let joined = if name.len() > 1 {
        likeness(term, &name.concat()) * 0.9
    } else {
        0.0
    };
    let share = match name.len() {
        0 | 1 => 1.0,
        2 => 0.85,
        _ => 0.75,
    };
    (best * share).max(joined)
}

/// Whether a word is among others; nearly the same is enough, a part of one is not.
fn mentioned(term: &str, words: &[String]) -> f64 {
    words
        .iter()
        .map(|word| likeness(term, word))
        .filter(|score| *score >= 0.7)
        .fold(0.0, f64::max)
}

/// Names by which rows are called when nobody says how.
fn is_label(column: &Column) -> bool {
    let stems = name_stems(&column.name);
    let last = stems.last().map(String::as_str);
    matches!(
        last,
        Some(
            "nam"
                | "name"
                | "titl"
                | "label"
                | "cod"
                | "code"
                | "description"
                | "typ"
                | "dat"
                | "date"
                | "status"
        )
    ) || column.name.to_lowercase().ends_with("name")
}

/// Which relations are joined to which: by foreign keys, and, for the many databases that declare none, by columns of
/// the same name that look like keys.
struct Joins {
    neighbours: Vec<BTreeSet<usize>>,
    /// Names of columns that look like keys and are in more than one relation.
    shared_names: BTreeSet<String>,
}

impl Joins {
    fn of(snapshot: &Snapshot) -> Self {
        let by_name: HashMap<(&str, &str), usize> = snapshot
            .relations
            .iter()
            .enumerate()
            .map(|(at, relation)| ((relation.schema.as_str(), relation.name.as_str()), at))
            .collect();
        let mut neighbours = vec![BTreeSet::new(); snapshot.relations.len()];
        let mut connect = |one: usize, other: usize| {
            if one != other {
                for (from, to) in [(one, other), (other, one)] {
                    if let Some(set) = neighbours.get_mut(from) {
                        set.insert(to);
                    }
                }
            }
        };
        let mut holders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, relation) in snapshot.relations.iter().enumerate() {
            for key in &relation.foreign_keys {
                let target = (key.target_schema.as_str(), key.target_relation.as_str());
                if let Some(other) = by_name.get(&target) {
                    connect(at, *other);
                }
            }
            for column in relation
                .visible_columns()
                .filter(|column| looks_like_key(column))
            {
                holders
                    .entry(column.name.to_lowercase())
                    .or_default()
                    .push(at);
            }
        }
        holders.retain(|_, relations| relations.len() > 1);
        for relations in holders.values() {
            // A name that is everywhere joins nothing in particular.
            if relations.len() <= 8 {
                for (index, one) in relations.iter().enumerate() {
                    for other in relations.iter().skip(index + 1) {
                        connect(*one, *other);
                    }
                }
            }
        }
        Self {
            neighbours,
            shared_names: holders.into_keys().collect(),
        }
    }

    fn is_key(&self, relation: &Relation, column: &Column) -> bool {
        relation.primary_key.contains(&column.name)
            || relation
                .foreign_keys
                .iter()
                .any(|key| key.columns.contains(&column.name))
            || self.shared_names.contains(&column.name.to_lowercase())
    }

    /// Lets relations inherit from those beside them, and lifts those that lie between two that matter.
    fn spread(&self, own: &[f64]) -> Vec<f64> {
        let score = |at: usize| own.get(at).copied().unwrap_or_default();
        let mut spread: Vec<f64> = self
            .neighbours
            .iter()
            .enumerate()
            .map(|(at, neighbours)| {
                let best = neighbours
                    .iter()
                    .map(|other| score(*other))
                    .fold(0.0, f64::max);
                score(at) + best * NEIGHBOUR_WEIGHT
            })
            .collect();
        let mut best: Vec<usize> = (0..own.len()).filter(|at| score(*at) > 0.0).collect();
        best.sort_by(|one, other| score(*other).total_cmp(&score(*one)).then(one.cmp(other)));
        best.truncate(BRIDGE_ENDS);
        for (index, one) in best.iter().enumerate() {
            for other in best.iter().skip(index + 1) {
                let lesser = score(*one).min(score(*other)) * BRIDGE_WEIGHT;
                for between in self.between(*one, *other) {
                    if let Some(value) = spread.get_mut(between) {
                        *value = value.max(lesser);
                    }
                }
            }
        }
        spread
    }

    /// The relations on a shortest way of at most three steps, ends left out.
    fn between(&self, from: usize, to: usize) -> Vec<usize> {
        let mut came_from: BTreeMap<usize, usize> = BTreeMap::from([(from, from)]);
        let mut edge = vec![from];
        for _ in 0..3 {
            let mut next = Vec::new();
            for at in edge {
                for other in self.neighbours.get(at).into_iter().flatten() {
                    if !came_from.contains_key(other) {
                        came_from.insert(*other, at);
                        next.push(*other);
                    }
                }
            }
            if came_from.contains_key(&to) {
                break;
            }
            edge = next;
        }
        let mut way = Vec::new();
        let mut at = to;
        while let Some(before) = came_from.get(&at).copied()
            && before != at
        {
            if before != from {
                way.push(before);
            }
            at = before;
        }
        way
    }
}

/// `customer_id`, `FCLT_BUILDING_KEY`, `countrycode`: not a bare `id`, which every table has.
fn looks_like_key(column: &Column) -> bool {
    let name = column.name.to_lowercase();
    name.len() > 3
        && ["id", "key", "code", "cod", "number", "no", "num"]
            .iter()
            .any(|ending| name.ends_with(ending))
        || name.len() <= 4 && name.ends_with("id") && name != "id"
}
