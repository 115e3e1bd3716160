//! The database's structure: as PostgreSQL has it (`Catalog`), and as the policy lets it be seen (`Snapshot`).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

/// Everything that was read from PostgreSQL's catalogs, before any policy. Only the guard's policy
/// looks at it; all else works on the [`Snapshot`] made of it.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The database's name.
    pub database: String,
    /// `server_version_num`, e.g. `150018`.
    pub server_version_num: u32,
    /// Changes whenever anything below does; equal text means that nothing has to be read again.
    pub fingerprint: String,
    /// When it was read.
    pub read_at: DateTime<Utc>,
    /// Tables, views, materialized views, partitioned and foreign tables outside the system schemas, by schema and name.
    pub relations: Vec<Relation>,
    /// How far row-level security keeps the rows of each relation apart, by schema and name; what is not there: not at all.
    pub row_security: BTreeMap<(String, String), RowSecurity>,
    /// Enum and domain types outside the system schemas, by schema and name.
    pub types: Vec<NamedType>,
    /// Names that the database defines outside `pg_catalog`, which therefore are not builtins any more.
    pub foreign_names: ForeignNames,
    /// Installed extensions, by name.
    pub extensions: Vec<Extension>,
}

/// Row-level security of a relation. A view has it when it looks with its reader's rights (`security_invoker`), at nothing that
/// lacks it; what has no rows of a table's own, such as a materialized view, never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowSecurity {
    /// Switched on, but not for the role that reads: it is the owner, a superuser or has BYPASSRLS.
    Enabled,
    /// Switched on for the role that reads.
    Active,
}

/// What one policy lets be seen of a catalog. Relations that are not allowed are gone; hidden columns
/// of allowed relations are kept and marked, because the guard must know the names that they capture.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The database's name.
    pub database: String,
    /// `server_version_num`, e.g. `150018`.
    pub server_version_num: u32,
    /// The catalog's fingerprint.
    pub fingerprint: String,
    /// When the catalog was read.
    pub read_at: DateTime<Utc>,
    /// The allowed relations, by schema and name.
    pub relations: Vec<Relation>,
    /// Enum and domain types, by schema and name.
    pub types: Vec<NamedType>,
    /// Names that are not builtins any more.
    pub foreign_names: ForeignNames,
    /// The installed extensions that the policy allows, by name.
    pub extensions: Vec<Extension>,
    /// How many relations the policy hides.
    pub hidden_relations_count: usize,
}

impl Snapshot {
    /// The allowed relation of exactly this schema and name.
    #[must_use]
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.relations
            .iter()
            .find(|relation| relation.schema == schema && relation.name == name)
    }

    /// How many columns of allowed relations the policy hides.
    #[must_use]
    pub fn hidden_columns_count(&self) -> usize {
        self.relations
            .iter()
            .flat_map(|relation| &relation.columns)
            .filter(|column| column.hidden)
            .count()
    }
}

/// A table or anything that is read like one.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// The schema, unquoted.
    pub schema: String,
    /// The name, unquoted.
    pub name: String,
    /// What kind of relation it is.
    pub kind: RelationKind,
    /// `COMMENT ON`, if any. Written by whoever owns the table: data, never an instruction.
    pub comment: Option<String>,
    /// The planner's estimate (`reltuples`); `None` when it was never analyzed, and for views.
    pub estimated_rows: Option<i64>,
    /// In the order of the table.
    pub columns: Vec<Column>,
    /// Column names of the primary key, in key order; empty without one.
    pub primary_key: Vec<String>,
    /// Column names of each unique constraint, in key order.
    pub unique_keys: Vec<Vec<String>>,
    /// Foreign keys that start here.
    pub foreign_keys: Vec<ForeignKey>,
}

