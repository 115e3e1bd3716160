//! What has to be known of a result column's type: its name, what JSON makes of it, and how a huge value is cut where it is.
//!
//! In: type OIDs. Out: [`TypeFacts`]. Builtin types are asked for once in a process and remembered.

use std::collections::HashMap;
use std::sync::PoisonError;

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::pool::DatabasePool;
use crate::domain::result::ValueKind;

/// What is known of one type.
#[derive(Debug, Clone)]
pub(super) struct TypeFacts {
    /// As `format_type` prints it without a modifier.
    pub(super) name: String,
    /// What JSON makes of it.
    pub(super) kind: ValueKind,
    /// How its values can be bounded by PostgreSQL itself.
    pub(super) bound: ValueBound,
}

/// How PostgreSQL can be asked for no more of a value than db-chat keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueBound {
    /// Never long: fixed-size types, `numeric` (at most 147,456 characters), network addresses.
    Short,
    /// `left` prints a text that is short enough unchanged.
    Text,
    /// `substring` does the same to bytes.
    Bytes,
    /// Through the type's output function, which is what psql shows; written schema-qualified and quoted.
    Printed {
        /// `pg_type.typoutput`.
        output_function: String,
    },
}

/// `oid`, `name`, `typlen`, `output function`.
const TYPES: &str = "
     SELECT t.oid::int8, format_type(t.oid, NULL), t.typlen::int4, quote_ident(n.nspname) || '.' || quote_ident(p.proname)
       FROM pg_catalog.pg_type t
       JOIN pg_catalog.pg_proc p ON p.oid = t.typoutput
       JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE t.oid = ANY ($1::int8[]::oid[])";

/// OIDs from here on belong to objects that users made (`FirstNormalObjectId`), whose meaning can change.
const FIRST_USER_OID: u32 = 16_384;

/// The facts about each of `types`, in the same order. Asks the database at most once.
pub(super) async fn describe(
    client: &Client,
    pool: &DatabasePool,
    types: &[u32],
) -> Result<Vec<Option<TypeFacts>>, tokio_postgres::Error> {
    let known = || {
        pool.builtin_types
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    };
    let mut facts: HashMap<u32, TypeFacts> = {
        let known = known();
        types
            .iter()
            .filter_map(|oid| Some((*oid, known.get(oid)?.clone())))
            .collect()
    };
    let missing: Vec<i64> = types
        .iter()
        .filter(|oid| !facts.contains_key(oid))
        .map(|oid| i64::from(*oid))
        .collect();
    if !missing.is_empty() {
        for row in client
            .query_typed(TYPES, &[(&missing, Type::INT8_ARRAY)])
            .await?
        {
            let oid = u32::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
            let of_type = TypeFacts {
                name: row.try_get(1)?,
                kind: value_kind(oid),
                bound: value_bound(oid, row.try_get(2)?, row.try_get(3)?),
            };
            if oid < FIRST_USER_OID {
                known().insert(oid, of_type.clone());
            }
            facts.insert(oid, of_type);
        }
    }
    Ok(types.iter().map(|oid| facts.get(oid).cloned()).collect())
}

fn value_kind(oid: u32) -> ValueKind {
    match Type::from_oid(oid) {
        Some(Type::INT2 | Type::INT4 | Type::INT8 | Type::OID) => ValueKind::Integer,
        Some(Type::NUMERIC) => ValueKind::Numeric,
        Some(Type::FLOAT4 | Type::FLOAT8) => ValueKind::Float,
        Some(Type::BOOL) => ValueKind::Boolean,
        Some(Type::DATE) => ValueKind::Date,
        Some(Type::TIMESTAMP) => ValueKind::Timestamp,
        Some(Type::TIMESTAMPTZ) => ValueKind::TimestampTz,
        Some(Type::TIME | Type::TIMETZ) => ValueKind::Time,
        Some(Type::JSON | Type::JSONB) => ValueKind::Json,
        _ => ValueKind::Text,
    }
}

/// `length` is `pg_type.typlen`: -1 for types of varying length.
fn value_bound(oid: u32, length: i32, output_function: String) -> ValueBound {
    match Type::from_oid(oid) {
        Some(Type::TEXT | Type::VARCHAR) => ValueBound::Text,
        Some(Type::BYTEA) => ValueBound::Bytes,
        Some(Type::NUMERIC | Type::INET | Type::CIDR) => ValueBound::Short,
        _ if length == -1 => ValueBound::Printed { output_function },
        _ => ValueBound::Short,
    }
}
