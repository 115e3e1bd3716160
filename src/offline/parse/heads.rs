//! The beginning of a question: what it asks for, and of what.

use super::super::Misunderstanding;
use super::super::column_kind::ColumnKind;
use super::super::query::{
    ColumnRef, Condition, Function, Measure, Order, OrderKey, Output, Target,
};
use super::super::vocabulary::RelationId;
use super::Parser;

/// Words that only ask.
const LEADS: &[&str] = &[
    "please",
    "can you",
    "could you",
    "i would like to see",
    "i would like to know",
    "i want to see",
    "i want to know",
    "tell me about",
    "tell me",
    "show me",
    "give me",
    "let me see",
    "let me know",
    "let us see",
    "show us",
    "get me",
    "find out",
    "find me",
    "give us",
    "what is",
    "what are",
    "what was",
    "what were",
    "what",
    "which are",
    "which is",
    "which",
    "who are",
    "who is",
    "who was",
    "who were",
    "who",
    "show",
    "list out",
    "list",
    "display",
    "find",
    "return",
    "give",
    "get",
    "fetch",
    "retrieve",
    "compute",
    "calculate",
    "report",
    "provide",
    "determine",
    "a list of",
    "the list of",
    "list of",
    "me",
    "hi",
    "hello",
    "hey",
    ":",
];

/// Words that carry a question but are not what it is about.
const STRUCTURE: &[&str] = &[
    "the", "and", "for", "are", "was", "were", "how", "did", "all", "many", "much", "does",
    "average", "total", "number", "sum", "top", "most", "least", "highest", "lowest", "minimum",
    "maximum", "with", "from", "per", "have", "has", "each",
];

impl Parser<'_, '_> {
    /// Reads the head. Nothing that it asks for is an error.
    pub(super) fn head(&mut self) -> Result<(), Misunderstanding> {
        self.lead();
        if self.take(&["for", "in", "of", "from"]) {
            let grouped = (self.sees("each") || self.sees("every")) && self.group_list();
            if !grouped {
                self.at -= 1;
            } else {
                self.take(&[","]);
                self.lead();
            }
        }
        let counted = if self.take(&[
            "how many",
            "count the number of",
            "count of",
            "count",
            "the number of",
            "number of",
            "the total number of",
            "total number of",
            "the count of",
            "the total count of",
        ]) {
            let counted = self.counted();
            if counted.is_none() && self.sees_list_column() {
                return Err(Misunderstanding::new(
                    "Each row holds a whole list there, and I cannot count what is in it.",
                ));
            }
            counted
        } else {
            None
        };
        match counted {
            Some(measure) => {
                self.query.outputs.push(Output::Measure(measure));
                self.more_items();
            }
            None => {
                if self.take(&["how much", "how much money"]) {
                    self.take(&["money", "revenue"]);
                    self.query.outputs.push(Output::Measure(Measure {
                        function: Function::Sum,
                        of: Target::Revenue,
                    }));
                    self.take(&["revenue", "money"]);
                } else if !self.item() {
                    return Err(self.no_head());
                } else {
                    self.more_items();
                }
            }
        }
        Ok(())
    }

    fn lead(&mut self) {
        while self.take(LEADS) || self.take(&["also", "and", "now", "then", "so"]) {}
    }

    /// Whether a column of lists or documents is named here.
    fn sees_list_column(&self) -> bool {
        self.vocabulary
            .columns_at(&self.tokens, self.at)
            .is_some_and(|named| {
                named
                    .readings
                    .iter()
                    .all(|(id, _)| self.vocabulary.kind(*id) == ColumnKind::Other)
            })
    }

    fn no_head(&mut self) -> Misunderstanding {
        let known = |at: usize| {
            self.vocabulary.columns_at(&self.tokens, at).is_some()
                || self.vocabulary.relations_at(&self.tokens, at).is_some()
                || self.vocabulary.choices_at(&self.tokens, at).is_some()
        };
        let rest: Vec<String> = (self.at..self.tokens.len())
            .filter(|at| !known(*at))
            .filter_map(|at| self.tokens.get(at))
            .filter(|token| token.stem.len() > 2 && !STRUCTURE.contains(&token.lower.as_str()))
            .map(|token| token.text.clone())
            .take(1)
            .collect();
        if rest.is_empty() {
            return Misunderstanding::new(
                "I could not find anything in this question that this database knows about.",
            );
        }
        self.unknown = rest;
        self.not_understood()
    }

