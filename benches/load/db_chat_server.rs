//! db-chat itself, as `db-chat serve` runs it, with the settings that a benchmark needs.

use db_chat::app::{Application, demo};
use db_chat::config::ProviderKind;
use tokio_util::task::TaskTracker;

use crate::process;

pub(crate) const ROLE: &str = "serve-db-chat";

/// Everybody comes from one address here, and asks without pause.
const UNBOUND: usize = 1_000_000;

/// Arguments: where the provider is, the database to ask, the database for the audit log.
pub(crate) async fn run(arguments: &[String]) {
    let [provider, database, state] = arguments else {
        panic!("three arguments");
    };
    let mut config = db_chat::config::resolve(None, std::iter::empty(), &[]).unwrap();
    config.server.bind = "127.0.0.1:0".to_owned();
    config.database.url = Some(database.clone().into());
    config.state.url = Some(state.clone().into());
    config.policy.allowed_tables = demo::ALLOWED_TABLES.to_owned();
    config.llm.provider = ProviderKind::Anthropic;
    config.llm.anthropic.api_key = Some("none".to_owned().into());
    config.llm.anthropic.base_url.clone_from(provider);
    config.limits.connections_per_address_max = UNBOUND;
    config.limits.questions_per_minute_max = 1_000_000;
    // No collector is configured, so there are no spans to be sent at the end.
    let _telemetry =
        db_chat::telemetry::install(&config.log, &tokio::runtime::Handle::current()).unwrap();

    let tasks = TaskTracker::new();
    let application = Application::build(config).await.unwrap();
    let stop = process::announce(&tasks, application.address());
    application.run_until_stopped(stop).await.unwrap();
}
