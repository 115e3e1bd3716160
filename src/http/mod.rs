//! The doors: every route, and what they share. Handlers turn requests into questions and answers
//! into responses; nothing here knows how an answer comes about.

mod assets;
mod body;
mod conversations;
mod envelope;
mod health;
mod openapi;
mod origins;
mod problem;
mod query;
mod schema_info;
mod upgrade;

use std::sync::Arc;

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, Resource, Route, guard, web};
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::config::{Limits, ServerConfig};
use crate::connection::ConnectionContext;
use crate::conversations::ConversationStore;
use crate::domain::schema::Snapshot;
use crate::postgres::QueryError;
use crate::wire::relay::TurnRelay;

pub use envelope::envelop;
pub use health::{Check, Probe, Readiness};
pub use origins::{AllowedOrigins, OriginPatternError};

use problem::HttpError;

/// Gives the schema as the policy lets it be seen, at most a moment old.
pub type SchemaSource =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Arc<Snapshot>, QueryError>> + Send + Sync>;

/// What the handlers are given. One a process, shared by all workers.
pub struct Doors {
    connections: ConnectionContext,
    connection_permits: Arc<Semaphore>,
    origins: AllowedOrigins,
    websockets_enabled: bool,
    store: Arc<dyn ConversationStore>,
    schema: SchemaSource,
    readiness: Readiness,
    assets: assets::Assets,
}

impl Doors {
    /// Puts the doors together.
    ///
    /// # Errors
    /// One of the allowed origins cannot be understood.
    pub fn new(
        config: &ServerConfig,
        connections: ConnectionContext,
        store: Arc<dyn ConversationStore>,
        schema: SchemaSource,
        checks: Vec<Check>,
    ) -> Result<Self, OriginPatternError> {
        Ok(Self {
            connection_permits: Arc::new(Semaphore::new(connections.limits.connections_max)),
            origins: AllowedOrigins::parse(&config.allowed_origins)?,
            websockets_enabled: config.enable_websockets,
            store,
            schema,
            readiness: Readiness::new(checks, connections.stop.clone()),
            assets: assets::Assets::load(),
            connections,
        })
    }

    fn relay(&self) -> &TurnRelay {
        &self.connections.relay
    }

    fn limits(&self) -> &Limits {
        &self.connections.limits
    }

    fn is_stopping(&self) -> bool {
        self.connections.stop.is_cancelled()
    }
}

/// The whole route table. Every path works with and without its last slash, without a redirect.
pub fn routes(doors: web::Data<Doors>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        if doors.websockets_enabled {
            config.service(
                resource("/ws/db_chat/query")
                    .route(web::get().to(upgrade::upgrade))
                    .default_service(web::to(only_upgrade)),
            );
        }
        config
            .app_data(doors)
            .service(api())
            .service(readable(resource("/healthz"), web::to(health::healthz)))
            .service(readable(resource("/readyz"), web::to(health::readyz)))
            .service(readable(
                web::resource("/openapi.json"),
                web::to(openapi::openapi),
            ))
            .service(readable(web::resource("/"), web::to(assets::page)))
            .service(readable(
                web::resource("/static/{path:.*}"),
                web::to(assets::file),
            ))
            .default_service(web::to(not_found));
    }
}

/// What browsers on other sites may call, if their origin is allowed.
fn api() -> impl HttpServiceFactory {
    web::scope("/api/chat")
        .wrap(from_fn(origins::guard))
        .service(
            resource("/query")
                .route(web::post().to(query::query))
                .default_service(web::to(only_post)),
        )
        .service(readable(
            resource("/schema-info"),
            web::to(schema_info::schema_info),
        ))
        .service(
            resource("/conversations/{id}")
                .route(web::get().to(conversations::history))
                .route(web::head().to(conversations::history))
                .route(web::delete().to(conversations::forget))
                .default_service(web::to(only_get_and_delete)),
        )
        .default_service(web::to(not_found))
}

/// A path with and without its last slash.
fn resource(path: &str) -> Resource {
    web::resource([path.to_owned(), format!("{path}/")])
}

/// A resource that only reads.
fn readable(resource: Resource, handler: Route) -> Resource {
    resource
        .route(handler.guard(guard::Any(guard::Get()).or(guard::Head())))
        .default_service(web::to(only_get))
}

async fn not_found() -> Result<HttpResponse, HttpError> {
    std::future::ready(Err(HttpError::not_found())).await
}

async fn only_get() -> Result<HttpResponse, HttpError> {
    std::future::ready(Err(HttpError::method_not_allowed("GET, HEAD"))).await
}

async fn only_upgrade() -> Result<HttpResponse, HttpError> {
    std::future::ready(Err(HttpError::method_not_allowed("GET"))).await
}

async fn only_post() -> Result<HttpResponse, HttpError> {
    std::future::ready(Err(HttpError::method_not_allowed("POST"))).await
}

async fn only_get_and_delete() -> Result<HttpResponse, HttpError> {
    std::future::ready(Err(HttpError::method_not_allowed("GET, HEAD, DELETE"))).await
}
