//! Patterns that match nothing: most often a slip in a name, and one that hides nothing is worth a warning.

use super::{Policy, TablePattern};
use crate::domain::schema::Catalog;

impl Policy {
    /// The patterns that match no relation, or no column, of `catalog`, as they would be written.
    #[must_use]
    pub fn idle_patterns(&self, catalog: &Catalog) -> Vec<String> {
        let matches_nothing = |pattern: &TablePattern| {
            let mut relations = catalog.relations.iter();
            !relations.any(|relation| pattern.matches(&relation.schema, &relation.name))
        };
        let allowed = self
            .allowed
            .iter()
            .filter(|pattern| matches_nothing(pattern))
            .map(ToString::to_string);
        let taken_away = self
            .taken_away
            .iter()
            .filter(|pattern| matches_nothing(pattern))
            .map(|pattern| format!("!{pattern}"));
        let hidden = self.hidden.iter().filter(|pattern| {
            let tables = catalog
                .relations
                .iter()
                .filter(|relation| pattern.table.matches(&relation.schema, &relation.name));
            !tables
                .flat_map(|relation| &relation.columns)
                .any(|column| pattern.column.matches(&column.name))
        });
        let hidden = hidden.map(|pattern| format!("!{}.{}", pattern.table, pattern.column));
        allowed.chain(taken_away).chain(hidden).collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::domain::schema::{Column, ForeignNames, Relation, RelationKind};

    fn catalog() -> Catalog {
        let column = Column {
            name: "salary".to_owned(),
            type_name: "integer".to_owned(),
            type_schema: "pg_catalog".to_owned(),
            type_internal_name: "int4".to_owned(),
            not_null: false,
            comment: None,
            choices: Vec::new(),
            hidden: false,
        };
        let relation = Relation {
            schema: "public".to_owned(),
            name: "staff".to_owned(),
            kind: RelationKind::Table,
            comment: None,
            estimated_rows: None,
            columns: vec![column],
            primary_key: Vec::new(),
            unique_keys: Vec::new(),
            foreign_keys: Vec::new(),
        };
        Catalog {
            row_security: Default::default(),
            database: "shop".to_owned(),
            server_version_num: 150_000,
            fingerprint: String::new(),
            read_at: DateTime::<Utc>::UNIX_EPOCH,
            relations: vec![relation],
            types: Vec::new(),
            foreign_names: ForeignNames::default(),
            extensions: Vec::new(),
        }
    }

    #[test]
    fn slips_are_found_and_patterns_that_match_are_not() {
        let check = |patterns: &str, expected: &[&str]| {
            let policy = Policy::compile(patterns, "").expect("a policy");
            assert_eq!(policy.idle_patterns(&catalog()), expected, "{patterns}");
        };
        check("public.*,!public.staff", &[]);
        check("!public.staff.salary", &[]);
        check("public.*,!public.staf", &["!public.staf"]);
        check(
            "public.*,custmers,!public.staff.salry",
            &["public.custmers", "!public.staff.salry"],
        );
        // Read as schema and table: it hides no column.
        check("public.*,!staff.salary", &["!staff.salary"]);
    }
}
