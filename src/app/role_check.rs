//! Keeps a server that others can reach from asking with a role that could change data.
//!
//! In: the settings. Out: nothing, or why not to listen. Only this machine is left to its owner's judgement.

use std::time::Duration;

use secrecy::ExposeSecret;

use crate::config::Config;
use crate::postgres::pool::{DatabasePool, PoolLimits};
use crate::postgres::posture;

/// How many findings the refusal names; `doctor` names all.
const NAMED_MAX: usize = 3;

/// Why the role keeps the server from listening; `None`: it does not, or nobody else can reach it.
///
/// A database that is away does not keep the server from starting, as nowhere else: the log says then that the role
/// was not checked.
pub(super) async fn refusal(config: &Config) -> Option<String> {
    if config.database.allow_unsafe_role || !is_beyond_loopback(&config.server.bind).await {
        return None;
    }
    let url = config.database.url.as_ref()?;
    let limits = PoolLimits {
        connections_max: 1,
        wait_timeout: Duration::from_millis(config.limits.pool_wait_timeout_ms),
    };
    // A URL that cannot be used is refused elsewhere, with its reason.
    let pool = DatabasePool::new(url.expose_secret(), limits).ok()?;
    let outcome = posture::read(&pool).await;
    pool.close().await;
    let findings = match outcome {
        Ok(posture) => posture.write_findings(),
        Err(error) => {
            tracing::warn!(%error, "the database role could not be checked: run `db-chat doctor` when the database is there");
            return None;
        }
    };
    if findings.is_empty() {
        return None;
    }
    let named: Vec<&str> = findings
        .iter()
        .take(NAMED_MAX)
        .map(|finding| finding.message.as_str())
        .collect();
    Some(named.join("; "))
}

/// A name that cannot be resolved is left to whoever binds to it.
async fn is_beyond_loopback(bind: &str) -> bool {
    match tokio::net::lookup_host(bind).await {
        Ok(mut addresses) => addresses.any(|address| !address.ip().to_canonical().is_loopback()),
        Err(_) => false,
    }
}
