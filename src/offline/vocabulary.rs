//! Words to relations, columns and choices. In: the visible catalog. Out: what a run of tokens can name in it.
//! Hidden relations are not in the snapshot and hidden columns are skipped here, so no word can ever mean them.

use crate::domain::schema::{Column, Relation, RelationKind, Snapshot};

use super::column_kind::ColumnKind;
use super::tokens::{Token, TokenKind, name_stems, stem};

/// A relation, by its place in the snapshot.
pub(super) type RelationId = usize;

/// A column, by its places in the snapshot and the relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ColumnId {
    /// The relation.
    pub(super) relation: RelationId,
    /// The place among the relation's columns.
    pub(super) column: usize,
}

/// A choice: a column and one value that it can hold, with its exact spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// The column.
    pub(super) column: ColumnId,
    /// The value.
    pub(super) value: String,
}

/// What tokens can name, how many of them, and how well they fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named<T> {
    /// All readings of the longest run, best first.
    pub(super) readings: Vec<(T, u8)>,
    /// Tokens in the run.
    pub(super) length: usize,
}

/// The name as the database has it, whole.
const WHOLE: u8 = 3;
/// The name without what the relation already says, e.g. "name" for `customer_name`.
const SHORT: u8 = 2;
/// A part of the name, or a synonym.
const LOOSE: u8 = 1;

/// Every name in the visible catalog, stemmed.
pub(super) struct Vocabulary<'a> {
    /// The catalog that the ids point into.
    pub(super) snapshot: &'a Snapshot,
    relations: Vec<(Vec<String>, RelationId, u8)>,
    columns: Vec<(Vec<String>, ColumnId, u8)>,
    choices: Vec<(Vec<String>, Choice)>,
}

