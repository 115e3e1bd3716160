//! `db-chat guard`: SQL in, the guard's verdict out, as text or as JSON lines. Runs nothing.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::snapshot::read_snapshot;
use crate::config::Config;
use crate::domain::schema::Snapshot;
use crate::domain::sql::DraftSql;
use crate::guard::{self, CheckedSql, Rejection};
use crate::pipeline::check::STACK_BYTES;
use crate::wire::schema_document::read_schema_document;

/// Exit code when at least one statement was refused.
const EXIT_REFUSED: u8 = 1;

/// Exit code when there was nothing to check with or against.
const EXIT_USAGE: u8 = 2;

/// Says what the guard decides about SQL, without running it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  db-chat guard 'SELECT count(*) FROM orders'
  db-chat guard < query.sql
  db-chat schema --json > catalog.json
  db-chat guard --jsonl --catalog catalog.json < queries.jsonl

A line of --jsonl is {\"id\": …, \"sql\": \"…\"}; the answer is {\"id\", \"allowed\": true, \"sql\", \"tables\", \"columns\"}
or {\"id\", \"allowed\": false, \"code\", \"reason\"}, in the same order.

Exit code: 0 if everything was allowed, 1 if anything was refused, 2 if it could not be checked.")]
pub struct GuardArgs {
    /// The statement; without it, standard input is read
    #[arg(conflicts_with = "jsonl")]
    pub sql: Option<String>,
    /// Read JSON lines from standard input and write JSON lines
    #[arg(long)]
    pub jsonl: bool,
    /// Take the catalog from this file, which `db-chat schema --json` wrote, instead of the database
    #[arg(long, value_name = "FILE")]
    pub catalog: Option<PathBuf>,
}

/// Checks what the arguments or `input` hold and writes the verdicts to `output`, problems to `problems`.
///
/// # Errors
/// The output cannot be written.
pub async fn run(
    args: GuardArgs,
    config: &Config,
    input: impl BufRead + Send,
    output: impl Write + Send,
    mut problems: impl Write,
) -> anyhow::Result<ExitCode> {
    let snapshot = match snapshot(args.catalog.as_deref(), config).await {
        Ok(snapshot) => snapshot,
        Err(problem) => {
            writeln!(problems, "db-chat guard: {problem:#}")?;
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    // One thread with the guard's stack for all of them: a thread for each would cost more than most checks.
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new()
            .name("guard".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || {
                if args.jsonl {
                    check_lines(input, output, &snapshot)
                } else {
                    check_one(args.sql, input, output, &snapshot)
                }
            })
            .context("no thread for the guard could be started")?;
        let all_allowed = worker
            .join()
            .map_err(|_| anyhow::anyhow!("the guard failed"))??;
        Ok(if all_allowed {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(EXIT_REFUSED)
        })
    })
}

async fn snapshot(catalog: Option<&Path>, config: &Config) -> anyhow::Result<Arc<Snapshot>> {
    if let Some(path) = catalog {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let snapshot = read_schema_document(&text)
            .with_context(|| format!("cannot use {} as a catalog", path.display()))?;
        return Ok(Arc::new(snapshot));
    }
    if config.database.url.is_none() {
        anyhow::bail!("set DATABASE_URL or give --catalog FILE");
    }
    read_snapshot(config).await
}

/// One statement, and a verdict for a person. Gives whether it was allowed.
fn check_one(
    sql: Option<String>,
    mut input: impl BufRead,
    mut output: impl Write,
    snapshot: &Snapshot,
) -> anyhow::Result<bool> {
    let sql = match sql {
        Some(sql) => sql,
        None => {
            let mut bytes = Vec::new();
            input
                .read_to_end(&mut bytes)
                .context("cannot read standard input")?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    let verdict = guard::check(&DraftSql::new(sql), snapshot);
    match &verdict {
        Ok(checked) => {
            writeln!(output, "allowed\n{}", checked.as_str())?;
            writeln!(output, "tables:  {}", checked.tables().join(", "))?;
            writeln!(output, "columns: {}", checked.columns().join(", "))?;
        }
        Err(rejection) => {
            writeln!(
                output,
                "refused ({})\n{rejection}",
                rejection.code().as_str()
            )?;
        }
    }
    output.flush()?;
    Ok(verdict.is_ok())
}

/// JSON lines to JSON lines, blank ones left out. Gives whether all were allowed.
fn check_lines(
    mut input: impl BufRead,
    mut output: impl Write,
    snapshot: &Snapshot,
) -> anyhow::Result<bool> {
    let mut output = std::io::BufWriter::new(&mut output);
    let mut all_allowed = true;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input
            .read_until(b'\n', &mut line)
            .context("cannot read standard input")?
            == 0
        {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match read_line(&line) {
            Ok((id, sql)) => verdict(&id, guard::check(&DraftSql::new(sql), snapshot)),
            Err((id, reason)) => refusal(&id, "invalid_input", &reason),
        };
        all_allowed &= answer.get("allowed") == Some(&Value::Bool(true));
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(all_allowed)
}

/// A line as far as it has been understood: the text stays raw, so that the id is known even when the text is not valid Unicode.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default)]
    id: Value,
    #[serde(borrow)]
    sql: Option<&'a RawValue>,
}

fn read_line(line: &[u8]) -> Result<(Value, String), (Value, String)> {
    let parsed: Line<'_> = serde_json::from_slice(line).map_err(|error| {
        (
            Value::Null,
            format!("The line is no JSON object with id and sql: {error}."),
        )
    })?;
    let Some(raw) = parsed.sql else {
        return Err((parsed.id, "The line has no sql.".to_owned()));
    };
    match serde_json::from_str(raw.get()) {
        Ok(sql) => Ok((parsed.id, sql)),
        Err(error) => Err((parsed.id, format!("The sql is no valid text: {error}."))),
    }
}

fn verdict(id: &Value, outcome: Result<CheckedSql, Rejection>) -> Value {
    match outcome {
        Ok(checked) => json!({
            "id": id,
            "allowed": true,
            "sql": checked.as_str(),
            "tables": checked.tables(),
            "columns": checked.columns(),
        }),
        Err(rejection) => refusal(id, rejection.code().as_str(), rejection.reason()),
    }
}

fn refusal(id: &Value, code: &str, reason: &str) -> Value {
    json!({"id": id, "allowed": false, "code": code, "reason": reason})
}
