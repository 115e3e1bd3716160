//! The settings: one [`Config`], read once by `cli` and handed down in sections.

mod auth;
pub mod error;
mod layers;
pub mod limits;
mod llm;
mod load;
mod prices;
mod server;
mod tenants;

use secrecy::SecretString;

pub use auth::{ApiKeyEntry, AuthConfig, JwtConfig, JwtKeys};
pub use error::ConfigError;
pub use layers::{DEFAULT_TOML, setting_names};
pub use limits::Limits;
pub use llm::{FallbackConfig, LlmConfig, OpenAiApi, ProviderConfig, ProviderKind};
pub use load::{load, resolve};
pub use prices::ModelPrice;
pub use server::ServerConfig;
pub use tenants::{TenantSetting, TenantsConfig};

/// Every setting of db-chat, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The HTTP and WebSocket door.
    pub server: ServerConfig,
    /// Who may come in.
    pub auth: AuthConfig,
    /// The database to ask.
    pub database: DatabaseConfig,
    /// The model.
    pub llm: LlmConfig,
    /// What may be seen.
    pub policy: PolicyConfig,
    /// Where conversations live.
    pub conversations: ConversationsConfig,
    /// db-chat's own tables.
    pub state: StateConfig,
    /// Logs.
    pub log: LogConfig,
    /// Every number that bounds something.
    pub limits: Limits,
    /// What looks like a slip but is no fault, for the log: variables that are named like ours and are no setting.
    pub notices: Vec<String>,
}

/// The database to ask.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// A libpq URL or key=value string, password included; `None` means none is configured.
    pub url: Option<SecretString>,
    /// Whether to listen beyond this machine with a role that could change data.
    pub allow_unsafe_role: bool,
    /// Whether it is the bundled demo. No setting: the command that makes it says so.
    pub is_demo: bool,
}

/// What may be seen.
#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// `ALLOWED_TABLES`: comma-separated patterns.
    pub allowed_tables: String,
    /// `ALLOWED_MODELS`: comma-separated Django model names.
    pub allowed_models: String,
    /// Extensions whose functions, operators and types may be used.
    pub allowed_extensions: Vec<String>,
}

/// Where conversations live.
#[derive(Debug, Clone)]
pub struct ConversationsConfig {
    /// Which store.
    pub storage: StorageKind,
    /// The Redis to use, password included.
    pub redis_url: Option<SecretString>,
    /// Put in front of every key and channel, so that several applications can share one Redis.
    pub redis_prefix: String,
    /// How long a conversation lives after its last use, in seconds.
    pub ttl_seconds: u64,
    /// How many messages of history the model is given; a turn is two.
    pub context_limit: usize,
}

/// Which conversation store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageKind {
    /// In this process; gone when it ends.
    Memory,
    /// In Redis.
    Redis,
}

/// db-chat's own tables.
#[derive(Debug, Clone)]
pub struct StateConfig {
    /// A database that db-chat may write to; `None` switches the audit log and ratings off.
    pub url: Option<SecretString>,
}

/// Logs.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A `tracing` filter, e.g. `info,db_chat=debug`.
    pub filter: String,
    /// One JSON object a line instead of text for people.
    pub json: bool,
    /// The base address of an OpenTelemetry collector that spans go to; `None`: they go nowhere. May hold a password.
    pub otlp_endpoint: Option<SecretString>,
}
