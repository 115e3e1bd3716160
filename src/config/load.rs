//! Reads the settings: flags over environment over file over defaults, checked together.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::error::{ConfigError, ConfigFault, Source};
use super::layers::Layers;
use super::prices;
use super::{
    Config, ConversationsConfig, DatabaseConfig, Limits, LlmConfig, LogConfig, ModelPrice,
    PolicyConfig, ProviderConfig, ProviderKind, ServerConfig, StateConfig, StorageKind,
};

/// Found in the working directory when no file is named.
const DEFAULT_FILE: &str = "db-chat.toml";

/// Reads the process's settings. `file` is the path after `--config`; without one, `db-chat.toml` in the
/// working directory is read if it is there. `flags` are (name, value) pairs from the command line.
///
/// # Errors
/// Every fault of every source at once.
pub fn load(file: Option<&Path>, flags: &[(String, String)]) -> Result<Config, ConfigError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let file = match file {
        Some(path) => Some((path.to_owned(), std::fs::read_to_string(path))),
        None if Path::new(DEFAULT_FILE).is_file() => Some((
            PathBuf::from(DEFAULT_FILE),
            std::fs::read_to_string(DEFAULT_FILE),
        )),
        None => None,
    };
    let file = match file {
        Some((path, Ok(text))) => Some((path.display().to_string(), text)),
        Some((path, Err(error))) => {
            let setting = path.display().to_string();
            let problem = format!("cannot be read: {error}");
            return Err(ConfigError {
                faults: vec![ConfigFault {
                    source: Source::Flag,
                    setting,
                    problem,
                }],
            });
        }
        None => None,
    };
    let file = file
        .as_ref()
        .map(|(path, text)| (path.as_str(), text.as_str()));
    resolve(file, variables, flags)
}

/// The pure part of [`load`]: everything that was read, handed in.
///
/// # Errors
/// Every fault of every source at once.
pub fn resolve(
    file: Option<(&str, &str)>,
    variables: impl Iterator<Item = (String, String)>,
    flags: &[(String, String)],
) -> Result<Config, ConfigError> {
    let mut layers = Layers::defaults();
    if let Some((path, text)) = file {
        layers.add_file(path, text);
    }
    layers.add_environment(variables);
    for (name, value) in flags {
        layers.add_flag(name, value.clone());
    }
    let config = Config {
        server: server(&mut layers),
        database: DatabaseConfig {
            url: secret(&layers, "DATABASE_URL"),
            allow_unsafe_role: boolean(&mut layers, "DB_CHAT_ALLOW_UNSAFE_ROLE"),
        },
        llm: llm(&mut layers),
        policy: PolicyConfig {
            allowed_tables: text(&layers, "ALLOWED_TABLES"),
            allowed_models: text(&layers, "ALLOWED_MODELS"),
            allowed_extensions: list(&text(&layers, "ALLOWED_EXTENSIONS")),
        },
        conversations: conversations(&mut layers),
        state: StateConfig {
            url: secret(&layers, "DB_CHAT_STATE_URL"),
        },
        log: LogConfig {
            filter: text(&layers, "DB_CHAT_LOG"),
            json: boolean(&mut layers, "DB_CHAT_LOG_JSON"),
        },
        limits: limits(&mut layers),
        notices: layers.notices.clone(),
    };
    if layers.faults.is_empty() {
        Ok(config)
    } else {
        Err(ConfigError {
            faults: layers.faults,
        })
    }
}

fn server(layers: &mut Layers) -> ServerConfig {
    let bind = text(layers, "DB_CHAT_BIND");
    let port = bind.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(_))) {
        layers.reject(
            "DB_CHAT_BIND",
            "must be host:port, e.g. 127.0.0.1:8080 or [::1]:8080",
        );
    }
    let allowed_origins = list(&text(layers, "DB_CHAT_ALLOWED_ORIGINS"));
    for origin in &allowed_origins {
        let rest = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        if rest.is_none_or(|host| host.is_empty() || host.contains('/')) {
            let problem = format!(
                "{origin:?} must be a scheme and a host without a path, e.g. https://app.example.com"
            );
            layers.reject("DB_CHAT_ALLOWED_ORIGINS", problem);
        }
    }
    ServerConfig {
        bind,
        enable_websockets: boolean(layers, "DB_CHAT_ENABLE_WEBSOCKETS"),
        allowed_origins,
    }
}

