//! Type names and conversions, wherever the grammar lets one be named.

use pg_query::NodeEnum;
use pg_query::protobuf::{Node, TypeName, a_const};

use super::builtins;
use super::checker::{Checker, Value, expect_empty, not_supported, text_node, text_of, texts_of};
use super::emit;
use super::rejection::{Checked, Rejection, RejectionCode};
use super::scope::{ScopeColumn, ValueType};
use super::size;
use crate::domain::schema::NamedTypeKind;

/// What a type name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetType {
    /// `pg_catalog`, or the schema of an enum or of an extension.
    pub(super) schema: String,
    /// The internal name, of the element if it is an array.
    pub(super) name: String,
    /// Whether it is an array of that type.
    pub(super) is_array: bool,
    /// The length that values are padded to, e.g. 10 for `char(10)`.
    padded_length: Option<i32>,
}

impl TargetType {
    /// A builtin type without a modifier.
    pub(super) fn builtin(name: &str) -> Self {
        Self {
            schema: "pg_catalog".to_owned(),
            name: name.to_owned(),
            is_array: false,
            padded_length: None,
        }
    }
}

impl Checker<'_> {
    /// Checks a type name and writes the schema of a type that is not builtin into it.
    pub(super) fn type_name(&mut self, type_name: &mut TypeName) -> Checked<TargetType> {
        let TypeName {
            names,
            type_oid,
            setof,
            pct_type,
            typmods,
            typemod: _,
            array_bounds,
            location: _,
        } = type_name;
        expect_empty(
            *type_oid == 0 && !*setof && !*pct_type,
            "This kind of type name",
        )?;
        for node in typmods.iter() {
            let is_constant = matches!(&node.node, Some(NodeEnum::AConst(_)));
            expect_empty(is_constant, "A type modifier that is not a constant")?;
        }
        if let Some(name @ ("interval" | "timestamptz" | "timetz")) = names.last().and_then(text_of)
        {
            check_time_modifiers(name, typmods)?;
        }
        for node in array_bounds.iter() {
            let is_number = matches!(&node.node, Some(NodeEnum::Integer(_)));
            expect_empty(is_number, "This kind of array type")?;
        }
        let Some(parts) = texts_of(names) else {
            return Err(not_supported("This kind of type name"));
        };
        let (schema, name) = match parts.as_slice() {
            [name] => (None, *name),
            [schema, name] => (Some(*schema), *name),
            [database, schema, name] if *database == self.snapshot.database => {
                (Some(*schema), *name)
            }
            _ => return Err(unknown_type(parts.last().copied().unwrap_or_default())),
        };
        let is_array = !array_bounds.is_empty();
        let is_builtin =
            schema.is_none_or(|schema| schema == "pg_catalog") && builtins::is_type(name);
        if is_builtin {
            let padded_length = matches!(name, "bpchar" | "bit")
                .then(|| typmods.first().and_then(integer))
                .flatten();
            return Ok(TargetType {
                schema: "pg_catalog".to_owned(),
                name: name.to_owned(),
                is_array,
                padded_length,
            });
        }
        let Some(schema) = self.schema_of_type(schema, name) else {
            return Err(unknown_type(name));
        };
        let target = TargetType {
            schema,
            name: name.to_owned(),
            is_array,
            padded_length: None,
        };
        *names = vec![text_node(&target.schema), text_node(&target.name)];
        Ok(target)
    }

    /// The schema of an enum that a readable column has, or of a type of an allowed extension.
    fn schema_of_type(&self, schema: Option<&str>, name: &str) -> Option<String> {
        let mut candidates: Vec<&str> = self
            .snapshot
            .relations
            .iter()
            .flat_map(|relation| relation.visible_columns())
            .filter(|column| {
                let internal = column.type_internal_name.as_str();
                internal == name || internal.strip_prefix('_') == Some(name)
            })
            .map(|column| column.type_schema.as_str())
            .filter(|schema| {
                self.snapshot.types.iter().any(|named| {
                    named.name == name
                        && named.schema == *schema
                        && matches!(named.kind, NamedTypeKind::Enum { .. })
                })
            })
            .collect();
        candidates.extend(
            self.snapshot
                .extensions
                .iter()
                .filter(|extension| extension.types.contains(name))
                .map(|extension| extension.schema.as_str()),
        );
        candidates.sort_unstable();
        candidates.dedup();
        let found = match schema {
            Some(schema) => candidates
                .into_iter()
                .find(|candidate| *candidate == schema),
            None if candidates.contains(&"public") => Some("public"),
            None => match candidates.as_slice() {
                [only] => Some(*only),
                _ => None,
            },
        };
        found.map(str::to_owned)
    }

    /// Lets a value be converted, unless the database has a function of its own for it.
    pub(super) fn conversion(&self, value: Value, target: &TargetType) -> Checked<Value> {
        let qualified = format!("{}.{}", target.schema, target.name);
        for (source, into) in &self.snapshot.foreign_names.casts {
            if *into != qualified {
                continue;
            }
            let is_builtin_source = source.starts_with("pg_catalog.");
            let may_be_source = value
                .value_type
                .user_types
                .iter()
                .any(|user_type| **user_type == **source);
            if may_be_source || is_builtin_source {
                return Err(Rejection::new(
                    RejectionCode::TypeNotAllowed,
                    format!(
                        "This value cannot be converted to {:?}; convert it to text instead.",
                        target.name
                    ),
                ));
            }
        }
        let is_builtin = target.schema == "pg_catalog";
        let size = match target.padded_length {
            Some(length) => size::padded_size(value.size, f64::from(length))?,
            None => value.size,
        };
        Ok(Value {
            value_type: ValueType {
                row: is_builtin && target.name == "tsvector",
                user_types: if is_builtin {
                    Vec::new()
                } else {
                    vec![qualified.into()]
                },
            },
            size,
            name: value.name,
        })
    }

    /// A type from which the database converts by a function of its own without being asked: any use could run it.
    pub(super) fn refuse_implicit_conversion(&self, column: &ScopeColumn) -> Checked<()> {
        let casts = &self.snapshot.foreign_names.implicit_casts;
        let converts = column
            .value
            .user_types
            .iter()
            .any(|user_type| casts.iter().any(|(source, _)| **source == **user_type));
        if converts {
            return Err(Rejection::new(
                RejectionCode::TypeNotAllowed,
                format!(
                    "The column {:?} has a type that cannot be used here.",
                    column.name
                ),
            ));
        }
        Ok(())
    }

    /// JSON paths are programs: their type is only given to literals that were looked at.
    pub(super) fn literal_conversion(&self, argument: &Node, target: &TargetType) -> Checked<()> {
        if target.schema == "pg_catalog" && target.name == "jsonpath" {
            let Some(path) = emit::text_literal(argument) else {
                return Err(not_supported("A JSON path that is not a literal"));
            };
            size::check_json_path(path)?;
        }
        Ok(())
    }

    /// COLLATE: the collations that PostgreSQL brings.
    pub(super) fn collation(&self, names: &[Node]) -> Checked<()> {
        let parts = texts_of(names).unwrap_or_default();
        let name = match parts.as_slice() {
            [name] | ["pg_catalog", name] => *name,
            _ => return Err(not_supported("This collation")),
        };
        let is_builtin = matches!(
            name,
            "C" | "POSIX" | "default" | "ucs_basic" | "unicode" | "pg_c_utf8" | "pg_unicode_fast"
        );
        let is_locale = name.len() <= 40
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@'))
            && (name.ends_with("-x-icu") || name.contains('_'));
        if is_builtin || is_locale {
            Ok(())
        } else {
            Err(not_supported("This collation"))
        }
    }
}

