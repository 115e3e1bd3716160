//! A small library as the tests of this layer see it.

use crate::domain::schema::{Column, ForeignKey, ForeignNames, Relation, RelationKind, Snapshot};

/// Members lend books. One column is hidden.
pub(super) fn library() -> Snapshot {
    Snapshot {
        database: "library".to_owned(),
        server_version_num: 150_000,
        fingerprint: String::new(),
        read_at: chrono::DateTime::UNIX_EPOCH,
        relations: vec![
            relation(
                "Book",
                &["id int4", "title text", "price numeric", "published date"],
                &[],
            ),
            relation(
                "loan",
                &[
                    "id int4",
                    "book_id int4",
                    "member_id int4",
                    "status text",
                    "lent_at timestamptz",
                ],
                &[("book_id", "Book"), ("member_id", "member")],
            ),
            relation(
                "member",
                &[
                    "id int4",
                    "name text",
                    "email text",
                    "country text",
                    "secret_code text",
                ],
                &[],
            ),
        ],
        types: Vec::new(),
        foreign_names: ForeignNames::default(),
        extensions: Vec::new(),
        hidden_relations_count: 0,
    }
}

fn relation(name: &str, columns: &[&str], keys: &[(&str, &str)]) -> Relation {
    Relation {
        schema: "public".to_owned(),
        name: name.to_owned(),
        kind: RelationKind::Table,
        comment: None,
        estimated_rows: Some(100),
        columns: columns.iter().map(|column| self::column(column)).collect(),
        primary_key: vec!["id".to_owned()],
        unique_keys: Vec::new(),
        foreign_keys: keys
            .iter()
            .map(|(column, target)| ForeignKey {
                name: format!("{name}_{column}"),
                columns: vec![(*column).to_owned()],
                target_schema: "public".to_owned(),
                target_relation: (*target).to_owned(),
                target_columns: vec!["id".to_owned()],
            })
            .collect(),
    }
}

fn column(text: &str) -> Column {
    let (name, type_name) = text.split_once(' ').unwrap_or((text, "text"));
    let choices: &[&str] = if name == "status" {
        &["lent", "Over Due", "returned"]
    } else {
        &[]
    };
    Column {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        type_schema: "pg_catalog".to_owned(),
        type_internal_name: type_name.to_owned(),
        not_null: name.ends_with("id"),
        comment: None,
        choices: choices.iter().map(|c| (*c).to_owned()).collect(),
        hidden: name.starts_with("secret"),
    }
}