fn llm(layers: &mut Layers) -> LlmConfig {
    let anthropic = provider(layers, "ANTHROPIC");
    let openai = provider(layers, "OPENAI");
    let default_base_url = layers
        .get("OPENAI_BASE_URL")
        .is_none_or(|value| value.source == Source::Default);
    let provider = match text(layers, "LLM_PROVIDER").to_ascii_lowercase().as_str() {
        "anthropic" => ProviderKind::Anthropic,
        "openai" => ProviderKind::OpenAi,
        "offline" => ProviderKind::Offline,
        "" if anthropic.api_key.is_some() => ProviderKind::Anthropic,
        // A compatible server of one's own may want no key: naming it is enough.
        "" if openai.api_key.is_some() || !default_base_url => ProviderKind::OpenAi,
        "" => ProviderKind::Offline,
        _ => {
            layers.reject("LLM_PROVIDER", "must be anthropic, openai or offline");
            ProviderKind::Offline
        }
    };
    if provider == ProviderKind::Anthropic && anthropic.api_key.is_none() {
        layers.reject(
            "ANTHROPIC_API_KEY",
            "must be set when LLM_PROVIDER is anthropic",
        );
    }
    if provider == ProviderKind::OpenAi && openai.api_key.is_none() && default_base_url {
        let problem = "must be set when LLM_PROVIDER is openai, unless OPENAI_BASE_URL names a server that needs none";
        layers.reject("OPENAI_API_KEY", problem);
    }
    LlmConfig {
        provider,
        anthropic,
        openai,
        prompts_dir: optional(layers, "DB_CHAT_PROMPTS_DIR").map(PathBuf::from),
        reply_language: optional(layers, "DB_CHAT_REPLY_LANGUAGE"),
        prices: model_prices(layers),
    }
}

fn model_prices(layers: &mut Layers) -> Vec<ModelPrice> {
    prices::parse(&text(layers, "DB_CHAT_LLM_PRICES")).unwrap_or_else(|problem| {
        layers.reject("DB_CHAT_LLM_PRICES", problem);
        Vec::new()
    })
}

fn provider(layers: &mut Layers, prefix: &str) -> ProviderConfig {
    let base_url_name = format!("{prefix}_BASE_URL");
    let base_url = text(layers, &base_url_name);
    if !base_url.starts_with("https://") && !base_url.starts_with("http://") {
        layers.reject(&base_url_name, "must begin with https:// or http://");
    }
    ProviderConfig {
        api_key: secret(layers, &format!("{prefix}_API_KEY")),
        model: text(layers, &format!("{prefix}_MODEL")),
        base_url: base_url.trim_end_matches('/').to_owned(),
        tokens_max_field: text(layers, &format!("{prefix}_TOKENS_MAX_FIELD")),
        prompt_cache_key: boolean(layers, &format!("{prefix}_PROMPT_CACHE_KEY")),
        api_version: text(layers, &format!("{prefix}_VERSION")),
    }
}

fn conversations(layers: &mut Layers) -> ConversationsConfig {
    let redis_url = secret(layers, "REDIS_URL");
    let storage = match text(layers, "CONVERSATION_STORAGE_TYPE")
        .to_ascii_lowercase()
        .as_str()
    {
        "redis" => StorageKind::Redis,
        "memory" => StorageKind::Memory,
        "" if redis_url.is_some() => StorageKind::Redis,
        "" => StorageKind::Memory,
        _ => {
            layers.reject("CONVERSATION_STORAGE_TYPE", "must be redis or memory");
            StorageKind::Memory
        }
    };
    if storage == StorageKind::Redis && redis_url.is_none() {
        layers.reject(
            "REDIS_URL",
            "must be set when CONVERSATION_STORAGE_TYPE is redis, e.g. redis://127.0.0.1:6379/0",
        );
    }
    let redis_prefix = text(layers, "DB_CHAT_REDIS_PREFIX");
    if redis_prefix.contains(['{', '}']) {
        layers.reject(
            "DB_CHAT_REDIS_PREFIX",
            "must not hold { or }: in a Redis Cluster they decide where a key lives",
        );
    }
    ConversationsConfig {
        storage,
        redis_url,
        redis_prefix,
        ttl_seconds: number(layers, "CONVERSATION_TTL_SECONDS", 1),
        context_limit: number(layers, "CONVERSATION_CONTEXT_LIMIT", 0),
    }
}

