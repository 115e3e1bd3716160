//! Further things to show, and whose they are: "names and emails of the customers".

use super::super::meaning;
use super::super::query::{Output, Query};
use super::super::vocabulary::RelationId;
use super::Parser;

impl Parser<'_, '_> {
    /// Further items after the first, and what they belong to.
    pub(super) fn more_items(&mut self) {
        let counts = matches!(self.query.outputs.as_slice(), [Output::Measure(_)]);
        loop {
            let start = self.at;
            if self.owner() {
                self.owned = true;
                continue;
            }
            self.owned |= counts;
            let joined = self.take(&[
                ", and",
                ", as well as",
                ",",
                "and",
                "as well as",
                "along with",
                "together with",
                "plus",
            ]);
            if joined && self.further_item() {
                continue;
            }
            self.at = start;
            return;
        }
    }

    /// An item after "and": one that does not begin a condition.
    pub(super) fn further_item(&mut self) -> bool {
        if self.sees("whose") || self.sees("that") || self.sees("who") {
            return false;
        }
        self.take(&[
            "also show",
            "also",
            "show",
            "return",
            "list",
            "give",
            "how many",
        ]);
        let outputs = self.query.outputs.len();
        // "how many students and teachers", "names of customers and suppliers": two questions in one.
        let is_other_thing =
            |query: &Query| matches!(query.outputs.get(outputs..), Some([Output::Relation(_)]));
        if self.item() {
            if !(self.owned && is_other_thing(&self.query)) {
                return true;
            }
            self.query.outputs.truncate(outputs);
        }
        false
    }

    /// "of the customers", "for all products": what the items so far belong to.
    fn owner(&mut self) -> bool {
        self.attempt(|p| {
            p.take(&[
                "belonging to",
                "of",
                "for",
                "from",
                "in",
                "on",
                "about",
                "across",
            ])
            .then_some(())?;
            if p.sees("each") || p.sees("every") {
                return None;
            }
            p.determiners();
            if p.take(&["each of", "each"]) {
                return None;
            }
            if p.column_is_longer() {
                return None;
            }
            let before = p.at;
            if let Some(()) = p.superlative_item() {
                return Some(());
            }
            p.at = before;
            let relation = p.described_relation()?;
            // "in order 5" and "in category Books" are conditions.
            if p.value_follows() {
                return None;
            }
            // "of customers and suppliers": two owners would need two queries.
            let another = p.attempt(|p| {
                p.take(&["and", "or", "and all", ","]).then_some(())?;
                p.determiners();
                (!p.column_is_longer()).then_some(())?;
                p.relation_name()
            });
            if another.is_some() {
                return None;
            }
            p.subject(relation);
            p.owned_by(relation)
        })
        .is_some()
    }

    /// Ties the columns said so far to the relation said to own them.
    pub(super) fn owned_by(&mut self, relation: RelationId) -> Option<()> {
        for at in 0..self.query.outputs.len() {
            let Some(Output::Column(column)) = self.query.outputs.get(at) else {
                continue;
            };
            if column
                .readings
                .iter()
                .any(|(id, _)| id.relation == relation)
            {
                let column = self.narrowed_to(column.clone(), relation);
                if let Some(output) = self.query.outputs.get_mut(at) {
                    *output = Output::Column(column);
                }
                continue;
            }
            // "names of orchestras": what they are called, and nothing that happens to be called "name" elsewhere.
            let generic = match column.said.to_lowercase().as_str() {
                "name" | "names" => meaning::label(self.vocabulary, relation),
                "date" | "dates" => meaning::moment(self.vocabulary, relation)
                    .into_iter()
                    .collect(),
                "code" | "codes" | "id" | "ids" | "description" | "descriptions" | "type"
                | "types" | "status" | "title" | "titles" | "number" | "numbers" | "details"
                | "detail" => Vec::new(),
                _ => continue,
            };
            // A thing without a name of its own goes by that of what it belongs to.
            if column.said.to_lowercase().starts_with("name")
                && generic == meaning::key(self.vocabulary, relation)
            {
                continue;
            }
            let [only] = generic.as_slice() else {
                return None;
            };
            let column = self.exactly(*only);
            if let Some(output) = self.query.outputs.get_mut(at)
                && !matches!(output, Output::Column(known) if known.readings == column.readings)
            {
                *output = Output::Column(column);
            }
        }
        Some(())
    }
}
