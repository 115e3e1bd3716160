//! Values whose column is not named, or stands beside them: "in Germany", "in the Rock genre", "named Ann", "order 5".

use super::super::column_kind::ColumnKind;
use super::super::dates::period_at;
use super::super::meaning;
use super::super::places::{country_named, country_of_adjective};
use super::super::query::{Condition, Operator, Output, Value};
use super::super::tokens::TokenKind;
use super::super::vocabulary::RelationId;
use super::Parser;

impl Parser<'_, '_> {
    /// "in Germany", "from Chicago", "in category Books", "named Ann", "not in Germany".
    pub(super) fn prepositional(&mut self) -> bool {
        match self.attempt(|p| {
            let negated = p.take(&["not", "but not", "except", "excluding", "outside"]);
            if let Some(found) = p.attempt(|p| p.named(negated)) {
                return Some(found);
            }
            if let Some(found) = p.attempt(|p| p.state_or_adjective(negated)) {
                return Some(found);
            }
            p.take(&[
                "living",
                "who live",
                "that live",
                "located",
                "based",
                "who are",
                "that are",
                "coming",
                "residing",
                "live",
                "lives",
            ]);
            if negated && let Some(found) = p.attempt(|p| p.place_name(true)) {
                return Some(found);
            }
            p.somewhere(negated)
        }) {
            Some(condition) => {
                self.require(condition);
                true
            }
            None => false,
        }
    }

    /// A preposition with a value.
    pub(super) fn somewhere(&mut self, negated: bool) -> Option<Condition> {
        // "in transit", "on hold": the preposition is part of the choice.
        if let Some(found) = self.attempt(|p| p.choice(negated)) {
            return Some(found);
        }
        let locates = self.take(&["only in", "in", "from", "at", "inside", "within"]);
        if !locates {
            self.take(&["only for", "of", "for", "on", "with", "to", "by"])
                .then_some(())?;
        }
        self.determiners();
        if let Some(found) = self.attempt(|p| p.value_beside_name(negated)) {
            return Some(found);
        }
        if let Some(found) = self.attempt(|p| p.choices(negated)) {
            return Some(found);
        }
        if locates {
            return self.place_list(negated);
        }
        self.owner_by_name(negated)
    }

    /// "Germany", "Germany or France".
    fn place_list(&mut self, negated: bool) -> Option<Condition> {
        let first = self.place_name(negated)?;
        let mut any = vec![first];
        while let Some(next) = self.attempt(|p| {
            p.take(&["and in", "or in", "and", "or"]).then_some(())?;
            p.place_name(negated)
        }) {
            any.push(next);
        }
        if any.len() == 1 {
            any.pop()
        } else if negated {
            None
        } else {
            Some(Condition::Any(any))
        }
    }

    /// Whether what was spoken of last says itself where it is, so that an unknown name can be a place.
    fn lies_somewhere(&self) -> bool {
        let Some(owner) = self.focus.or(self.query.subject) else {
            return false;
        };
        self.vocabulary.columns_of(owner).any(|id| {
            self.vocabulary
                .column_words(id)
                .iter()
                .any(|word| matches!(word.as_str(), "city" | "town"))
        })
    }

    fn place_name(&mut self, negated: bool) -> Option<Condition> {
        // "at Christmas" is no place.
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        if before.is_some_and(|token| token.lower == "at") {
            return None;
        }
        let is_city = self
            .tokens
            .iter()
            .any(|token| matches!(token.stem.as_str(), "city" | "town"));
        self.take(&["the"]);
        for length in [3, 2, 1] {
            let said = self.said(self.at, length);
            let whole = self.at + length <= self.tokens.len();
            if whole && country_named(&said).is_some() && (said != "us") {
                self.at += length;
                return Some(Condition::Place {
                    text: said,
                    negated,
                });
            }
        }
        if self
            .vocabulary
            .relations_at(&self.tokens, self.at)
            .is_some()
            || period_at(&self.tokens, self.at, self.today).is_some()
        {
            return None;
        }
        let Value::Text { text, quoted } = self.text_value(false)? else {
            return None;
        };
        if !(is_city || self.lies_somewhere()) {
            return None;
        }
        let proper = quoted || text.chars().next().is_some_and(char::is_uppercase);
        proper.then_some(Condition::Place { text, negated })
    }

    /// "the population of Angola": a proper name after what is asked of it. Only columns are asked of a thing by name.
    fn owner_by_name(&mut self, negated: bool) -> Option<Condition> {
        let columns_only = !self.query.outputs.is_empty()
            && self
                .query
                .outputs
                .iter()
                .all(|output| matches!(output, Output::Column(_)));
        let of = self
            .tokens
            .get(self.at.checked_sub(1)?)
            .is_some_and(|t| matches!(t.lower.as_str(), "of" | "for"));
        if negated || !columns_only || !of || self.query.subject.is_some() || self.is_fragment {
            return None;
        }
        let Value::Text { text, .. } = self.text_value(false)? else {
            return None;
        };
        self.done().then_some(Condition::Named {
            relation: None,
            text,
        })
    }

    /// One choice, or several joined by "or" or "and" where they are choices of the same column.
    fn choices(&mut self, negated: bool) -> Option<Condition> {
        let Condition::Choice {
            mut readings,
            negated,
        } = self.choice(negated)?
        else {
            return None;
        };
        while let Some(more) = self.attempt(|p| {
            p.take(&["and in", "or in", "or", "and", ","])
                .then_some(())?;
            let Condition::Choice { readings: more, .. } = p.choice(false)? else {
                return None;
            };
            more.iter()
                .any(|choice| readings.iter().any(|known| known.column == choice.column))
                .then_some(more)
        }) {
            readings.extend(more);
        }
        Some(Condition::Choice { readings, negated })
    }