fn limits(layers: &mut Layers) -> Limits {
    let limits = Limits {
        frame_bytes_max: limit(layers, "FRAME_BYTES_MAX"),
        question_chars_max: limit(layers, "QUESTION_CHARS_MAX"),
        rows_max: limit(layers, "ROWS_MAX"),
        model_rows_max: limit(layers, "MODEL_ROWS_MAX"),
        model_rows_bytes_max: limit(layers, "MODEL_ROWS_BYTES_MAX"),
        cell_bytes_max: limit(layers, "CELL_BYTES_MAX"),
        result_bytes_max: limit(layers, "RESULT_BYTES_MAX"),
        statement_timeout_ms: limit(layers, "STATEMENT_TIMEOUT_MS"),
        idle_in_transaction_timeout_ms: limit(layers, "IDLE_IN_TRANSACTION_TIMEOUT_MS"),
        pool_connections_max: limit(layers, "POOL_CONNECTIONS_MAX"),
        pool_wait_timeout_ms: limit(layers, "POOL_WAIT_TIMEOUT_MS"),
        schema_context_tokens_max: limit(layers, "SCHEMA_CONTEXT_TOKENS_MAX"),
        history_tokens_max: limit(layers, "HISTORY_TOKENS_MAX"),
        summary_tokens_max: limit(layers, "SUMMARY_TOKENS_MAX"),
        turn_tokens_max: limit(layers, "TURN_TOKENS_MAX"),
        conversation_tokens_max: limit(layers, "CONVERSATION_TOKENS_MAX"),
        conversation_messages_max: limit(layers, "CONVERSATION_MESSAGES_MAX"),
        conversation_bytes_max: limit(layers, "CONVERSATION_BYTES_MAX"),
        store_timeout_ms: limit(layers, "STORE_TIMEOUT_MS"),
        memory_store_bytes_max: limit(layers, "MEMORY_STORE_BYTES_MAX"),
        llm_first_token_timeout_ms: limit(layers, "LLM_FIRST_TOKEN_TIMEOUT_MS"),
        llm_idle_timeout_ms: limit(layers, "LLM_IDLE_TIMEOUT_MS"),
        llm_total_timeout_ms: limit(layers, "LLM_TOTAL_TIMEOUT_MS"),
        llm_retries_max: limit(layers, "LLM_RETRIES_MAX"),
        llm_output_tokens_max: limit(layers, "LLM_OUTPUT_TOKENS_MAX"),
        llm_reply_bytes_max: limit(layers, "LLM_REPLY_BYTES_MAX"),
        repairs_max: limit(layers, "REPAIRS_MAX"),
        ping_interval_ms: limit(layers, "PING_INTERVAL_MS"),
        pong_timeout_ms: limit(layers, "PONG_TIMEOUT_MS"),
        outbox_bytes_max: limit(layers, "OUTBOX_BYTES_MAX"),
        write_timeout_ms: limit(layers, "WRITE_TIMEOUT_MS"),
        questions_in_flight_max: limit(layers, "QUESTIONS_IN_FLIGHT_MAX"),
        connections_max: limit(layers, "CONNECTIONS_MAX"),
        shutdown_timeout_ms: limit(layers, "SHUTDOWN_TIMEOUT_MS"),
    };
    // PostgreSQL keeps its timeouts in 31 bits and refuses what is larger, with every query.
    for (name, timeout_ms) in [
        ("DB_CHAT_STATEMENT_TIMEOUT_MS", limits.statement_timeout_ms),
        (
            "DB_CHAT_IDLE_IN_TRANSACTION_TIMEOUT_MS",
            limits.idle_in_transaction_timeout_ms,
        ),
    ] {
        if timeout_ms > i32::MAX as u64 {
            layers.reject(
                name,
                format!(
                    "must not be more than {}, which is all that PostgreSQL takes",
                    i32::MAX
                ),
            );
        }
    }
    if limits.pong_timeout_ms <= limits.ping_interval_ms {
        layers.reject(
            "DB_CHAT_PONG_TIMEOUT_MS",
            "must be more than PING_INTERVAL_MS, or every connection is cut between two pings",
        );
    }
    if limits.cell_bytes_max > limits.result_bytes_max {
        layers.reject(
            "DB_CHAT_CELL_BYTES_MAX",
            "must not be more than RESULT_BYTES_MAX, or one cell would not fit into a result",
        );
    }
    limits
}

fn limit<N: TryFrom<u64> + Default>(layers: &mut Layers, name: &str) -> N {
    number(layers, &format!("DB_CHAT_{name}"), 1)
}

fn number<N: TryFrom<u64> + Default>(layers: &mut Layers, name: &str, least: u64) -> N {
    let parsed = text(layers, name)
        .replace('_', "")
        .parse::<u64>()
        .ok()
        .filter(|number| *number >= least);
    if let Some(number) = parsed.and_then(|number| N::try_from(number).ok()) {
        return number;
    }
    let zero = if least > 0 {
        "; zero is refused, it does not mean unlimited"
    } else {
        ""
    };
    layers.reject(
        name,
        format!("must be a whole number of at least {least}{zero}"),
    );
    N::default()
}