impl<'a> Vocabulary<'a> {
    /// Collects the names. Partitions are left out: their parent is the table that people know.
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        let mut vocabulary = Self {
            snapshot,
            relations: Vec::new(),
            columns: Vec::new(),
            choices: Vec::new(),
        };
        for (id, relation) in snapshot.relations.iter().enumerate() {
            if relation.kind == RelationKind::Partition {
                continue;
            }
            let words = name_stems(&relation.name);
            vocabulary.add_relation(id, &words);
            for (index, column) in relation.columns.iter().enumerate() {
                if column.hidden {
                    continue;
                }
                let column_id = ColumnId {
                    relation: id,
                    column: index,
                };
                vocabulary.add_column(column_id, &words, &column.name);
                for value in &column.choices {
                    let choice = Choice {
                        column: column_id,
                        value: value.clone(),
                    };
                    let words = name_stems(value);
                    // "PayPal" and "Over Due" are also written "paypal" and "overdue".
                    if words.len() > 1 {
                        let joined = vec![words.concat()];
                        vocabulary.choices.push((joined, choice.clone()));
                    }
                    vocabulary.choices.push((words, choice));
                }
            }
        }
        vocabulary
    }

    fn add_relation(&mut self, id: RelationId, words: &[String]) {
        let Some(last) = words.last() else { return };
        self.relations.push((words.to_vec(), id, WHOLE));
        let noise = |word: &str| {
            matches!(
                word,
                "tbl" | "dim" | "fact" | "ref" | "vw" | "view" | "table" | "t"
            )
        };
        let kept: Vec<String> = words.iter().filter(|w| !noise(w)).cloned().collect();
        if kept.len() < words.len() && !kept.is_empty() {
            self.relations.push((kept, id, SHORT));
        } else if let [first, second] = words
            && first == second
        {
            self.relations.push((vec![second.clone()], id, SHORT));
        }
        if words.len() > 1 && !noise(last) {
            self.relations.push((vec![last.clone()], id, LOOSE));
        }
        for synonym in relation_synonyms(last) {
            let mut named = words.to_vec();
            named.pop();
            named.push(stem(synonym));
            self.relations.push((named, id, LOOSE));
        }
    }

    fn add_column(&mut self, id: ColumnId, relation: &[String], name: &str) {
        let words = name_stems(name);
        if words.is_empty() {
            return;
        }
        let mut names: Vec<(Vec<String>, u8)> = vec![(words.clone(), WHOLE)];
        let mut short = words.clone();
        for skipped in 0..relation.len() {
            let start = relation.get(skipped..).unwrap_or_default();
            if words.len() > start.len() && words.starts_with(start) {
                short = words.get(start.len()..).unwrap_or_default().to_vec();
                names.push((short.clone(), SHORT));
                break;
            }
        }
        for base in [&words, &short] {
            let mut qualified = relation.to_vec();
            qualified.extend(base.iter().cloned());
            names.push((qualified, WHOLE));
            if let Some(last) = relation.last()
                && relation.len() > 1
            {
                let mut qualified = vec![last.clone()];
                qualified.extend(base.iter().cloned());
                names.push((qualified, SHORT));
            }
            if let [start @ .., last] = base.as_slice()
                && !start.is_empty()
                && matches!(
                    last.as_str(),
                    "code"
                        | "at"
                        | "on"
                        | "name"
                        | "description"
                        | "date"
                        | "number"
                        | "no"
                        | "kg"
                        | "eur"
                        | "usd"
                        | "cm"
                )
            {
                names.push((start.to_vec(), LOOSE));
            }
            if let [first, rest @ ..] = base.as_slice()
                && !rest.is_empty()
                && matches!(first.as_str(), "is" | "has" | "total")
            {
                names.push((rest.to_vec(), LOOSE));
            }
        }
        for (written, spoken) in COLUMN_SYNONYMS {
            let written: Vec<String> = written.split(' ').map(str::to_owned).collect();
            for base in [&words, &short] {
                if base.ends_with(&written) {
                    let mut synonym: Vec<String> = base
                        .get(..base.len() - written.len())
                        .unwrap_or_default()
                        .to_vec();
                    synonym.extend(spoken.split(' ').map(stem));
                    names.push((synonym, LOOSE));
                }
            }
        }
        names.sort_by_key(|(_, score)| std::cmp::Reverse(*score));
        let mut seen: Vec<Vec<String>> = Vec::new();
        for (name, score) in names {
            if !name.is_empty() && !seen.contains(&name) {
                seen.push(name.clone());
                self.columns.push((name, id, score));
            }
        }
    }

    /// The relation of an id.
    pub(super) fn relation(&self, id: RelationId) -> Option<&'a Relation> {
        self.snapshot.relations.get(id)
    }

    /// The column of an id.
    pub(super) fn column(&self, id: ColumnId) -> Option<&'a Column> {
        self.relation(id.relation)?.columns.get(id.column)
    }

    /// The family of a column's type.
    pub(super) fn kind(&self, id: ColumnId) -> ColumnKind {
        self.column(id).map_or(ColumnKind::Other, |column| {
            ColumnKind::of(column, self.snapshot)
        })
    }

    /// The stems of a column's name.
    pub(super) fn column_words(&self, id: ColumnId) -> Vec<String> {
        self.column(id)
            .map(|column| name_stems(&column.name))
            .unwrap_or_default()
    }

    /// The visible columns of a relation, in its order.
    pub(super) fn columns_of(&self, id: RelationId) -> impl Iterator<Item = ColumnId> {
        self.relation(id)
            .into_iter()
            .flat_map(|relation| relation.columns.iter().enumerate())
            .filter(|(_, column)| !column.hidden)
            .map(move |(column, _)| ColumnId {
                relation: id,
                column,
            })
    }

    /// The visible column of this exact name.
    pub(super) fn column_named(&self, relation: RelationId, name: &str) -> Option<ColumnId> {
        self.columns_of(relation)
            .find(|id| self.column(*id).is_some_and(|column| column.name == name))
    }

    /// The relations that the tokens from `at` can name.
    pub(super) fn relations_at(&self, tokens: &[Token], at: usize) -> Option<Named<RelationId>> {
        let found = self
            .relations
            .iter()
            .filter_map(|(words, id, score)| Some((run_length(tokens, at, words)?, *id, *score)));
        longest(found)
    }

    /// The columns that the tokens from `at` can name. "date of birth" also reads as "birth date".
    pub(super) fn columns_at(&self, tokens: &[Token], at: usize) -> Option<Named<ColumnId>> {
        let straight = self
            .columns
            .iter()
            .filter_map(|(words, id, score)| Some((run_length(tokens, at, words)?, *id, *score)));
        let turned = self.columns.iter().filter_map(|(words, id, score)| {
            let [first, second] = words.as_slice() else {
                return None;
            };
            let stem_at = |offset: usize| tokens.get(at + offset).map(|t| t.stem.as_str());
            let fits = stem_at(0) == Some(second)
                && tokens.get(at + 1).is_some_and(|t| t.lower == "of")
                && stem_at(2) == Some(first)
                && matches!(
                    second.as_str(),
                    "date" | "number" | "year" | "place" | "time"
                );
            fits.then_some((3, *id, *score))
        });
        longest(straight.chain(turned))
    }

    /// The columns of exactly these stems.
    pub(super) fn columns_called(&self, words: &[String]) -> Vec<(ColumnId, u8)> {
        let mut found: Vec<(ColumnId, u8)> = self
            .columns
            .iter()
            .filter(|(name, ..)| name == words)
            .map(|(_, id, score)| (*id, *score))
            .collect();
        found.sort_by_key(|(id, score)| (std::cmp::Reverse(*score), *id));
        found
    }

    /// The choices that the tokens from `at` can mean: letter case, hyphens and underscores aside.
    pub(super) fn choices_at(&self, tokens: &[Token], at: usize) -> Option<Named<Choice>> {
        if let Some(token) = tokens.get(at)
            && token.kind == TokenKind::Quoted
        {
            let words = name_stems(&token.text);
            let readings: Vec<(Choice, u8)> = self
                .choices
                .iter()
                .filter(|(name, _)| *name == words)
                .map(|(_, choice)| (choice.clone(), WHOLE))
                .collect();
            return (!readings.is_empty()).then_some(Named {
                readings,
                length: 1,
            });
        }
        let found = self.choices.iter().filter_map(|(words, choice)| {
            Some((run_length(tokens, at, words)?, choice.clone(), WHOLE))
        });
        longest(found)
    }

    /// Whether any visible name or choice uses this stem, so that a spelling hint cannot tell what is hidden.
    pub(super) fn nearest_word(&self, word: &str) -> Option<&str> {
        let word = stem(word);
        self.relations
            .iter()
            .map(|(words, ..)| words)
            .chain(self.columns.iter().map(|(words, ..)| words))
            .flatten()
            .filter(|known| known.len() > 3 && strsim::damerau_levenshtein(known, &word) == 1)
            .map(String::as_str)
            .min()
    }
}

