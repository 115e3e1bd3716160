//! Conditions about other rows: "more than 3 orders", "no orders", "orders in 2025"; and numbers that stand before what
//! they measure: "more than 100 points".

use super::super::column_kind::ColumnKind;
use super::super::joins;
use super::super::meaning;
use super::super::query::{Condition, Operator, Value};
use super::super::vocabulary::RelationId;
use super::Parser;

impl Parser<'_, '_> {
    /// "more than 3 orders", "at least one order", "exactly 2 cancelled orders", "3 or more orders".
    pub(super) fn counted_relation(&mut self, negated: bool) -> Option<Condition> {
        let verb = self.light_verb();
        let operator = self.operator();
        let count = self.count()?;
        let operator = self.trailing_operator(operator).unwrap_or(Operator::Equal);
        self.determiners();
        (!self.column_is_longer()).then_some(())?;
        let operator = if negated {
            operator.negated()?
        } else {
            operator
        };
        let found = self.related(operator, count)?;
        self.is_done_to(verb.as_deref(), &found).then_some(found)
    }

    /// Whether a verb can mean the way to other rows: nothing says that what lies between is what was "bought".
    fn is_done_to(&self, verb: Option<&str>, found: &Condition) -> bool {
        let (Some(subject), Condition::Related { relation, .. }) = (self.query.subject, found)
        else {
            return true;
        };
        verb.is_none_or(|verb| matches!(verb, "contain" | "contains" | "having"))
            || joins::path(self.vocabulary, subject, *relation, &self.query.hints)
                .is_some_and(|path| path.len() == 1)
    }

    /// "orders", "no orders", "any order in 2025".
    pub(super) fn existing_relation(&mut self, negated: bool) -> Option<Condition> {
        let verb = self.light_verb();
        self.determiners();
        let operator = if negated {
            Operator::Equal
        } else {
            Operator::AtLeast
        };
        let count = u64::from(!negated);
        if !self.column_is_longer()
            && let Some(found) = self.attempt(|p| p.related(operator, count))
        {
            return self.is_done_to(verb.as_deref(), &found).then_some(found);
        }
        // "never ordered": the verb names the relation.
        if let Some(verb) = verb {
            let relation = self.relation_of_verb(&verb)?;
            return self.finish_related(relation, operator, count, Vec::new());
        }
        let token = self.token(0)?.lower.clone();
        if token.ends_with("ed") {
            let relation = self.relation_of_verb(&token)?;
            self.at += 1;
            return self.finish_related(relation, operator, count, Vec::new());
        }
        None
    }

    /// A verb that says no more than that there is a row: "placed an order".
    fn light_verb(&mut self) -> Option<String> {
        let word = self.word(0).to_owned();
        let light = matches!(
            word.as_str(),
            "placed"
                | "place"
                | "made"
                | "make"
                | "bought"
                | "buy"
                | "submitted"
                | "written"
                | "wrote"
                | "received"
                | "opened"
                | "filed"
                | "own"
                | "owns"
                | "owned"
                | "ordered"
                | "booked"
                | "contain"
                | "contains"
                | "having"
                | "got"
        );
        light.then(|| {
            self.at += 1;
            word
        })
    }

    /// "ordered" names the orders.
    pub(super) fn relation_of_verb(&self, verb: &str) -> Option<RelationId> {
        let root = meaning::verb_root(verb);
        let mut found = (0..self.vocabulary.snapshot.relations.len()).filter(|id| {
            let words = meaning::relation_words(self.vocabulary, *id);
            matches!(words.as_slice(), [only] if meaning::verb_root(only) == root)
        });
        let relation = found.next()?;
        (found.next().is_none() && Some(relation) != self.query.subject).then_some(relation)
    }

    fn related(&mut self, operator: Operator, count: u64) -> Option<Condition> {
        let subject = self.query.subject;
        let outer = std::mem::take(&mut self.query.conditions);
        let relation = self.described_relation();
        let inner = std::mem::replace(&mut self.query.conditions, outer);
        let relation = relation?;
        if Some(relation) == subject || self.value_follows() {
            return None;
        }
        self.finish_related(relation, operator, count, inner)
    }

