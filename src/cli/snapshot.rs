//! The schema of the configured database, for the commands that look at it once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::ExposeSecret;

use crate::config::Config;
use crate::domain::schema::{RowSecurity, Snapshot};
use crate::guard::policy::Policy;
use crate::postgres::catalog::CatalogCache;
use crate::postgres::pool::{DatabasePool, PoolLimits};

/// The schema of the configured database under the configured policy, read once.
pub(super) async fn read_snapshot(config: &Config) -> anyhow::Result<Arc<Snapshot>> {
    read_with(config, RowSecurity::Active).await
}

/// The same with all relations whose row-level security is switched on, be it not for the role that reads.
pub(super) async fn read_snapshot_for_another_role(
    config: &Config,
) -> anyhow::Result<Arc<Snapshot>> {
    read_with(config, RowSecurity::Enabled).await
}

async fn read_with(config: &Config, least: RowSecurity) -> anyhow::Result<Arc<Snapshot>> {
    let (pool, catalog) = connect_with(config, least)?;
    let snapshot = catalog
        .snapshot()
        .await
        .context("the schema cannot be read from DATABASE_URL")?;
    pool.close().await;
    Ok(snapshot)
}

/// One connection to the configured database, not made yet, and its schema under the configured policy.
pub(super) fn connect(config: &Config) -> anyhow::Result<(DatabasePool, CatalogCache)> {
    connect_with(config, RowSecurity::Active)
}

fn connect_with(
    config: &Config,
    least: RowSecurity,
) -> anyhow::Result<(DatabasePool, CatalogCache)> {
    let url = config.database.url.as_ref().context(
        "no database is configured: set DATABASE_URL, e.g. postgresql://user@localhost/name",
    )?;
    let policy = Policy::compile(&config.policy.allowed_tables, &config.policy.allowed_models)
        .context("ALLOWED_TABLES or ALLOWED_MODELS cannot be used")?
        .with_extensions(&config.policy.allowed_extensions)
        .context("ALLOWED_EXTENSIONS cannot be used")?
        .with_tenants(config.auth.tenants.as_ref().map(|_| least));
    let limits = PoolLimits {
        connections_max: 1,
        wait_timeout: Duration::from_millis(config.limits.pool_wait_timeout_ms),
    };
    let pool =
        DatabasePool::new(url.expose_secret(), limits).context("DATABASE_URL cannot be used")?;
    let catalog = CatalogCache::new(pool.clone(), policy, Duration::ZERO);
    Ok((pool, catalog))
}
