//! "top 5", "most expensive", "the highest price", "the most orders": orders with a limit.

use super::super::meaning;
use super::super::query::{ColumnRef, Function, Measure, Order, OrderKey, Output, Target};
use super::super::tokens::{TokenKind, number_word};
use super::super::vocabulary::RelationId;
use super::Parser;

/// Adjectives, the stems of the columns that they compare, and whether the extreme is the largest value.
const ADJECTIVES: &[(&[&str], &[&str], bool)] = &[
    (
        &["most expensive", "priciest", "costliest", "most costly"],
        &["price", "unit price", "cost"],
        true,
    ),
    (
        &["cheapest", "least expensive"],
        &["price", "unit price", "cost"],
        false,
    ),
    (&["youngest"], &["age"], false),
    (&["oldest", "eldest"], &["age"], true),
    (&["heaviest"], &["weight", "weight kg", "mass"], true),
    (&["lightest"], &["weight", "weight kg", "mass"], false),
    (&["tallest"], &["height"], true),
    (
        &["shortest"],
        &["length", "duration", "height", "distance", "milliseconds"],
        false,
    ),
    (
        &["longest"],
        &["length", "duration", "distance", "milliseconds"],
        true,
    ),
    (
        &["largest", "biggest"],
        &["size", "population", "area", "capacity", "surface area"],
        true,
    ),
    (
        &["smallest"],
        &["size", "population", "area", "capacity", "surface area"],
        false,
    ),
    (&["most populous", "most populated"], &["population"], true),
    (
        &["least populous", "least populated"],
        &["population"],
        false,
    ),
    (
        &["highest rated", "best rated", "top rated"],
        &["rating", "score", "stars"],
        true,
    ),
    (
        &["lowest rated", "worst rated"],
        &["rating", "score", "stars"],
        false,
    ),
    (
        &["highest paid", "best paid"],
        &["salary", "wage", "pay"],
        true,
    ),
    (
        &["lowest paid", "worst paid"],
        &["salary", "wage", "pay"],
        false,
    ),
    (&["fastest"], &["speed", "max speed"], true),
    (&["slowest"], &["speed", "max speed"], false),
];

impl Parser<'_, '_> {
    /// "top 5 products", "the 3 cheapest products", "latest orders" where a list is asked for.
    pub(super) fn superlative_item(&mut self) -> Option<()> {
        self.attempt(|p| {
            p.determiners();
            let leading = p.count();
            if p.take(&["top", "best", "bottom", "worst"]) {
                let descending = matches!(
                    p.tokens.get(p.at - 1).map(|t| t.lower.as_str()),
                    Some("top" | "best")
                );
                let count = leading.or_else(|| p.count());
                let pieces = p.take(&[
                    "best - selling",
                    "best selling",
                    "selling",
                    "-selling",
                    "- selling",
                    "sold",
                ]);
                let plural = p.shown_thing()?;
                p.query.limit = count.or(if plural { None } else { Some(1) });
                if pieces {
                    p.rank(
                        OrderKey::Measure(Measure {
                            function: Function::Sum,
                            of: Target::Pieces,
                        }),
                        descending,
                    );
                } else {
                    p.pending_top = Some(descending);
                }
                return Some(());
            }
            if p.take(&[
                "most recent",
                "latest",
                "newest",
                "last",
                "earliest",
                "first",
            ]) {
                let said = p.tokens.get(p.at - 1).map(|t| t.lower.clone())?;
                let count = leading.or_else(|| p.count());
                let plural = p.shown_relation()?;
                p.query.limit = limit_of(count, plural);
                p.rank(
                    OrderKey::Moment,
                    !matches!(said.as_str(), "earliest" | "first"),
                );
                return Some(());
            }
            let (columns, descending) = p.adjective_phrase()?;
            let count = leading.or_else(|| p.count());
            let plural = p.shown_relation()?;
            let relation = p.focus?;
            let column = p.compared(relation, columns, descending)?;
            p.query.limit = limit_of(count, plural && count.is_some());
            p.query.orders.push(column);
            Some(())
        })
    }

