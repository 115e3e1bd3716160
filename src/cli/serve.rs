//! `db-chat serve`: the server, until SIGTERM or Ctrl-C.

use std::process::ExitCode;

use clap::Args;

use super::{demo, server};
use crate::config::Config;

/// Runs the server. Without DATABASE_URL it is the demo's.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    DATABASE_URL=postgresql://reader@localhost/shop db-chat serve\n  \
    db-chat serve --bind 0.0.0.0:8080 --config /etc/db-chat.toml")]
pub(super) struct ServeArgs {
    /// Where to listen, host:port (DB_CHAT_BIND)
    #[arg(long, value_name = "ADDRESS")]
    pub(super) bind: Option<String>,
}

/// Serves the configured database, or the demo's where none is configured.
pub(super) async fn run(_: ServeArgs, config: Config) -> anyhow::Result<ExitCode> {
    if config.database.url.is_none() {
        return demo::run(demo::DemoArgs::default(), config).await;
    }
    server::serve(config).await?;
    Ok(ExitCode::SUCCESS)
}
