//! `db-chat ask`: one question from the shell, through the same pipeline as the server's.

use std::io::Write;
use std::process::ExitCode;

use chrono::Utc;
use clap::Args;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::demo;
use crate::app::private_postgres::PrivatePostgres;
use crate::app::{Services, shutdown};
use crate::config::Config;
use crate::domain::caller::Caller;
use crate::domain::ids::RequestId;
use crate::pipeline::Turn;
use crate::protocol::client_frame::QueryFrame;
use crate::protocol::server_frame::ServerFrame;
use crate::wire::errors::http_status;
use crate::wire::frames::FrameMaker;
use crate::wire::questions::{self, AcceptedQuestion};

/// Asks one question and prints the answer.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    db-chat ask \"How many orders were placed last month?\"\n  \
    db-chat ask --json \"Top 5 products by revenue\" | jq .rows\n  \
    db-chat ask --sql-only \"Customers without an order\"")]
pub(super) struct AskArgs {
    /// The question, in plain English
    question: String,
    /// Whose rows are asked, where DB_CHAT_TENANT_SETTING keeps tenants apart
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Print the final frame as JSON
    #[arg(long, conflicts_with = "sql_only")]
    json: bool,
    /// Print the SQL that ran and nothing else
    #[arg(long)]
    sql_only: bool,
}

/// How many events may wait for the printer; it only keeps the last one.
const EVENTS_WAITING_MAX: usize = 64;

/// Exit code 0 when the question was answered, 1 when it was not.
pub(super) async fn run(args: AskArgs, config: Config) -> anyhow::Result<ExitCode> {
    if config.database.url.is_some() {
        return ask(&args, &config).await;
    }
    let (postgres, config): (PrivatePostgres, Config) = demo::prepare(config).await?;
    let asked = ask(&args, &config).await;
    postgres.stop().await?;
    asked
}

async fn ask(args: &AskArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let caller = caller(args.tenant.as_deref(), config)?;
    let accepted = accept(&args.question, &caller, config)?;
    let services = Services::connect(config).await?;
    let tasks = TaskTracker::new();
    let cancel = shutdown::on_signal(&tasks)?;
    let mut frames = FrameMaker::new(&accepted);
    let turn = turn(accepted, cancel.clone());
    let (sender, mut events) = mpsc::channel(EVENTS_WAITING_MAX);
    let read_last = async {
        let mut last = None;
        while let Some(event) = events.recv().await {
            last = frames.frame(event).or(last);
        }
        last
    };
    let ((), last) = tokio::join!((services.run_turn)(turn, sender), read_last);
    cancel.cancel();
    if let Some(audit) = services.audit {
        audit.close(std::time::Duration::from_secs(5)).await;
    }
    let last = last.ok_or_else(|| anyhow::anyhow!("the question ended without an answer"))?;
    print(args, &last)
}

/// Whoever sits at this machine, who may speak for any tenant and must say for which.
pub(super) fn caller(tenant: Option<&str>, config: &Config) -> anyhow::Result<Caller> {
    let mut caller = Caller::local();
    match (tenant, &config.auth.tenants) {
        (Some(tenant), Some(_)) => caller.principal = caller.principal.in_tenant(tenant),
        (None, None) => {}
        (None, Some(_)) => anyhow::bail!(
            "DB_CHAT_TENANT_SETTING keeps tenants apart: say whose rows to ask with --tenant"
        ),
        (Some(_), None) => anyhow::bail!(
            "--tenant means nothing without DB_CHAT_TENANT_SETTING and DB_CHAT_JWT_TENANT_CLAIM"
        ),
    }
    Ok(caller)
}

/// A question from a shell, through the same checks as at the doors, in a conversation of its own.
pub(super) fn accept(
    question: &str,
    caller: &Caller,
    config: &Config,
) -> anyhow::Result<AcceptedQuestion> {
    let frame = QueryFrame {
        query: Some(question.to_owned()),
        conversation_id: None,
        request_id: None,
        stream: false,
    };
    let chars_max = config.limits.question_chars_max;
    questions::accept(frame, caller, RequestId::random, chars_max)
        .map_err(|error| anyhow::anyhow!("{}", error.message))
}

/// Its turn, asked now.
pub(super) fn turn(accepted: AcceptedQuestion, cancel: CancellationToken) -> Turn {
    Turn {
        holder: None,
        principal: accepted.principal,
        client_address: accepted.client_address,
        request_id: accepted.request_id,
        conversation_id: accepted.conversation_id,
        question: accepted.question,
        asked_at: Utc::now(),
        cancel,
    }
}

fn print(args: &AskArgs, last: &ServerFrame) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(last)?)?;
    }
    match last {
        ServerFrame::ChatResponse { answer, .. } => {
            let sql = answer.sql_query.as_deref().unwrap_or_default();
            if args.sql_only {
                writeln!(out, "{sql}")?;
            } else if !args.json {
                writeln!(out, "{}", answer.reply)?;
                if !answer.rows.is_empty() {
                    writeln!(out, "\n{}", answer.raw_result.trim_end())?;
                }
                if !sql.is_empty() {
                    writeln!(out, "\nSQL: {sql}")?;
                }
            }
            Ok(ExitCode::from(u8::from(answer.error.is_some())))
        }
        ServerFrame::Failure { .. } if args.json => Ok(ExitCode::FAILURE),
        // Whoever asks here is the operator: what the page tells its visitors to wait for can be looked into.
        ServerFrame::Failure { error, .. } if http_status(error.code) >= 500 => Err(
            anyhow::anyhow!("{} `db-chat doctor` says why.", error.message),
        ),
        ServerFrame::Failure { error, .. } => Err(anyhow::anyhow!("{}", error.message)),
        ServerFrame::Status { .. }
        | ServerFrame::Sql { .. }
        | ServerFrame::Refusal { .. }
        | ServerFrame::LlmToken { .. }
        | ServerFrame::LlmStreamEnd { .. } => anyhow::bail!("the question ended without an answer"),
    }
}
