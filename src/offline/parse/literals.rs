//! Texts as values: quoted, or a run of capitalised words; and whether a value or a comparison comes next.

use super::super::query::{ColumnRef, Condition, Operator, Value};
use super::super::tokens::{Token, TokenKind};
use super::Parser;

impl Parser<'_, '_> {
    pub(super) fn value_then_name(&mut self, negated: bool) -> Option<Condition> {
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
