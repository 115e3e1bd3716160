//! Spans to an OpenTelemetry collector, over OTLP 1 in Protobuf over HTTP. Exported from a thread of the SDK's, in batches of bounded
//! size: a collector that is slow or away costs spans, never an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::Key;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rustls::RootCertStore;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// For one batch, the answer included.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the OTLP specification puts behind the base address.
const TRACES_PATH: &str = "v1/traces";

/// Spans cannot be exported: the fault is in the settings.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The address.
    #[error("it is no http:// or https:// address")]
    Endpoint,
    /// TLS.
    #[error("TLS cannot be set up")]
    Tls {
        /// The library's own words.
        #[source]
        source: rustls::Error,
    },
    /// The HTTP client.
    #[error("no HTTP client can be made")]
    Client {
        /// The library's own words.
        #[source]
        source: reqwest::Error,
    },
    /// The exporter.
    #[error("the exporter cannot be built")]
    Exporter {
        /// The library's own words.
        #[source]
        source: ExporterBuildError,
    },
}

/// Exports to a collector at this base address; requests run on `runtime`. Must be shut down for the last spans to go out.
pub(super) fn provider(endpoint: &str, runtime: Handle) -> Result<SdkTracerProvider, OtlpError> {
    let is_https = endpoint.starts_with("https://");
    if !is_https && !endpoint.starts_with("http://") {
        return Err(OtlpError::Endpoint);
    }
    let client = Client {
        http: http_client(is_https)?,
        runtime,
        tasks: TaskTracker::new(),
        is_failing: AtomicBool::new(false),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/{TRACES_PATH}", endpoint.trim_end_matches('/')))
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|source| OtlpError::Exporter { source })?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource())
        .build())
}

/// What the standard variables say of this process; its name is ours unless `OTEL_SERVICE_NAME` has another.
fn resource() -> Resource {
    let detected = Resource::builder().build();
    let name = detected.get(&Key::from_static_str("service.name"));
    match name {
        Some(name) if !name.as_str().starts_with("unknown_service") => detected,
        Some(_) | None => Resource::builder()
            .with_service_name(env!("CARGO_PKG_NAME"))
            .build(),
    }
}

fn http_client(is_https: bool) -> Result<reqwest::Client, OtlpError> {
    let mut roots = RootCertStore::empty();
    if is_https {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| OtlpError::Tls { source })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .user_agent(concat!("db-chat/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(EXPORT_TIMEOUT)
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|source| OtlpError::Client { source })
}

/// Sends batches for the SDK, whose thread has no runtime, on ours.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
    tasks: TaskTracker,
    /// Whether the last batch was lost: operators hear of a collector that is away once, not with every batch.
    is_failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sending = send(self.http.clone(), request);
        let outcome = self.tasks.spawn_on(sending, &self.runtime).await;
        let outcome = outcome.unwrap_or_else(|error| Err(error.into()));
        let is_failing = !matches!(&outcome, Ok(response) if response.status().is_success());
        let was_failing = self.is_failing.swap(is_failing, Ordering::Relaxed);
        match (was_failing, is_failing) {
            (false, true) => tracing::warn!("the OpenTelemetry collector takes no spans"),
            (true, false) => tracing::info!("the OpenTelemetry collector takes spans again"),
            (false, false) | (true, true) => {}
        }
        outcome
    }
}

async fn send(
    http: reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let request = reqwest::Request::try_from(request)?;
    // The address may hold a password.
    let response = http
        .execute(request)
        .await
        .map_err(reqwest::Error::without_url)?;
    // Nothing in the answer's body is of use, so nothing of it is read.
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    Ok(answer)
}
