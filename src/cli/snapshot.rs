//! The schema of the configured database, for the commands that look at it once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;

use crate::config::Config;
use crate::domain::schema::Snapshot;
use crate::guard::policy::Policy;
use crate::postgres::catalog::CatalogCache;
use crate::postgres::pool::{DatabasePool, PoolLimits};

/// The schema of the configured database under the configured policy, read once.
pub(super) async fn read_snapshot(config: &Config) -> anyhow::Result<Arc<Snapshot>> {
    let url = config.database.url.as_ref().context(
        "no database is configured: set DATABASE_URL, e.g. postgresql://user@localhost/name",
    )?;
    let policy = Policy::compile(&config.policy.allowed_tables, &config.policy.allowed_models)
        .context("ALLOWED_TABLES or ALLOWED_MODELS cannot be used")?
        .with_extensions(&config.policy.allowed_extensions)
        .context("ALLOWED_EXTENSIONS cannot be used")?;
    let limits = PoolLimits {
        connections_max: 1,
        wait_timeout: Duration::from_millis(config.limits.pool_wait_timeout_ms),
    };
    let pool =
        DatabasePool::new(url.expose_secret(), limits).context("DATABASE_URL cannot be used")?;
    let catalog = CatalogCache::new(pool.clone(), policy, Duration::ZERO);
    let snapshot = catalog
        .snapshot()
        .await
        .context("the schema cannot be read from DATABASE_URL")?;
    pool.close().await;
    Ok(snapshot)
}
