//! What `app` hands down: the parts that the doors use, each behind the narrowest handle that does, and
//! how they are built from the settings. Opens no connection: what cannot be reached says so in
//! `/readyz` and in the answers, and is used as soon as it can be.

use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;

use crate::config::{Config, StorageKind};
use crate::conversations::{self, ConversationStore, StoreError};
use crate::domain::schema::RowSecurity;
use crate::guard::policy::{Policy, PolicyError};
use crate::http::{Check, Probe, SchemaSource};
use crate::llm::{self, LlmProvider, LlmSetupError};
use crate::pipeline::background::Background;
use crate::pipeline::check::SqlChecker;
use crate::pipeline::prompts::{PromptError, Prompts};
use crate::pipeline::{Engine, Pipeline, PipelineParts};
use crate::postgres::catalog::CatalogCache;
use crate::postgres::pool::{DatabasePool, PoolLimits, PoolSetupError, connection_options};
use crate::protocol::error_code::ErrorCode;
use crate::redis::{RedisConnection, RedisUrlError};
use crate::state::{AuditLog, FeedbackLog, StateDatabase};
use crate::telemetry::metrics::Metrics;
use crate::turns::{RunTurn, SharedTurns};
use crate::wire::errors::{WireError, chain, outcome_code};

/// How long a snapshot of the schema is used before PostgreSQL is asked, cheaply, whether it still holds.
const SCHEMA_RECHECK: Duration = Duration::from_secs(2);

/// How long the start waits for the first look at the schema.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(3);

/// The parts. Plain handles; whoever builds them decides what is behind them.
pub struct Services {
    /// Runs one question through the pipeline.
    pub run_turn: RunTurn,
    /// Where conversations live.
    pub store: Arc<dyn ConversationStore>,
    /// The schema as the policy lets it be seen.
    pub schema: SchemaSource,
    /// What `/readyz` asks.
    pub checks: Vec<Check>,
    /// The connection that instances share; `None` where no Redis is configured.
    pub redis: Option<RedisConnection>,
    /// The audit log, to be closed at the end; `None` where no state database is set.
    pub audit: Option<AuditLog>,
    /// What no answer waits for, to be dropped at the end.
    pub background: Background,
    /// Where ratings are kept; `None` where no state database is set.
    pub feedback: Option<FeedbackLog>,
    /// What the parts count into.
    pub metrics: Metrics,
}

/// A setting that a part cannot be built from.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// There is no database to ask.
    #[error("no database is configured: set DATABASE_URL, or run `db-chat demo`")]
    DatabaseMissing,
    /// The database's settings.
    #[error("DATABASE_URL cannot be used")]
    Database {
        /// Why.
        #[source]
        source: PoolSetupError,
    },
    /// The policy.
    #[error("ALLOWED_TABLES, ALLOWED_MODELS or ALLOWED_EXTENSIONS cannot be used")]
    Policy {
        /// Why.
        #[source]
        source: PolicyError,
    },
    /// The model's settings.
    #[error("the language model cannot be used")]
    Llm {
        /// Why.
        #[source]
        source: LlmSetupError,
    },
    /// The prompt templates.
    #[error("DB_CHAT_PROMPTS_DIR cannot be used")]
    Prompts {
        /// Why.
        #[source]
        source: PromptError,
    },
    /// The state database's settings.
    #[error("DB_CHAT_STATE_URL cannot be used")]
    State {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The address of Redis.
    #[error("REDIS_URL cannot be used")]
    Redis {
        /// Why.
        #[source]
        source: RedisUrlError,
    },
    /// The conversation store's settings.
    #[error("CONVERSATION_STORAGE_TYPE cannot be used")]
    Store {
        /// Why.
        #[source]
        source: StoreError,
    },
}

impl Services {
    /// Builds every part from its section of the settings.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub async fn connect(config: &Config) -> Result<Self, ServicesError> {
        let limits = &config.limits;
        let metrics = Metrics::default();
        let url = config
            .database
            .url
            .as_ref()
            .ok_or(ServicesError::DatabaseMissing)?;
        let pool_limits = PoolLimits {
            connections_max: limits.pool_connections_max,
            wait_timeout: Duration::from_millis(limits.pool_wait_timeout_ms),
        };
        let pool = DatabasePool::new(url.expose_secret(), pool_limits)
            .map_err(|source| ServicesError::Database { source })?
            .counted_by(metrics.clone());
        let policy = Policy::compile(&config.policy.allowed_tables, &config.policy.allowed_models)
            .and_then(|policy| policy.with_extensions(&config.policy.allowed_extensions))
            .map(|policy| {
                policy.with_tenants(config.auth.tenants.as_ref().map(|_| RowSecurity::Active))
            })
            .map_err(|source| ServicesError::Policy { source })?;
        let catalog = CatalogCache::new(pool.clone(), policy, SCHEMA_RECHECK);
        warm_up(&catalog).await;
        let redis = RedisConnection::open(&config.conversations, limits)
            .await
            .map_err(|source| ServicesError::Redis { source })?;
        let store = conversations::open(&config.conversations, limits, redis.as_ref())
            .map_err(|source| ServicesError::Store { source })?;
        let provider = llm::connect(&config.llm, limits, &metrics)
            .map_err(|source| ServicesError::Llm { source })?;
        let prompts = Prompts::load(config.llm.prompts_dir.as_deref())
            .map_err(|source| ServicesError::Prompts { source })?;

        let state = state_database(config).await?;
        let audit = state.clone().map(AuditLog::start);