    /// What "how many" and "number of" count: rows, or the different values of a column.
    pub(super) fn counted(&mut self) -> Option<Measure> {
        self.attempt(|p| {
            let distinct_before = std::mem::take(&mut p.query.distinct);
            p.determiners();
            let distinct = std::mem::replace(&mut p.query.distinct, distinct_before);
            if !p.column_is_longer()
                && let Some(relation) = p.described_relation()
            {
                p.subject(relation);
                return Some(Measure {
                    function: Function::Count,
                    of: Target::Rows(relation),
                });
            }
            p.counted_column(distinct)
        })
    }

    /// Counting a yes-or-no column counts the rows where it holds; any other column's values are counted once each. A
    /// number is no thing to count: how many points there are is a sum, or a count of something else.
    fn counted_column(&mut self, distinct: bool) -> Option<Measure> {
        let mut column = self.column_name()?;
        let flags: Vec<_> = column
            .readings
            .iter()
            .filter(|(id, _)| self.vocabulary.kind(*id) == ColumnKind::Boolean)
            .copied()
            .collect();
        if let [(flag, _)] = flags.as_slice() {
            self.subject(flag.relation);
            self.require(Condition::Flag {
                column: self.exactly(*flag),
                value: true,
            });
            return Some(Measure {
                function: Function::Count,
                of: Target::Rows(flag.relation),
            });
        }
        // A list or a document is no value to count.
        column
            .readings
            .retain(|(id, _)| self.vocabulary.kind(*id) != ColumnKind::Other);
        column.readings.retain(|(id, _)| {
            distinct || !self.vocabulary.kind(*id).is_number() || self.is_key(*id)
        });
        (!column.readings.is_empty()).then_some(Measure {
            function: Function::CountDistinct,
            of: Target::Column(column),
        })
    }

    pub(super) fn subject(&mut self, relation: RelationId) {
        if self.query.subject.is_none() {
            self.query.subject = Some(relation);
        }
        self.focus = Some(relation);
    }

    /// One thing to show. It may bring conditions ("open tickets") and an order ("top 5 products") along.
    pub(super) fn item(&mut self) -> bool {
        self.attempt(|p| {
            p.determiners();
            if let Some(()) = p.superlative_item() {
                return Some(());
            }
            if p.attempt(Self::several_measures).is_some() {
                return Some(());
            }
            if p.take(&[
                "number of",
                "total number of",
                "count of",
                "total count of",
                "how many",
            ]) {
                let measure = p.counted()?;
                p.query.outputs.push(Output::Measure(measure));
                return Some(());
            }
            if let Some(measure) = p.attempt(Self::measure) {
                p.query.outputs.push(Output::Measure(measure));
                return Some(());
            }
            if p.take(&[
                "information about",
                "information of",
                "information on",
                "details of",
                "details about",
                "details for",
                "data about",
                "records of",
                "everything about",
                "list of",
            ]) {
                p.determiners();
                let relation = p.described_relation()?;
                // A column called "details" is what "details of" means.
                let word = p.vocabulary.columns_called(&["detail".to_owned()]);
                if word.iter().any(|(id, _)| id.relation == relation) {
                    return None;
                }
                p.show(relation);
                return Some(());
            }
            if p.coordinated_columns() {
                return Some(());
            }
            if !p.column_is_longer()
                && let Some(relation) = p.attempt(Self::described_relation)
            {
                p.show(relation);
                return Some(());
            }
            let column = p.column_name()?;
            // "who was the winner" does not ask for yes or no.
            let asks_yes_or_no = column
                .readings
                .iter()
                .all(|(id, _)| p.vocabulary.kind(*id) == ColumnKind::Boolean);
            if asks_yes_or_no && p.query.outputs.is_empty() {
                return None;
            }
            p.query.outputs.push(Output::Column(column));
            Some(())
        })
        .is_some()
    }

