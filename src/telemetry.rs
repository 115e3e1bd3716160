//! Logs: one set-up for every command, from [`LogConfig`].

use crate::config::LogConfig;

/// Installs the process-wide log subscriber: text or JSON lines on standard error, filtered as configured.
///
/// # Errors
/// The filter cannot be parsed, or a subscriber is installed already.
pub fn install(config: &LogConfig) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    use tracing_subscriber::{EnvFilter, fmt, prelude::*};

    let filter = EnvFilter::try_new(&config.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    if config.json {
        registry
            .with(fmt::layer().json().with_writer(std::io::stderr))
            .try_init()?;
    } else {
        registry
            .with(fmt::layer().with_writer(std::io::stderr))
            .try_init()?;
    }
    Ok(())
}
