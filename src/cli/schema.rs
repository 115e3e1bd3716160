//! `db-chat schema`: the schema as db-chat sees it, as text, as JSON, or as the part that a model is shown for a question.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::snapshot::read_snapshot;
use crate::config::Config;
use crate::domain::schema::Snapshot;
use crate::pipeline::schema_context::{estimated_tokens, schema_context};
use crate::wire::schema_document::schema_document;

/// Prints the schema as db-chat sees it under the configured policy.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  db-chat schema
  db-chat schema --json > catalog.json
  db-chat schema --question 'orders per country' --budget 1000

--json is for operators: it names hidden columns of allowed tables, marked \"hidden\", because `db-chat guard --catalog`
must know them. Hidden tables are only counted.")]
pub struct SchemaArgs {
    /// Print one JSON document, which `db-chat guard --catalog` reads
    #[arg(long, conflicts_with_all = ["question", "budget"])]
    pub json: bool,
    /// Print exactly the schema text that the model would be given for this question
    #[arg(long, value_name = "QUESTION")]
    pub question: Option<String>,
    /// Tokens for that text; without it, SCHEMA_CONTEXT_TOKENS_MAX
    #[arg(long, value_name = "TOKENS", requires = "question", value_parser = clap::value_parser!(u32).range(1..))]
    pub budget: Option<u32>,
}

/// Reads the schema and writes it to `output`.
///
/// # Errors
/// The settings cannot be used, the database cannot be read, or the output cannot be written.
pub async fn run(
    args: SchemaArgs,
    config: &Config,
    mut output: impl Write,
) -> anyhow::Result<ExitCode> {
    let snapshot = read_snapshot(config).await?;
    if args.json {
        serde_json::to_writer_pretty(&mut output, &schema_document(&snapshot))?;
        writeln!(output)?;
    } else if let Some(question) = &args.question {
        let budget = match args.budget {
            Some(budget) => usize::try_from(budget)?,
            None => config.limits.schema_context_tokens_max,
        };
        let context = schema_context(&snapshot, question, &[], budget);
        output.write_all(context.text.as_bytes())?;
    } else {
        write_overview(&snapshot, &mut output)?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Everything that may be asked about, and how much may not.
fn write_overview(snapshot: &Snapshot, output: &mut impl Write) -> anyhow::Result<()> {
    let whole = schema_context(snapshot, "", &[], usize::MAX);
    let columns: usize = snapshot
        .relations
        .iter()
        .map(|relation| relation.visible_columns().count())
        .sum();
    writeln!(
        output,
        "Database {}: {} tables and views with {columns} columns, about {} tokens as text for a model. Hidden: {} tables, {} columns.\n",
        snapshot.database,
        snapshot.relations.len(),
        estimated_tokens(&whole.text),
        snapshot.hidden_relations_count,
        snapshot.hidden_columns_count(),
    )?;
    if snapshot.relations.is_empty() {
        writeln!(
            output,
            "Nothing may be asked about: ALLOWED_TABLES matches no table of this database."
        )?;
    }
    output.write_all(whole.text.as_bytes())?;
    Ok(())
}
