//! What operators see: logs and spans, set up once for every command from [`LogConfig`], and metrics.

pub mod metrics;
mod otlp;

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use secrecy::ExposeSecret;
use tokio::runtime::Handle;
use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};
use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{EnvFilter, Layer, fmt, prelude::*};

pub use otlp::OtlpError;

use crate::config::LogConfig;

/// For the last spans to go out.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

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
    /// Spans cannot be exported.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT cannot be used")]
    Otlp {
        /// Why.
        #[source]
        source: OtlpError,
    },
    /// Somebody else was first.
    #[error("logs are set up already")]
    Installed {
        /// The library's own words.
        #[source]
        source: TryInitError,
    },
}

/// What has to be closed at the end.
#[derive(Debug)]
#[must_use = "the last spans are lost unless this is closed"]
pub struct Telemetry {
    spans: Option<SdkTracerProvider>,
}

/// What says the same at every start, and says it over the line with the server's address. A filter that names it wins.
const QUIET: &str = "actix_server=warn";

/// Installs the process-wide subscriber: text or JSON lines on standard error, filtered as configured, and spans to an OpenTelemetry
/// collector where one is configured. Those are the product's own of level info, whatever the filter of the log is.
///
/// # Errors
/// The filter or the collector's address cannot be used, or a subscriber is installed already.
pub fn install(config: &LogConfig, runtime: &Handle) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.filter))
        .map_err(|source| TelemetryError::Filter { source })?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if config.json {
        lines.json().boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let endpoint = config.otlp_endpoint.as_ref();
    let spans = endpoint
        .map(|endpoint| otlp::provider(endpoint.expose_secret(), runtime.clone()))
        .transpose()
        .map_err(|source| TelemetryError::Otlp { source })?;
    let exported = spans.as_ref().map(|spans| {
        let own = Targets::new().with_target(env!("CARGO_CRATE_NAME"), LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(spans.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_filter(own)
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(exported)
        .try_init()
        .map_err(|source| TelemetryError::Installed { source })?;
    Ok(Telemetry { spans })
}

impl Telemetry {
    /// Sends the last spans, for at most two seconds. Must not be called on a thread of the runtime that sends them.
    pub fn close(self) {
        if let Some(spans) = self.spans
            && let Err(error) = spans.shutdown_with_timeout(CLOSE_TIMEOUT)
        {
            tracing::debug!(%error, "the last spans were not exported");
        }
    }
}
