//! A column compared with something: "price above 10", "the name is Ann", "email missing".

use super::super::dates::period_at;
use super::super::query::{ColumnRef, Condition, Function, Operator, Value, When};
use super::super::tokens::TokenKind;
use super::Parser;

impl Parser<'_, '_> {
    /// A column compared with something: "price above 10", "the name is Ann", "email missing".
    pub(super) fn comparison(&mut self, negated: bool) -> Option<Condition> {
        if let Some(found) = self.attempt(|p| p.quantity_first(negated)) {
            return Some(found);
        }
        if let Some(found) = self.attempt(|p| p.value_then_column(negated)) {
            return Some(found);
        }
        let column = self.condition_column()?;
        let mut negated = negated;
        if self.take(&[
            "is not",
            "are not",
            "was not",
            "were not",
            "does not",
            "do not",
            "did not",
            "not",
            "is no",
            "other than",
        ]) {
            negated = !negated;
        } else {
            self.take(&[
                "is",
                "are",
                "was",
                "were",
                "as",
                "being",
                "has",
                "have",
                "of either",
                "either",
            ]);
        }
        if self.take(&[
            "missing",
            "null",
            "unknown",
            "empty",
            "not set",
            "blank",
            "unset",
            "not known",
        ]) {
            return Some(Condition::Missing { column, negated });
        }
        if self.take(&["set", "known", "filled in", "given"]) {
            return Some(Condition::Missing {
                column,
                negated: !negated,
            });
        }
        if let Some(found) = self.attempt(|p| p.compared_column(&column, negated)) {
            return Some(found);
        }
        // "without email", "with a phone number": nothing said of its value.
        let plain = self.done()
            || self.sees("and")
            || self.sees("or")
            || (negated
                && ["in", "by", "sorted", "ordered", "per", ","]
                    .iter()
                    .any(|word| self.sees(word)));
        let previous = self
            .tokens
            .get(self.at.checked_sub(1)?)
            .map(|t| t.lower.clone())?;
        let focus = self.focus.or(self.query.subject);
        let own = column
            .readings
            .iter()
            .any(|(id, _)| Some(id.relation) == focus);
        if plain && own && !matches!(previous.as_str(), "is" | "are" | "not" | "was" | "were") {
            if column.readings.iter().any(|(id, _)| {
                self.vocabulary.kind(*id) == super::super::column_kind::ColumnKind::Boolean
            }) {
                return Some(Condition::Flag {
                    column,
                    value: !negated,
                });
            }
            return Some(Condition::Missing {
                column,
                negated: !negated,
            });
        }
        None
    }

    fn condition_column(&mut self) -> Option<ColumnRef> {
        self.determiners();
        let relation_length = self
            .vocabulary
            .relations_at(&self.tokens, self.at)
            .map_or(0, |n| n.length);
        let column = self.column_name()?;
        if relation_length >= column.said.split(' ').count() {
            // A relation by that name is counted or required, not compared, unless a value follows.
            self.value_follows().then_some(())?;
        }
        let column = if self.sees("of") {
            self.attempt(|p| {
                p.take(&["of"]);
                p.determiners();
                let relation = p.relation_name()?;
                let mut column = column.clone();
                column.readings.retain(|(id, _)| id.relation == relation);
                (!column.readings.is_empty()).then_some(column)
            })
            .unwrap_or(column)
        } else {
            column
        };
        Some(self.narrowed(column))
    }

    /// What follows a column: an operator and a value, or a bare value.
    fn compared_column(&mut self, column: &ColumnRef, negated: bool) -> Option<Condition> {
        let column = column.clone();
        if self.take(&["between", "in the range from", "ranging from", "from"]) {
            let low = self.number_value()?;
            self.take(&["and", "to"]).then_some(())?;
            let high = self.number_value()?;
            return Some(Condition::Between {
                column,
                low,
                high,
                negated,
            });
        }
        let moment = column
            .readings
            .iter()
            .any(|(id, _)| self.vocabulary.kind(*id).is_moment());
        if moment && !negated {
            self.take(&["is", "was"]);
            if let Some((range, length)) = period_at(&self.tokens, self.at, self.today) {
                let start = self.at;
                self.at += length;
                let said = column.said.to_lowercase();
                if said.contains("birth") && !self.says_year(start) {
                    return None;
                }
                return Some(Condition::Period {
                    when: When::Column(column),
                    range,
                });
            }
        }
        let text_operator = self.text_operator();
        if let Some(operator) = text_operator {
            self.take(&[
                "the word",
                "the letter",
                "the substring",
                "the string",
                "the text",
                "the phrase",
                "with",
                "letter",
                "a",
            ]);
            let Value::Text { text, quoted } = self.text_value(true)? else {
                return None;
            };
            let operator = if negated {
                operator.negated()?
            } else {
                operator
            };
            return Some(Condition::Compare {
                column,
                operator,
                value: Value::Text { text, quoted },
            });
        }
        let operator = self.operator();
        if operator.is_some()
            && let Some(function) = self.attempt(Self::average_of_all)
        {
            let operator = operator?;
            let operator = if negated {
                operator.negated()?
            } else {
                operator
            };
            return Some(Condition::Versus {
                column,
                operator,
                function,
            });
        }
        self.values(&column, operator.unwrap_or(Operator::Equal), negated)
    }

