//! What an operator lets be seen: the patterns of `ALLOWED_TABLES` and `ALLOWED_MODELS`, applied to a catalog.
//!
//! In: two texts and a [`Catalog`]. Out: a [`Snapshot`] in which nothing that is not allowed can be found any more, whoever
//! looks: the guard, the schema text for the model, the page.

mod idle;
mod pattern;

use std::collections::BTreeSet;
use std::fmt;

use pattern::{Name, split};

use crate::domain::schema::{
    Catalog, Column, Extension, ForeignKey, NamedType, Relation, RowSecurity, Snapshot,
};

/// What `ALLOWED_TABLES` is when nobody sets it.
const ALLOWED_TABLES_DEFAULT: &str = "public.*";

/// Extensions that may be allowed. Their functions compute and read nothing by name.
const KNOWN_EXTENSIONS: [&str; 14] = [
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "intarray",
    "isn",
    "ltree",
    "pg_trgm",
    "postgis",
    "unaccent",
    "vector",
];

/// Functions of those extensions that take a table's name, run SQL, change settings or tell about the server.
const REFUSED_EXTENSION_FUNCTIONS: [&str; 12] = [
    "addgeometrycolumn",
    "dropgeometrycolumn",
    "dropgeometrytable",
    "find_srid",
    "populate_geometry_columns",
    "populate_record",
    "set_limit",
    "st_estimatedextent",
    "st_findextent",
    "unaccent_init",
    "unaccent_lexize",
    "updategeometrysrid",
];

/// A compiled policy.
///
/// A relation is seen if a pattern lets it and none takes it away; the order of the patterns does not matter.
/// `ALLOWED_TABLES`, by commas:
///
/// | pattern | means |
/// | --- | --- |
/// | `table` | `public.table` |
/// | `schema.table` | that relation |
/// | `!table`, `!schema.table` | takes it away |
/// | `!schema.table.column` | hides the column; `!table.column` would be schema and table, so the schema is always written |
///
/// `*` stands for any text and `?` for one character, within one part. Parts fold to lower case as in SQL, unless
/// they stand in double quotes, where `*`, `?`, commas and dots mean themselves. Without any pattern that lets something be
/// seen, `public.*` is.
///
/// `ALLOWED_MODELS` takes Django's names: `users.User` is `public.users_user`, `users.*` all models of the app,
/// `!users.User` takes one away, `!users.User.field` hides its column. With models, the default `public.*` is not added
/// to them: whoever names models means those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    allowed: Vec<TablePattern>,
    taken_away: Vec<TablePattern>,
    hidden: Vec<ColumnPattern>,
    extensions: BTreeSet<String>,
    /// The row-level security that a relation must have to be seen; `None` where no tenants are kept apart.
    row_security: Option<RowSecurity>,
}

/// A pattern that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {pattern:?} {problem}")]
pub struct PolicyError {
    /// The pattern as it was given.
    pub pattern: String,
    /// What is wrong with it and what to write instead.
    pub problem: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TablePattern {
    schema: Name,
    table: Name,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ColumnPattern {
    table: TablePattern,
    column: Name,
}

impl fmt::Display for TablePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.schema, self.table)
    }
}

impl Policy {
    /// Compiles the patterns of `ALLOWED_TABLES` and `ALLOWED_MODELS`; blank texts mean none.
    ///
    /// # Errors
    /// The first pattern that cannot be understood.
    pub fn compile(allowed_tables: &str, allowed_models: &str) -> Result<Self, PolicyError> {
        let mut policy = Self {
            allowed: Vec::new(),
            taken_away: Vec::new(),
            hidden: Vec::new(),
            extensions: BTreeSet::new(),
            row_security: None,
        };
        for text in split(allowed_models, ',') {
            policy.add_model_pattern(&text)?;
        }
        let is_default = allowed_tables.trim() == ALLOWED_TABLES_DEFAULT;
        if policy.allowed.is_empty() || !is_default {
            for text in split(allowed_tables, ',') {
                policy.add_table_pattern(&text)?;
            }
        }
        if policy.allowed.is_empty() {
            policy.allowed.push(TablePattern {
                schema: Name::exactly("public"),
                table: Name::anything(),
            });
        }
        Ok(policy)
    }

    /// The same policy that also lets the functions, operators and types of these extensions be used.
    ///
    /// # Errors
    /// The first extension that is not known to be harmless.
    pub fn with_extensions(mut self, names: &[String]) -> Result<Self, PolicyError> {
        for name in names {
            if !KNOWN_EXTENSIONS.contains(&name.as_str()) {
                return Err(fault(
                    name,
                    &format!(
                        "is no extension that can be allowed; those that can are {}",
                        KNOWN_EXTENSIONS.join(", ")
                    ),
                ));
            }
            self.extensions.insert(name.clone());
        }
        Ok(self)
    }

