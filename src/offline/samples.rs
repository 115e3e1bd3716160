//! Questions that can be answered from a catalog: written from its names, and kept only if the engine itself answers them.

use crate::domain::schema::{RelationKind, Snapshot};

use super::column_kind::ColumnKind;
use super::meaning;
use super::tokens::tokenize;
use super::vocabulary::{ColumnId, RelationId, Vocabulary};

/// At most `count` questions, the most telling first; fewer when the catalog is small.
#[must_use]
pub fn sample_questions(snapshot: &Snapshot, count: usize) -> Vec<String> {
    let vocabulary = Vocabulary::new(snapshot);
    let mut relations: Vec<RelationId> = (0..snapshot.relations.len())
        .filter(|id| {
            vocabulary.relation(*id).is_some_and(|r| {
                r.kind != RelationKind::Partition && r.visible_columns().next().is_some()
            })
        })
        .collect();
    // Tables that others point at or that point at others tell more than lists of codes.
    relations.sort_by_key(|id| {
        let relation = vocabulary.relation(*id);
        let keys = relation.map_or(0, |r| r.foreign_keys.len());
        let rows = relation.and_then(|r| r.estimated_rows).unwrap_or(0);
        std::cmp::Reverse((rows.min(1), keys, rows))
    });
    let kinds: [fn(&Vocabulary<'_>, RelationId) -> Option<String>; 4] =
        [counted, by_choice, over_time, averaged];
    let mut questions: Vec<String> = Vec::new();
    for round in 0..relations.len() {
        for (place, kind) in kinds.iter().enumerate() {
            // Each kind starts with another table, so that the first few differ in both.
            let Some(id) = relations.get((round * kinds.len() + place) % relations.len().max(1))
            else {
                continue;
            };
            if questions.len() >= count {
                return questions;
            }
            if let Some(question) = kind(&vocabulary, *id)
                && !questions.contains(&question)
                && is_answered(&question, &vocabulary)
            {
                questions.push(question);
            }
        }
    }
    questions
}

/// Whether the engine understands the question and can write it.
fn is_answered(question: &str, vocabulary: &Vocabulary<'_>) -> bool {
    // No sample speaks of a date that depends on today.
    super::parse::question(tokenize(question), vocabulary, chrono::NaiveDate::default())
        .and_then(|query| super::sql::write(&query, vocabulary))
        .is_ok()
}

fn called(vocabulary: &Vocabulary<'_>, id: RelationId) -> Option<String> {
    let name = &vocabulary.relation(id)?.name;
    Some(spoken(name))
}

fn spoken(name: &str) -> String {
    let mut words = String::new();
    let mut previous_small = false;
    for c in name.chars() {
        if c == '_' {
            words.push(' ');
            previous_small = false;
        } else {
            if previous_small && c.is_uppercase() {
                words.push(' ');
            }
            previous_small = c.is_lowercase();
            words.extend(c.to_lowercase());
        }
    }
    words
}

fn counted(vocabulary: &Vocabulary<'_>, id: RelationId) -> Option<String> {
    Some(format!("How many {} are there?", called(vocabulary, id)?))
}

fn by_choice(vocabulary: &Vocabulary<'_>, id: RelationId) -> Option<String> {
    let column = vocabulary.columns_of(id).find(|id| {
        vocabulary
            .column(*id)
            .is_some_and(|c| !c.choices.is_empty())
    })?;
    let column = spoken(&vocabulary.column(column)?.name);
    Some(format!(
        "How many {} are there by {column}?",
        called(vocabulary, id)?
    ))
}

fn over_time(vocabulary: &Vocabulary<'_>, id: RelationId) -> Option<String> {
    meaning::moment(vocabulary, id)?;
    Some(format!("Number of {} per month", called(vocabulary, id)?))
}

fn averaged(vocabulary: &Vocabulary<'_>, id: RelationId) -> Option<String> {
    let own = meaning::relation_words(vocabulary, id);
    let relation = vocabulary.relation(id)?;
    let is_key = |column: &ColumnId| {
        vocabulary.column(*column).is_none_or(|c| {
            relation.primary_key.contains(&c.name)
                || relation
                    .foreign_keys
                    .iter()
                    .any(|key| key.columns.contains(&c.name))
        })
    };
    let column = vocabulary
        .columns_of(id)
        .filter(|column| vocabulary.kind(*column) == ColumnKind::Decimal)
        .find(|column| !is_key(column))?;
    let column = meaning::short_words(vocabulary, column, &own).join(" ");
    Some(format!(
        "What is the average {column} of {}?",
        called(vocabulary, id)?
    ))
}
