//! The guard against a real PostgreSQL: its corpus, what PostgreSQL says a query reads, and its command.

mod builtins;
mod command;
mod corpus;
mod fragments;
mod mutants;
mod mutations;
mod stack;
mod twins;

use db_chat::domain::schema::Snapshot;
use db_chat::domain::sql::DraftSql;
use db_chat::guard::policy::Policy;
use db_chat::guard::{self, CheckedSql, Rejection};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::support::postgres::TestDatabase;

/// The database that the corpus is about.
const FIXTURE: &str = include_str!("../../guard/fixture.sql");

/// What of it may be read.
const ALLOWED_TABLES: &str = "books, members, loans, loan_summary, !public.members.card_number";

/// The fixture loaded, and what the policy lets be seen of it.
async fn library() -> (TestDatabase, Snapshot) {
    let database = TestDatabase::create(FIXTURE).await;
    let policy = Policy::compile(ALLOWED_TABLES, "").expect("a policy");
    let snapshot = policy.apply(database.catalog().await);
    (database, snapshot)
}

fn check(sql: &str, snapshot: &Snapshot) -> Result<CheckedSql, Rejection> {
    guard::check(&DraftSql::new(sql), snapshot)
}

/// The statements of a corpus file, which blank lines separate, each with the last `-- refused: CODE` above it.
fn paragraphs(file: &str) -> Vec<(String, String)> {
    let mut heading = String::new();
    let mut statements = Vec::new();
    for paragraph in file.split("\n\n") {
        let mut lines = Vec::new();
        for line in paragraph.lines() {
            if let Some(code) = line.strip_prefix("-- refused: ") {
                heading = code.to_owned();
            } else if !line.starts_with("-- ") || line.contains("nothing but a comment") {
                lines.push(line);
            }
        }
        if !lines.is_empty() {
            statements.push((heading.clone(), lines.join("\n")));
        }
    }
    statements
}

fn accepted() -> Vec<String> {
    let statements = paragraphs(include_str!("../../guard/accepted.sql"));
    statements.into_iter().map(|(_, sql)| sql).collect()
}

fn refused() -> Vec<(String, String)> {
    paragraphs(include_str!("../../guard/refused.sql"))
}

/// What PostgreSQL itself says a query depends on that is not builtin: `relation` or `relation.column` with the schema,
/// `relation.*` for system columns, `function …`, `operator …`, `type …`, and `permission denied …` for what a role with
/// grants for just what is allowed may not read.
///
/// A view is made of the query and rolled back; PostgreSQL notes the dependencies of a view exactly, except that a whole row
/// looks like the relation alone. Rights tell those apart. `None` if no view can be made of the query, because it
/// would fail when run.
async fn dependencies(client: &Client, sql: &str) -> Option<Vec<String>> {
    let mut found = view_dependencies(client, sql).await?;
    client
        .batch_execute("BEGIN; SET LOCAL search_path = pg_catalog")
        .await
        .expect("a transaction");
    found.extend(denied(client, sql).await);
    client.batch_execute("ROLLBACK").await.expect("rolled back");
    Some(found)
}

/// [`dependencies`] without the look at rights.
async fn view_dependencies(client: &Client, sql: &str) -> Option<Vec<String>> {
    client
        .batch_execute(
            "BEGIN; SET LOCAL search_path = pg_catalog; SET LOCAL client_min_messages = error",
        )
        .await
        .expect("a transaction");
    let create = format!("CREATE VIEW public.probe AS SELECT FROM ({sql}) AS probed");
    let found = match client.batch_execute(&create).await {
        Ok(()) => {
            let rows = client.query(DEPENDENCIES, &[]).await.expect("dependencies");
            Some(rows.iter().map(|row| row.get(0)).collect())
        }
        Err(_) => None,
    };
    client.batch_execute("ROLLBACK").await.expect("rolled back");
    found
}

/// What PostgreSQL says when the role of [`READER`] would run the query, if it denies that. Planning checks rights.
async fn denied(client: &Client, sql: &str) -> Option<String> {
    client.batch_execute(READER).await.expect("a role");
    let error = client
        .batch_execute(&format!("EXPLAIN {sql}"))
        .await
        .err()?;
    (error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)).then(|| {
        let answer = error.as_db_error();
        answer.map_or_else(String::new, |answer| answer.message().to_owned())
    })
}

/// A role with the policy as grants, until the transaction ends.
const READER: &str = "
CREATE ROLE probe_reader;
GRANT SELECT ON public.books, public.loans, public.loan_summary TO probe_reader;
GRANT SELECT (id, name, email, kind, joined) ON public.members TO probe_reader;
SET LOCAL ROLE probe_reader";

const DEPENDENCIES: &str = "
SELECT DISTINCT CASE d.refclassid
         WHEN 'pg_class'::regclass THEN n.nspname || '.' || c.relname || CASE
             WHEN d.refobjsubid > 0 THEN '.' || a.attname
             WHEN d.refobjsubid < 0 THEN '.*' ELSE '' END
         WHEN 'pg_proc'::regclass THEN 'function ' || d.refobjid::regprocedure::text
         WHEN 'pg_operator'::regclass THEN 'operator ' || d.refobjid::regoperator::text
         WHEN 'pg_type'::regclass THEN 'type ' || d.refobjid::regtype::text
         ELSE 'other ' || d.refclassid::regclass::text END AS name
FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
LEFT JOIN pg_class c ON c.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
WHERE r.ev_class = 'public.probe'::regclass AND d.refobjid <> 'public.probe'::regclass
  AND d.refclassid NOT IN ('pg_collation'::regclass, 'pg_ts_config'::regclass, 'pg_constraint'::regclass)
ORDER BY 1";

/// Whether a query of the corpus database may depend on this.
fn may_depend_on(dependency: &str, snapshot: &Snapshot) -> bool {
    if let Some(type_name) = dependency.strip_prefix("type ") {
        let element = type_name.trim_end_matches("[]");
        let is_enum = matches!(element, "public.genre" | "public.member_kind");
        return is_enum
            || snapshot.relations.iter().any(|relation| {
                !relation.has_hidden_columns()
                    && element == format!("{}.{}", relation.schema, relation.name)
            });
    }
    snapshot.relations.iter().any(|relation| {
        let name = format!("{}.{}", relation.schema, relation.name);
        dependency == name
            || relation
                .visible_columns()
                .any(|column| dependency == format!("{name}.{}", column.name))
            || (dependency == format!("{name}.*") && !relation.has_hidden_columns())
    })
}