/// The sets of fields that `INTERVAL '1' DAY TO HOUR` and its kin can name, as PostgreSQL's `utils/timestamp.h` counts them:
/// a bit for month (1), year (2), day (3), hour (10), minute (11) and second (12), or all bits for none named.
const INTERVAL_FIELDS: [i32; 14] = [
    0x4, 0x2, 0x6, 0x8, 0x400, 0x800, 0x1000, 0x408, 0xc08, 0x1c08, 0xc00, 0x1c00, 0x1800, 0x7fff,
];

/// The deparser takes these modifiers for numbers, and an interval's first for a set of fields that the grammar can name.
/// `pg_catalog.interval(3)` names none.
fn check_time_modifiers(name: &str, modifiers: &[Node]) -> Checked<()> {
    let numbers: Option<Vec<i32>> = modifiers.iter().map(integer).collect();
    let fits = numbers.is_some_and(|numbers| {
        name != "interval"
            || numbers
                .first()
                .is_none_or(|fields| INTERVAL_FIELDS.contains(fields))
    });
    expect_empty(fits, "This modifier of a type")
}

fn integer(node: &Node) -> Option<i32> {
    let NodeEnum::AConst(constant) = node.node.as_ref()? else {
        return None;
    };
    let a_const::Val::Ival(integer) = constant.val.as_ref()? else {
        return None;
    };
    Some(integer.ival)
}

fn unknown_type(name: &str) -> Rejection {
    Rejection::new(
        RejectionCode::TypeNotAllowed,
        format!("The type {name:?} is not one that may be used."),
    )
}
