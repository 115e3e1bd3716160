//! Reads the structure of the database being asked from `pg_catalog`.
//!
//! In: a connection, whose role needs no rights beyond CONNECT. Out: a [`Catalog`], and a fingerprint that tells
//! cheaply whether it is still true. Must not know the policy (the cache applies it), nor read a row of anyone's data.

mod cache;
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "of PostgreSQL's 270 parse nodes, those which are not named here mean that nothing is known"
)]
mod choices;
mod queries;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::Utc;
use tokio_postgres::{Client, Row};

pub use cache::CatalogCache;

use super::error::QueryError;
use crate::domain::schema::{
    Catalog, Column, Extension, ForeignKey, ForeignNames, NamedType, NamedTypeKind, Relation,
    RelationKind, RowSecurity,
};

/// Reads everything in one snapshot of the database, in the same number of queries however many relations there are.
///
/// # Errors
/// What PostgreSQL or the connection says. DDL that commits meanwhile can make PostgreSQL's own printing functions
/// fail (class XX); the next try sees the new state.
///
/// # Cancel safety
/// Dropped midway, a transaction may be left open: the connection must be thrown away then, as the pool does.
pub async fn read(client: &Client) -> Result<Catalog, QueryError> {
    let read = async {
        client.batch_execute(BEGIN).await?;
        let raw = RawCatalog::fetch(client).await?;
        client.batch_execute("ROLLBACK").await?;
        raw.assemble()
    };
    read.await.map_err(QueryError::from_driver)
}

/// One snapshot for all queries; `format_type` and `pg_get_expr` leave the schema out for what is in `search_path` only.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path = pg_catalog";

/// A text that differs whenever [`read`] would read something different, row estimates aside: those change with
/// every ANALYZE and are not worth reading everything again.
///
/// # Errors
/// What PostgreSQL or the connection says.
pub async fn read_fingerprint(client: &Client) -> Result<String, QueryError> {
    let row = client.query_typed_one(queries::FINGERPRINT, &[]).await;
    row.and_then(|row| row.try_get(0))
        .map_err(QueryError::from_driver)
}

/// The rows of each query, as they came.
struct RawCatalog {
    fingerprint: String,
    database: Row,
    relations: Vec<Row>,
    row_security: Vec<Row>,
    columns: Vec<Row>,
    keys: Vec<Row>,
    foreign_keys: Vec<Row>,
    checks: Vec<Row>,
    types: Vec<Row>,
    functions: Vec<Row>,
    operators: Vec<Row>,
    type_names: Vec<Row>,
    casts: Vec<Row>,
    extensions: Vec<Row>,
}

impl RawCatalog {
    /// All queries are sent before the first answer is read, so that a distant database costs one round trip.
    async fn fetch(client: &Client) -> Result<Self, tokio_postgres::Error> {
        let ask = |text| client.query_typed(text, &[]);
        let (fingerprint, database, relations, columns, keys, foreign_keys) = tokio::try_join!(
            client.query_typed_one(queries::FINGERPRINT, &[]),
            client.query_typed_one(queries::DATABASE, &[]),
            ask(queries::RELATIONS),
            ask(queries::COLUMNS),
            ask(queries::KEYS),
            ask(queries::FOREIGN_KEYS),
        )?;
        let (row_security, checks, types, functions, operators, type_names, casts, extensions) = tokio::try_join!(
            ask(queries::ROW_SECURITY),
            ask(queries::CHECKS),
            ask(queries::TYPES),
            ask(queries::FUNCTION_NAMES),
            ask(queries::OPERATOR_NAMES),
            ask(queries::TYPE_NAMES),
            ask(queries::CASTS),
            ask(queries::EXTENSIONS),
        )?;
        Ok(Self {
            fingerprint: fingerprint.try_get(0)?,
            database,
            relations,
            row_security,
            columns,
            keys,
            foreign_keys,
            checks,
            types,
            functions,
            operators,
            type_names,
            casts,
            extensions,
        })
    }

