//! A [`Snapshot`] to the operator's document and back.
//!
//! In and out: `db-chat schema --json` and `db-chat guard --catalog`. What comes from a file is checked as far as the
//! guard relies on it: keys and foreign keys name columns that are there, and no relation is there twice.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::domain::schema::{
    Column, Extension, ForeignKey, ForeignNames, NamedType, NamedTypeKind, Relation, RelationKind,
    Snapshot,
};
use crate::protocol::schema_document::{
    ColumnDocument, ExtensionDocument, ForeignKeyDocument, ForeignNamesDocument,
    SCHEMA_DOCUMENT_VERSION, SchemaDocument, TableDocument, TableKindDocument, TypeDocument,
};

/// A file that is no schema document.
#[derive(Debug, thiserror::Error)]
pub enum SchemaDocumentError {
    /// It is not JSON, or has other fields. Files are made by `db-chat schema --json`.
    #[error("the file is not what `db-chat schema --json` prints")]
    Form {
        /// Where and what.
        #[source]
        source: serde_json::Error,
    },
    /// It comes from another version of db-chat.
    #[error(
        "the file has version {found}, and this db-chat reads version {SCHEMA_DOCUMENT_VERSION}: make it again with `db-chat schema --json`"
    )]
    Version {
        /// What the file says.
        found: u32,
    },
    /// It contradicts itself.
    #[error("the file contradicts itself: {problem}")]
    Contradiction {
        /// What is wrong.
        problem: String,
    },
}

/// Shapes a snapshot for the operator.
#[must_use]
pub fn schema_document(snapshot: &Snapshot) -> SchemaDocument {
    let names = &snapshot.foreign_names;
    SchemaDocument {
        version: SCHEMA_DOCUMENT_VERSION,
        database: snapshot.database.clone(),
        server_version_num: snapshot.server_version_num,
        read_at: snapshot
            .read_at
            .to_rfc3339_opts(SecondsFormat::Millis, true),
        fingerprint: snapshot.fingerprint.clone(),
        tables: snapshot.relations.iter().map(table_document).collect(),
        types: snapshot.types.iter().map(type_document).collect(),
        foreign_names: ForeignNamesDocument {
            functions: names.functions.clone(),
            operators: names.operators.clone(),
            types: names.types.clone(),
            casts: names.casts.clone(),
            implicit_casts: names.implicit_casts.clone(),
        },
        extensions: snapshot
            .extensions
            .iter()
            .map(|extension| ExtensionDocument {
                name: extension.name.clone(),
                schema: extension.schema.clone(),
                functions: extension.functions.clone(),
                operators: extension.operators.clone(),
                types: extension.types.clone(),
            })
            .collect(),
        hidden_tables: snapshot.hidden_relations_count,
    }
}

/// Reads what [`schema_document`] made, from its JSON text.
///
/// # Errors
/// Not such a text, of another version, or contradicting itself.
pub fn read_schema_document(text: &str) -> Result<Snapshot, SchemaDocumentError> {
    let document: SchemaDocument =
        serde_json::from_str(text).map_err(|source| SchemaDocumentError::Form { source })?;
    if document.version != SCHEMA_DOCUMENT_VERSION {
        return Err(SchemaDocumentError::Version {
            found: document.version,
        });
    }
    let read_at = DateTime::parse_from_rfc3339(&document.read_at)
        .map_err(|_| contradiction(format!("read_at {:?} is no time", document.read_at)))?
        .with_timezone(&Utc);
    let mut seen = BTreeSet::new();
    let mut relations = Vec::with_capacity(document.tables.len());
    for table in document.tables {
        let relation = relation(table)?;
        if !seen.insert((relation.schema.clone(), relation.name.clone())) {
            let name = format!("{}.{}", relation.schema, relation.name);
            return Err(contradiction(format!("the table {name} is there twice")));
        }
        relations.push(relation);
    }
    let names = document.foreign_names;
    Ok(Snapshot {
        database: document.database,
        server_version_num: document.server_version_num,
        fingerprint: document.fingerprint,
        read_at,
        relations,
        types: document.types.into_iter().map(named_type).collect(),
        foreign_names: ForeignNames {
            functions: names.functions,
            operators: names.operators,
            types: names.types,
            casts: names.casts,
            implicit_casts: names.implicit_casts,
        },
        extensions: document
            .extensions
            .into_iter()
            .map(|extension| Extension {
                name: extension.name,
                schema: extension.schema,
                functions: extension.functions,
                operators: extension.operators,
                types: extension.types,
            })
            .collect(),
        hidden_relations_count: document.hidden_tables,
    })
}