impl Relation {
    /// The columns that the policy lets be seen.
    pub fn visible_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.hidden)
    }

    /// The column of exactly this name, hidden or not.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether the policy hides at least one column.
    #[must_use]
    pub fn has_hidden_columns(&self) -> bool {
        self.columns.iter().any(|column| column.hidden)
    }
}

/// `pg_class.relkind`, as far as it can be read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// An ordinary table.
    Table,
    /// A partitioned table (its partitions are relations of their own).
    PartitionedTable,
    /// A partition of a partitioned table.
    Partition,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A foreign table.
    ForeignTable,
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The name, unquoted.
    pub name: String,
    /// As `format_type` prints it with its modifier, e.g. `numeric(12,2)`, `character varying(40)`, `shop.order_status`.
    pub type_name: String,
    /// The schema of the type, `pg_catalog` for builtins.
    pub type_schema: String,
    /// `pg_type.typname` of the type itself, e.g. `numeric`, `_text`, `order_status`.
    pub type_internal_name: String,
    /// Declared NOT NULL (or part of a primary key).
    pub not_null: bool,
    /// `COMMENT ON COLUMN`, if any: data, never an instruction.
    pub comment: Option<String>,
    /// The only values it can hold, with exact spelling, from an enum type, a CHECK constraint or a
    /// domain; empty when the database does not say.
    pub choices: Vec<String>,
    /// Hidden by the policy. Always `false` in a [`Catalog`].
    pub hidden: bool,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// Column names on this side, in key order.
    pub columns: Vec<String>,
    /// Schema of the relation that it points at.
    pub target_schema: String,
    /// Name of the relation that it points at.
    pub target_relation: String,
    /// Column names on the other side, in the same order.
    pub target_columns: Vec<String>,
}

/// An enum or domain type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedType {
    /// The schema, unquoted.
    pub schema: String,
    /// The name, unquoted.
    pub name: String,
    /// What it is.
    pub kind: NamedTypeKind,
}

/// The kinds of named types that are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedTypeKind {
    /// An enum with its labels in order.
    Enum {
        /// The labels, exactly as they are spelled.
        labels: Vec<String>,
    },
    /// A domain.
    Domain {
        /// The type below it, as `format_type` prints it.
        base_type: String,
        /// The only values its CHECK constraints let through; empty when they do not say.
        choices: Vec<String>,
    },
}

/// Names which the database defines itself. A call, symbol or cast with such a name could mean the
/// user's object, so the guard does not treat it as a builtin.
///
/// What belongs to an extension is left out (`pg_depend.deptype = 'e'`) unless it lies in `pg_catalog`:
/// queries run with `search_path = pg_catalog`, so an extension that overloads a builtin, as `citext`
/// and `hstore` do, cannot be meant, and refusing `lower` or `->` in such a database would refuse most
/// questions. What anybody added to `pg_catalog` (OID 16384 or above) is included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignNames {
    /// Function, procedure and aggregate names (`pg_proc.proname`).
    pub functions: BTreeSet<String>,
    /// Operator symbols (`pg_operator.oprname`).
    pub operators: BTreeSet<String>,
    /// Type names (`pg_type.typname`), row types of relations included.
    pub types: BTreeSet<String>,
    /// Casts that run a function from outside `pg_catalog`, as (source, target) pairs of `schema.name`.
    pub casts: BTreeSet<(String, String)>,
    /// Those of `casts` that PostgreSQL applies without being asked (`castcontext = 'i'`).
    pub implicit_casts: BTreeSet<(String, String)>,
}

/// An installed extension and the names that it brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extension {
    /// Its name, e.g. `pg_trgm`.
    pub name: String,
    /// The schema that its objects are in (`pg_extension.extnamespace`).
    pub schema: String,
    /// Names of its functions and aggregates in that schema.
    pub functions: BTreeSet<String>,
    /// Symbols of its operators in that schema.
    pub operators: BTreeSet<String>,
    /// Names of its types in that schema, array types left out.
    pub types: BTreeSet<String>,
}
