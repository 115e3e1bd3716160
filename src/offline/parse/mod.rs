//! A question's tokens to a [`Query`], by a cursor that goes from left to right. What no rule takes is remembered: a
//! question with words that nobody understood has no answer.

mod comparisons;
mod conditions;
mod counting;
mod grouping;
mod heads;
mod literals;
mod measures;
mod modifiers;
mod owners;
mod periods;
mod superlatives;
mod values;

use chrono::NaiveDate;

use super::Misunderstanding;
use super::query::{ColumnRef, Condition, Query};
use super::tokens::{Token, TokenKind};
use super::vocabulary::{ColumnId, Named, RelationId, Vocabulary};

/// Reads a whole question.
pub(super) fn question(
    tokens: Vec<Token>,
    vocabulary: &Vocabulary<'_>,
    today: NaiveDate,
) -> Result<Query, Misunderstanding> {
    let mut parser = Parser::new(tokens, vocabulary, today);
    parser.head()?;
    parser.modifiers();
    parser.finish()
}

/// Reads what can stand without a head: the changes that a follow-up makes. The query has no outputs unless the
/// fragment names some.
pub(super) fn fragment(
    tokens: Vec<Token>,
    base: &Query,
    vocabulary: &Vocabulary<'_>,
    today: NaiveDate,
) -> Result<Query, Misunderstanding> {
    let mut parser = Parser::new(tokens, vocabulary, today);
    parser.focus = base.subject;
    parser.is_fragment = true;
    parser.modifiers();
    parser.finish()
}

/// The cursor and what it has gathered.
struct Parser<'v, 'a> {
    vocabulary: &'v Vocabulary<'a>,
    tokens: Vec<Token>,
    at: usize,
    today: NaiveDate,
    query: Query,
    /// The relation spoken of last: what the next words most likely belong to.
    focus: Option<RelationId>,
    /// "top" without what to rank by yet: whether the largest come first.
    pending_top: Option<bool>,
    /// Whether it has been said whose the things to show are.
    owned: bool,
    /// Words that no rule took.
    unknown: Vec<String>,
    /// Whether a follow-up's change is read.
    is_fragment: bool,
}

impl<'v, 'a> Parser<'v, 'a> {
    fn new(tokens: Vec<Token>, vocabulary: &'v Vocabulary<'a>, today: NaiveDate) -> Self {
        let hints = tokens
            .iter()
            .map(|t| t.stem.clone())
            .filter(|s| !s.is_empty())
            .collect();
        Self {
            vocabulary,
            tokens,
            at: 0,
            today,
            query: Query {
                hints,
                ..Query::default()
            },
            focus: None,
            pending_top: None,
            owned: false,
            unknown: Vec::new(),
            is_fragment: false,
        }
    }

    /// The query, if every word was understood.
    fn finish(mut self) -> Result<Query, Misunderstanding> {
        if !self.unknown.is_empty() {
            return Err(self.not_understood());
        }
        if let Some(descending) = self.pending_top.take() {
            self.rank_by_what_is_shown(descending)?;
        }
        super::caution::attached(&self.query, self.vocabulary)?;
        Ok(self.query)
    }

    fn not_understood(&self) -> Misunderstanding {
        let mut words: Vec<String> = Vec::new();
        for word in &self.unknown {
            let word = format!("\u{201c}{word}\u{201d}");
            if !words.contains(&word) && words.len() < 3 {
                words.push(word);
            }
        }
        let hint = self
            .unknown
            .first()
            .and_then(|word| self.vocabulary.nearest_word(&word.to_lowercase()))
            .map(|word| format!(" Did you mean \u{201c}{word}\u{201d}?"))
            .unwrap_or_default();
        Misunderstanding::new(format!(
            "I could not make sense of {} in this question, so I did not answer it by guessing.{hint}",
            super::sentence::listing(&words)
        ))
    }

    fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    fn token(&self, offset: usize) -> Option<&Token> {
        self.tokens.get(self.at + offset)
    }

    /// The word at an offset from the cursor, in lower case; empty for quoted texts and past the end.
    fn word(&self, offset: usize) -> &str {
        self.token(offset)
            .filter(|t| t.kind != TokenKind::Quoted)
            .map_or("", |t| t.lower.as_str())
    }