/// How many tokens from `at` spell `words`, hyphens between them ignored.
fn run_length(tokens: &[Token], at: usize, words: &[String]) -> Option<usize> {
    let mut place = at;
    for (index, word) in words.iter().enumerate() {
        if index > 0 && tokens.get(place).is_some_and(|t| t.lower == "-") {
            place += 1;
        }
        let token = tokens.get(place)?;
        if token.kind == TokenKind::Word
            && (token.lower.contains('_') || index == 0 && words.len() > 1)
        {
            // A name written as the database writes it: one token for all the words.
            let parts = name_stems(&token.text);
            if parts.len() > 1 && words.get(index..index + parts.len()) == Some(parts.as_slice()) {
                return (index + parts.len() == words.len()).then_some(place + 1 - at);
            }
        }
        if token.stem != *word || token.stem.is_empty() {
            return None;
        }
        place += 1;
    }
    (!words.is_empty()).then_some(place - at)
}

/// Keeps the readings of the longest run, the best score of each, best first; ties in the order of the catalog.
fn longest<T: Clone + PartialEq>(found: impl Iterator<Item = (usize, T, u8)>) -> Option<Named<T>> {
    let mut length = 0;
    let mut readings: Vec<(T, u8)> = Vec::new();
    for (run, reading, score) in found {
        if run > length {
            length = run;
            readings.clear();
        }
        if run < length {
            continue;
        }
        match readings.iter_mut().find(|(known, _)| *known == reading) {
            Some((_, best)) => *best = (*best).max(score),
            None => readings.push((reading, score)),
        }
    }
    readings.sort_by_key(|(_, score)| std::cmp::Reverse(*score));
    (length > 0).then_some(Named { readings, length })
}

/// What else people call the things that tables are often named after.
fn relation_synonyms(last: &str) -> &'static [&'static str] {
    match last {
        "customer" => &["clients", "buyers"],
        "client" => &["customers"],
        "order" => &["purchases"],
        "employee" => &["workers"],
        "product" => &["articles"],
        "film" => &["movies"],
        "movie" => &["films"],
        "person" => &["people"],
        "supplier" => &["vendors"],
        "vendor" => &["suppliers"],
        _ => &[],
    }
}

/// Endings of column names (stemmed) and what else people say for them.
const COLUMN_SYNONYMS: &[(&str, &str)] = &[
    ("email", "mail"),
    ("email", "email address"),
    ("email address", "email"),
    ("phone", "phone number"),
    ("phone number", "phone"),
    ("phone", "telephone"),
    ("phone", "telephone number"),
    ("telephone", "phone"),
    ("date of birth", "birth date"),
    ("date of birth", "birthday"),
    ("birth date", "birthday"),
    ("dob", "birth date"),
    ("dob", "date of birth"),
    ("birth date", "date of birth"),
    ("firstname", "first name"),
    ("lastname", "last name"),
    ("surname", "last name"),
    ("family name", "last name"),
    ("fname", "first name"),
    ("lname", "last name"),
    ("zip", "zip code"),
    ("zip code", "zip"),
    ("zipcode", "zip code"),
    ("postal code", "zip code"),
    ("qty", "quantity"),
    ("title", "name"),
    ("color", "colour"),
    ("sex", "gender"),
    ("gender", "sex"),
    ("id", "identifier"),
    ("desc", "description"),
    ("amt", "amount"),
    ("dept", "department"),
    ("detail", "description"),
];