    fn choice(&mut self, negated: bool) -> Option<Condition> {
        let named = self.vocabulary.choices_at(&self.tokens, self.at)?;
        self.at += named.length;
        let condition = Condition::Choice {
            readings: named
                .readings
                .into_iter()
                .map(|(choice, _)| choice)
                .collect(),
            negated,
        };
        Some(self.focused(condition))
    }

    /// Keeps the readings in the relation spoken of last, where there are any.
    pub(super) fn focused(&self, mut condition: Condition) -> Condition {
        if let Condition::Choice { readings, .. } = &mut condition
            && let Some(focus) = self.focus
            && readings
                .iter()
                .any(|choice| choice.column.relation == focus)
        {
            readings.retain(|choice| choice.column.relation == focus);
        }
        if let Condition::Flag { column, value } = condition {
            let column = self.narrowed(column);
            return Condition::Flag { column, value };
        }
        condition
    }

    /// A word before a noun that narrows it.
    pub(super) fn adjective(&mut self) -> Option<Condition> {
        self.attempt(|p| {
            let negated = p.take(&["non", "not"]);
            p.take(&["-"]);
            if let Some(found) = p.attempt(|p| {
                let found = p.choice(negated)?;
                // "high priority tickets": the column's name may follow.
                let Condition::Choice { readings, .. } = &found else {
                    return None;
                };
                let columns: Vec<_> = readings.iter().map(|choice| choice.column).collect();
                p.attempt(|p| {
                    let column = p.column_name()?;
                    column
                        .readings
                        .iter()
                        .any(|(id, _)| columns.contains(id))
                        .then_some(())
                });
                Some(found)
            }) {
                return Some(found);
            }
            if let Some(Condition::Flag { column, value }) = p.attempt(Self::flag) {
                let column = p.narrowed(column);
                return Some(Condition::Flag {
                    column,
                    value: value != negated,
                });
            }
            let country = country_of_adjective(p.word(0))?;
            p.at += 1;
            Some(Condition::Place {
                text: country.name.to_owned(),
                negated,
            })
        })
    }

    fn state_or_adjective(&mut self, negated: bool) -> Option<Condition> {
        negated.then_some(())?;
        let condition = self.state(true)?;
        // "excluding cancelled orders": the noun again says nothing new.
        self.attempt(|p| {
            let relation = p.relation_name()?;
            (Some(relation) == p.query.subject
                || p.query.subject.is_none_or(|s| p.belongs_to(s, relation)))
            .then_some(())
        });
        self.take(&["ones"]);
        Some(condition)
    }

    /// "named Ann", "called \"X\"", "titled X".
    fn named(&mut self, negated: bool) -> Option<Condition> {
        self.take(&[
            "named",
            "called",
            "titled",
            "with the name",
            "with name",
            "with the title",
            "with title",
        ])
        .then_some(())?;
        let Value::Text { text, quoted } = self.text_value(true)? else {
            return None;
        };
        if negated {
            return None;
        }
        let first_name = Value::Text {
            text: format!("{text} "),
            quoted: false,
        };
        let is_one_word = !quoted && !text.contains(' ');
        let whole = Condition::Named {
            relation: self.focus,
            text,
        };
        // "named Jonas" is also Jonas Weber.
        let owner = self.focus.or(self.query.subject)?;
        match meaning::label(self.vocabulary, owner).as_slice() {
            [label] if is_one_word && self.vocabulary.kind(*label) == ColumnKind::Text => {
                let begins = Condition::Compare {
                    column: self.exactly(*label),
                    operator: Operator::StartsWith,
                    value: first_name,
                };
                Some(Condition::Any(vec![whole, begins]))
            }
            _ => Some(whole),
        }
    }

    /// "category Books", "the Rock genre", "order 5", "country Germany", "department with id 5".
    fn value_beside_name(&mut self, negated: bool) -> Option<Condition> {
        if let Some(found) = self.attempt(|p| p.name_then_value(negated)) {
            return Some(found);
        }
        self.value_then_name(negated)
    }

    fn name_then_value(&mut self, negated: bool) -> Option<Condition> {
        if !self.column_is_longer()
            && let Some(found) = self.attempt(|p| {
                let relation = p.relation_name()?;
                p.take(&[
                    "named",
                    "called",
                    "number",
                    "no",
                    "id",
                    "with id",
                    "with the id",
                ]);
                p.thing(relation)
            })
        {
            return (!negated).then_some(found);
        }
        let column = self.column_name()?;
        let column = self.narrowed(column);
        let operator = self.operator().unwrap_or(Operator::Equal);
        self.values(&column, operator, negated)
    }

    /// One row of a relation, by its key or its name.
    fn thing(&mut self, relation: RelationId) -> Option<Condition> {
        let token = self.token(0)?.clone();
        if token.kind == TokenKind::Number {
            self.at += 1;
            return Some(Condition::Numbered {
                relation,
                number: token.text,
            });
        }
        let Value::Text { text, quoted } = self.text_value(false)? else {
            return None;
        };
        (quoted || text.chars().next().is_some_and(char::is_uppercase)).then_some(
            Condition::Named {
                relation: Some(relation),
                text,
            },
        )
    }
}
