//! `db-chat grants`: the SQL that makes the role that db-chat asks as.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::snapshot::read_snapshot_for_another_role;
use crate::config::Config;
use crate::postgres::grants::ReaderRole;

/// Rolling restarts run two processes for a while.
const PROCESSES_DEFAULT: usize = 2;

/// Prints SQL that creates a role which can read what the policy shows and do nothing else. Runs none of it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  db-chat grants | psql -v ON_ERROR_STOP=1 \"$ADMIN_URL\"
  psql \"$ADMIN_URL\" -c '\\password db_chat_reader'
  db-chat grants --drop | psql -v ON_ERROR_STOP=1 \"$ADMIN_URL\"

DATABASE_URL may be of any role that can connect: only the structure is read with it. The SQL is for a superuser.
It holds no password. Run it again when the policy or a table changes; `db-chat doctor` says when.")]
pub struct GrantsArgs {
    /// The role's name
    #[arg(long, value_name = "NAME", default_value = "db_chat_reader")]
    pub role: String,
    /// Connections that the role may have; without it, twice DB_CHAT_POOL_CONNECTIONS_MAX
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub connections: Option<u16>,
    /// Print the SQL that undoes it
    #[arg(long, conflicts_with = "connections")]
    pub drop: bool,
}

/// Reads the schema and writes the SQL to `output`.
///
/// # Errors
/// The settings or the role's name cannot be used, the database cannot be read, or the output cannot be written.
pub async fn run(
    args: GrantsArgs,
    config: &Config,
    mut output: impl Write,
) -> anyhow::Result<ExitCode> {
    let limits = &config.limits;
    let connections_max = args.connections.map_or(
        limits
            .pool_connections_max
            .saturating_mul(PROCESSES_DEFAULT),
        usize::from,
    );
    let role = ReaderRole::new(&args.role, connections_max, limits)?;
    let snapshot = read_snapshot_for_another_role(config).await?;
    let sql = if args.drop {
        role.drop_sql(&snapshot.database)
    } else {
        role.grants_sql(&snapshot)
    };
    output.write_all(sql.as_bytes())?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
