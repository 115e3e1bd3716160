//! Computed numbers: "average price", "total revenue", "minimum and maximum age", "order value".

use super::super::column_kind::ColumnKind;
use super::super::meaning;
use super::super::query::{ColumnRef, Function, Measure, Output, Target};
use super::Parser;

impl Parser<'_, '_> {
    /// One computed number, without its owner ("of the products").
    pub(super) fn measure(&mut self) -> Option<Measure> {
        self.determiners();
        if self.take(&[
            "number of",
            "total number of",
            "count of",
            "how many",
            "the number of",
        ]) {
            return self.counted();
        }
        if let Some(function) = self.function() {
            let of = self.take(&["of"]);
            self.determiners();
            if of && function == Function::Sum && !self.column_is_longer() {
                let total = self.attempt(Self::total_of_rows);
                if total.is_some() || self.sees_relation() {
                    return total;
                }
            }
            return self.operand(function);
        }
        if let Some(target) = self.money() {
            return Some(Measure {
                function: Function::Sum,
                of: target,
            });
        }
        None
    }

    /// "average, minimum and maximum price": several functions of one column.
    pub(super) fn several_measures(&mut self) -> Option<()> {
        let mut functions = vec![self.function()?];
        while self.take(&[", and", ",", "and"]) {
            self.take(&["the"]);
            functions.push(self.function()?);
        }
        if functions.len() < 2 {
            return None;
        }
        self.take(&["of"]);
        self.determiners();
        let start = self.at;
        for function in functions {
            self.at = start;
            let measure = self.operand(function)?;
            self.query.outputs.push(Output::Measure(measure));
        }
        Some(())
    }

    fn function(&mut self) -> Option<Function> {
        if self.take(&["average", "avg", "mean"]) {
            Some(Function::Average)
        } else if self.take(&["sum of", "sum", "total", "combined", "overall", "summed"]) {
            Some(Function::Sum)
        } else if self.take(&["minimum", "min", "lowest", "smallest", "least", "earliest"]) {
            Some(Function::Minimum)
        } else if self.take(&[
            "maximum", "max", "highest", "largest", "greatest", "biggest", "latest",
        ]) {
            Some(Function::Maximum)
        } else {
            None
        }
    }

    /// What a function is applied to.
    fn operand(&mut self, function: Function) -> Option<Measure> {
        if function == Function::Sum && self.take(&["number of", "count of"]) {
            return self.counted();
        }
        if let Some(column) = self.attempt(Self::number_of_column) {
            return Some(Measure {
                function,
                of: Target::Column(column),
            });
        }
        if self.column_is_longer()
            || self
                .vocabulary
                .relations_at(&self.tokens, self.at)
                .is_none()
        {
            if let Some(column) = self.attempt(|p| {
                let column = p.column_name()?;
                p.fitting(column, function)
            }) {
                return Some(Measure {
                    function,
                    of: Target::Column(column),
                });
            }
            if let Some(target) = self.money() {
                let sums = matches!(function, Function::Sum);
                return (sums || matches!(target, Target::Worth(_))).then_some(Measure {
                    function,
                    of: target,
                });
            }
            return None;
        }
        if let Some(target) = self.attempt(Self::money) {
            return (function == Function::Sum || matches!(target, Target::Worth(_))).then_some(
                Measure {
                    function,
                    of: target,
                },
            );
        }
        // "total orders" is how many there are; "average orders" is nothing yet.
        if function == Function::Sum && !self.column_is_longer() {
            let relation = self.attempt(Self::described_relation)?;
            // "total stock" is an amount.
            let last = self.tokens.get(self.at.checked_sub(1)?)?;
            (last.lower != last.stem).then_some(())?;
            self.show_nothing_of(relation);
            return Some(Measure {
                function: Function::Count,
                of: Target::Rows(relation),
            });
        }
        let column = self.column_name()?;
        let column = self.fitting(column, function)?;
        Some(Measure {
            function,
            of: Target::Column(column),
        })
    }

    /// "total of orders": what they are worth, not how many there are.
    fn total_of_rows(&mut self) -> Option<Measure> {
        let relation = self.described_relation()?;
        meaning::worth(self.vocabulary, relation)?;
        self.show_nothing_of(relation);
        Some(Measure {
            function: Function::Sum,
            of: Target::Worth(relation),
        })
    }

    fn sees_relation(&self) -> bool {
        self.vocabulary
            .relations_at(&self.tokens, self.at)
            .is_some()
    }

    fn show_nothing_of(&mut self, relation: usize) {
        if self.query.subject.is_none() {
            self.query.subject = Some(relation);
        }
    }

    /// "number of bedrooms" where a column holds that number.
    pub(super) fn number_of_column(&mut self) -> Option<ColumnRef> {
        self.take(&["number of", "count of", "amount of"])
            .then_some(())?;
        let thing = self.token(0)?.stem.clone();
        let names = [
            vec![thing.clone(), "count".to_owned()],
            vec!["num".to_owned(), thing.clone()],
            vec!["number".to_owned(), thing.clone()],
            vec!["number".to_owned(), "of".to_owned(), thing.clone()],
            vec!["no".to_owned(), "of".to_owned(), thing.clone()],
        ];
        let readings: Vec<_> = names
            .iter()
            .flat_map(|name| self.vocabulary.columns_called(name))
            .filter(|(id, _)| self.vocabulary.kind(*id).is_number())
            .collect();
        let said = self.said(self.at, 1);
        (!readings.is_empty()).then(|| {
            self.at += 1;
            ColumnRef { readings, said }
        })
    }

    /// Only columns that the function can be applied to.
    fn fitting(&self, mut column: ColumnRef, function: Function) -> Option<ColumnRef> {
        column.readings.retain(|(id, _)| {
            let kind = self.vocabulary.kind(*id);
            match function {
                Function::Sum | Function::Average => kind.is_number(),
                Function::Minimum | Function::Maximum => kind.is_number() || kind.is_moment(),
                Function::Count | Function::CountDistinct => kind != ColumnKind::Other,
            }
        });
        (!column.readings.is_empty()).then_some(column)
    }

    /// "revenue", "sales", "order value", "units sold".
    pub(super) fn money(&mut self) -> Option<Target> {
        if self.take(&[
            "units sold",
            "pieces sold",
            "quantity sold",
            "items sold",
            "quantity ordered",
        ]) {
            return Some(Target::Pieces);
        }
        let start = self.at;
        if let Some(relation) = self.relation_name() {
            if self.take(&[
                "value", "values", "size", "worth", "amount", "amounts", "total", "totals",
            ]) {
                return Some(Target::Worth(relation));
            }
            self.at = start;
        }
        if self
            .token(0)
            .is_some_and(|t| meaning::is_revenue_word(&t.stem))
        {
            self.at += 1;
            self.take(&["amount", "volume", "value"]);
            return Some(Target::Revenue);
        }
        None
    }
}
