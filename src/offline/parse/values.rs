//! Values whose column is not named, or stands beside them: "in Germany", "in the Rock genre", "named Ann", "order 5".

use super::super::dates::period_at;
use super::super::places::{country_named, country_of_adjective};
use super::super::query::{ColumnRef, Condition, Operator, Output, Value};
use super::super::tokens::{Token, TokenKind};
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

    fn place_name(&mut self, negated: bool) -> Option<Condition> {
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
    pub(super) fn focused(&self, condition: Condition) -> Condition {
        match condition {
            Condition::Choice {
                mut readings,
                negated,
            } => {
                if let Some(focus) = self.focus
                    && readings
                        .iter()
                        .any(|choice| choice.column.relation == focus)
                {
                    readings.retain(|choice| choice.column.relation == focus);
                }
                Condition::Choice { readings, negated }
            }
            Condition::Flag { column, value } => Condition::Flag {
                column: self.narrowed(column),
                value,
            },
            other => other,
        }
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
        let Value::Text { text, .. } = self.text_value(true)? else {
            return None;
        };
        (!negated).then_some(Condition::Named {
            relation: self.focus,
            text,
        })
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

    fn value_then_name(&mut self, negated: bool) -> Option<Condition> {
        let start = self.at;
        // The shortest text that a name follows: "Rock", "Heavy Metal".
        for length in 1..=4 {
            self.at = start + length;
            let said = self.spelled(start, length);
            let first = self.tokens.get(start)?;
            let capital = first.is_capitalised() || first.kind == TokenKind::Quoted;
            let known = self.vocabulary.columns_at(&self.tokens, start).is_some()
                || self.vocabulary.relations_at(&self.tokens, start).is_some();
            let proper = self.tokens.iter().skip(start).take(length).all(|token| {
                token.is_capitalised()
                    || matches!(token.kind, TokenKind::Number | TokenKind::Quoted)
                    || matches!(token.lower.as_str(), "of" | "the" | "de" | "&")
            });
            if !capital || known || !proper {
                return None;
            }
            let quoted = first.kind == TokenKind::Quoted;
            if !self.column_is_longer()
                && let Some(relation) = self.attempt(Self::relation_name)
            {
                // "'Herb' products" describes the products; it does not name one.
                let plural = self
                    .tokens
                    .get(self.at.checked_sub(1)?)
                    .is_some_and(|token| token.lower != token.stem);
                if plural || Some(relation) == self.query.subject {
                    return None;
                }
                return (!negated).then_some(Condition::Named {
                    relation: Some(relation),
                    text: said,
                });
            }
            if let Some(column) = self.attempt(Self::column_name) {
                let column = self.narrowed(column);
                let readings: Vec<_> = column
                    .readings
                    .iter()
                    .filter(|(id, _)| !self.vocabulary.kind(*id).is_number())
                    .cloned()
                    .collect();
                if readings.is_empty() {
                    return None;
                }
                let column = ColumnRef {
                    readings,
                    said: column.said,
                };
                let operator = if negated {
                    Operator::NotEqual
                } else {
                    Operator::Equal
                };
                return Some(Condition::Compare {
                    column,
                    operator,
                    value: Value::Text { text: said, quoted },
                });
            }
        }
        None
    }

    /// A text: in quotes, or a run of capitalised words; with `any` also one small word.
    pub(super) fn text_value(&mut self, any: bool) -> Option<Value> {
        let first = self.token(0)?.clone();
        if first.kind == TokenKind::Quoted {
            self.at += 1;
            return Some(Value::Text {
                text: first.text,
                quoted: true,
            });
        }
        if !first.is_capitalised() {
            let plain = first.kind == TokenKind::Word && any && !is_joint(&first);
            return plain.then(|| {
                self.at += 1;
                Value::Text {
                    text: first.text,
                    quoted: false,
                }
            });
        }
        let start = self.at;
        let mut end = start + 1;
        while let Some(token) = self.tokens.get(end) {
            let small = matches!(
                token.lower.as_str(),
                "of" | "de" | "la" | "the" | "van" | "von" | "&" | "-" | "/"
            );
            let after = self.tokens.get(end + 1).is_some_and(Token::is_capitalised);
            if token.is_capitalised() || token.kind == TokenKind::Number && !is_year(token) {
                end += 1;
            } else if small && after {
                end += 2;
            } else {
                break;
            }
        }
        let text = self.spelled(start, end - start);
        self.at = end;
        Some(Value::Text {
            text,
            quoted: false,
        })
    }

    /// A run of tokens as a value: with its blanks and dots, but without the full stop of the question.
    fn spelled(&self, start: usize, length: usize) -> String {
        let mut text = String::new();
        for (place, token) in self.tokens.iter().enumerate().skip(start).take(length) {
            if !text.is_empty() && token.spaced {
                text.push(' ');
            }
            text.push_str(&token.text);
            if place + 1 < self.tokens.len() {
                text.push_str(&token.dots);
            }
        }
        text
    }

    /// Whether a value comes next, so that the name before it was part of a condition.
    pub(super) fn value_follows(&self) -> bool {
        self.token(0).is_some_and(|token| {
            matches!(token.kind, TokenKind::Quoted | TokenKind::Number) || token.is_capitalised()
        })
    }

    /// Whether a comparison comes next: the column before it is compared, not shown.
    pub(super) fn comparison_follows(&self) -> bool {
        self.value_follows()
            || [
                "is",
                "are",
                "was",
                "were",
                "above",
                "over",
                "below",
                "under",
                "greater",
                "more",
                "less",
                "at least",
                "at most",
                "between",
                "equal",
                "higher",
                "lower",
                "larger",
                "smaller",
                "fewer",
                ">",
                "<",
                "=",
                ">=",
                "<=",
                "starting",
                "ending",
                "containing",
                "exceeding",
                "than",
                "before",
                "after",
                "since",
            ]
            .iter()
            .any(|phrase| self.sees(phrase))
    }
}

fn is_joint(token: &Token) -> bool {
    matches!(
        token.lower.as_str(),
        "and"
            | "or"
            | "the"
            | "a"
            | "an"
            | "in"
            | "of"
            | "by"
            | "with"
            | "for"
            | "from"
            | "to"
            | "not"
            | "no"
            | "is"
            | "are"
            | "that"
            | "which"
            | "who"
            | "either"
            | "any"
            | "all"
            | "each"
            | "more"
            | "less"
    )
}

fn is_year(token: &Token) -> bool {
    token.text.len() == 4
}
