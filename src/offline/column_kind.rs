//! What can be done with a column's values, from its type. Knows PostgreSQL's type names, no English.

use crate::domain::schema::{Column, NamedTypeKind, Snapshot};

/// The families of types that a question treats differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// Numbers with a fraction, and money.
    Decimal,
    /// Character types.
    Text,
    /// An enum type: compared with its labels only.
    Enum,
    /// `date`.
    Date,
    /// `timestamp` with or without time zone.
    Timestamp,
    /// `boolean`.
    Boolean,
    /// Arrays, JSON, ranges, geometry: shown, counted, and nothing else.
    Other,
}

impl ColumnKind {
    /// The family of a column, domains looked through.
    pub(super) fn of(column: &Column, snapshot: &Snapshot) -> Self {
        if column.type_schema == "pg_catalog" {
            return Self::of_builtin(&column.type_internal_name);
        }
        let named = snapshot
            .types
            .iter()
            .find(|t| t.schema == column.type_schema && t.name == column.type_internal_name);
        match named.map(|t| &t.kind) {
            Some(NamedTypeKind::Enum { .. }) => Self::Enum,
            Some(NamedTypeKind::Domain { base_type, .. }) => Self::of_builtin(base_type),
            // An extension's type: `citext` reads like text.
            None if column.type_internal_name == "citext" => Self::Text,
            None => Self::Other,
        }
    }

    /// By the internal name (`int4`) or the printed one (`integer`, `numeric(12,2)`).
    fn of_builtin(name: &str) -> Self {
        let base = name.split('(').next().unwrap_or(name).trim();
        if base.starts_with('_') || name.ends_with("[]") {
            return Self::Other;
        }
        match base {
            "int2" | "int4" | "int8" | "smallint" | "integer" | "bigint" | "oid" => Self::Integer,
            "numeric" | "float4" | "float8" | "real" | "double precision" | "money" => {
                Self::Decimal
            }
            "text" | "varchar" | "bpchar" | "character varying" | "character" | "name" | "char" => {
                Self::Text
            }
            "date" => Self::Date,
            "bool" | "boolean" => Self::Boolean,
            _ if base.starts_with("timestamp") => Self::Timestamp,
            _ => Self::Other,
        }
    }

    /// Whether sums and averages make sense.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal)
    }

    /// Whether a date range can be compared with it.
    pub(super) const fn is_moment(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp)
    }
}