    /// "the average", "the average price", "the mean of all products".
    fn average_of_all(&mut self) -> Option<Function> {
        self.take(&["the", "its", "their"]);
        let function = if self.take(&["average", "mean", "avg"]) {
            Function::Average
        } else if self.take(&["minimum", "lowest", "smallest"]) {
            Function::Minimum
        } else if self.take(&["maximum", "highest", "largest"]) {
            Function::Maximum
        } else {
            return None;
        };
        self.attempt(|p| p.column_name().map(|_| ()));
        self.attempt(|p| {
            p.take(&["of all", "for all", "across all", "of"])
                .then_some(())?;
            p.determiners();
            let relation = p.relation_name()?;
            (Some(relation) == p.query.subject).then_some(())
        });
        self.done().then_some(function)
    }

    /// One or more values for a column: "Germany or France", "10".
    pub(super) fn values(
        &mut self,
        column: &ColumnRef,
        operator: Operator,
        negated: bool,
    ) -> Option<Condition> {
        let first = self.value_of(column, operator, negated)?;
        let mut any = vec![first];
        while let Some(next) = self.attempt(|p| {
            p.take(&["or", ", or", ","]).then_some(())?;
            let next = p.value_of(column, operator, negated)?;
            // "price 10, name Ann" goes on with another condition.
            (!p.comparison_follows()).then_some(next)
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

    fn value_of(
        &mut self,
        column: &ColumnRef,
        operator: Operator,
        negated: bool,
    ) -> Option<Condition> {
        let operator = if negated {
            operator.negated()?
        } else {
            operator
        };
        let has_choices = column.readings.iter().any(|(id, _)| {
            self.vocabulary
                .column(*id)
                .is_some_and(|c| !c.choices.is_empty())
        });
        if has_choices && matches!(operator, Operator::Equal | Operator::NotEqual) {
            let mut named = self.vocabulary.choices_at(&self.tokens, self.at)?;
            named
                .readings
                .retain(|(choice, _)| column.readings.iter().any(|(id, _)| *id == choice.column));
            if !named.readings.is_empty() {
                self.at += named.length;
                return Some(Condition::Choice {
                    readings: named
                        .readings
                        .into_iter()
                        .map(|(choice, _)| choice)
                        .collect(),
                    negated: operator == Operator::NotEqual,
                });
            }
            return None;
        }
        let numeric: Vec<_> = column
            .readings
            .iter()
            .filter(|(id, _)| self.vocabulary.kind(*id).is_number())
            .cloned()
            .collect();
        if let Some(number) = self.attempt(Self::number_value) {
            let readings = if numeric.is_empty() {
                column.readings.clone()
            } else {
                numeric
            };
            let column = ColumnRef {
                readings,
                said: column.said.clone(),
            };
            let operator = if matches!(operator, Operator::Equal)
                && self.take(&["or more", "or above", "or higher"])
            {
                Operator::AtLeast
            } else if matches!(operator, Operator::Equal)
                && self.take(&["or less", "or fewer", "or below", "or lower"])
            {
                Operator::AtMost
            } else {
                operator
            };
            return Some(Condition::Compare {
                column,
                operator,
                value: number,
            });
        }
        if !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return None;
        }
        let mut column = column.clone();
        column.readings.retain(|(id, _)| {
            !self.vocabulary.kind(*id).is_number()
                || self.token(0).is_some_and(|t| t.kind == TokenKind::Quoted)
        });
        if column.readings.is_empty() {
            return None;
        }
        let value = self.text_value(false)?;
        Some(Condition::Compare {
            column,
            operator,
            value,
        })
    }

    /// "Rock genre", "the Sales department", "credit card method": the value stands before the column.
    fn value_then_column(&mut self, negated: bool) -> Option<Condition> {
        self.determiners();
        let named = self.vocabulary.choices_at(&self.tokens, self.at)?;
        self.at += named.length;
        let column = self.column_name()?;
        let readings: Vec<_> = named
            .readings
            .into_iter()
            .map(|(choice, _)| choice)
            .filter(|choice| column.readings.iter().any(|(id, _)| *id == choice.column))
            .collect();
        (!readings.is_empty()).then_some(Condition::Choice { readings, negated })
    }
}
