//! Dates as conditions: "last month", "in March and April", "shipped since March"; and whose date a verb tells.

use super::super::calendar::DateRange;
use super::super::dates::period_at;
use super::super::meaning;
use super::super::query::{Condition, Operator, When};
use super::super::vocabulary::{ColumnId, RelationId};
use super::Parser;

impl Parser<'_, '_> {
    /// "last month", "in 2025", "shipped since March".
    pub(super) fn period_condition(&mut self) -> bool {
        match self.attempt(Self::period) {
            Some(condition) => {
                self.require(condition);
                true
            }
            None => false,
        }
    }

    /// A date condition, with the verb before it if there is one.
    pub(super) fn period(&mut self) -> Option<Condition> {
        self.take(&["and"]);
        self.take(&[
            "that were",
            "that was",
            "which were",
            "who were",
            "who have",
            "that have been",
            "that",
            "who",
            "which",
            "was",
            "were",
            "been",
            "had been",
            "have been",
        ]);
        let length = verb_length(self);
        let verb = self
            .token(0)
            .map(|token| token.lower.clone())
            .filter(|word| is_verb(word))
            .filter(|_| period_at(&self.tokens, self.at + length, self.today).is_some());
        let Some(verb) = verb else {
            let ranges = self.ranges()?;
            return Some(any_of(&ranges, &When::Default));
        };
        self.at += length;
        let start = self.at;
        let ranges = self.ranges()?;
        if meaning::verb_root(&verb) == "birth" && !self.says_year(start) {
            return None;
        }
        self.dated_by(&verb, &ranges)
    }

    /// The ranges of one or more date phrases: "in 2024 and 2025" is either of them. Those without an end narrow each
    /// other down instead, and stand alone.
    fn ranges(&mut self) -> Option<Vec<DateRange>> {
        let is_closed = |range: &DateRange| range.start.is_some() && range.end.is_some();
        let start = self.at;
        let (first, length) = period_at(&self.tokens, self.at, self.today)?;
        self.at += length;
        let first_says_year = self.says_year(start);
        let mut ranges = vec![first];
        while let Some(next) = self.attempt(|p| {
            p.take(&[", and", ", or", "and", "or", ","]).then_some(())?;
            let (range, length) = period_at(&p.tokens, p.at, p.today)?;
            p.at += length;
            (ranges.iter().all(is_closed) && is_closed(&range)).then_some(range)
        }) {
            ranges.push(next);
        }
        // "March and April 2025": whether the year is that of both is not known.
        let later_says_year = self.says_year(start);
        (ranges.len() == 1 || first_says_year == later_says_year).then_some(ranges)
    }

    /// Whether a year was written between `start` and the cursor.
    pub(super) fn says_year(&self, start: usize) -> bool {
        self.tokens.iter().take(self.at).skip(start).any(|token| {
            let digits = token.text.chars().filter(char::is_ascii_digit).count();
            digits >= 4
        })
    }

    /// The date that a verb tells, of what was spoken of last: "customers who signed up in 2025" by when each signed up;
    /// "customers who ordered in 2025" by when their orders were.
    fn dated_by(&mut self, verb: &str, ranges: &[DateRange]) -> Option<Condition> {
        let by_verb = When::Verb(verb.to_owned());
        let Some(owner) = self.focus.or(self.query.subject) else {
            return Some(any_of(ranges, &by_verb));
        };
        if let Some(column) = self.column_of_verb(owner, verb) {
            return Some(any_of(ranges, &When::Column(self.exactly(column))));
        }
        let root = meaning::verb_root(verb);
        let names_owner = meaning::relation_words(self.vocabulary, owner)
            .last()
            .is_some_and(|word| meaning::verb_root(word) == root);
        if !names_owner && let Some(relation) = self.relation_of_verb(verb) {
            return (Some(owner) == self.query.subject).then(|| Condition::Related {
                relation,
                operator: Operator::AtLeast,
                count: 1,
                conditions: vec![any_of(ranges, &by_verb)],
            });
        }
        if meaning::is_beginning(verb) {
            if tells_of_people(verb) && !self.is_person(owner) {
                return None;
            }
            let column = meaning::moment(self.vocabulary, owner)?;
            return Some(any_of(ranges, &When::Column(self.exactly(column))));
        }
        // Another's date: only where nothing but the subject was spoken of.
        (Some(owner) == self.query.subject).then(|| any_of(ranges, &by_verb))
    }

    fn column_of_verb(&self, relation: RelationId, verb: &str) -> Option<ColumnId> {
        let root = meaning::verb_root(verb);
        self.vocabulary.columns_of(relation).find(|id| {
            self.vocabulary.kind(*id).is_moment()
                && self
                    .vocabulary
                    .column_words(*id)
                    .iter()
                    .any(|word| meaning::verb_root(word) == root)
        })
    }

    /// Whether the rows are people or companies: something that can sign up.
    fn is_person(&self, relation: RelationId) -> bool {
        self.vocabulary.columns_of(relation).any(|id| {
            self.vocabulary
                .column_words(id)
                .iter()
                .any(|word| matches!(word.as_str(), "email" | "mail" | "phone" | "birth"))
        })
    }
}

/// At least one of the ranges.
fn any_of(ranges: &[DateRange], when: &When) -> Condition {
    let mut any: Vec<Condition> = ranges
        .iter()
        .map(|range| Condition::Period {
            when: when.clone(),
            range: *range,
        })
        .collect();
    match any.pop() {
        Some(only) if any.is_empty() => only,
        last => Condition::Any(any.into_iter().chain(last).collect()),
    }
}

/// What only somebody can do.
fn tells_of_people(verb: &str) -> bool {
    matches!(verb, "signed" | "joined" | "registered")
}

/// Whether a word looks like a past participle, the form that dates follow.
fn is_verb(lower: &str) -> bool {
    (lower.ends_with("ed") && lower.len() > 4)
        || matches!(
            lower,
            "made"
                | "paid"
                | "sold"
                | "bought"
                | "born"
                | "sent"
                | "written"
                | "built"
                | "begun"
                | "taken"
                | "due"
                | "won"
                | "held"
        )
        || meaning::is_beginning(lower)
}

/// "signed up" takes two tokens.
fn verb_length(parser: &Parser<'_, '_>) -> usize {
    1 + usize::from(matches!(parser.word(1), "up" | "out" | "off"))
}