    /// A comparison of a column that the other relation has: "orders with shipping method FedEx".
    fn comparison_of(&mut self, relation: RelationId) -> Option<Condition> {
        self.take(&[
            "and with",
            "and",
            "with",
            "whose",
            "where",
            "that have",
            "having",
        ])
        .then_some(())?;
        let found = self.comparison(false)?;
        let column = if let Condition::Compare { column, .. }
        | Condition::Between { column, .. }
        | Condition::Missing { column, .. } = &found
        {
            column.readings.first()?.0
        } else if let Condition::Choice { readings, .. } = &found {
            readings.first()?.column
        } else {
            return None;
        };
        (column.relation == relation).then_some(found)
    }

    /// What is said of the other rows: dates and states right after them.
    fn finish_related(
        &mut self,
        relation: RelationId,
        operator: Operator,
        count: u64,
        mut conditions: Vec<Condition>,
    ) -> Option<Condition> {
        self.focus = Some(relation);
        loop {
            let more = self.attempt(|p| {
                if let Some(period) = p.attempt(Self::period) {
                    meaning::moment(p.vocabulary, relation)?;
                    return Some(period);
                }
                if let Some(condition) = p.attempt(|p| p.comparison_of(relation)) {
                    return Some(condition);
                }
                if let Some(condition) = p.attempt(|p| p.quantity_first(false)) {
                    return is_of(&condition, relation).then_some(condition);
                }
                p.take(&[
                    "that are",
                    "which are",
                    "that were",
                    "with",
                    "that is",
                    "in",
                ]);
                let state = p.attempt(|p| p.state(false));
                if let Some(Condition::Choice { readings, .. }) = &state
                    && readings
                        .iter()
                        .any(|choice| choice.column.relation == relation)
                {
                    return state.map(|condition| p.focused(condition));
                }
                None
            });
            match more {
                Some(condition) => conditions.push(condition),
                None => break,
            }
        }
        Some(Condition::Related {
            relation,
            operator,
            count,
            conditions,
        })
    }

    /// "more than 100 points", "over 30 years old", "older than 30", "over 100 euros".
    pub(super) fn quantity_first(&mut self, negated: bool) -> Option<Condition> {
        let adjective = self.word(0).to_owned();
        for (word, names, operator) in COMPARATIVES {
            if *word == adjective && self.word(1) == "than" {
                let subject = self.query.subject.or(self.focus)?;
                let column = meaning::number_called(self.vocabulary, subject, names)?;
                self.at += 2;
                let value = self.number_value()?;
                self.take(&[
                    "years old",
                    "years",
                    "year",
                    "euros",
                    "dollars",
                    "kg",
                    "km",
                    "miles",
                    "meters",
                    "cm",
                    "minutes",
                    "seconds",
                ]);
                let operator = if negated {
                    operator.negated()?
                } else {
                    *operator
                };
                return Some(Condition::Compare {
                    column: self.exactly(column),
                    operator,
                    value,
                });
            }
        }
        let operator = self.operator()?;
        if self.sees("between") {
            return None;
        }
        let number = self.number_value()?;
        let operator = if negated {
            operator.negated()?
        } else {
            operator
        };
        if self.take(&["euros", "euro", "dollars", "dollar", "eur", "usd", "pounds"])
            || self.done()
            || self.sees("in")
        {
            let subject = self.focus.or(self.query.subject)?;
            let worth = meaning::worth(self.vocabulary, subject)?;
            return Some(Condition::Compare {
                column: self.exactly(worth),
                operator,
                value: number,
            });
        }
        // A relation by that name is counted instead.
        if !self.column_is_longer()
            && self
                .vocabulary
                .relations_at(&self.tokens, self.at)
                .is_some()
        {
            return None;
        }
        let mut column = self.column_name()?;
        column
            .readings
            .retain(|(id, _)| self.vocabulary.kind(*id).is_number());
        if column.readings.is_empty() {
            return None;
        }
        Some(Condition::Compare {
            column: self.narrowed(column),
            operator,
            value: number,
        })
    }

