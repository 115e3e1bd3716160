//! Brings the schema `db_chat` up to the version of this release, under a lock.
//!
//! Refused here: tables that a newer release has changed, and tables that were changed by hand in a
//! way that the history shows.

use std::error::Error as StdError;
use std::time::Duration;

use deadpool_postgres::Object;
use refinery::error::Kind;
use refinery::{Migration, Runner};
use tokio_postgres::Client;

use super::error::StateError;

/// Every migration of this release by file name, in the folder `migrations`. One that has been
/// released is never edited: its text is part of the history that is compared.
const MIGRATIONS: [(&str, &str); 2] = [
    (
        "V1__audit_log",
        include_str!("../../migrations/V1__audit_log.sql"),
    ),
    (
        "V2__feedback",
        include_str!("../../migrations/V2__feedback.sql"),
    ),
];

/// Where refinery notes what it has applied.
const HISTORY_TABLE: &str = "db_chat.schema_history";

/// Names the lock among all advisory locks of the database: the bytes of `db-chat` as a number.
const LOCK_KEY: i64 = 0x64_62_2d_63_68_61_74;

/// Long enough for another instance to migrate a large table; a start must not hang for ever.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Applies what is missing. Takes the connection out of its pool and closes it in the end: that frees
/// the lock whatever happens.
///
/// # Errors
/// As [`StateError`] says.
pub(super) async fn apply(connection: Object) -> Result<(), StateError> {
    let mut client = Object::take(connection);
    match tokio::time::timeout(TIMEOUT, apply_locked(&mut client)).await {
        Ok(result) => result,
        Err(elapsed) => Err(StateError::Unavailable {
            operation: "migrate",
            source: elapsed.into(),
        }),
    }
}

async fn apply_locked(client: &mut Client) -> Result<(), StateError> {
    let refused = |source| StateError::of_driver("migrate", source);
    client
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK_KEY])
        .await
        .map_err(refused)?;
    // Looked up first: IF NOT EXISTS alone asks for the right to create schemas even where there is
    // nothing to create, and an operator may have made the schema for a role without it.
    let exists = client
        .query_opt("SELECT FROM pg_namespace WHERE nspname = 'db_chat'", &[])
        .await
        .map_err(refused)?
        .is_some();
    if !exists {
        client
            .batch_execute("CREATE SCHEMA db_chat")
            .await
            .map_err(refused)?;
    }
    let migrations = migrations()?;
    let known = migrations.iter().map(Migration::version).max().unwrap_or(0);
    let report = Runner::new(&migrations)
        .set_abort_missing(true)
        .set_abort_divergent(true)
        .set_migration_table_name(HISTORY_TABLE)
        .run_async(client)
        .await
        .map_err(|error| explain(error, known))?;
    for migration in report.applied_migrations() {
        tracing::info!(migration = %migration, "migrated the state database");
    }
    Ok(())
}

fn migrations() -> Result<Vec<Migration>, StateError> {
    MIGRATIONS
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, sql))
        .collect::<Result<_, _>>()
        .map_err(|source| StateError::SetUp {
            source: source.into(),
        })
}

/// What refinery's error means; `known` is the newest version of this release.
fn explain(error: refinery::Error, known: i32) -> StateError {
    match error.kind() {
        Kind::MissingVersion(migration) if migration.version() > known => StateError::TooNew {
            found: migration.version(),
            known,
        },
        Kind::MissingVersion(_) | Kind::DivergentVersion(_, _) | Kind::RepeatedVersion(_) => {
            StateError::Diverged { source: error }
        }
        Kind::Connection(_, _) => of_connection(error),
        Kind::InvalidName
        | Kind::InvalidVersion
        | Kind::InvalidMigrationPath(_, _)
        | Kind::ConfigError(_)
        | Kind::InvalidMigrationFile(_, _) => StateError::SetUp {
            source: error.into(),
        },
    }
}

/// refinery wraps the driver's error; its kind decides whether trying again makes sense.
fn of_connection(error: refinery::Error) -> StateError {
    let sqlstate = error
        .source()
        .and_then(|source| source.downcast_ref::<tokio_postgres::Error>())
        .and_then(StateError::refusal);
    match sqlstate {
        Some(sqlstate) => StateError::Refused {
            operation: "migrate",
            sqlstate,
            source: error.into(),
        },
        None => StateError::Unavailable {
            operation: "migrate",
            source: error.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_among_the_migrations_is_compiled_in_under_its_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let compiled_in: BTreeSet<String> = MIGRATIONS
            .iter()
            .map(|(name, _)| format!("{name}.sql"))
            .collect();
        assert_eq!(files, compiled_in);
    }

    #[test]
    fn versions_count_up_from_one() {
        let versions: Vec<i32> = migrations()
            .unwrap()
            .iter()
            .map(Migration::version)
            .collect();
        let expected: Vec<i32> = (1..).take(versions.len()).collect();
        assert_eq!(versions, expected);
    }
}
