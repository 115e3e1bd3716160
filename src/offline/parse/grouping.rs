//! "per month", "by country", "for each customer", and "sorted by".

use super::super::calendar::Unit;
use super::super::query::{Function, Group, Measure, Order, OrderKey, Output, Target};
use super::Parser;

impl Parser<'_, '_> {
    /// A grouping, when one begins here.
    pub(super) fn group(&mut self) -> bool {
        self.attempt(|p| {
            if let Some(unit) = p.adverb() {
                p.query.groups.push(Group::Period(unit, None));
                return Some(());
            }
            let explicit = p.take(&[
                "grouped by",
                "group by",
                "broken down by",
                "split by",
                "for each",
                "for every",
                "in each",
                "in every",
                "of each",
                "from each",
                "on each",
                "at each",
                "within each",
                "by each",
                "to each",
                "across",
                "per",
                "each",
                "every",
            ]);
            if !explicit {
                p.take(&["by"]).then_some(())?;
                return p.by();
            }
            p.group_items().then_some(())
        })
        .is_some()
    }

    /// "each month, region": after "for".
    pub(super) fn group_list(&mut self) -> bool {
        self.attempt(|p| {
            p.take(&["each", "every"]).then_some(())?;
            p.take(&["of"]);
            p.group_items().then_some(())
        })
        .is_some()
    }

    fn adverb(&mut self) -> Option<Unit> {
        for (words, unit) in [
            ("daily", Unit::Day),
            ("weekly", Unit::Week),
            ("monthly", Unit::Month),
            ("quarterly", Unit::Quarter),
            ("yearly", Unit::Year),
            ("annually", Unit::Year),
        ] {
            if self.take(&[words]) {
                return Some(unit);
            }
        }
        None
    }

    fn group_items(&mut self) -> bool {
        let mut any = false;
        loop {
            let start = self.at;
            if any && !self.take(&[", and", ",", "and"]) {
                return true;
            }
            self.take(&["by", "per", "for each", "each"]);
            match self.attempt(Self::group_item) {
                Some(group) => {
                    if let Group::Relation(relation) = group {
                        self.prefer_owner(relation);
                    }
                    if !self.query.groups.contains(&group) {
                        self.query.groups.push(group);
                    }
                    any = true;
                }
                None => {
                    self.at = start;
                    return any;
                }
            }
        }
    }

    /// "names for every concert": columns that the grouping relation has are its columns.
    fn prefer_owner(&mut self, relation: super::super::vocabulary::RelationId) {
        for at in 0..self.query.outputs.len() {
            if let Some(Output::Column(column)) = self.query.outputs.get(at)
                && column
                    .readings
                    .iter()
                    .any(|(id, _)| id.relation == relation)
            {
                let column = self.narrowed_to(column.clone(), relation);
                if let Some(output) = self.query.outputs.get_mut(at) {
                    *output = Output::Column(column);
                }
            }
        }
    }

    fn group_item(&mut self) -> Option<Group> {
        self.determiners();
        self.take(&["calendar", "value of", "values of"]);
        if let Some(unit) = self.token(0).and_then(|t| Unit::named(&t.stem))
            && self
                .vocabulary
                .columns_at(&self.tokens, self.at)
                .is_none_or(|named| named.length <= 1)
        {
            let column = self.vocabulary.columns_at(&self.tokens, self.at);
            self.at += 1;
            // A column called "year" is taken before the calendar.
            if let Some(named) = column {
                let focus = self.query.subject;
                let own: Vec<_> = named
                    .readings
                    .into_iter()
                    .filter(|(id, score)| Some(id.relation) == focus && *score > 1)
                    .collect();
                if !own.is_empty() {
                    return Some(Group::Column(super::super::query::ColumnRef {
                        readings: own,
                        said: unit.as_str().to_owned(),
                    }));
                }
            }
            return Some(Group::Period(unit, None));
        }
        // "order month": the month of the order.
        if !self.column_is_longer()
            && let Some(relation) = self.attempt(|p| {
                let relation = p.relation_name()?;
                (p.word(0) != "month" && p.word(0) != "year").then_some(relation)
            })
        {
            self.take(&["name", "names"]);
            return Some(Group::Relation(relation));
        }
        let column = self.column_name()?;
        if self.take(&["of"]) {
            self.determiners();
            let relation = self.relation_name()?;
            let mut column = column;
            column.readings.retain(|(id, _)| id.relation == relation);
            return (!column.readings.is_empty()).then_some(Group::Column(column));
        }
        Some(Group::Column(column))
    }

