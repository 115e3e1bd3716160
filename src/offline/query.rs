//! What a question means, before it is known how to say it in SQL: what to show, of what, which, grouped and ordered how.
//! Columns may still have several readings; `resolve` picks one.

use super::calendar::{DateRange, Unit};
use super::vocabulary::{Choice, ColumnId, RelationId};

/// A whole question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// What the question is about, where it says so.
    pub(super) subject: Option<RelationId>,
    /// What it wants to see, in order.
    pub(super) outputs: Vec<Output>,
    /// What must hold.
    pub(super) conditions: Vec<Condition>,
    /// "per month", "by country".
    pub(super) groups: Vec<Group>,
    /// "sorted by", "top", "most".
    pub(super) orders: Vec<Order>,
    /// How many rows; `None` for all.
    pub(super) limit: Option<u64>,
    /// "different", "distinct".
    pub(super) distinct: bool,
    /// Every relation that it names: only these may be reached over several rows.
    pub(super) mentioned: Vec<RelationId>,
    /// Stems of all its words: they choose between keys and dates that differ only in name.
    pub(super) hints: Vec<String>,
}

/// One thing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// A column.
    Column(ColumnRef),
    /// A thing by its name, or all about it where nothing else is shown.
    Relation(RelationId),
    /// A computed number.
    Measure(Measure),
}

/// A column as it was said: every column that the words can name, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnRef {
    /// The readings with their scores.
    pub(super) readings: Vec<(ColumnId, u8)>,
    /// The words, for messages.
    pub(super) said: String,
}

/// A computed number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measure {
    /// How it is computed.
    pub(super) function: Function,
    /// Of what.
    pub(super) of: Target,
}

/// The aggregates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    /// `count`.
    Count,
    /// `count(DISTINCT …)`.
    CountDistinct,
    /// `sum`.
    Sum,
    /// `avg`, which leaves NULLs out.
    Average,
    /// `min`.
    Minimum,
    /// `max`.
    Maximum,
}

/// What a measure is computed of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Rows of a relation.
    Rows(RelationId),
    /// A column's values.
    Column(ColumnRef),
    /// Money taken, from whatever columns say it.
    Revenue,
    /// What one row of the relation is worth: "order value".
    Worth(RelationId),
    /// Pieces sold.
    Pieces,
}

/// What rows are grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Group {
    /// A column's values.
    Column(ColumnRef),
    /// The things of a relation.
    Relation(RelationId),
    /// Calendar periods of the column that says when; of a named one where there is one.
    Period(Unit, Option<ColumnRef>),
}

/// What rows are ordered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// The key.
    pub(super) key: OrderKey,
    /// Largest first.
    pub(super) descending: bool,
}

/// What an order compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OrderKey {
    /// A column.
    Column(ColumnRef),
    /// A computed number.
    Measure(Measure),
    /// The name of the subject, or of the groups.
    Name,
    /// The first computed number that is shown.
    Shown,
    /// The column that says when.
    Moment,
}

/// What must hold of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// A column compared with a value.
    Compare {
        /// The column.
        column: ColumnRef,
        /// How.
        operator: Operator,
        /// With what.
        value: Value,
    },
    /// A column within bounds, both included.
    Between {
        /// The column.
        column: ColumnRef,
        /// The lower bound.
        low: Value,
        /// The upper bound.
        high: Value,
        /// Whether it must lie outside.
        negated: bool,
    },
    /// A column holds one of the values that it can hold. Several columns may have such values.
    Choice {
        /// Every column and value that the words can mean.
        readings: Vec<Choice>,
        /// Whether it must hold another.
        negated: bool,
    },
    /// A column is NULL, or with `negated` is not.
    Missing {
        /// The column.
        column: ColumnRef,
        /// Whether it must have a value.
        negated: bool,
    },
    /// A yes-or-no column.
    Flag {
        /// The column.
        column: ColumnRef,
        /// What it must be.
        value: bool,
    },
    /// A date lies in a range.
    Period {
        /// The date column, or the verb that tells it ("shipped"), or nothing: the one that says when.
        when: When,
        /// The days.
        range: DateRange,
    },
    /// It lies in a place: a country, a city, whatever column there is.
    Place {
        /// The place as it was written.
        text: String,
        /// Whether it must lie elsewhere.
        negated: bool,
    },
    /// The thing itself, or one that it belongs to, has this name.
    Named {
        /// Whose name; `None` for the subject's.
        relation: Option<RelationId>,
        /// The name.
        text: String,
    },
    /// The row with this number as its key.
    Numbered {
        /// Whose key.
        relation: RelationId,
        /// The number.
        number: String,
    },
    /// Rows of another relation belong to it, as many as `operator` and `count` say.
    Related {
        /// The other relation.
        relation: RelationId,
        /// How the number compares.
        operator: Operator,
        /// With what number.
        count: u64,
        /// What must hold of the other rows.
        conditions: Vec<Condition>,
    },
    /// A column compared with an aggregate over the whole column.
    Versus {
        /// The column.
        column: ColumnRef,
        /// How.
        operator: Operator,
        /// Which aggregate.
        function: Function,
    },
    /// At least one of these.
    Any(Vec<Condition>),
}

/// Which moment of a row is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    /// The one that dates it.
    Default,
    /// The one that a verb names, by its stem: "shipped".
    Verb(String),
    /// A column by name.
    Column(ColumnRef),
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Greater.
    More,
    /// Greater or equal.
    AtLeast,
    /// Text begins with.
    StartsWith,
    /// Text ends with.
    EndsWith,
    /// Text contains.
    Contains,
    /// Text does not contain.
    ContainsNot,
}

impl Operator {
    /// What holds when this does not.
    pub(super) const fn negated(self) -> Option<Self> {
        Some(match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::AtLeast,
            Self::AtMost => Self::More,
            Self::More => Self::AtMost,
            Self::AtLeast => Self::Less,
            Self::Contains => Self::ContainsNot,
            Self::ContainsNot => Self::Contains,
            Self::StartsWith | Self::EndsWith => return None,
        })
    }
}

/// A value in a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A number, in decimal notation.
    Number(String),
    /// A text: exact when it was quoted, whatever its letter case otherwise.
    Text {
        /// The text.
        text: String,
        /// Whether it was in quotes.
        quoted: bool,
    },
}
