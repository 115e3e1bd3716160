//! `REDIS_URL` to the driver's configuration: one server, a cluster, or one behind sentinels, with
//! or without TLS; Valkey's schemes as well.

use std::sync::Arc;

use fred::types::config::{Config, TlsConfig, TlsConnector};
use rustls::{ClientConfig, RootCertStore};

/// Why a text is no address of a Redis. Says what to write, never what was written: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum RedisUrlError {
    /// Another scheme, or none.
    #[error(
        "REDIS_URL must begin with redis://, rediss:// (TLS), redis-cluster://, rediss-cluster://, redis-sentinel:// or rediss-sentinel://"
    )]
    Scheme,
    /// The scheme is known, the rest is not understood.
    #[error(
        "REDIS_URL cannot be read; forms are redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], redis-cluster://HOST:PORT[?node=HOST:PORT], redis-sentinel://HOST:PORT[/DATABASE]?sentinelServiceName=NAME; special characters in a password are written as %XX"
    )]
    Syntax(#[source] fred::error::Error),
    /// The TLS set-up failed.
    #[error("TLS cannot be set up for REDIS_URL")]
    Tls(#[source] rustls::Error),
}

/// The schemes without the `s` that asks for TLS.
const SCHEMES: [&str; 6] = [
    "redis",
    "redis-cluster",
    "redis-sentinel",
    "valkey",
    "valkey-cluster",
    "valkey-sentinel",
];

/// Reads an address. The driver takes any scheme for that of a single server, so the scheme is
/// checked here.
///
/// # Errors
/// The address cannot be read, or TLS cannot be set up.
pub(super) fn parse(url: &str) -> Result<Config, RedisUrlError> {
    let (scheme, rest) = url.split_once("://").ok_or(RedisUrlError::Scheme)?;
    let (plain_scheme, tls) = without_tls_mark(scheme).ok_or(RedisUrlError::Scheme)?;
    let mut config =
        Config::from_url(&format!("{plain_scheme}://{rest}")).map_err(RedisUrlError::Syntax)?;
    if tls {
        config.tls = Some(tls_config()?);
    }
    // A server that is away at start is waited for in the background.
    config.fail_fast = false;
    Ok(config)
}

/// The scheme in lower case without the `s` of TLS (`rediss`, `valkeys-cluster`), and whether it had one.
fn without_tls_mark(scheme: &str) -> Option<(String, bool)> {
    let scheme = scheme.to_ascii_lowercase();
    if SCHEMES.contains(&scheme.as_str()) {
        return Some((scheme, false));
    }
    let (server, kind) = scheme.split_once('-').unwrap_or((&scheme, ""));
    let server = server.strip_suffix('s')?;
    let plain = if kind.is_empty() {
        server.to_owned()
    } else {
        format!("{server}-{kind}")
    };
    SCHEMES.contains(&plain.as_str()).then_some((plain, true))
}

/// TLS that trusts the system's certificates. Not the driver's own set-up, which fails for one
/// unreadable certificate among all, and panics where a process has two cryptography providers.
fn tls_config() -> Result<TlsConfig, RedisUrlError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client_config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(RedisUrlError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(client_config).into())
}

#[cfg(test)]
mod tests {
    use fred::types::config::ServerConfig;

    use super::*;

    /// One line that says what an address was taken for.
    fn check(url: &str, expected: &str) {
        let taken = match parse(url) {
            Err(RedisUrlError::Scheme) => "scheme".to_owned(),
            Err(RedisUrlError::Syntax(_)) => "syntax".to_owned(),
            Err(RedisUrlError::Tls(_)) => "tls".to_owned(),
            Ok(config) => {
                let kind = match &config.server {
                    ServerConfig::Centralized { .. } => "one".to_owned(),
                    ServerConfig::Clustered { .. } => "cluster".to_owned(),
                    ServerConfig::Sentinel { service_name, .. } => {
                        format!("sentinel {service_name}")
                    }
                };
                let mut hosts: Vec<String> = config
                    .server
                    .hosts()
                    .iter()
                    .map(|server| format!("{}:{}", server.host, server.port))
                    .collect();
                hosts.sort();
                format!(
                    "{kind} {} tls={} db={:?} user={:?} password={:?}",
                    hosts.join(","),
                    config.tls.is_some(),
                    config.database,
                    config.username,
                    config.password
                )
            }
        };
        assert_eq!(taken, expected, "{url}");
    }

    #[test]
    fn one_server() {
        check(
            "redis://localhost",
            "one localhost:6379 tls=false db=None user=None password=None",
        );
        check(
            "redis://:p%40ss@h:7000/3",
            "one h:7000 tls=false db=Some(3) user=None password=Some(\"p@ss\")",
        );
        check(
            "VALKEY://me:secret@[::1]:7000/",
            "one [::1]:7000 tls=false db=None user=Some(\"me\") password=Some(\"secret\")",
        );
        check(
            "rediss://h",
            "one h:6379 tls=true db=None user=None password=None",
        );
    }

    #[test]
    fn a_cluster() {
        check(
            "redis-cluster://a:1?node=b:2&node=c:3",
            "cluster a:1,b:2,c:3 tls=false db=None user=None password=None",
        );
        check(
            "valkeys-cluster://:s@a:1",
            "cluster a:1 tls=true db=None user=None password=Some(\"s\")",
        );
    }

    #[test]
    fn sentinels() {
        check(
            "redis-sentinel://:s@a/2?sentinelServiceName=main&node=b:26380",
            "sentinel main a:26379,b:26380 tls=false db=Some(2) user=None password=Some(\"s\")",
        );
        check("redis-sentinel://a", "syntax");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for url in [
            "",
            "localhost:6379",
            "http://h",
            "redisss://h",
            "s://h",
            "redis+unix:///x",
        ] {
            check(url, "scheme");
        }
        for url in [
            "redis://",
            "redis://h:port",
            "redis://:hunter2@h/one",
            "redis://h/999",
        ] {
            check(url, "syntax");
            let error = parse(url).unwrap_err();
            let words = format!("{error} {error:?}");
            assert!(!words.contains("hunter2"), "{words}");
        }
    }
}