    /// The same policy for a database that holds the rows of many tenants: what has not that much row-level security is hidden,
    /// since it would show everybody the rows of all.
    #[must_use]
    pub fn with_tenants(mut self, least: Option<RowSecurity>) -> Self {
        self.row_security = least;
        self
    }

    /// The relations that are hidden only because of row-level security, as `schema.name`. For the operator.
    #[must_use]
    pub fn without_row_security(&self, catalog: &Catalog) -> Vec<String> {
        catalog
            .relations
            .iter()
            .filter(|r| self.allows(&r.schema, &r.name) && !self.keeps_apart(catalog, r))
            .map(|relation| format!("{}.{}", relation.schema, relation.name))
            .collect()
    }

    fn keeps_apart(&self, catalog: &Catalog, relation: &Relation) -> bool {
        let name = (relation.schema.clone(), relation.name.clone());
        self.row_security
            .is_none_or(|least| catalog.row_security.get(&name) >= Some(&least))
    }

    /// What this policy lets be seen of `catalog`. Whatever is left out leaves no trace: keys that point at it and types
    /// that only it uses go too, and a hidden column keeps nothing but its name and type.
    #[must_use]
    pub fn apply(&self, mut catalog: Catalog) -> Snapshot {
        let all_count = catalog.relations.len();
        let mut relations = std::mem::take(&mut catalog.relations);
        relations.retain(|relation| {
            self.allows(&relation.schema, &relation.name) && self.keeps_apart(&catalog, relation)
        });
        for relation in &mut relations {
            for column in &mut relation.columns {
                column.hidden = self.hides(&relation.schema, &relation.name, &column.name);
                if column.hidden {
                    column.comment = None;
                    column.choices.clear();
                }
            }
        }
        let visible: BTreeSet<(String, String, String)> = relations
            .iter()
            .flat_map(|relation| {
                relation.visible_columns().map(|column| {
                    (
                        relation.schema.clone(),
                        relation.name.clone(),
                        column.name.clone(),
                    )
                })
            })
            .collect();
        for relation in &mut relations {
            retain_visible_keys(relation, &visible);
        }
        let types = used_types(catalog.types, &relations);
        Snapshot {
            database: catalog.database,
            server_version_num: catalog.server_version_num,
            fingerprint: catalog.fingerprint,
            read_at: catalog.read_at,
            hidden_relations_count: all_count - relations.len(),
            relations,
            types,
            foreign_names: catalog.foreign_names,
            extensions: self.allowed_extensions(catalog.extensions),
        }
    }

    fn allows(&self, schema: &str, table: &str) -> bool {
        let matches = |pattern: &TablePattern| pattern.matches(schema, table);
        self.allowed.iter().any(matches) && !self.taken_away.iter().any(matches)
    }

    fn hides(&self, schema: &str, table: &str, column: &str) -> bool {
        self.hidden
            .iter()
            .any(|pattern| pattern.table.matches(schema, table) && pattern.column.matches(column))
    }

    fn allowed_extensions(&self, installed: Vec<Extension>) -> Vec<Extension> {
        installed
            .into_iter()
            .filter(|extension| self.extensions.contains(&extension.name))
            .map(|mut extension| {
                extension.functions.retain(|name| {
                    !REFUSED_EXTENSION_FUNCTIONS.contains(&name.as_str()) && !name.starts_with('_')
                });
                extension
            })
            .collect()
    }

    fn add_table_pattern(&mut self, text: &str) -> Result<(), PolicyError> {
        let (takes_away, parts) = parse_parts(text)?;
        match (parts.as_slice(), takes_away) {
            ([table], _) => self.add(takes_away, Name::exactly("public"), table.clone()),
            ([schema, table], _) => self.add(takes_away, schema.clone(), table.clone()),
            ([schema, table, column], true) => self.hidden.push(ColumnPattern {
                table: TablePattern {
                    schema: schema.clone(),
                    table: table.clone(),
                },
                column: column.clone(),
            }),
            ([_, _, _], false) => {
                return Err(fault(
                    text,
                    "names a column without `!`; columns can only be hidden, with `!schema.table.column`",
                ));
            }
            _ => {
                return Err(fault(
                    text,
                    "has too many parts; write `table`, `schema.table` or `!schema.table.column`",
                ));
            }
        }
        Ok(())
    }

    fn add_model_pattern(&mut self, text: &str) -> Result<(), PolicyError> {
        let (takes_away, parts) = parse_parts(text)?;
        let public = || Name::exactly("public");
        match (parts.as_slice(), takes_away) {
            ([app, model], _) => self.add(takes_away, public(), app.followed_by("_", model)),
            ([app, model, field], true) => self.hidden.push(ColumnPattern {
                table: TablePattern {
                    schema: public(),
                    table: app.followed_by("_", model),
                },
                column: field.clone(),
            }),
            _ => {
                return Err(fault(
                    text,
                    "is no model; write `app.Model`, `!app.Model` or `!app.Model.field`",
                ));
            }
        }
        Ok(())
    }