    fn assemble(self) -> Result<Catalog, tokio_postgres::Error> {
        let checks = Checks::parse(&self.checks)?;
        let types = Types::read(&self.types, &checks)?;
        let columns = read_columns(&self.columns, &types, &checks)?;
        let keys = read_keys(&self.keys)?;
        let estimates = Estimates::read(&self.relations)?;

        let mut names = HashMap::new();
        for row in &self.relations {
            let name: (String, String) = (row.try_get(1)?, row.try_get(2)?);
            names.insert(row.try_get::<_, i64>(0)?, name);
        }
        let mut foreign_keys = read_foreign_keys(&self.foreign_keys, &names, &columns)?;

        let mut relations = Vec::with_capacity(self.relations.len());
        let mut columns = columns;
        for row in &self.relations {
            let oid: i64 = row.try_get(0)?;
            let columns = columns.remove(&oid).unwrap_or_default();
            let named = |attnums: &Vec<i64>| columns.names(attnums);
            let (primary, unique): (Vec<_>, Vec<_>) = keys
                .get(&oid)
                .into_iter()
                .flatten()
                .partition(|key| key.is_primary);
            let primary_key = primary.first().and_then(|key| named(&key.attnums));
            let mut unique_keys: Vec<Vec<String>> = Vec::new();
            for key in unique.iter().filter_map(|key| named(&key.attnums)) {
                if !unique_keys.contains(&key) {
                    unique_keys.push(key);
                }
            }
            relations.push(Relation {
                schema: row.try_get(1)?,
                name: row.try_get(2)?,
                kind: relation_kind(row.try_get(3)?, row.try_get(4)?),
                comment: row.try_get(6)?,
                estimated_rows: estimates.of(oid),
                primary_key: primary_key.unwrap_or_default(),
                unique_keys,
                foreign_keys: foreign_keys.remove(&oid).unwrap_or_default(),
                columns: columns.columns,
            });
        }
        let server_version_num: i64 = self.database.try_get(1)?;
        Ok(Catalog {
            database: self.database.try_get(0)?,
            server_version_num: u32::try_from(server_version_num).unwrap_or_default(),
            fingerprint: self.fingerprint,
            read_at: Utc::now(),
            relations,
            row_security: read_row_security(&self.row_security)?,
            types: types.named,
            foreign_names: ForeignNames {
                functions: read_names(&self.functions)?,
                operators: read_names(&self.operators)?,
                types: read_names(&self.type_names)?,
                casts: read_casts(&self.casts, false)?,
                implicit_casts: read_casts(&self.casts, true)?,
            },
            extensions: read_extensions(&self.extensions)?,
        })
    }
}

fn relation_kind(relkind: &str, is_partition: bool) -> RelationKind {
    match relkind {
        _ if is_partition => RelationKind::Partition,
        "p" => RelationKind::PartitionedTable,
        "v" => RelationKind::View,
        "m" => RelationKind::MaterializedView,
        "f" => RelationKind::ForeignTable,
        _ => RelationKind::Table,
    }
}

fn read_row_security(
    rows: &[Row],
) -> Result<BTreeMap<(String, String), RowSecurity>, tokio_postgres::Error> {
    let mut found = BTreeMap::new();
    for row in rows {
        let row_security = if row.try_get(2)? {
            RowSecurity::Active
        } else {
            RowSecurity::Enabled
        };
        found.insert((row.try_get(0)?, row.try_get(1)?), row_security);
    }
    Ok(found)
}

fn read_names(rows: &[Row]) -> Result<BTreeSet<String>, tokio_postgres::Error> {
    rows.iter().map(|row| row.try_get(0)).collect()
}

fn read_casts(
    rows: &[Row],
    implicit_only: bool,
) -> Result<BTreeSet<(String, String)>, tokio_postgres::Error> {
    let mut casts = BTreeSet::new();
    for row in rows {
        if !implicit_only || row.try_get(2)? {
            casts.insert((row.try_get(0)?, row.try_get(1)?));
        }
    }
    Ok(casts)
}

