//! "with …", "whose …", "that are …": what must hold.

use super::super::meaning;
use super::super::query::Condition;
use super::super::tokens::TokenKind;
use super::super::vocabulary::Choice;
use super::Parser;

/// Words that open a clause and say nothing else.
const OPENERS: &[&str] = &[
    "with",
    "having",
    "whose",
    "where",
    "that",
    "who",
    "which",
    "have",
    "has",
    "had",
    "are",
    "is",
    "was",
    "were",
    "without",
    "lacking",
    "do",
    "does",
    "did",
    "never",
    "not",
    "excluding",
    "except for",
    "except",
    "no",
    "but",
    "there are",
    "there is",
];

impl Parser<'_, '_> {
    /// A clause with one or more conditions, joined by "and" or "or".
    pub(super) fn clause(&mut self) -> bool {
        self.attempt(|p| {
            let opens = OPENERS.iter().any(|opener| p.sees(opener));
            opens.then_some(())?;
            if p.sees("with")
                || p.sees("whose")
                || p.sees("where")
                || p.sees("that")
                || p.sees("who")
                || p.sees("which")
                || p.sees("having")
                || p.sees("but")
            {
                p.at += 1;
            }
            p.restriction().then_some(())?;
            loop {
                let more = p.attempt(|p| {
                    p.take(&[", and", "and", ",", "but"]).then_some(())?;
                    p.take(&["that", "who", "which", "with", "whose", "where", "having"]);
                    p.restriction().then_some(())
                });
                if more.is_none() {
                    return Some(());
                }
            }
        })
        .is_some()
    }

    fn restriction(&mut self) -> bool {
        let superlative = self.attempt(|p| {
            p.take(&[
                "have",
                "has",
                "had",
                "is",
                "are",
                "was",
                "were",
                "there are",
                "own",
                "owns",
                "made",
                "placed",
                "received",
                "got",
                "contains",
                "contain",
            ]);
            p.superlative_condition().then_some(())
        });
        if superlative.is_some() {
            return true;
        }
        let Some(first) = self.attempt(Self::condition) else {
            return false;
        };
        let mut any = vec![first];
        while let Some(next) = self.attempt(|p| {
            p.take(&["or"]).then_some(())?;
            p.take(&["that", "who", "which", "with", "whose", "where", "having"]);
            p.condition()
        }) {
            any.push(next);
        }
        if any.len() == 1 {
            any.into_iter()
                .for_each(|condition| self.require(condition));
        } else {
            self.require(Condition::Any(any));
        }
        true
    }

    /// One condition.
    pub(super) fn condition(&mut self) -> Option<Condition> {
        let negated = self.auxiliaries();
        if let Some(found) = self.attempt(|p| p.comparison(negated)) {
            return Some(found);
        }
        if let Some(found) = self.attempt(|p| p.counted_relation(negated)) {
            return Some(found);
        }
        if let Some(found) = self.attempt(|p| p.state(negated)) {
            // "excluding cancelled orders": the noun again says nothing new.
            self.attempt(|p| {
                let relation = p.relation_name()?;
                let subject = p.query.subject;
                (subject.is_none() || subject == Some(relation)).then_some(())
            });
            return Some(found);
        }
        if !negated && let Some(found) = self.attempt(Self::period) {
            return Some(found);
        }
        if let Some(found) = self.attempt(|p| p.missing_event(negated)) {
            return Some(found);
        }
        if let Some(found) = self.attempt(|p| p.existing_relation(negated)) {
            return Some(found);
        }
        if let Some(found) = self.attempt(|p| {
            p.take(&[
                "living", "live", "lives", "located", "based", "situated", "residing", "reside",
            ]);
            p.somewhere(negated)
        }) {
            return Some(found);
        }
        None
    }

    /// Steps over helping verbs; whether they deny.
    fn auxiliaries(&mut self) -> bool {
        let mut negated = false;
        loop {
            if self.take(&[
                "do not have any",
                "does not have any",
                "did not have any",
                "do not have",
                "does not have",
                "did not have",
                "have no",
                "has no",
                "had no",
                "have not",
                "has not",
                "had not",
                "are not",
                "is not",
                "were not",
                "was not",
                "do not",
                "does not",
                "did not",
                "have never",
                "has never",
                "had never",
                "were never",
                "was never",
                "without any",
                "without",
                "with no",
                "lacking",
                "excluding",
                "except for",
                "except",
                "never",
                "not",
                "no",
            ]) {
                negated = true;
            } else if !self.take(&[
                "have been",
                "has been",
                "had been",
                "have",
                "has",
                "had",
                "are",
                "is",
                "were",
                "was",
                "been",
                "do",
                "does",
                "did",
                "there are",
                "there is",
                "also",
                "still",
                "currently",
                "a",
                "an",
                "the",
                "any",
                "their",
                "its",
            ]) {
                return negated;
            }
        }
    }

    /// A state: one of a column's choices, or a yes-or-no column: "open", "in transit", "active".
    pub(super) fn state(&mut self, negated: bool) -> Option<Condition> {
        if let Some(found) = self.attempt(|p| p.adjective()) {
            if let Condition::Choice {
                mut readings,
                negated: inner,
            } = found
            {
                while !(negated || inner)
                    && let Some(more) = self.other_choice()
                {
                    readings.extend(more);
                }
                return Some(Condition::Choice {
                    readings,
                    negated: negated != inner,
                });
            }
            if let Condition::Flag { column, value } = found {
                let value = value != negated;
                return Some(Condition::Flag { column, value });
            }
            if let Condition::Place {
                text,
                negated: inner,
            } = found
            {
                let negated = negated != inner;
                return Some(Condition::Place { text, negated });
            }
            return (!negated).then_some(found);
        }
        None
    }

    /// "not shipped", "never delivered", "not yet paid": the moment of the verb is missing. Without denial: it is there.
    fn missing_event(&mut self, negated: bool) -> Option<Condition> {
        self.take(&["yet"]);
        self.take(&["been", "yet been"]);
        let token = self.token(0)?.clone();
        if token.kind != TokenKind::Word
            || !token.lower.ends_with("ed") && token.lower != "paid" && token.lower != "sent"
        {
            return None;
        }
        let subject = self.query.subject?;
        let column = self
            .vocabulary
            .columns_of(subject)
            .filter(|id| self.vocabulary.kind(*id).is_moment())
            .find(|id| {
                self.vocabulary
                    .column_words(*id)
                    .iter()
                    .any(|word| meaning::verb_root(word) == meaning::verb_root(&token.lower))
            })?;
        self.at += 1;
        self.take(&["yet", "so far"]);
        Some(Condition::Missing {
            column: self.exactly(column),
            negated: !negated,
        })
    }

    /// "or delivered": another choice after "or".
    fn other_choice(&mut self) -> Option<Vec<Choice>> {
        self.attempt(|p| {
            p.take(&["or", ", or", ","]).then_some(())?;
            let named = p.vocabulary.choices_at(&p.tokens, p.at)?;
            p.at += named.length;
            Some(
                named
                    .readings
                    .into_iter()
                    .map(|(choice, _)| choice)
                    .collect(),
            )
        })
    }
}
