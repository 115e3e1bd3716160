//! What `db-chat schema --json` prints and `db-chat guard --catalog` reads: the operator's view of the schema. It has the
//! fields of the schema endpoint and what the guard needs besides, hidden columns of visible tables included.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The version that is written, and the only one that is read.
pub const SCHEMA_DOCUMENT_VERSION: u32 = 1;

/// The schema under a policy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaDocument {
    /// [`SCHEMA_DOCUMENT_VERSION`].
    pub version: u32,
    /// The database's name.
    pub database: String,
    /// `server_version_num`, e.g. `150018`.
    pub server_version_num: u32,
    /// When the schema was read (RFC 3339, UTC).
    pub read_at: String,
    /// Changes whenever the schema does.
    pub fingerprint: String,
    /// The allowed relations, by schema and name.
    pub tables: Vec<TableDocument>,
    /// Enum and domain types, by schema and name.
    pub types: Vec<TypeDocument>,
    /// Names that the database defines itself, which therefore are not builtins.
    pub foreign_names: ForeignNamesDocument,
    /// The extensions that the policy allows.
    pub extensions: Vec<ExtensionDocument>,
    /// How many relations the policy hides.
    pub hidden_tables: usize,
}

/// A table or anything that is read like one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDocument {
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
    /// What kind of relation it is.
    pub kind: TableKindDocument,
    /// The owner's comment.
    pub comment: Option<String>,
    /// PostgreSQL's estimate; `null` when it has none.
    pub estimated_rows: Option<i64>,
    /// In the order of the table.
    pub columns: Vec<ColumnDocument>,
    /// Columns of the primary key; empty without one.
    pub primary_key: Vec<String>,
    /// Columns of each unique key.
    pub unique_keys: Vec<Vec<String>>,
    /// Foreign keys that start here.
    pub foreign_keys: Vec<ForeignKeyDocument>,
}

/// The kinds of relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKindDocument {
    /// An ordinary table.
    Table,
    /// A partitioned table.
    PartitionedTable,
    /// A partition.
    Partition,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A foreign table.
    ForeignTable,
}

/// A column.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDocument {
    /// The name.
    pub name: String,
    /// The type with its modifier, e.g. `numeric(12,2)`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The schema of the type.
    pub type_schema: String,
    /// `pg_type.typname`.
    pub type_internal_name: String,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// The owner's comment.
    pub comment: Option<String>,
    /// The only values it can hold, with their exact spelling.
    pub choices: Vec<String>,
    /// Hidden by the policy: known to the guard, shown to nobody else.
    pub hidden: bool,
}

/// A foreign key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKeyDocument {
    /// The constraint's name.
    pub name: String,
    /// Its columns, in key order.
    pub columns: Vec<String>,
    /// The schema of the table pointed at.
    pub target_schema: String,
    /// The name of the table pointed at.
    pub target_table: String,
    /// Its columns, in the same order.
    pub target_columns: Vec<String>,
}

/// An enum or domain type.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TypeDocument {
    /// An enum.
    Enum {
        /// The schema.
        schema: String,
        /// The name.
        name: String,
        /// The labels in order.
        labels: Vec<String>,
    },
    /// A domain.
    Domain {
        /// The schema.
        schema: String,
        /// The name.
        name: String,
        /// The type below it.
        base_type: String,
        /// The only values that it lets through; empty when it does not say.
        choices: Vec<String>,
    },
}

/// Names that the database defines itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignNamesDocument {
    /// Functions, procedures and aggregates.
    pub functions: BTreeSet<String>,
    /// Operator symbols.
    pub operators: BTreeSet<String>,
    /// Types.
    pub types: BTreeSet<String>,
    /// Casts, as pairs of source and target.
    pub casts: BTreeSet<(String, String)>,
    /// Those of them that PostgreSQL applies unasked.
    pub implicit_casts: BTreeSet<(String, String)>,
}

/// An extension and what it brought.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionDocument {
    /// Its name.
    pub name: String,
    /// The schema of its objects.
    pub schema: String,
    /// Functions and aggregates.
    pub functions: BTreeSet<String>,
    /// Operator symbols.
    pub operators: BTreeSet<String>,
    /// Types.
    pub types: BTreeSet<String>,
}
