//! `db-chat demo`: the server on a private PostgreSQL with the demo database.

use std::io::Write;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Args;

use super::server;
use crate::app::demo::{self, ALLOWED_TABLES};
use crate::app::private_postgres::PrivatePostgres;
use crate::config::{Config, ProviderKind};

/// Runs the server on a private throwaway PostgreSQL with a demo database.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    db-chat demo\n  \
    ANTHROPIC_API_KEY=... db-chat demo --bind 127.0.0.1:9000")]
pub(super) struct DemoArgs {
    /// Where to listen, host:port (DB_CHAT_BIND)
    #[arg(long, value_name = "ADDRESS")]
    pub(super) bind: Option<String>,
}

/// Serves the demo; the private server is gone when this returns, and as well when the process dies.
pub(super) async fn run(_: DemoArgs, config: Config) -> anyhow::Result<ExitCode> {
    // Not after the wait for the database.
    TcpListener::bind(&config.server.bind).with_context(|| {
        format!(
            "cannot listen on {}: choose another address with --bind or DB_CHAT_BIND (port 0 takes a free one)",
            config.server.bind
        )
    })?;
    if config.database.url.is_some() {
        progress(
            "The demo has a database of its own; `db-chat serve` asks the one in DATABASE_URL.",
        );
    }
    let (postgres, config) = prepare(config).await?;
    progress(match config.llm.provider {
        ProviderKind::Offline => {
            "No model is set: the offline engine answers. Set ANTHROPIC_API_KEY or OPENAI_API_KEY for one."
        }
        ProviderKind::Anthropic | ProviderKind::OpenAi => "Questions go to the model that is set.",
    });
    let served = server::serve(config).await;
    progress("Removing the private PostgreSQL ...");
    let stopped = postgres.stop().await;
    served?;
    stopped?;
    Ok(ExitCode::SUCCESS)
}

/// A private server with the demo in it, and the settings that point at it.
pub(super) async fn prepare(mut config: Config) -> anyhow::Result<(PrivatePostgres, Config)> {
    let begun = Instant::now();
    progress("Starting a private PostgreSQL ...");
    let postgres = PrivatePostgres::start().await?;
    progress("Filling it with the demo database (some seconds) ...");
    let database = demo::create(&postgres).await?;
    progress(&format!(
        "The demo database is there after {:.1} s.",
        begun.elapsed().as_secs_f64()
    ));
    config.database.url = Some(database.url);
    config.database.is_demo = true;
    // What is set for a database of one's own means nothing here.
    config.policy.allowed_tables = ALLOWED_TABLES.to_owned();
    config.policy.allowed_models.clear();
    if config.state.url.is_none() {
        config.state.url = Some(database.state_url);
    }
    Ok((postgres, config))
}

/// Progress goes to standard error: standard output is for what was asked for.
fn progress(line: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}
