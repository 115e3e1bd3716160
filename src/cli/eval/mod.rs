//! `db-chat eval`: questions with gold SQL through the whole pipeline, and how many answers have the gold's rows.
//!
//! Gold SQL takes the way of all SQL, through the guard and the read-only transaction: what could not run as an answer is no
//! measure for one.

mod comparison;
mod file;
mod report;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ask, demo, snapshot};
use crate::app::{Services, shutdown};
use crate::config::Config;
use crate::domain::caller::Caller;
use crate::domain::result::ResultSet;
use crate::domain::sql::DraftSql;
use crate::pipeline::check::SqlChecker;
use crate::pipeline::event::{Answer, TurnEvent};
use crate::postgres::catalog::CatalogCache;
use crate::postgres::pool::DatabasePool;
use crate::postgres::read_only::{self, ExecutionLimits};
use crate::postgres::row_scope::RowScope;
use crate::wire::errors::{WireError, chain};

use self::comparison::is_equal;
use self::file::Question;
use self::report::{Outcome, Report, Verdict};

/// Exit code when the file or a gold query cannot be used.
const EXIT_USAGE: u8 = 2;

/// How many events may wait for the reader; it only keeps the last one.
const EVENTS_WAITING_MAX: usize = 64;

/// Asks questions whose right answers are known, and counts the answers that have the same rows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  db-chat eval questions.jsonl
  db-chat eval questions.jsonl --json | jq '.categories'
  db-chat eval questions.jsonl --parallel 8 --percent-min 85

