//! The running server, as `serve` and `demo` start it.

use std::io::Write;

use tokio_util::task::TaskTracker;

use crate::app::{Application, shutdown};
use crate::config::Config;

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