    /// A comparison's words.
    pub(super) fn operator(&mut self) -> Option<Operator> {
        self.take(&["is", "are", "was", "were"]);
        if self.take(&[
            "greater than or equal to",
            "more than or equal to",
            "no less than",
            "not less than",
            "at least",
            "no fewer than",
            "a minimum of",
            ">=",
        ]) {
            Some(Operator::AtLeast)
        } else if self.take(&[
            "less than or equal to",
            "no more than",
            "not more than",
            "at most",
            "up to",
            "a maximum of",
            "<=",
        ]) {
            Some(Operator::AtMost)
        } else if self.take(&[
            "more than",
            "greater than",
            "larger than",
            "higher than",
            "bigger than",
            "longer than",
            "above",
            "over",
            "exceeding",
            "exceeds",
            "exceed",
            "in excess of",
            ">",
        ]) {
            Some(Operator::More)
        } else if self.take(&[
            "less than",
            "fewer than",
            "lower than",
            "smaller than",
            "shorter than",
            "below",
            "under",
            "<",
        ]) {
            Some(Operator::Less)
        } else if self.take(&["not equal to", "different from", "other than", "<>", "!="]) {
            Some(Operator::NotEqual)
        } else if self.take(&["equal to", "equals", "equal", "exactly", "=", "the same as"]) {
            Some(Operator::Equal)
        } else {
            None
        }
    }

    /// "3 or more".
    fn trailing_operator(&mut self, leading: Option<Operator>) -> Option<Operator> {
        if leading.is_some() {
            return leading;
        }
        if self.take(&["or more", "or above", "and more", "+"]) {
            Some(Operator::AtLeast)
        } else if self.take(&["or less", "or fewer"]) {
            Some(Operator::AtMost)
        } else {
            None
        }
    }

    /// Words that look into a text.
    pub(super) fn text_operator(&mut self) -> Option<Operator> {
        if self.take(&[
            "starting with",
            "starts with",
            "start with",
            "beginning with",
            "begins with",
            "begin with",
            "that starts with",
            "that start with",
        ]) {
            Some(Operator::StartsWith)
        } else if self.take(&[
            "ending with",
            "ends with",
            "end with",
            "ending in",
            "ends in",
        ]) {
            Some(Operator::EndsWith)
        } else if self.take(&[
            "containing",
            "contains",
            "contain",
            "including",
            "includes",
            "include",
            "like",
            "that contains",
            "that contain",
        ]) {
            Some(Operator::Contains)
        } else {
            None
        }
    }

    /// A number.
    pub(super) fn number_value(&mut self) -> Option<Value> {
        let start = self.at;
        let negative = self.take(&["-"]);
        let token = self.token(0)?.clone();
        let number = match token.kind {
            super::super::tokens::TokenKind::Number => token.text,
            super::super::tokens::TokenKind::Word => {
                super::super::tokens::number_word(&token.lower)?.to_string()
            }
            super::super::tokens::TokenKind::Quoted | super::super::tokens::TokenKind::Symbol => {
                self.at = start;
                return None;
            }
        };
        self.at += 1;
        let zeros = match self.word(0) {
            "thousand" => 3,
            "million" => 6,
            "billion" => 9,
            _ => 0,
        };
        self.at += usize::from(zeros > 0);
        let number = super::super::tokens::scaled(&number, zeros);
        Some(Value::Number(if negative {
            format!("-{number}")
        } else {
            number
        }))
    }

    /// Whether a yes-or-no column is called this: "active", "newsletter".
    pub(super) fn flag(&mut self) -> Option<Condition> {
        let start = self.at;
        let mut column = self.column_name()?;
        column
            .readings
            .retain(|(id, _)| self.vocabulary.kind(*id) == ColumnKind::Boolean);
        if column.readings.is_empty() {
            self.at = start;
            return None;
        }
        Some(Condition::Flag {
            column,
            value: true,
        })
    }
}

/// Whether a comparison is about a column of the relation.
fn is_of(condition: &Condition, relation: RelationId) -> bool {
    matches!(condition, Condition::Compare { column, .. }
        if column.readings.iter().any(|(id, _)| id.relation == relation))
}

/// Comparatives, the columns they compare, and how.
const COMPARATIVES: &[(&str, &[&str], Operator)] = &[
    ("older", &["age"], Operator::More),
    ("younger", &["age"], Operator::Less),
    ("heavier", &["weight", "weight kg"], Operator::More),
    ("lighter", &["weight", "weight kg"], Operator::Less),
    ("taller", &["height"], Operator::More),
    (
        "longer",
        &["length", "duration", "distance"],
        Operator::More,
    ),
    (
        "shorter",
        &["length", "duration", "distance", "height"],
        Operator::Less,
    ),
    ("cheaper", &["price", "unit price"], Operator::Less),
];
