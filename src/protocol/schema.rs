//! The schema as a client may see it: the body of `GET /api/chat/schema-info/`. Hidden relations and
//! columns are counted, never named.

use schemars::JsonSchema;
use serde::Serialize;

/// Everything that may be asked about.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SchemaBody {
    /// The database's name.
    pub database: String,
    /// When the schema was read (RFC 3339, UTC).
    pub read_at: String,
    /// Changes whenever the schema does.
    pub fingerprint: String,
    /// By schema and name.
    pub tables: Vec<TableBody>,
    /// Which table points at which: one entry a foreign key between visible tables and columns.
    pub dependencies: Vec<DependencyBody>,
    /// How much is hidden.
    pub hidden: HiddenBody,
}

/// A table or anything that is read like one.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TableBody {
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
    /// `table`, `partitioned_table`, `partition`, `view`, `materialized_view` or `foreign_table`.
    pub kind: &'static str,
    /// The owner's comment.
    pub comment: Option<String>,
    /// PostgreSQL's estimate; `null` when it has none.
    pub estimated_rows: Option<i64>,
    /// In the order of the table.
    pub columns: Vec<SchemaColumnBody>,
    /// Columns of the primary key; empty without one, or where it has a hidden column.
    pub primary_key: Vec<String>,
    /// Columns of each unique constraint without hidden columns.
    pub unique_keys: Vec<Vec<String>>,
}

/// A column of a table.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SchemaColumnBody {
    /// The name.
    pub name: String,
    /// The type with its modifier, e.g. `numeric(12,2)`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// The owner's comment.
    pub comment: Option<String>,
    /// The only values it can hold, with their exact spelling; empty when the database does not say.
    pub choices: Vec<String>,
}

/// A foreign key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DependencyBody {
    /// `schema.name` of the table that points.
    pub from_table: String,
    /// Its columns, in key order.
    pub from_columns: Vec<String>,
    /// `schema.name` of the table pointed at.
    pub to_table: String,
    /// Its columns, in the same order.
    pub to_columns: Vec<String>,
}

/// How much the policy hides.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HiddenBody {
    /// Tables, views and the like.
    pub tables: usize,
    /// Columns of the tables above.
    pub columns: usize,
}