        let fallback = provider.as_ref().and_then(|provider| provider.fallback());
        let mut checks = vec![
            Check {
                name: "database",
                is_required: true,
                instead: None,
                kind: None,
                model: None,
                probe: Some(database_probe(catalog.clone())),
            },
            Check {
                name: "store",
                is_required: true,
                instead: None,
                kind: Some(store.name()),
                model: None,
                probe: Some(store_probe(Arc::clone(&store))),
            },
            Check {
                name: "provider",
                is_required: true,
                instead: fallback.is_some().then_some("fallback"),
                kind: Some(
                    provider
                        .as_ref()
                        .map_or("offline", |provider| provider.name()),
                ),
                model: provider
                    .as_ref()
                    .map(|provider| provider.model().to_owned()),
                probe: provider.clone().map(provider_probe),
            },
            Check {
                name: "audit",
                is_required: false,
                instead: None,
                kind: None,
                model: None,
                probe: audit.clone().map(audit_probe),
            },
        ];
        if let Some(fallback) = fallback {
            checks.push(Check {
                name: "fallback",
                is_required: false,
                instead: None,
                kind: Some(fallback.name()),
                model: Some(fallback.model().to_owned()),
                probe: Some(provider_probe(fallback)),
            });
        }
        let background = Background::default();
        let pipeline = Pipeline::new(PipelineParts {
            engine: provider.map_or(Engine::Offline, Engine::Model),
            catalog: catalog.clone(),
            pool,
            store: Arc::clone(&store),
            audit: audit.clone(),
            outcome_code,
            tenant_setting: config
                .auth
                .tenants
                .as_ref()
                .map(|tenants| tenants.setting.clone()),
            metrics: metrics.clone(),
            checker: SqlChecker::new(metrics.clone()),
            prompts,
            context_messages_max: config.conversations.context_limit,
            prices: config.llm.prices.clone().into(),
            background: background.clone(),
            reply_language: config.llm.reply_language.clone(),
            limits: limits.clone(),
        });
        Ok(Self {
            run_turn: Arc::new(move |turn, events| {
                let pipeline = pipeline.clone();
                Box::pin(async move { pipeline.run_turn(turn, events).await })
            }),
            store,
            schema: Arc::new(move || {
                let catalog = catalog.clone();
                Box::pin(async move { catalog.snapshot().await })
            }),
            checks,
            redis,
            audit,
            background,
            feedback: state.map(FeedbackLog::new),
            metrics,
        })
    }
}

/// What instances share, where they share conversations.
#[must_use]
pub(super) fn shared_turns(
    config: &Config,
    redis: Option<&RedisConnection>,
) -> Option<SharedTurns> {
    let is_shared = config.conversations.storage == StorageKind::Redis;
    let redis = redis.filter(|_| is_shared)?;
    Some(SharedTurns::new(
        redis.clone(),
        &config.conversations.redis_prefix,
        Duration::from_secs(config.limits.resume_seconds),
    ))
}

/// The state database, where one is set. One that is away does not keep the server from answering: the audit
/// log goes on trying. One that can never take the rows does.
async fn state_database(config: &Config) -> Result<Option<StateDatabase>, ServicesError> {
    let Some(url) = &config.state.url else {
        return Ok(None);
    };
    let state = |source: Box<dyn std::error::Error + Send + Sync>| ServicesError::State { source };
    let (options, tls) =
        connection_options(url.expose_secret()).map_err(|error| state(error.into()))?;
    let database = StateDatabase::new(options, tls).map_err(|error| state(error.into()))?;
    match database.migrate().await {
        Ok(()) => {}
        Err(error) if error.may_pass() => {
            tracing::error!(%error, "the state database cannot be used yet: the audit log waits for it");
        }
        Err(error) => return Err(state(error.into())),
    }
    Ok(Some(database))
}

fn audit_probe(audit: AuditLog) -> Probe {
    Arc::new(move || {
        let health = audit.health();
        Box::pin(async move {
            health.map_err(|fault| WireError::new(ErrorCode::StoreUnavailable, fault.to_string()))
        })
    })
}

/// Reads the schema ahead of the first question, and tells the operator at once where that fails. It keeps nothing
/// from starting: a database that is away now may be there when somebody asks.
async fn warm_up(catalog: &CatalogCache) {
    match tokio::time::timeout(WARM_UP_TIMEOUT, catalog.snapshot()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(
                error = chain(&error),
                "the database cannot be used yet: `db-chat doctor` says what to look at"
            );
        }
        Err(_) => tracing::warn!(timeout = ?WARM_UP_TIMEOUT, "the database has not answered yet"),
    }
}

/// The schema is read, or found unchanged, over the same pool that questions use.
fn database_probe(catalog: CatalogCache) -> Probe {
    Arc::new(move || {
        let catalog = catalog.clone();
        Box::pin(async move {
            catalog
                .snapshot()
                .await
                .map(drop)
                .map_err(|error| WireError::from(&error))
        })
    })
}

fn store_probe(store: Arc<dyn ConversationStore>) -> Probe {
    Arc::new(move || {
        let store = Arc::clone(&store);
        Box::pin(async move {
            store
                .reachable()
                .await
                .map_err(|error| WireError::from(&error))
        })
    })
}

fn provider_probe(provider: Arc<dyn LlmProvider>) -> Probe {
    Arc::new(move || {
        let provider = Arc::clone(&provider);
        Box::pin(async move {
            provider
                .reachable()
                .await
                .map_err(|error| WireError::from(&error))
        })
    })
}