    /// Shows a relation, and makes it what the question is about if nothing else is.
    pub(super) fn show(&mut self, relation: RelationId) {
        self.query.outputs.push(Output::Relation(relation));
        self.subject(relation);
    }

    /// "first and last name", "start and end dates": two columns that share a word; "full name".
    fn coordinated_columns(&mut self) -> bool {
        self.attempt(|p| {
            let stem = |offset: usize| p.token(offset).map(|t| t.stem.clone());
            if p.word(1) == "and" || p.word(1) == "or" {
                let (first, second, shared) = (stem(0)?, stem(2)?, stem(3)?);
                let left = p.vocabulary.columns_called(&[first, shared.clone()]);
                let right = p.vocabulary.columns_called(&[second, shared]);
                if left.is_empty() || right.is_empty() {
                    return None;
                }
                for (offset, readings) in [(0, left), (2, right)] {
                    let said = format!("{} {}", p.said(p.at + offset, 1), p.said(p.at + 3, 1));
                    p.query
                        .outputs
                        .push(Output::Column(ColumnRef { readings, said }));
                }
                p.at += 4;
                return Some(());
            }
            if p.take(&["full names", "full name"]) {
                let first = p
                    .vocabulary
                    .columns_called(&["first".to_owned(), "name".to_owned()]);
                let last = p
                    .vocabulary
                    .columns_called(&["last".to_owned(), "name".to_owned()]);
                if first.is_empty() || last.is_empty() {
                    return None;
                }
                for (said, readings) in [("first name", first), ("last name", last)] {
                    let said = said.to_owned();
                    p.query
                        .outputs
                        .push(Output::Column(ColumnRef { readings, said }));
                }
                return Some(());
            }
            None
        })
        .is_some()
    }

    /// Adjectives and a relation: "open tickets", "German customers". The adjectives become conditions.
    pub(super) fn described_relation(&mut self) -> Option<RelationId> {
        self.attempt(|p| {
            let mut conditions = Vec::new();
            let relation = loop {
                let named = p
                    .vocabulary
                    .relations_at(&p.tokens, p.at)
                    .map_or(0, |n| n.length);
                let chosen = p
                    .vocabulary
                    .choices_at(&p.tokens, p.at)
                    .map_or(0, |n| n.length);
                if named >= chosen
                    && let Some(relation) = p.relation_name()
                {
                    break relation;
                }
                conditions.push(p.adjective()?);
            };
            // "customer orders": the first only says whose the second are.
            let relation = p
                .attempt(|p| {
                    if p.column_is_longer() {
                        return None;
                    }
                    let second = p.relation_name()?;
                    p.belongs_to(second, relation).then_some(second)
                })
                .unwrap_or(relation);
            p.focus = Some(relation);
            for condition in conditions {
                let condition = p.focused(condition);
                p.require(condition);
            }
            Some(relation)
        })
    }

    /// Whether each row of `child` belongs to one of `parent`.
    pub(super) fn belongs_to(&self, child: RelationId, parent: RelationId) -> bool {
        super::super::joins::path(self.vocabulary, child, parent, &self.query.hints)
            .is_some_and(|path| !path.is_empty() && path.iter().all(|step| !step.to_many))
    }

    /// "top" with nothing to rank by: by the number that is shown, if there is one.
    pub(super) fn rank_by_what_is_shown(
        &mut self,
        descending: bool,
    ) -> Result<(), Misunderstanding> {
        let shows_measure = self
            .query
            .outputs
            .iter()
            .any(|output| matches!(output, Output::Measure(_)));
        if !shows_measure {
            return Err(Misunderstanding::new(
                "The question asks for the top of a list, but does not say by what: add \u{201c}by \u{2026}\u{201d}, for example a price or a number of something.",
            ));
        }
        self.query.orders.push(Order {
            key: OrderKey::Shown,
            descending,
        });
        Ok(())
    }
}