    /// After "by": what to rank or sort by if it is a number, what to group by otherwise.
    fn by(&mut self) -> Option<()> {
        let ranked = self.pending_top;
        if let Some(key) = self.attempt(Self::ranking) {
            let descending = ranked.unwrap_or(true);
            self.pending_top = None;
            let direction = self.direction().unwrap_or(descending);
            self.rank(key, direction);
            return Some(());
        }
        if let Some(descending) = ranked {
            let mut column = self.attempt(Self::column_name)?;
            column.readings.retain(|(id, _)| {
                let kind = self.vocabulary.kind(*id);
                kind.is_number() || kind.is_moment()
            });
            if column.readings.is_empty() {
                return None;
            }
            self.pending_top = None;
            let column = self.narrowed(column);
            self.rank(OrderKey::Column(column), descending);
            return Some(());
        }
        let lists_only = matches!(self.query.outputs.as_slice(), [Output::Relation(_)]);
        if lists_only && let Some(direction) = self.attempt(Self::numeric_order) {
            self.query.orders.push(direction);
            return Some(());
        }
        if !self.group_items() {
            return None;
        }
        // "orders by status" asks how many there are of each.
        if let [Output::Relation(relation)] = self.query.outputs.as_slice() {
            let counted = Measure {
                function: Function::Count,
                of: Target::Rows(*relation),
            };
            self.query.outputs = vec![Output::Measure(counted)];
        }
        self.take(&["instead"]);
        Some(())
    }

    /// "by number of orders", "by revenue", "by average price".
    fn ranking(&mut self) -> Option<OrderKey> {
        self.determiners();
        if let Some(column) = self.attempt(Self::number_of_column) {
            return Some(OrderKey::Column(self.narrowed(column)));
        }
        if self.take(&["number of", "the number of", "count of", "total number of"]) {
            return self.counted_beside().map(OrderKey::Measure);
        }
        let subject = self.query.subject;
        let measure = self.attempt(Self::measure);
        self.query.subject = subject;
        measure.map(OrderKey::Measure)
    }

    /// A plain list by a number is that list in order of the number.
    fn numeric_order(&mut self) -> Option<Order> {
        let column = self.column_name()?;
        let mut column = self.narrowed(column);
        column.readings.retain(|(id, _)| {
            let kind = self.vocabulary.kind(*id);
            Some(id.relation) == self.query.subject
                && (kind.is_number() || kind.is_moment())
                && !self.is_key(*id)
        });
        if column.readings.is_empty() {
            return None;
        }
        let descending = self.direction().unwrap_or(false);
        Some(Order {
            key: OrderKey::Column(column),
            descending,
        })
    }

    pub(super) fn is_key(&self, id: super::super::vocabulary::ColumnId) -> bool {
        let Some(relation) = self.vocabulary.relation(id.relation) else {
            return false;
        };
        let Some(column) = self.vocabulary.column(id) else {
            return false;
        };
        relation.primary_key.contains(&column.name)
            || relation
                .foreign_keys
                .iter()
                .any(|key| key.columns.contains(&column.name))
    }

