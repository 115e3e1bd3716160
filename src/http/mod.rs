//! The doors: every route, and what they share. Handlers turn requests into questions and answers
//! into responses; nothing here knows how an answer comes about.

mod assets;
mod body;
mod caller;
mod client_address;
mod conversations;
mod envelope;
mod feedback;
mod health;
mod hosts;
mod metrics;
mod openapi;
mod operators;
mod origins;
mod problem;
mod query;
mod schema_info;
mod ticket;
mod unread_body;
mod upgrade;

use std::sync::Arc;

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, Resource, Route, guard, web};
use futures_util::future::BoxFuture;
use ipnet::IpNet;

use crate::auth::{Authenticator, Tickets};
use crate::config::{Limits, ServerConfig};
use crate::connection::ConnectionContext;
use crate::conversations::ConversationStore;
use crate::domain::schema::Snapshot;
use crate::limits::{ConnectionCounts, MinuteRate};
use crate::postgres::QueryError;
use crate::state::FeedbackLog;
use crate::turns::TurnHub;

pub use envelope::envelop;
pub use health::{Check, Probe, Readiness};
pub use origins::{AllowedOrigins, OriginPatternError};

use hosts::AllowedHosts;
use operators::Operators;
use problem::HttpError;

/// Gives the schema as the policy lets it be seen, at most a moment old.
pub type SchemaSource =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Arc<Snapshot>, QueryError>> + Send + Sync>;

/// What the handlers are given. One a process, shared by all workers.
pub struct Doors {
    connections: ConnectionContext,
    connection_counts: ConnectionCounts,
    origins: AllowedOrigins,
    hosts: AllowedHosts,
    trusted_proxies: Vec<IpNet>,
    operators: Operators,
    authenticator: Authenticator,
    tickets: Tickets,
    ticket_rate: MinuteRate,
    websockets_enabled: bool,
    store: Arc<dyn ConversationStore>,
    schema: SchemaSource,
    /// `None` where ratings are not kept.
    feedback: Option<FeedbackLog>,
    readiness: Readiness,
    is_demo: bool,
    assets: assets::Assets,
}

/// What the doors are made of.
pub struct DoorParts {
    /// What every connection shares.
    pub connections: ConnectionContext,
    /// Finds out who comes.
    pub authenticator: Authenticator,
    /// For sockets of browsers.
    pub tickets: Tickets,
    /// How many of them anybody may have.
    pub ticket_rate: MinuteRate,
    /// Where conversations live.
    pub store: Arc<dyn ConversationStore>,
    /// The schema as the policy lets it be seen.
    pub schema: SchemaSource,
    /// Where ratings are kept; `None` where they are not.
    pub feedback: Option<FeedbackLog>,
    /// What `/readyz` asks.
    pub checks: Vec<Check>,
    /// The database being asked is the bundled one.
    pub is_demo: bool,
}

impl Doors {
    /// Puts the doors together.
    ///
    /// # Errors
    /// One of the allowed origins cannot be understood.
    pub fn new(config: &ServerConfig, parts: DoorParts) -> Result<Self, OriginPatternError> {
        let connections = parts.connections;
        Ok(Self {
            connection_counts: ConnectionCounts::new(&connections.limits),
            origins: AllowedOrigins::parse(&config.allowed_origins)?,
            hosts: AllowedHosts::new(&config.allowed_hosts, &config.bind),
            trusted_proxies: config.trusted_proxies.clone(),
            operators: Operators::new(config.metrics_token.as_ref()),
            authenticator: parts.authenticator,
            tickets: parts.tickets,
            ticket_rate: parts.ticket_rate,
            websockets_enabled: config.enable_websockets,
            store: parts.store,
            schema: parts.schema,
            feedback: parts.feedback,
            readiness: Readiness::new(parts.checks, connections.stop.clone()),
            is_demo: parts.is_demo,
            assets: assets::Assets::load(),
            connections,
        })
    }

    fn turns(&self) -> &TurnHub {
        &self.connections.turns
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
            .service(readable(resource("/metrics"), web::to(metrics::metrics)))
            .service(readable(
                resource("/openapi.json"),
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
        .wrap(from_fn(caller::identify))
        .wrap(from_fn(origins::guard))
        .service(
            resource("/query")
                .route(web::post().to(query::query))
                .default_service(web::to(only_post)),
        )
        .service(
            resource("/ticket")
                .route(web::post().to(ticket::issue))
                .default_service(web::to(only_post)),
        )
        .service(
            resource("/feedback")
                .route(web::post().to(feedback::rate))
                .default_service(web::to(only_post)),
        )
        .service(readable(
            resource("/schema-info"),
            web::to(schema_info::schema_info),
        ))
        .service(readable(
            resource("/conversations"),
            web::to(conversations::list),
        ))
        .service(
            resource("/conversations/{id}")
                .route(web::get().to(conversations::history))
                .route(web::head().to(conversations::history))
                .route(web::patch().to(conversations::rename))
                .route(web::delete().to(conversations::forget))
                .default_service(web::to(only_get_patch_and_delete)),
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

async fn only_get_patch_and_delete() -> Result<HttpResponse, HttpError> {
    std::future::ready(Err(HttpError::method_not_allowed(
        "GET, HEAD, PATCH, DELETE",
    )))
    .await
}