/// The rows come ordered by extension, one for each name.
fn read_extensions(rows: &[Row]) -> Result<Vec<Extension>, tokio_postgres::Error> {
    let mut extensions: Vec<Extension> = Vec::new();
    for row in rows {
        let name: String = row.try_get(0)?;
        let mut extension = match extensions.pop() {
            Some(last) if last.name == name => last,
            last => {
                extensions.extend(last);
                Extension {
                    name,
                    schema: row.try_get(1)?,
                    ..Extension::default()
                }
            }
        };
        if let (Some(kind), Some(member)) = (row.try_get(2)?, row.try_get(3)?) {
            let names = match kind {
                "function" => &mut extension.functions,
                "operator" => &mut extension.operators,
                _ => &mut extension.types,
            };
            names.insert(member);
        }
        extensions.push(extension);
    }
    Ok(extensions)
}

/// What the CHECK constraints leave open, by where they are.
struct Checks {
    /// By relation OID and column name.
    of_columns: HashMap<(i64, String), Vec<String>>,
    /// By the domain's type OID.
    of_domains: HashMap<i64, Vec<String>>,
}

impl Checks {
    fn parse(rows: &[Row]) -> Result<Self, tokio_postgres::Error> {
        let mut checks = Self {
            of_columns: HashMap::new(),
            of_domains: HashMap::new(),
        };
        for row in rows {
            let (relation, domain): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            let Some(expression) = row.try_get::<_, Option<&str>>(2)? else {
                continue;
            };
            for choice in choices::parse_choices(expression) {
                let known = if relation == 0 {
                    checks.of_domains.entry(domain).or_default()
                } else {
                    let key = (relation, choice.column);
                    checks.of_columns.entry(key).or_default()
                };
                *known = choices::intersect(std::mem::take(known), &choice.values);
            }
        }
        Ok(checks)
    }
}

/// Enum and domain types, and what each leaves open.
struct Types {
    named: Vec<NamedType>,
    /// By type OID; a domain's are those of its own constraints and of the type below it.
    choices: HashMap<i64, Vec<String>>,
}

impl Types {
    fn read(rows: &[Row], checks: &Checks) -> Result<Self, tokio_postgres::Error> {
        let mut choices: HashMap<i64, Vec<String>> = HashMap::new();
        let mut domains: HashMap<i64, (i64, i64)> = HashMap::new();
        for row in rows {
            let oid: i64 = row.try_get(0)?;
            if row.try_get::<_, &str>(3)? == "e" {
                choices.insert(oid, row.try_get(7)?);
            } else {
                domains.insert(oid, (row.try_get(4)?, row.try_get(5)?));
            }
        }
        for &domain in domains.keys() {
            let mut own = Vec::new();
            let mut at = domain;
            let mut seen = HashSet::new();
            // A domain over a domain over … an enum, or an array of one.
            while let Some(&(base, element)) = domains.get(&at)
                && seen.insert(at)
            {
                let here = checks.of_domains.get(&at).map_or(&[][..], Vec::as_slice);
                own = choices::intersect(own, here);
                at = if element == 0 { base } else { element };
            }
            if !domains.contains_key(&at) {
                own = choices::intersect(own, choices.get(&at).map_or(&[][..], Vec::as_slice));
            }
            choices.insert(domain, own);
        }
        let mut named = Vec::with_capacity(rows.len());
        for row in rows {
            let of_type = choices
                .get(&row.try_get::<_, i64>(0)?)
                .cloned()
                .unwrap_or_default();
            let kind = match row.try_get::<_, Option<String>>(6)? {
                Some(base_type) => NamedTypeKind::Domain {
                    base_type,
                    choices: of_type,
                },
                None => NamedTypeKind::Enum { labels: of_type },
            };
            named.push(NamedType {
                schema: row.try_get(1)?,
                name: row.try_get(2)?,
                kind,
            });
        }
        Ok(Self { named, choices })
    }
}

/// The columns of one relation, and their numbers, which keys refer to.
#[derive(Default)]
struct RelationColumns {
    columns: Vec<Column>,
    attnums: Vec<i64>,
}

impl RelationColumns {
    /// The names of these numbers; `None` if one of them is no column of the table's own.
    fn names(&self, attnums: &[i64]) -> Option<Vec<String>> {
        attnums
            .iter()
            .map(|attnum| {
                let index = self.attnums.iter().position(|known| known == attnum)?;
                self.columns.get(index).map(|column| column.name.clone())
            })
            .collect()
    }
}