    /// Whether the words of `phrase` come next.
    fn sees(&self, phrase: &str) -> bool {
        phrase
            .split(' ')
            .enumerate()
            .all(|(offset, word)| self.word(offset) == word)
    }

    /// Steps over the first of the phrases that comes next.
    fn take(&mut self, phrases: &[&str]) -> bool {
        for phrase in phrases {
            if self.sees(phrase) {
                self.at += phrase.split(' ').count();
                return true;
            }
        }
        false
    }

    /// Runs a rule; when it does not apply, the cursor goes back to where it was.
    fn attempt<T>(&mut self, rule: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let focus = self.focus;
        let found = rule(self);
        if found.is_none() {
            self.at = start;
            self.focus = focus;
        }
        found
    }

    /// Steps over articles and words that only point.
    fn determiners(&mut self) {
        loop {
            if self.take(&["distinct", "different", "unique"]) {
                self.query.distinct = true;
            } else if !self.take(&[
                "all of the",
                "all the",
                "the",
                "a",
                "an",
                "all",
                "any",
                "our",
                "their",
                "its",
                "his",
                "her",
                "my",
                "your",
                "those",
                "these",
                "some",
                "existing",
                "corresponding",
                "respective",
            ]) {
                return;
            }
        }
    }

    /// A relation that is named here.
    fn relation_name(&mut self) -> Option<RelationId> {
        let named = self.vocabulary.relations_at(&self.tokens, self.at)?;
        let id = best_relation(&named)?;
        self.at += named.length;
        if !self.query.mentioned.contains(&id) {
            self.query.mentioned.push(id);
        }
        Some(id)
    }

    /// Whether a longer run of words names a column than names a relation.
    fn column_is_longer(&self) -> bool {
        let column = self
            .vocabulary
            .columns_at(&self.tokens, self.at)
            .map_or(0, |named| named.length);
        let relation = self
            .vocabulary
            .relations_at(&self.tokens, self.at)
            .map_or(0, |named| named.length);
        column > relation
    }

    /// A column that is named here. Readings in the relation spoken of last are preferred.
    fn column_name(&mut self) -> Option<ColumnRef> {
        let named = self.vocabulary.columns_at(&self.tokens, self.at)?;
        let said = self.said(self.at, named.length);
        self.at += named.length;
        Some(ColumnRef {
            readings: named.readings,
            said,
        })
    }

    /// The words from `at`, as they were written.
    fn said(&self, at: usize, length: usize) -> String {
        let words: Vec<&str> = self
            .tokens
            .iter()
            .skip(at)
            .take(length)
            .map(|t| t.text.as_str())
            .collect();
        words.join(" ")
    }

    /// Narrows a column to the relation spoken of last, where that has one of this name.
    fn narrowed(&self, mut column: ColumnRef) -> ColumnRef {
        if let Some(focus) = self.focus
            && column.readings.iter().any(|(id, _)| id.relation == focus)
        {
            column.readings.retain(|(id, _)| id.relation == focus);
        }
        column
    }

    /// Narrows a column to one relation.
    fn narrowed_to(&self, mut column: ColumnRef, relation: RelationId) -> ColumnRef {
        column.readings.retain(|(id, _)| id.relation == relation);
        column
    }

    /// A column reference of one column.
    fn exactly(&self, id: ColumnId) -> ColumnRef {
        ColumnRef {
            readings: vec![(id, 3)],
            said: self
                .vocabulary
                .column(id)
                .map(|column| column.name.clone())
                .unwrap_or_default(),
        }
    }

    fn require(&mut self, condition: Condition) {
        if !self.query.conditions.contains(&condition) {
            self.query.conditions.push(condition);
        }
    }
}

/// The relation that a run of words names: the only best one.
fn best_relation(named: &Named<RelationId>) -> Option<RelationId> {
    let (first, score) = *named.readings.first()?;
    let rivals = named
        .readings
        .iter()
        .filter(|(id, other)| *other == score && *id != first)
        .count();
    (rivals == 0).then_some(first)
}
