//! What the role that db-chat asks as could do if the guard let everything through.
//!
//! In: a connection, and what the policy shows. Out: findings, each with the statements that close it. It runs only
//! queries over the catalogs, with the rights that every role has, and changes nothing.

mod findings;
mod queries;

use std::time::Duration;

use tokio_postgres::{Client, Row};
use tokio_util::sync::CancellationToken;

pub use findings::{Finding, FindingKind};

use super::error::QueryError;
use super::pool::DatabasePool;

/// For all of it. A thousand tables take a fraction of a second.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// The role as PostgreSQL knows it.
#[derive(Debug, Clone)]
pub struct Posture {
    /// Whom the connection logged in as.
    pub role: String,
    /// The database.
    pub database: String,
    /// `server_version`, e.g. `15.8 (Debian 15.8-1)`.
    pub server_version: String,
    server_version_num: i64,
    is_superuser: bool,
    /// The words of ALTER ROLE that switch on what no reader needs, e.g. `BYPASSRLS`.
    attributes: Vec<String>,
    memberships: Vec<Membership>,
    owned: Vec<Owned>,
    rights: Vec<Right>,
    views: Vec<ViewRead>,
    is_read_only_by_default: bool,
    has_statement_timeout: bool,
}

/// A role that the role is a member of, directly or through others; NOINHERIT does not matter, because SET ROLE would do.
#[derive(Debug, Clone)]
struct Membership {
    role: String,
    /// The member through which it is reached, itself for a direct one.
    member: String,
    is_superuser: bool,
    attributes: Vec<String>,
}

/// What somebody within reach owns here.
#[derive(Debug, Clone)]
struct Owned {
    owner: String,
    count: i64,
    example: String,
}

/// A right of the role, of PUBLIC or of a role that it is a member of.
#[derive(Debug, Clone)]
struct Right {
    kind: String,
    /// As GRANT takes it, e.g. `TABLE public.orders`.
    target: String,
    schema: Option<String>,
    relation: Option<String>,
    column: Option<String>,
    extension: Option<String>,
    /// As GRANT takes it, e.g. `SELECT (name)`.
    privilege: String,
    /// `None`: PUBLIC.
    grantee: Option<String>,
}

/// A column that a view reads with its owner's rights.
#[derive(Debug, Clone)]
struct ViewRead {
    view_schema: String,
    view: String,
    is_materialized: bool,
    schema: String,
    relation: String,
    /// `None` where only the relation as such is used.
    column: Option<String>,
}

/// Looks at the role that the pool logs in as.
///
/// # Errors
/// What PostgreSQL, the connection or the pool says.
///
/// # Cancel safety
/// Dropped midway, PostgreSQL is told to stop and the connection is thrown away.
pub async fn read(pool: &DatabasePool) -> Result<Posture, QueryError> {
    let never = CancellationToken::new();
    pool.run(READ_TIMEOUT, &never, |client| {
        Box::pin(async move { ask(client).await.map_err(QueryError::from_driver) })
    })
    .await
}

async fn ask(client: &Client) -> Result<Posture, tokio_postgres::Error> {
    // Before the transaction, which has settings of its own.
    let defaults = client.query_typed_one(queries::DEFAULTS, &[]).await?;
    client.batch_execute(queries::BEGIN).await?;
    let role = client.query_typed_one(queries::ROLE, &[]).await?;
    let is_superuser: bool = role.try_get("is_superuser")?;
    let memberships = client.query_typed(queries::MEMBERSHIPS, &[]).await?;
    // A superuser may do everything anyhow; a list of all there is would say no more.
    let (owned, rights, views) = if is_superuser {
        (Vec::new(), Vec::new(), Vec::new())
    } else {
        (
            client.query_typed(queries::OWNED, &[]).await?,
            client.query_typed(&queries::rights(), &[]).await?,
            client.query_typed(queries::VIEW_READS, &[]).await?,
        )
    };
    client.batch_execute("ROLLBACK").await?;
    Ok(Posture {
        role: role.try_get("role")?,
        database: role.try_get("database")?,
        server_version: role.try_get("server_version")?,
        server_version_num: role.try_get("server_version_num")?,
        is_superuser,
        attributes: role.try_get("attributes")?,
        memberships: collect(&memberships, |row| {
            Ok(Membership {
                role: row.try_get("role")?,
                member: row.try_get("member")?,
                is_superuser: row.try_get("is_superuser")?,
                attributes: row.try_get("attributes")?,
            })
        })?,
        owned: collect(&owned, |row| {
            Ok(Owned {
                owner: row.try_get("owner")?,
                count: row.try_get("count")?,
                example: row.try_get("example")?,
            })
        })?,
        rights: collect(&rights, |row| {
            Ok(Right {
                kind: row.try_get("kind")?,
                target: row.try_get("target")?,
                schema: row.try_get("schema_name")?,
                relation: row.try_get("relation_name")?,
                column: row.try_get("column_name")?,
                extension: row.try_get("extension_name")?,
                privilege: row.try_get("privilege")?,
                grantee: row.try_get("grantee_name")?,
            })
        })?,
        views: collect(&views, |row| {
            Ok(ViewRead {
                view_schema: row.try_get("view_schema")?,
                view: row.try_get("view")?,
                is_materialized: row.try_get("is_materialized")?,
                schema: row.try_get("schema")?,
                relation: row.try_get("relation")?,
                column: row.try_get("column_name")?,
            })
        })?,
        is_read_only_by_default: defaults.try_get("is_read_only")?,
        has_statement_timeout: defaults.try_get("has_statement_timeout")?,
    })
}

fn collect<T>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
) -> Result<Vec<T>, tokio_postgres::Error> {
    rows.iter().map(read).collect()
}