fn read_columns(
    rows: &[Row],
    types: &Types,
    checks: &Checks,
) -> Result<HashMap<i64, RelationColumns>, tokio_postgres::Error> {
    let mut relations: HashMap<i64, RelationColumns> = HashMap::new();
    for row in rows {
        let relation: i64 = row.try_get(0)?;
        let name: String = row.try_get(2)?;
        let (type_oid, element_oid): (i64, i64) = (row.try_get(6)?, row.try_get(7)?);
        let of_type = types
            .choices
            .get(&type_oid)
            .or_else(|| types.choices.get(&element_oid));
        let of_column = checks.of_columns.get(&(relation, name.clone()));
        let into = relations.entry(relation).or_default();
        into.attnums.push(row.try_get(1)?);
        into.columns.push(Column {
            type_name: row.try_get(3)?,
            type_schema: row.try_get(4)?,
            type_internal_name: row.try_get(5)?,
            not_null: row.try_get(8)?,
            comment: row.try_get(9)?,
            choices: choices::intersect(
                of_type.cloned().unwrap_or_default(),
                of_column.map_or(&[][..], Vec::as_slice),
            ),
            hidden: false,
            name,
        });
    }
    Ok(relations)
}

struct Key {
    is_primary: bool,
    attnums: Vec<i64>,
}

fn read_keys(rows: &[Row]) -> Result<HashMap<i64, Vec<Key>>, tokio_postgres::Error> {
    let mut keys: HashMap<i64, Vec<Key>> = HashMap::new();
    for row in rows {
        keys.entry(row.try_get(0)?).or_default().push(Key {
            is_primary: row.try_get(1)?,
            attnums: row.try_get(2)?,
        });
    }
    Ok(keys)
}

/// Foreign keys by the OID of the relation in which they start; those into system schemas are left out.
fn read_foreign_keys(
    rows: &[Row],
    names: &HashMap<i64, (String, String)>,
    columns: &HashMap<i64, RelationColumns>,
) -> Result<HashMap<i64, Vec<ForeignKey>>, tokio_postgres::Error> {
    let mut foreign_keys: HashMap<i64, Vec<ForeignKey>> = HashMap::new();
    for row in rows {
        let (relation, target): (i64, i64) = (row.try_get(0)?, row.try_get(3)?);
        let named = |oid: i64, attnums: Vec<i64>| columns.get(&oid)?.names(&attnums);
        let (Some((schema, name)), Some(own), Some(others)) = (
            names.get(&target),
            named(relation, row.try_get(2)?),
            named(target, row.try_get(4)?),
        ) else {
            continue;
        };
        foreign_keys.entry(relation).or_default().push(ForeignKey {
            name: row.try_get(1)?,
            columns: own,
            target_schema: schema.clone(),
            target_relation: name.clone(),
            target_columns: others,
        });
    }
    Ok(foreign_keys)
}

/// Row estimates. A partitioned table holds no rows itself: its estimate is the sum of its partitions',
/// because autovacuum never analyzes it.
struct Estimates {
    own: HashMap<i64, i64>,
    of_partitions: HashMap<i64, i64>,
}

impl Estimates {
    fn read(rows: &[Row]) -> Result<Self, tokio_postgres::Error> {
        let mut own = HashMap::new();
        let mut parents: HashMap<i64, i64> = HashMap::new();
        let mut partitioned = HashSet::new();
        for row in rows {
            let oid: i64 = row.try_get(0)?;
            if let Some(estimate) = row.try_get::<_, Option<i64>>(7)? {
                own.insert(oid, estimate);
            }
            if row.try_get::<_, &str>(3)? == "p" {
                partitioned.insert(oid);
            }
            parents.insert(oid, row.try_get(5)?);
        }
        let mut of_partitions: HashMap<i64, i64> = HashMap::new();
        for (&leaf, &estimate) in own.iter().filter(|(oid, _)| !partitioned.contains(oid)) {
            let mut at = leaf;
            while let Some(&parent) = parents.get(&at)
                && parent != 0
            {
                *of_partitions.entry(parent).or_default() += estimate;
                at = parent;
            }
        }
        Ok(Self { own, of_partitions })
    }

    fn of(&self, oid: i64) -> Option<i64> {
        self.of_partitions
            .get(&oid)
            .or_else(|| self.own.get(&oid))
            .copied()
    }
}
