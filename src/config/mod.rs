//! The settings: one [`Config`], read once by `cli` and handed down in sections.

pub mod error;
mod layers;
pub mod limits;
mod load;
mod prices;

use std::path::PathBuf;

use secrecy::SecretString;

pub use error::ConfigError;
pub use layers::{DEFAULT_TOML, setting_names};
pub use limits::Limits;
pub use load::{load, resolve};
pub use prices::ModelPrice;

/// Every setting of db-chat, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The HTTP and WebSocket door.
    pub server: ServerConfig,
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

/// The HTTP and WebSocket door.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// `host:port` to listen on; port 0 takes a free one.
    pub bind: String,
    /// Whether `/ws/…` exists.
    pub enable_websockets: bool,
    /// Browser origins that may open the socket or call the API, beside the server's own.
    pub allowed_origins: Vec<String>,
}

/// The database to ask.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// A libpq URL or key=value string, password included; `None` means none is configured.
    pub url: Option<SecretString>,
    /// Whether to listen beyond this machine with a role that could change data.
    pub allow_unsafe_role: bool,
}

/// The model.
#[derive(Debug, Clone)]
pub struct LlmConfig {
    /// Which engine writes the SQL.
    pub provider: ProviderKind,
    /// Anthropic's Messages API.
    pub anthropic: ProviderConfig,
    /// OpenAI's Chat Completions API, or a server that speaks it.
    pub openai: ProviderConfig,
    /// A directory whose templates replace the built-in ones of the same name.
    pub prompts_dir: Option<PathBuf>,
    /// The language that answers are written in, as a word for the model, e.g. `English`; `None`: the question's own.
    pub reply_language: Option<String>,
    /// What models cost; a model that is not there has no known price.
    pub prices: Vec<ModelPrice>,
}

/// Which engine writes the SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    /// Anthropic's Messages API.
    Anthropic,
    /// OpenAI's Chat Completions API.
    OpenAi,
    /// No model: the engine in `offline`.
    Offline,
}

/// How to reach one provider.
#[derive(Debug, Clone)]
pub struct ProviderConfig {
    /// The key; a compatible server may need none.
    pub api_key: Option<SecretString>,
    /// The model's name.
    pub model: String,
    /// Up to and including the version, without a slash at the end, e.g. `https://api.openai.com/v1`.
    pub base_url: String,
    /// The request field that caps the reply: `max_tokens` or `max_completion_tokens` (OpenAI dialect only).
    pub tokens_max_field: String,
    /// Whether requests name their stable prefix in `prompt_cache_key` (OpenAI dialect only).
    pub prompt_cache_key: bool,
    /// Value of the `anthropic-version` header (Anthropic only).
    pub api_version: String,
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
    /// Put in front of every key, so that several applications can share one Redis.
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
    /// A database that db-chat may write to; `None` switches the audit log off.
    pub url: Option<SecretString>,
}

/// Logs.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// A `tracing` filter, e.g. `info,db_chat=debug`.
    pub filter: String,
    /// One JSON object a line instead of text for people.
    pub json: bool,
}
