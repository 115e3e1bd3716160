//! `db-chat serve`: the server, until SIGTERM or Ctrl-C.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use tokio_util::task::TaskTracker;

use super::demo;
use crate::app::{Application, shutdown};
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
    serve(config).await?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the server to its end, having said on standard output where it is.
pub(super) async fn serve(config: Config) -> anyhow::Result<()> {
    let tasks = TaskTracker::new();
    let stop = shutdown::on_signal(&tasks)?;
    let application = Application::build(config).await?;
    let address = application.address();
    writeln!(std::io::stdout(), "db-chat is ready: http://{address}/")?;
    tracing::info!(%address, "listening");
    application.run_until_stopped(stop).await?;
    tasks.close();
    tasks.wait().await;
    Ok(())
}
