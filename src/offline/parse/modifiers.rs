//! What follows the head, in any order: groups, orders, limits, dates, conditions, further things to show.

use super::Parser;

/// Words that say nothing by themselves once every rule has had its chance.
const FILLERS: &[&str] = &[
    "in total",
    "in the database",
    "in our database",
    "in the system",
    "in this database",
    "are there",
    "is there",
    "were there",
    "do we have",
    "did we have",
    "do we",
    "did we",
    "we have",
    "we had",
    "we",
    "there",
    "the",
    "are",
    "is",
    "was",
    "were",
    "do",
    "does",
    "did",
    "have",
    "has",
    "had",
    "please",
    "altogether",
    "overall",
    "exist",
    "also",
    "and",
    ",",
    ";",
    "i",
    "you",
    "respectively",
    "too",
    "as well",
    "that",
    "which",
    "who",
    "been",
    "currently",
    "now",
    "only",
    "just",
    "for me",
    "us",
    "instead",
    "but",
    "so far",
    "to date",
    "ever",
    "being",
    "get",
    "got",
    "can",
    "be",
];

impl Parser<'_, '_> {
    /// Takes modifiers to the end of the question.
    pub(super) fn modifiers(&mut self) {
        while !self.done() {
            if self.modifier() {
                continue;
            }
            if self.take(FILLERS) {
                continue;
            }
            if let Some(token) = self.token(0) {
                let text = token.text.clone();
                if !text.is_empty()
                    && token.stem.is_empty()
                    && token.kind == super::super::tokens::TokenKind::Symbol
                {
                    // A stray symbol: only those that compare carry meaning.
                    if !matches!(text.as_str(), "," | ";" | "-") {
                        self.unknown.push(text);
                    }
                } else {
                    self.unknown.push(text);
                }
            }
            self.at += 1;
        }
    }

    fn modifier(&mut self) -> bool {
        self.order()
            || self.limit()
            || self.each_has()
            || self.group()
            || self.period_condition()
            || self.clause()
            || self.further_output()
            || self.quantity()
            || self.prepositional()
            || self.adverbial()
            || self.attached_relation()
    }

    /// "over 1000 euros", "cheaper than 10": without a clause.
    fn quantity(&mut self) -> bool {
        match self.attempt(|p| p.quantity_first(false)) {
            Some(condition) => {
                self.require(condition);
                true
            }
            None => false,
        }
    }

    fn limit(&mut self) -> bool {
        self.attempt(|p| {
            p.take(&[
                "limit to",
                "limit",
                "limited to",
                "top",
                "only the top",
                "only the first",
                "show only the top",
                "show the top",
                "first",
            ])
            .then_some(())?;
            let descending = p.tokens.get(p.at - 1).is_some_and(|t| t.lower == "top");
            let count = p.count()?;
            p.query.limit = Some(count);
            if descending && p.query.orders.is_empty() && !p.is_fragment {
                p.pending_top = Some(true);
            }
            p.take(&["rows", "results", "only", "of them"]);
            Some(())
        })
        .is_some()
    }

    /// "does each customer have", "did each store make".
    fn each_has(&mut self) -> bool {
        self.attempt(|p| {
            p.take(&[
                "does each",
                "do each",
                "did each",
                "has each",
                "is each",
                "were in each",
                "are in each",
                "are there in each",
                "are there for each",
                "are there per",
                "for each",
                "each",
            ])
            .then_some(())?;
            p.at -= 1;
            p.group().then_some(())?;
            p.take(&[
                "have", "has", "had", "own", "make", "made", "get", "got", "contain", "hold",
                "place", "placed", "offer", "in total",
            ]);
            Some(())
        })
        .is_some()
    }

    /// Something more to show: "and the number of orders", "along with their names".
    fn further_output(&mut self) -> bool {
        self.attempt(|p| {
            let joined = p.take(&[
                ", and",
                ", as well as",
                "along with",
                "together with",
                "as well as",
                "and also",
                "including",
                "and",
                ",",
                "with",
            ]);
            if !joined || p.is_fragment {
                return None;
            }
            p.take(&[
                "also show",
                "show",
                "list",
                "return",
                "give",
                "also",
                "find",
                "what is",
                "what are",
            ]);
            p.take(&["the", "their", "its", "his", "her"]);
            if p.value_follows() {
                return None;
            }
            let outputs = p.query.outputs.len();
            let known = p.query.subject;
            let conditions = p.query.conditions.len();
            let found = p.further_item();
            if known.is_some() {
                p.query.subject = known;
            }
            // A condition is not something to show: "and price above 10".
            if found && !p.comparison_follows() {
                return Some(());
            }
            p.query.outputs.truncate(outputs);
            p.query.conditions.truncate(conditions);
            None
        })
        .is_some()
    }

    /// "of customers", "by customers", "did customers place": another relation that only says whose.
    fn attached_relation(&mut self) -> bool {
        self.attempt(|p| {
            let verb = p.take(&["did", "do", "have", "does"]);
            if !verb {
                p.take(&[
                    "of",
                    "for",
                    "from",
                    "by",
                    "in",
                    "to",
                    "on",
                    "placed by",
                    "made by",
                    "written by",
                    "owned by",
                ])
                .then_some(())?;
            }
            p.determiners();
            let subject = p.query.subject?;
            let relation = p.described_relation()?;
            if p.value_follows() || !(relation == subject || p.belongs_to(subject, relation)) {
                return None;
            }
            if verb {
                p.take(&[
                    "have", "place", "make", "get", "buy", "write", "submit", "receive", "open",
                ]);
            }
            Some(())
        })
        .is_some()
    }

    /// "still open", "not yet shipped": a state without a clause.
    fn adverbial(&mut self) -> bool {
        self.attempt(|p| {
            let still = p.take(&["still", "currently", "now", "already", "yet"]);
            let negated = p.take(&["not yet", "not"]);
            let condition = p.state(negated)?;
            let _ = still;
            p.require(condition);
            Some(())
        })
        .is_some()
    }
}