    fn add(&mut self, takes_away: bool, schema: Name, table: Name) {
        let pattern = TablePattern { schema, table };
        if takes_away {
            self.taken_away.push(pattern);
        } else {
            self.allowed.push(pattern);
        }
    }
}

impl TablePattern {
    fn matches(&self, schema: &str, table: &str) -> bool {
        self.schema.matches(schema) && self.table.matches(table)
    }
}

/// Keys over hidden columns, and keys into what is not seen, are not seen either.
fn retain_visible_keys(relation: &mut Relation, visible: &BTreeSet<(String, String, String)>) {
    let sees = |schema: &str, table: &str, column: &str| {
        visible.contains(&(schema.to_owned(), table.to_owned(), column.to_owned()))
    };
    let (schema, table) = (&relation.schema, &relation.name);
    let own = |columns: &[String]| columns.iter().all(|column| sees(schema, table, column));
    let is_seen = |key: &ForeignKey| {
        own(&key.columns)
            && key
                .target_columns
                .iter()
                .all(|column| sees(&key.target_schema, &key.target_relation, column))
    };
    relation.foreign_keys.retain(is_seen);
    relation.unique_keys.retain(|columns| own(columns));
    if !own(&relation.primary_key) {
        relation.primary_key.clear();
    }
}

fn used_types(types: Vec<NamedType>, relations: &[Relation]) -> Vec<NamedType> {
    let is_of_type = |column: &Column, named: &NamedType| {
        let internal = column.type_internal_name.as_str();
        column.type_schema == named.schema
            && (internal == named.name || internal.strip_prefix('_') == Some(&named.name))
    };
    types
        .into_iter()
        .filter(|named| {
            relations
                .iter()
                .flat_map(Relation::visible_columns)
                .any(|column| is_of_type(column, named))
        })
        .collect()
}

fn parse_parts(text: &str) -> Result<(bool, Vec<Name>), PolicyError> {
    let (takes_away, rest) = match text.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let parts: Option<Vec<Name>> = split(rest, '.')
        .iter()
        .map(|part| Name::parse(part))
        .collect();
    match parts {
        Some(parts) if !parts.is_empty() => Ok((takes_away, parts)),
        _ => Err(fault(
            text,
            "has an empty part or a quote that is not closed; write `table` or `schema.table`",
        )),
    }
}

fn fault(pattern: &str, problem: &str) -> PolicyError {
    PolicyError {
        pattern: pattern.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tables: &str, models: &str, schema: &str, table: &str, expected: bool) {
        let policy = Policy::compile(tables, models).expect("a policy");
        assert_eq!(
            policy.allows(schema, table),
            expected,
            "{tables} | {models}: {schema}.{table}"
        );
    }

    #[test]
    fn a_relation_is_seen_if_a_pattern_lets_it_and_none_takes_it_away() {
        check("", "", "public", "orders", true);
        check("", "", "shop", "orders", false);
        check("orders", "", "public", "orders", true);
        check("orders", "", "shop", "orders", false);
        check("shop.*, !shop.staff", "", "shop", "staff", false);
        check("!staff", "", "public", "staff", false);
        check("!staff", "", "public", "orders", true);
        check("\"Orders\"", "", "public", "orders", false);
        check("public.order*", "", "public", "order_items", true);
    }

    #[test]
    fn models_are_tables_of_their_app_and_replace_the_default() {
        check("public.*", "users.User", "public", "users_user", true);
        check("public.*", "users.User", "public", "orders", false);
        check("orders", "users.User", "public", "orders", true);
        check("", "users.*, !users.Token", "public", "users_token", false);
    }

    #[test]
    fn columns_are_hidden_by_three_parts_and_never_let_in() {
        let policy = Policy::compile("!public.users.pass*", "!app.User.key").expect("a policy");
        assert!(policy.hides("public", "users", "password"));
        assert!(policy.hides("public", "app_user", "key"));
        assert!(!policy.hides("shop", "users", "password"));
        for text in ["public.users.name", "a.b.c.d", "a..b", "!", "\"a"] {
            assert!(Policy::compile(text, "").is_err(), "{text}");
        }
        assert!(Policy::compile("", "User").is_err());
    }

    #[test]
    fn only_known_extensions_can_be_allowed() {
        let policy = || Policy::compile("", "").expect("a policy");
        assert!(policy().with_extensions(&["pg_trgm".to_owned()]).is_ok());
        assert!(policy().with_extensions(&["dblink".to_owned()]).is_err());
    }
}
