//! Reads the settings: flags over environment over file over defaults, checked together.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::error::{ConfigError, ConfigFault, Source};
use super::layers::Layers;
use super::{
    Config, ConversationsConfig, DatabaseConfig, Limits, LogConfig, PolicyConfig, StateConfig,
    StorageKind, auth, llm, server,
};

/// Another spelling of `shutdown_timeout_ms`, at the top level of the file.
const SHUTDOWN_SECONDS: &str = "DB_CHAT_SHUTDOWN_SECONDS";

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
        server: server::read(&mut layers),
        auth: auth::read(&mut layers),
        database: DatabaseConfig {
            url: secret(&layers, "DATABASE_URL"),
            allow_unsafe_role: boolean(&mut layers, "DB_CHAT_ALLOW_UNSAFE_ROLE"),
            is_demo: false,
        },
        llm: llm::read(&mut layers),
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
            otlp_endpoint: secret(&layers, "OTEL_EXPORTER_OTLP_ENDPOINT"),
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
    let mut limits = Limits {
        frame_bytes_max: limit(layers, "FRAME_BYTES_MAX"),
        question_chars_max: limit(layers, "QUESTION_CHARS_MAX"),
        rows_max: limit(layers, "ROWS_MAX"),
        model_rows_max: limit(layers, "MODEL_ROWS_MAX"),
        model_rows_bytes_max: limit(layers, "MODEL_ROWS_BYTES_MAX"),
        cell_bytes_max: limit(layers, "CELL_BYTES_MAX"),
        result_bytes_max: limit(layers, "RESULT_BYTES_MAX"),
        statement_timeout_ms: limit(layers, "STATEMENT_TIMEOUT_MS"),
        idle_in_transaction_timeout_ms: limit(layers, "IDLE_IN_TRANSACTION_TIMEOUT_MS"),
        query_cost_max: optional(layers, "DB_CHAT_QUERY_COST_MAX")
            .map(|_| limit(layers, "QUERY_COST_MAX")),
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
        llm_retries_max: limit_or_off(layers, "LLM_RETRIES_MAX"),
        llm_concurrent_calls_max: limit(layers, "LLM_CONCURRENT_CALLS_MAX"),
        llm_queue_calls_max: limit(layers, "LLM_QUEUE_CALLS_MAX"),
        llm_queue_timeout_ms: limit(layers, "LLM_QUEUE_TIMEOUT_MS"),
        llm_breaker_failures_max: limit(layers, "LLM_BREAKER_FAILURES_MAX"),
        llm_breaker_failure_percent_max: limit(layers, "LLM_BREAKER_FAILURE_PERCENT_MAX"),
        llm_breaker_open_ms: limit(layers, "LLM_BREAKER_OPEN_MS"),
        llm_output_tokens_max: limit(layers, "LLM_OUTPUT_TOKENS_MAX"),
        llm_reply_bytes_max: limit(layers, "LLM_REPLY_BYTES_MAX"),
        repairs_max: limit_or_off(layers, "REPAIRS_MAX"),
        ping_interval_ms: limit(layers, "PING_INTERVAL_MS"),
        pong_timeout_ms: limit(layers, "PONG_TIMEOUT_MS"),
        outbox_bytes_max: limit(layers, "OUTBOX_BYTES_MAX"),
        write_timeout_ms: limit(layers, "WRITE_TIMEOUT_MS"),
        questions_in_flight_max: limit(layers, "QUESTIONS_IN_FLIGHT_MAX"),
        resume_seconds: limit(layers, "RESUME_SECONDS"),
        replay_bytes_max: limit(layers, "REPLAY_BYTES_MAX"),
        connections_max: limit(layers, "CONNECTIONS_MAX"),
        connections_per_principal_max: limit(layers, "CONNECTIONS_PER_PRINCIPAL_MAX"),
        connections_per_address_max: limit(layers, "CONNECTIONS_PER_ADDRESS_MAX"),
        questions_per_minute_max: limit(layers, "QUESTIONS_PER_MINUTE_MAX"),
        tickets_per_minute_max: limit(layers, "TICKETS_PER_MINUTE_MAX"),
        head_timeout_ms: limit(layers, "HEAD_TIMEOUT_MS"),
        body_timeout_ms: limit(layers, "BODY_TIMEOUT_MS"),
        keep_alive_timeout_ms: limit(layers, "KEEP_ALIVE_TIMEOUT_MS"),
        jwks_fetch_pause_ms: limit(layers, "JWKS_FETCH_PAUSE_MS"),
        shutdown_timeout_ms: limit(layers, "SHUTDOWN_TIMEOUT_MS"),
    };
    if layers.get(SHUTDOWN_SECONDS).is_some() {
        let seconds: u64 = number(layers, SHUTDOWN_SECONDS, 1);
        limits.shutdown_timeout_ms = seconds.saturating_mul(1_000);
    }
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
    if limits.llm_breaker_failure_percent_max > 100 {
        layers.reject(
            "DB_CHAT_LLM_BREAKER_FAILURE_PERCENT_MAX",
            "must not be more than 100",
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

/// A count that can be switched off, which is said with a word: zero is too easily meant as "unlimited".
fn limit_or_off(layers: &mut Layers, name: &str) -> u32 {
    let name = format!("DB_CHAT_{name}");
    if text(layers, &name).eq_ignore_ascii_case("off") {
        return 0;
    }
    match text(layers, &name).replace('_', "").parse::<u32>() {
        Ok(count @ 1..) => count,
        Ok(0) | Err(_) => {
            layers.reject(&name, "must be a whole number of at least 1, or off");
            0
        }
    }
}

pub(super) fn number<N: TryFrom<u64> + Default>(layers: &mut Layers, name: &str, least: u64) -> N {
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

pub(super) fn boolean(layers: &mut Layers, name: &str) -> bool {
    match text(layers, name).to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => true,
        "false" | "0" | "no" | "off" | "" => false,
        _ => {
            layers.reject(name, "must be true or false");
            false
        }
    }
}

pub(super) fn text(layers: &Layers, name: &str) -> String {
    layers
        .get(name)
        .map(|value| value.text.clone())
        .unwrap_or_default()
}

pub(super) fn optional(layers: &Layers, name: &str) -> Option<String> {
    layers.get(name).map(|value| value.text.clone())
}

pub(super) fn secret(layers: &Layers, name: &str) -> Option<SecretString> {
    optional(layers, name).map(SecretString::from)
}

pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| item.trim_end_matches('/').to_owned())
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use secrecy::ExposeSecret;

    use super::super::ProviderKind;
    use super::*;

    pub(in crate::config) fn check(
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
        assert_eq!(config.limits.query_cost_max, None);
    }

    #[test]
    fn a_limit_that_is_off_is_not_a_limit_of_zero() {
        let cost = |text: &str| {
            check("", &[("DB_CHAT_QUERY_COST_MAX", text)], &[])
                .map(|config| config.limits.query_cost_max)
        };
        assert_eq!(cost(""), Ok(None));
        assert_eq!(cost("1_000_000"), Ok(Some(1_000_000)));
        for faulty in ["0", "none", "-1", "1.5"] {
            assert!(cost(faulty).is_err(), "{faulty}");
        }
    }

    #[test]
    fn the_time_to_shut_down_has_two_spellings() {
        let shutdown = |variables: &[(&str, &str)]| {
            check("", variables, &[]).map(|config| config.limits.shutdown_timeout_ms)
        };
        assert_eq!(shutdown(&[("DB_CHAT_SHUTDOWN_TIMEOUT_MS", "7")]), Ok(7));
        assert_eq!(shutdown(&[("DB_CHAT_SHUTDOWN_SECONDS", "7")]), Ok(7_000));
        assert!(shutdown(&[("DB_CHAT_SHUTDOWN_SECONDS", "0")]).is_err());
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
            ["DB_CHAT_BND (environment): is not a setting; did you mean DB_CHAT_BIND?"]
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
    fn what_can_be_switched_off_is_switched_off_with_a_word() {
        let retries = |text: &str| {
            check("", &[("DB_CHAT_LLM_RETRIES_MAX", text)], &[])
                .map(|config| config.limits.llm_retries_max)
        };
        assert_eq!(retries("off"), Ok(0));
        assert_eq!(retries("3"), Ok(3));
        assert!(retries("0").expect_err("zero").contains("or off"));
        let config = check("[limits]\nrepairs_max = \"off\"", &[], &[]).expect("valid");
        assert_eq!(config.limits.repairs_max, 0);
        assert!(check("", &[("DB_CHAT_ROWS_MAX", "off")], &[]).is_err());
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