    /// "sorted by price descending", "in alphabetical order", "from highest to lowest".
    pub(super) fn order(&mut self) -> bool {
        self.attempt(|p| {
            p.take(&["and"]);
            if p.take(&[
                "alphabetically",
                "in alphabetical order",
                "in alphabetic order",
                "sorted alphabetically",
                "ordered alphabetically",
                "in lexicographical order",
                "in lexicographic order",
                "sorted in alphabetical order",
                "sorted in lexicographical order",
            ]) {
                let mut key = OrderKey::Name;
                if p.take(&["of", "by"]) {
                    p.determiners();
                    let column = p.column_name()?;
                    key = OrderKey::Column(p.narrowed(column));
                }
                p.rank(key, false);
                return Some(());
            }
            if p.take(&[
                "from highest to lowest",
                "from largest to smallest",
                "from high to low",
                "highest first",
                "largest first",
                "from most to least",
                "biggest first",
                "most first",
            ]) {
                p.rank(OrderKey::Shown, true);
                return Some(());
            }
            if p.take(&[
                "from lowest to highest",
                "from smallest to largest",
                "from low to high",
                "lowest first",
                "smallest first",
                "from least to most",
            ]) {
                p.rank(OrderKey::Shown, false);
                return Some(());
            }
            if p.take(&[
                "newest first",
                "latest first",
                "most recent first",
                "from newest to oldest",
            ]) {
                p.rank(OrderKey::Moment, true);
                return Some(());
            }
            if p.take(&[
                "oldest first",
                "earliest first",
                "from oldest to newest",
                "in chronological order",
                "chronologically",
            ]) {
                p.rank(OrderKey::Moment, false);
                return Some(());
            }
            let sorted = p.take(&[
                "sorted", "ordered", "order", "sort", "ranked", "rank", "arranged", "listed",
            ]);
            let mut descending = None;
            if p.take(&["in ascending", "ascending", "in increasing"]) {
                descending = Some(false);
                p.take(&["alphabetical"]);
                p.take(&["order"]);
            } else if p.take(&["in descending", "descending", "in decreasing"]) {
                descending = Some(true);
                p.take(&["alphabetical"]);
                p.take(&["order"]);
            } else if p.take(&["in the order", "in order"]) && !sorted {
                descending = Some(false);
            }
            if !sorted && descending.is_none() {
                return None;
            }
            if !p.take(&["by", "of", "on", "in order of", "according to", "based on"]) {
                // "in descending order" with nothing said: by what is shown.
                descending.map(|descending| p.rank(OrderKey::Shown, descending))?;
                return Some(());
            }
            loop {
                let key = p.order_key()?;
                let direction = p.direction().or(descending).unwrap_or(false);
                p.rank(key, direction);
                let more = p.attempt(|p| {
                    p.take(&["and then by", "then by", ", then", "and", ","])
                        .then_some(())?;
                    let before = p.at;
                    p.order_key()?;
                    p.at = before;
                    Some(())
                });
                if more.is_none() {
                    return Some(());
                }
            }
        })
        .is_some()
    }

    fn order_key(&mut self) -> Option<OrderKey> {
        self.determiners();
        if let Some(key) = self.attempt(Self::ranking) {
            return Some(key);
        }
        let superlative = self.attempt(|p| {
            p.take(&["count", "the count", "number", "frequency"])
                .then_some(OrderKey::Shown)
        });
        if superlative.is_some() {
            return superlative;
        }
        if self.take(&["date", "time"]) {
            self.at -= 1;
            if self.vocabulary.columns_at(&self.tokens, self.at).is_none() {
                self.at += 1;
                return Some(OrderKey::Moment);
            }
        }
        let column = self.column_name()?;
        Some(OrderKey::Column(self.narrowed(column)))
    }

    /// "descending", "from high to low", "in ascending order".
    fn direction(&mut self) -> Option<bool> {
        if self.take(&[
            "in descending order",
            "descending",
            "desc",
            "in decreasing order",
            "from highest to lowest",
            "from high to low",
            "from largest to smallest",
            "highest first",
            "largest first",
            "from most to least",
            ", descending",
            ", highest first",
        ]) {
            Some(true)
        } else if self.take(&[
            "in ascending order",
            "ascending",
            "asc",
            "in increasing order",
            "from lowest to highest",
            "from low to high",
            "from smallest to largest",
            "lowest first",
            "smallest first",
            "alphabetically",
            "in alphabetical order",
            ", ascending",
        ]) {
            Some(false)
        } else {
            None
        }
    }
}