    /// The columns that a superlative adjective compares.
    fn adjective_phrase(&mut self) -> Option<(&'static [&'static str], bool)> {
        ADJECTIVES
            .iter()
            .find_map(|(phrases, columns, descending)| {
                self.take(phrases).then_some((*columns, *descending))
            })
    }

    /// The order that an adjective means for a relation: by the only column that it can compare.
    fn compared(&self, relation: RelationId, names: &[&str], descending: bool) -> Option<Order> {
        let found = meaning::number_called(self.vocabulary, relation, names);
        if found.is_none() && names == ["age"] {
            // The older, the earlier born.
            let born = self
                .vocabulary
                .columns_of(relation)
                .find(|id| {
                    self.vocabulary.kind(*id).is_moment()
                        && self.vocabulary.column_words(*id).iter().any(|w| {
                            matches!(
                                w.as_str(),
                                "birth" | "birthday" | "birthdate" | "dob" | "born"
                            )
                        })
                })
                .or_else(|| meaning::moment(self.vocabulary, relation))?;
            return Some(Order {
                key: OrderKey::Column(self.exactly(born)),
                descending: !descending,
            });
        }
        Some(Order {
            key: OrderKey::Column(self.exactly(found?)),
            descending,
        })
    }

    /// The relation, or the column, that a superlative picks from. Whether it is a plural.
    fn shown_thing(&mut self) -> Option<bool> {
        if let Some(plural) = self.shown_relation() {
            return Some(plural);
        }
        let column = self.column_name()?;
        self.query.outputs.push(Output::Column(column));
        self.last_is_plural()
    }

    fn shown_relation(&mut self) -> Option<bool> {
        self.attempt(|p| {
            if p.column_is_longer() {
                return None;
            }
            let relation = p.described_relation()?;
            let plural = p.last_is_plural()?;
            p.show(relation);
            Some(plural)
        })
    }

    fn last_is_plural(&self) -> Option<bool> {
        let last = self.tokens.get(self.at.checked_sub(1)?)?;
        Some(last.lower != last.stem || last.lower == "staff")
    }

    /// "the most orders", "the highest price", "the largest number of items", "the fewest": in a condition.
    pub(super) fn superlative_condition(&mut self) -> bool {
        self.attempt(|p| {
            p.take(&["the"]);
            let count = p.top_count();
            if let Some(order) = p.attempt(|p| {
                let (columns, descending) = p.adjective_phrase()?;
                let relation = p.query.subject?;
                (p.done() || p.relation_name().is_none()).then_some(())?;
                p.compared(relation, columns, descending)
            }) {
                p.query.orders.push(order);
                p.query.limit = Some(count.unwrap_or(1));
                return Some(());
            }
            let descending = if p.take(&[
                "most",
                "highest",
                "largest",
                "greatest",
                "biggest",
                "maximum",
                "longest",
                "latest",
                "most recent",
            ]) {
                true
            } else if p.take(&[
                "least", "fewest", "lowest", "smallest", "minimum", "shortest", "earliest",
                "smallest",
            ]) {
                false
            } else {
                return None;
            };
            let said = p.tokens.get(p.at - 1).map(|t| t.lower.clone())?;
            let count = count.or_else(|| p.count()).unwrap_or(1);
            let key = p.ranked(&said)?;
            p.query.limit = Some(count);
            p.rank(key, descending);
            Some(())
        })
        .is_some()
    }

    fn top_count(&mut self) -> Option<u64> {
        self.attempt(|p| {
            p.take(&["top"]).then_some(())?;
            p.count()
        })
    }

    /// What "most" or "highest" ranks by.
    fn ranked(&mut self, said: &str) -> Option<OrderKey> {
        let counting = matches!(said, "most" | "least" | "fewest");
        if let Some(column) = self.attempt(Self::number_of_column) {
            return Some(OrderKey::Column(self.narrowed(column)));
        }
        if self.take(&["number of", "total number of", "amount of", "count of"]) {
            return self.counted_beside().map(OrderKey::Measure);
        }
        if let Some(measure) = self.attempt(Self::measure) {
            return Some(OrderKey::Measure(measure));
        }
        if let Some(target) = self.attempt(Self::money) {
            return Some(OrderKey::Measure(Measure {
                function: Function::Sum,
                of: target,
            }));
        }
        if !self.column_is_longer()
            && counting
            && let Some(measure) = self.attempt(Self::counted_beside)
        {
            return Some(OrderKey::Measure(measure));
        }
        let mut column: ColumnRef = self.column_name()?;
        column.readings.retain(|(id, _)| {
            self.vocabulary.kind(*id).is_number() || self.vocabulary.kind(*id).is_moment()
        });
        (!column.readings.is_empty()).then(|| OrderKey::Column(self.narrowed(column)))
    }

    /// A count of rows that belong to the subject, without becoming the subject.
    pub(super) fn counted_beside(&mut self) -> Option<Measure> {
        let subject = self.query.subject;
        let measure = self.counted();
        self.query.subject = subject;
        if let Some(subject) = subject {
            self.focus = Some(subject);
        }
        measure
    }

    pub(super) fn rank(&mut self, key: OrderKey, descending: bool) {
        self.query.orders.push(Order { key, descending });
    }

    /// A whole number here.
    pub(super) fn count(&mut self) -> Option<u64> {
        let token = self.token(0)?;
        let count = match token.kind {
            TokenKind::Number => token.text.parse().ok()?,
            TokenKind::Word => number_word(&token.lower)?,
            TokenKind::Quoted | TokenKind::Symbol => return None,
        };
        self.at += 1;
        Some(count)
    }
}

/// A singular is one; a plural without a number is all of them, in that order.
fn limit_of(count: Option<u64>, plural: bool) -> Option<u64> {
    count.or(if plural { None } else { Some(1) })
}
