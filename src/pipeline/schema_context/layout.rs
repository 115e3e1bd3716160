//! Relations as text that a model reads well and from which it can copy names as they must be written.
//!
//! Comments and choices are data that somebody wrote into the database: they are kept on their line, and a `<`
//! in them, with which a prompt's own tags begin, is written otherwise.

use std::fmt::Write;

use crate::domain::identifier::is_plain;
use crate::domain::schema::{Column, Relation, RelationKind};

/// Longest comment that is shown, in characters; a longer one is cut.
const COMMENT_CHARS_MAX: usize = 240;

/// The same in a text that had to be made shorter.
const SHORT_COMMENT_CHARS_MAX: usize = 80;

/// Choices that are shown of one column.
const CHOICES_MAX: usize = 50;

/// How much is told of each relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// A line for each column, with all that is known.
    Full,
    /// A line for each relation: types, keys, choices, and comments cut short.
    Commented,
    /// The same without comments.
    Compact,
}

/// One relation with those of its columns that `shown` lets through. Ends with a line end.
pub(super) fn relation_text(
    relation: &Relation,
    detail: Detail,
    shown: impl Fn(usize, &Column) -> bool,
) -> String {
    let mut text = head(relation);
    let columns: Vec<(&Column, String)> = relation
        .columns
        .iter()
        .enumerate()
        .filter(|(index, column)| !column.hidden && shown(*index, column))
        .map(|(_, column)| (column, column_text(relation, column, detail)))
        .collect();
    let left_out = columns.len() < relation.visible_columns().count();
    let keys = composite_keys(relation, &columns);
    if detail == Detail::Full {
        text.push_str(&remarks(relation));
        text.push('\n');
        for (column, line) in &columns {
            let comment = comment(column.comment.as_deref(), COMMENT_CHARS_MAX);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {line}{comment}");
        }
        for key in keys {
            let _ = writeln!(text, "  {key}");
        }
        return text;
    }
    let mut parts: Vec<String> = columns
        .into_iter()
        .map(|(column, part)| match (detail, column.comment.as_deref()) {
            (Detail::Commented, Some(comment)) => {
                format!(
                    "{part} /* {} */",
                    one_line(comment, SHORT_COMMENT_CHARS_MAX)
                )
            }
            _ => part,
        })
        .collect();
    parts.extend(keys);
    if left_out {
        parts.push("...".to_owned());
    }
    let _ = write!(text, "({})", parts.join(", "));
    if detail == Detail::Commented {
        text.push_str(&comment(
            relation.comment.as_deref(),
            SHORT_COMMENT_CHARS_MAX,
        ));
    }
    text.push('\n');
    text
}

/// What a column adds to its relation's line, in bytes.
pub(super) fn column_cost(relation: &Relation, column: &Column) -> usize {
    column_text(relation, column, Detail::Compact).len() + ", ".len()
}

/// What a relation costs before its first column, in bytes.
pub(super) fn head_cost(relation: &Relation) -> usize {
    head(relation).len() + "(, ...)\n".len()
}

/// The relation's name as a query must write it.
pub(super) fn head(relation: &Relation) -> String {
    format!(
        "{}.{}",
        identifier(&relation.schema),
        identifier(&relation.name)
    )
}

/// What kind of relation it is, where that matters, its size and its comment.
fn remarks(relation: &Relation) -> String {
    let kind = match relation.kind {
        RelationKind::View => Some("view"),
        RelationKind::MaterializedView => Some("materialized view"),
        RelationKind::Partition => Some("partition"),
        RelationKind::Table | RelationKind::PartitionedTable | RelationKind::ForeignTable => None,
    };
    let rows = relation
        .estimated_rows
        .map(|rows| format!("about {rows} rows"));
    let known: Vec<String> = [
        kind.map(str::to_owned),
        rows,
        relation
            .comment
            .as_deref()
            .map(|comment| one_line(comment, COMMENT_CHARS_MAX)),
    ]
    .into_iter()
    .flatten()
    .collect();
    if known.is_empty() {
        String::new()
    } else {
        format!(" -- {}", known.join("; "))
    }
}

