//! The rows of a query as PostgreSQL prints them, before any transport has shaped them.

/// A query's result: as many rows as the limits let through, and whether that was all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultSet {
    /// The columns in the order of the select list. Names may repeat.
    pub columns: Vec<ResultColumn>,
    /// The rows kept, each with one cell per column.
    pub rows: Vec<Vec<Cell>>,
    /// Why rows or cells are missing; `None` when the result is whole.
    pub truncation: Option<Truncation>,
}

/// One value in PostgreSQL's own text form (`DateStyle` ISO, UTF-8); `None` is NULL.
pub type Cell = Option<String>;

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultColumn {
    /// The output name, as PostgreSQL gives it. Not unique, may be `?column?`.
    pub name: String,
    /// The type's name as `format_type` prints it without a modifier, e.g. `integer`, `numeric`, `text[]`.
    pub type_name: String,
    /// What JSON can make of the type.
    pub kind: ValueKind,
}

/// The few families of types that JSON treats differently. Everything else is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// `smallint`, `integer`, `bigint`, `oid`.
    Integer,
    /// `numeric`: exact, may be `NaN` or infinite.
    Numeric,
    /// `real`, `double precision`.
    Float,
    /// `boolean`.
    Boolean,
    /// `date`.
    Date,
    /// `timestamp without time zone`.
    Timestamp,
    /// `timestamp with time zone`.
    TimestampTz,
    /// `time` with or without time zone.
    Time,
    /// `json`, `jsonb`.
    Json,
    /// Any other type, in its text form.
    Text,
}

/// Which limit cut a result. The first one that was hit is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// More rows than `rows_max`; the count of all of them is not known.
    Rows,
    /// More bytes than `result_bytes_max`.
    Bytes,
    /// All rows are here, but at least one cell was longer than `cell_bytes_max` and was cut.
    Cells,
}
