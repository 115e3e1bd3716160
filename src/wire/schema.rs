//! A [`Snapshot`] to the document that the schema endpoint sends. What the policy hides is counted,
//! and nothing in the document names it: not a key, not a foreign key, not a column.

use chrono::SecondsFormat;

use crate::domain::schema::{Column, ForeignKey, Relation, RelationKind, Snapshot};
use crate::protocol::schema::{
    DependencyBody, HiddenBody, SchemaBody, SchemaColumnBody, TableBody,
};

/// Shapes a snapshot for the wire.
#[must_use]
pub fn schema_body(snapshot: &Snapshot) -> SchemaBody {
    SchemaBody {
        database: snapshot.database.clone(),
        read_at: snapshot
            .read_at
            .to_rfc3339_opts(SecondsFormat::Millis, true),
        fingerprint: snapshot.fingerprint.clone(),
        tables: snapshot.relations.iter().map(table_body).collect(),
        dependencies: snapshot
            .relations
            .iter()
            .flat_map(|relation| {
                relation
                    .foreign_keys
                    .iter()
                    .filter_map(|key| dependency_body(snapshot, relation, key))
            })
            .collect(),
        hidden: HiddenBody {
            tables: snapshot.hidden_relations_count,
            columns: snapshot.hidden_columns_count(),
        },
    }
}

fn table_body(relation: &Relation) -> TableBody {
    TableBody {
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        kind: match relation.kind {
            RelationKind::Table => "table",
            RelationKind::PartitionedTable => "partitioned_table",
            RelationKind::Partition => "partition",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized_view",
            RelationKind::ForeignTable => "foreign_table",
        },
        comment: relation.comment.clone(),
        estimated_rows: relation.estimated_rows,
        columns: relation.visible_columns().map(column_body).collect(),
        primary_key: if all_visible(relation, &relation.primary_key) {
            relation.primary_key.clone()
        } else {
            Vec::new()
        },
        unique_keys: relation
            .unique_keys
            .iter()
            .filter(|columns| all_visible(relation, columns))
            .cloned()
            .collect(),
    }
}

fn column_body(column: &Column) -> SchemaColumnBody {
    SchemaColumnBody {
        name: column.name.clone(),
        type_name: column.type_name.clone(),
        nullable: !column.not_null,
        comment: column.comment.clone(),
        choices: column.choices.clone(),
    }
}

fn dependency_body(
    snapshot: &Snapshot,
    relation: &Relation,
    key: &ForeignKey,
) -> Option<DependencyBody> {
    let target = snapshot.relation(&key.target_schema, &key.target_relation)?;
    let is_visible =
        all_visible(relation, &key.columns) && all_visible(target, &key.target_columns);
    is_visible.then(|| DependencyBody {
        from_table: format!("{}.{}", relation.schema, relation.name),
        from_columns: key.columns.clone(),
        to_table: format!("{}.{}", target.schema, target.name),
        to_columns: key.target_columns.clone(),
    })
}

fn all_visible(relation: &Relation, columns: &[String]) -> bool {
    columns
        .iter()
        .all(|name| relation.column(name).is_some_and(|column| !column.hidden))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::schema::ForeignNames;

    fn column(name: &str, hidden: bool) -> Column {
        Column {
            name: name.to_owned(),
            type_name: "integer".to_owned(),
            type_schema: "pg_catalog".to_owned(),
            type_internal_name: "int4".to_owned(),
            not_null: false,
            comment: None,
            choices: Vec::new(),
            hidden,
        }
    }

    fn key(columns: &[&str], target: &str, target_columns: &[&str]) -> ForeignKey {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        ForeignKey {
            name: "secret_constraint".to_owned(),
            columns: owned(columns),
            target_schema: "public".to_owned(),
            target_relation: target.to_owned(),
            target_columns: owned(target_columns),
        }
    }

    fn relation(name: &str, foreign_keys: Vec<ForeignKey>) -> Relation {
        Relation {
            schema: "public".to_owned(),
            name: name.to_owned(),
            kind: RelationKind::Table,
            comment: None,
            estimated_rows: None,
            columns: vec![column("id", false), column("secret_column", true)],
            primary_key: vec!["id".to_owned()],
            unique_keys: vec![vec!["secret_column".to_owned()]],
            foreign_keys,
        }
    }

    #[test]
    fn what_is_hidden_is_counted_and_never_named() {
        let snapshot = Snapshot {
            database: "shop".to_owned(),
            server_version_num: 150_000,
            fingerprint: "f".to_owned(),
            read_at: chrono::DateTime::UNIX_EPOCH,
            relations: vec![
                relation("a", Vec::new()),
                relation(
                    "b",
                    vec![
                        key(&["id"], "a", &["id"]),
                        key(&["secret_column"], "a", &["id"]),
                        key(&["id"], "a", &["secret_column"]),
                        key(&["id"], "secret_table", &["id"]),
                    ],
                ),
            ],
            types: Vec::new(),
            foreign_names: ForeignNames::default(),
            extensions: Vec::new(),
            hidden_relations_count: 1,
        };
        let text = serde_json::to_string(&schema_body(&snapshot)).expect("JSON");
        assert!(!text.contains("secret"), "{text}");
        assert!(
            text.contains(r#""hidden":{"tables":1,"columns":2}"#),
            "{text}"
        );
        assert!(text.contains(
            r#""dependencies":[{"from_table":"public.b","from_columns":["id"],"to_table":"public.a","to_columns":["id"]}]"#
        ), "{text}");
    }
}
