//! What operators see: logs, set up once for every command from [`LogConfig`], and metrics.

pub mod metrics;

use std::io::IsTerminal;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::config::LogConfig;

/// Logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be parsed.
    #[error("DB_CHAT_LOG is no filter; write it like info,db_chat=debug")]
    Filter {
        /// Why.
        #[source]
        source: ParseError,
    },
    /// Somebody else was first.
    #[error("logs are set up already")]
    Installed {
        /// The library's own words.
        #[source]
        source: TryInitError,
    },
}

/// Installs the process-wide log subscriber: text or JSON lines on standard error, filtered as configured.
///
/// # Errors
/// The filter cannot be parsed, or a subscriber is installed already.
pub fn install(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter =
        EnvFilter::try_new(&config.filter).map_err(|source| TelemetryError::Filter { source })?;
    let registry = tracing_subscriber::registry().with(filter);
    let installed = if config.json {
        registry
            .with(fmt::layer().json().with_writer(std::io::stderr))
            .try_init()
    } else {
        registry
            .with(
                fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_ansi(std::io::stderr().is_terminal()),
            )
            .try_init()
    };
    installed.map_err(|source| TelemetryError::Installed { source })
}