Each line of the file is one question:
  {\"id\": \"q1\", \"question\": \"How many orders are there?\", \"sql\": \"SELECT count(*) FROM orders\", \"category\": \"counting\"}
`sql` is the gold query, an array of them where several are right, or null for a question that the data cannot
answer. `id` and `category` may be left out, other fields are passed over, and `gold_sql` is another name for `sql`.

An answer is equal when its rows are those of a gold query: columns by position, whatever their names; the order of
rows only where that gold query has an ORDER BY; 1.50 equals 1.5, and floating point counts to 12 digits. A question
with null is answered rightly by no query at all. Results are compared within DB_CHAT_ROWS_MAX rows, so gold queries
must not give more. Without DATABASE_URL the demo database is asked.

Exit code: 0 if at least --percent-min of the answers are equal, 1 if fewer, 2 if the file or a gold query cannot be used.")]
pub struct EvalArgs {
    /// The questions, one JSON object a line
    #[arg(value_name = "FILE.jsonl")]
    pub file: PathBuf,
    /// Print one JSON document with every question
    #[arg(long)]
    pub json: bool,
    /// Whose rows are asked, where DB_CHAT_TENANT_SETTING keeps tenants apart
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Questions under way at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: u16,
    /// Percent of equal answers below which the exit code is 1
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub percent_min: u8,
}

/// Asks all questions and writes the report to `output`.
///
/// # Errors
/// The settings cannot be used, the database cannot be read, or the output cannot be written. A file that cannot be used is an
/// exit code.
pub async fn run(args: EvalArgs, config: Config, output: impl Write) -> anyhow::Result<ExitCode> {
    let questions = match file::read(&args.file) {
        Ok(questions) => questions,
        Err(problem) => {
            writeln!(std::io::stderr(), "db-chat eval: {problem:#}")?;
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    let tasks = TaskTracker::new();
    let cancel = shutdown::on_signal(&tasks)?;
    if config.database.url.is_some() {
        return evaluate(&args, questions, &config, &cancel, output).await;
    }
    let (postgres, config) = demo::prepare(config).await?;
    let evaluated = evaluate(&args, questions, &config, &cancel, output).await;
    postgres.stop().await?;
    evaluated
}

async fn evaluate(
    args: &EvalArgs,
    questions: Vec<Question>,
    config: &Config,
    cancel: &CancellationToken,
    mut output: impl Write,
) -> anyhow::Result<ExitCode> {
    let (pool, catalog) = snapshot::connect(config)?;
    let caller = ask::caller(args.tenant.as_deref(), config)?;
    let setting = config.auth.tenants.as_ref().map(|tenants| &tenants.setting);
    let scope = RowScope::of(setting, &caller.principal)?;
    let evaluation = Evaluation {
        config,
        caller,
        services: Services::connect(config).await?,
        gold: GoldRunner {
            pool,
            catalog,
            checker: SqlChecker::default(),
            scope,
            limits: ExecutionLimits::from(&config.limits),
        },
        cancel,
    };
    let mut report = Report::default();
    let mut verdicts = stream::iter(&questions)
        .map(|question| evaluation.verdict(question))
        .buffered(usize::from(args.parallel));
    while let Some(verdict) = verdicts.next().await {
        if cancel.is_cancelled() {
            anyhow::bail!("stopped before all questions were asked");
        }
        if !args.json {
            verdict.write_line(&mut output)?;
            output.flush()?;
        }
        report.add(verdict);
    }
    drop(verdicts);
    if let Some(audit) = &evaluation.services.audit {
        audit.close(std::time::Duration::from_secs(5)).await;
    }
    if args.json {
        serde_json::to_writer_pretty(&mut output, &report.document())?;
        writeln!(output)?;
    } else {
        report.write_table(&mut output)?;
    }
    output.flush()?;
    Ok(if report.has_faulty_gold() {
        ExitCode::from(EXIT_USAGE)
    } else {
        ExitCode::from(u8::from(!report.reaches(args.percent_min)))
    })
}

/// What every question needs.
struct Evaluation<'a> {
    config: &'a Config,
    caller: Caller,
    services: Services,
    gold: GoldRunner,
    cancel: &'a CancellationToken,
}

impl Evaluation<'_> {
    async fn verdict(&self, question: &Question) -> Verdict {
        let (outcome, sql) = match self.gold.results(&question.gold, self.cancel).await {
            // Nothing to compare with: a model's answer would be paid for in vain.
            Err(problem) => (Outcome::FaultyGold(format!("{problem:#}")), None),
            Ok(gold) => match self.ask(&question.question).await {
                Err(problem) => (Outcome::Failed(format!("{problem:#}")), None),
                Ok(answer) => (judge(&answer, &gold), answer.sql),
            },
        };
        Verdict {
            id: question.id.clone(),
            category: question.category.clone(),
            question: question.question.clone(),
            outcome,
            sql,
        }
    }

    async fn ask(&self, question: &str) -> anyhow::Result<Answer> {
        let accepted = ask::accept(question, &self.caller, self.config)?;
        let turn = ask::turn(accepted, self.cancel.child_token());
        let (sender, mut events) = mpsc::channel(EVENTS_WAITING_MAX);
        let read_last = async {
            let mut last = None;
            while let Some(event) = events.recv().await {
                last = Some(event);
            }
            last
        };
        let ((), last) = tokio::join!((self.services.run_turn)(turn, sender), read_last);
        match last {
            Some(TurnEvent::Answered(answer)) => Ok(*answer),
            Some(TurnEvent::Failed(error)) => {
                Err(anyhow::anyhow!("{}", WireError::from(&error).code.as_str())
                    .context(chain(&error)))
            }
            _ => anyhow::bail!("the question ended without an answer"),
        }
    }
}

/// One gold query's rows, and whether their order counts.
struct GoldResult {
    result: ResultSet,
    is_ordered: bool,
}

/// `gold` is empty for a question that the data cannot answer.
fn judge(answer: &Answer, gold: &[GoldResult]) -> Outcome {
    match (&answer.result, gold) {
        (None, []) => Outcome::Equal,
        (Some(_), []) => Outcome::Different,
        (None, _) => Outcome::Unanswered(answer.reply.clone()),
        (Some(result), gold) => {
            if gold
                .iter()
                .any(|gold| is_equal(&gold.result, gold.is_ordered, result))
            {
                Outcome::Equal
            } else {
                Outcome::Different
            }
        }
    }
}

/// Runs gold queries as answers are run.
struct GoldRunner {
    pool: DatabasePool,
    catalog: CatalogCache,
    checker: SqlChecker,
    scope: RowScope,
    limits: ExecutionLimits,
}

impl GoldRunner {
    async fn results(
        &self,
        gold: &[String],
        cancel: &CancellationToken,
    ) -> anyhow::Result<Vec<GoldResult>> {
        let mut results = Vec::with_capacity(gold.len());
        for sql in gold {
            let snapshot = self.catalog.snapshot().await?;
            let checked = self
                .checker
                .check(DraftSql::new(sql.as_str()), snapshot)
                .await
                .map_err(|rejection| anyhow::anyhow!("the guard refuses it: {rejection}"))?;
            let result =
                read_only::run(&self.pool, &checked, &self.scope, &self.limits, cancel).await?;
            if result.truncation.is_some() {
                anyhow::bail!(
                    "its result is cut: raise DB_CHAT_ROWS_MAX, DB_CHAT_RESULT_BYTES_MAX or DB_CHAT_CELL_BYTES_MAX, or ask for less"
                );
            }
            results.push(GoldResult {
                result,
                is_ordered: checked.facts().has_order,
            });
        }
        Ok(results)
    }
}