fn boolean(layers: &mut Layers, name: &str) -> bool {
    match text(layers, name).to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => true,
        "false" | "0" | "no" | "off" | "" => false,
        _ => {
            layers.reject(name, "must be true or false");
            false
        }
    }
}

fn text(layers: &Layers, name: &str) -> String {
    layers
        .get(name)
        .map(|value| value.text.clone())
        .unwrap_or_default()
}

fn optional(layers: &Layers, name: &str) -> Option<String> {
    layers.get(name).map(|value| value.text.clone())
}

fn secret(layers: &Layers, name: &str) -> Option<SecretString> {
    optional(layers, name).map(SecretString::from)
}

fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| item.trim_end_matches('/').to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn check(
        file: &str,
        variables: &[(&str, &str)],
        flags: &[(&str, &str)],
    ) -> Result<Config, String> {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        resolve(
            Some(("db-chat.toml", file)),
            own(variables).into_iter(),
            &own(flags),
        )
        .map_err(|error| error.to_string())
    }

    #[test]
    fn the_compiled_in_defaults_pass_their_own_checks_and_agree_with_the_code() {
        let config = check("", &[], &[]).expect("defaults are valid");
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.llm.provider, ProviderKind::Offline);
        assert_eq!(config.conversations.storage, StorageKind::Memory);
        assert_eq!(config.policy.allowed_tables, "public.*");
    }

    #[test]
    fn flags_win_over_the_environment_which_wins_over_the_file() {
        let file = "conversation_context_limit = 1\nALLOWED_TABLES = [\"a\", \"b\"]\n[limits]\nROWS_MAX = 7\nmodel_rows_max = 3";
        let variables = [
            ("DB_CHAT_ROWS_MAX", "8"),
            ("CONVERSATION_CONTEXT_LIMIT", "2"),
            ("REDIS_URL", ""),
        ];
        let config =
            check(file, &variables, &[("CONVERSATION_CONTEXT_LIMIT", "3")]).expect("valid");
        assert_eq!(config.conversations.context_limit, 3);
        assert_eq!(config.limits.rows_max, 8);
        assert_eq!(config.limits.model_rows_max, 3);
        assert_eq!(config.policy.allowed_tables, "a,b");
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest_one() {
        let error = check("alowed_tables = \"x\"\n[limits]\nrow_max = 1", &[], &[])
            .expect_err("unknown keys");
        assert!(error.contains("did you mean allowed_tables?"), "{error}");
        assert!(
            error.contains("limits.row_max") && error.contains("did you mean limits.rows_max?"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_variable_of_ours_is_noticed_and_others_are_left_alone() {
        let config = check("", &[("DB_CHAT_BND", "x"), ("PATH", "y")], &[]).expect("valid");
        assert_eq!(
            config.notices,
            ["DB_CHAT_BND (environment): is not a setting; did you mean db_chat_bind?"]
        );
    }

    #[test]
    fn all_faults_come_at_once_with_their_sources() {
        let error = check(
            "db_chat_bind = \"8080\"",
            &[
                ("LLM_PROVIDER", "gemini"),
                ("DB_CHAT_ROWS_MAX", "0"),
                ("CONVERSATION_STORAGE_TYPE", "redis"),
            ],
            &[],
        )
        .expect_err("four faults");
        for part in [
            "DB_CHAT_BIND (file db-chat.toml)",
            "LLM_PROVIDER (environment)",
            "zero is refused",
            "REDIS_URL",
        ] {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
    }

    #[test]
    fn the_provider_follows_the_key_that_is_set() {
        let provider = |variables: &[(&str, &str)]| {
            check("", variables, &[]).map(|config| config.llm.provider)
        };
        assert_eq!(
            provider(&[("OPENAI_API_KEY", "k")]),
            Ok(ProviderKind::OpenAi)
        );
        assert_eq!(
            provider(&[("OPENAI_API_KEY", "k"), ("ANTHROPIC_API_KEY", "k")]),
            Ok(ProviderKind::Anthropic)
        );
        assert_eq!(
            provider(&[("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1")]),
            Ok(ProviderKind::OpenAi)
        );
        assert!(provider(&[("LLM_PROVIDER", "openai")]).is_err());
    }

    #[test]
    fn secrets_are_kept_out_of_debug_and_of_errors() {
        let variables = [
            ("DATABASE_URL", "postgresql://u:hunter2@h/d"),
            ("ANTHROPIC_API_KEY", "sk-hunter2"),
        ];
        let config = check("", &variables, &[]).expect("valid");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(
            config
                .database
                .url
                .expect("set")
                .expose_secret()
                .contains("hunter2")
        );
        let error = check("database_url = \"postgresql://u:hunter2@h/d", &[], &[])
            .expect_err("unclosed text");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