fn column_text(relation: &Relation, column: &Column, detail: Detail) -> String {
    let mut text = format!(
        "{} {}",
        identifier(&column.name),
        short_type(&column.type_name)
    );
    let is_primary = relation.primary_key.as_slice() == [column.name.as_str()];
    if is_primary {
        text.push_str(" PK");
    } else if detail == Detail::Full && column.not_null {
        text.push_str(" NOT NULL");
    }
    for key in &relation.foreign_keys {
        if key.columns.as_slice() == [column.name.as_str()]
            && let [target] = key.target_columns.as_slice()
        {
            let _ = write!(
                text,
                " -> {}.{}",
                target_name(relation, &key.target_schema, &key.target_relation),
                identifier(target)
            );
        }
    }
    if !column.choices.is_empty() {
        let shown: Vec<String> = column
            .choices
            .iter()
            .take(CHOICES_MAX)
            .map(|choice| literal(choice))
            .collect();
        let more = if column.choices.len() > CHOICES_MAX {
            ", ..."
        } else {
            ""
        };
        let _ = write!(text, " IN ({}{more})", shown.join(", "));
    }
    text
}

/// Keys of several columns, as far as their columns are shown.
fn composite_keys(relation: &Relation, columns: &[(&Column, String)]) -> Vec<String> {
    let is_shown = |names: &[String]| {
        names.len() > 1
            && names
                .iter()
                .all(|name| columns.iter().any(|(column, _)| &column.name == name))
    };
    let list = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| identifier(name)).collect();
        names.join(", ")
    };
    let mut keys = Vec::new();
    if is_shown(&relation.primary_key) {
        keys.push(format!("PK ({})", list(&relation.primary_key)));
    }
    for key in relation
        .foreign_keys
        .iter()
        .filter(|key| is_shown(&key.columns))
    {
        keys.push(format!(
            "({}) -> {} ({})",
            list(&key.columns),
            target_name(relation, &key.target_schema, &key.target_relation),
            list(&key.target_columns)
        ));
    }
    keys
}

/// Without the schema where it is the same.
fn target_name(relation: &Relation, schema: &str, name: &str) -> String {
    if relation.schema == schema {
        identifier(name)
    } else {
        format!("{}.{}", identifier(schema), identifier(name))
    }
}

fn comment(text: Option<&str>, chars_max: usize) -> String {
    text.map_or_else(String::new, |text| {
        format!(" -- {}", one_line(text, chars_max))
    })
}

/// White space and control characters become one space, and what could end a comment or begin a tag is broken up.
fn one_line(text: &str, chars_max: usize) -> String {
    let spaced = text
        .replace(char::is_control, " ")
        .replace("*/", "* /")
        .replace('<', "‹")
        .replace('>', "›");
    let joined = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if joined.chars().count() <= chars_max {
        return joined;
    }
    let cut: String = joined.chars().take(chars_max).collect();
    format!("{cut}…")
}

/// A name as SQL must write it.
pub(super) fn identifier(name: &str) -> String {
    if is_plain(name) {
        return name.to_owned();
    }
    if name.contains(|c: char| c.is_control() || c == '<') {
        let escaped: String = name
            .chars()
            .map(|c| match c {
                c if c.is_control() || c == '<' => format!("\\{:04X}", u32::from(c)),
                '\\' => "\\\\".to_owned(),
                '"' => "\"\"".to_owned(),
                c => c.to_string(),
            })
            .collect();
        return format!("U&\"{escaped}\"");
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value as SQL must write it.
fn literal(value: &str) -> String {
    if value.contains(|c: char| c.is_control() || c == '<') {
        let escaped: String = value
            .chars()
            .map(|c| match c {
                c if c.is_control() || c == '<' => format!("\\u{:04X}", u32::from(c)),
                '\\' => "\\\\".to_owned(),
                '\'' => "''".to_owned(),
                c => c.to_string(),
            })
            .collect();
        return format!("E'{escaped}'");
    }
    format!("'{}'", value.replace('\'', "''"))
}

/// PostgreSQL's own shorter names for the types that it prints at length.
fn short_type(name: &str) -> String {
    let (base, array) = match name.strip_suffix("[]") {
        Some(base) => (base, "[]"),
        None => (name, ""),
    };
    let short = match base {
        "integer" => "int",
        "double precision" => "float8",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        "time with time zone" => "timetz",
        "time without time zone" => "time",
        "boolean" => "bool",
        "character varying" => "varchar",
        other => other,
    };
    for (long, brief) in [
        ("character varying(", "varchar("),
        ("character(", "char("),
        ("timestamp(", "timestamp("),
        ("bit varying(", "varbit("),
    ] {
        if let Some(rest) = short.strip_prefix(long) {
            return format!("{brief}{rest}{array}");
        }
    }
    format!("{short}{array}")
}