fn table_document(relation: &Relation) -> TableDocument {
    TableDocument {
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        kind: match relation.kind {
            RelationKind::Table => TableKindDocument::Table,
            RelationKind::PartitionedTable => TableKindDocument::PartitionedTable,
            RelationKind::Partition => TableKindDocument::Partition,
            RelationKind::View => TableKindDocument::View,
            RelationKind::MaterializedView => TableKindDocument::MaterializedView,
            RelationKind::ForeignTable => TableKindDocument::ForeignTable,
        },
        comment: relation.comment.clone(),
        estimated_rows: relation.estimated_rows,
        columns: relation
            .columns
            .iter()
            .map(|column| ColumnDocument {
                name: column.name.clone(),
                type_name: column.type_name.clone(),
                type_schema: column.type_schema.clone(),
                type_internal_name: column.type_internal_name.clone(),
                nullable: !column.not_null,
                comment: column.comment.clone(),
                choices: column.choices.clone(),
                hidden: column.hidden,
            })
            .collect(),
        primary_key: relation.primary_key.clone(),
        unique_keys: relation.unique_keys.clone(),
        foreign_keys: relation
            .foreign_keys
            .iter()
            .map(|key| ForeignKeyDocument {
                name: key.name.clone(),
                columns: key.columns.clone(),
                target_schema: key.target_schema.clone(),
                target_table: key.target_relation.clone(),
                target_columns: key.target_columns.clone(),
            })
            .collect(),
    }
}

fn relation(table: TableDocument) -> Result<Relation, SchemaDocumentError> {
    let relation = Relation {
        kind: match table.kind {
            TableKindDocument::Table => RelationKind::Table,
            TableKindDocument::PartitionedTable => RelationKind::PartitionedTable,
            TableKindDocument::Partition => RelationKind::Partition,
            TableKindDocument::View => RelationKind::View,
            TableKindDocument::MaterializedView => RelationKind::MaterializedView,
            TableKindDocument::ForeignTable => RelationKind::ForeignTable,
        },
        schema: table.schema,
        name: table.name,
        comment: table.comment,
        estimated_rows: table.estimated_rows,
        columns: table
            .columns
            .into_iter()
            .map(|column| Column {
                name: column.name,
                type_name: column.type_name,
                type_schema: column.type_schema,
                type_internal_name: column.type_internal_name,
                not_null: !column.nullable,
                comment: column.comment,
                choices: column.choices,
                hidden: column.hidden,
            })
            .collect(),
        primary_key: table.primary_key,
        unique_keys: table.unique_keys,
        foreign_keys: table
            .foreign_keys
            .into_iter()
            .map(|key| ForeignKey {
                name: key.name,
                columns: key.columns,
                target_schema: key.target_schema,
                target_relation: key.target_table,
                target_columns: key.target_columns,
            })
            .collect(),
    };
    let name = format!("{}.{}", relation.schema, relation.name);
    let mut seen = BTreeSet::new();
    for column in &relation.columns {
        if !seen.insert(column.name.as_str()) {
            let problem = format!("the column {name}.{} is there twice", column.name);
            return Err(contradiction(problem));
        }
    }
    let in_keys = relation
        .unique_keys
        .iter()
        .chain([&relation.primary_key])
        .chain(relation.foreign_keys.iter().map(|key| &key.columns))
        .flatten();
    for column in in_keys {
        if !seen.contains(column.as_str()) {
            let problem = format!("a key of {name} has the column {column}, which is not there");
            return Err(contradiction(problem));
        }
    }
    Ok(relation)
}

fn type_document(of: &NamedType) -> TypeDocument {
    let (schema, name) = (of.schema.clone(), of.name.clone());
    match &of.kind {
        NamedTypeKind::Enum { labels } => TypeDocument::Enum {
            schema,
            name,
            labels: labels.clone(),
        },
        NamedTypeKind::Domain { base_type, choices } => TypeDocument::Domain {
            schema,
            name,
            base_type: base_type.clone(),
            choices: choices.clone(),
        },
    }
}

fn named_type(document: TypeDocument) -> NamedType {
    match document {
        TypeDocument::Enum {
            schema,
            name,
            labels,
        } => NamedType {
            schema,
            name,
            kind: NamedTypeKind::Enum { labels },
        },
        TypeDocument::Domain {
            schema,
            name,
            base_type,
            choices,
        } => NamedType {
            schema,
            name,
            kind: NamedTypeKind::Domain { base_type, choices },
        },
    }
}

fn contradiction(problem: String) -> SchemaDocumentError {
    SchemaDocumentError::Contradiction { problem }
}
