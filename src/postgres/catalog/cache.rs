//! Keeps one snapshot of the schema for everybody, and notices when the database's structure has changed.
//!
//! In: a pool and a policy. Out: the current [`Snapshot`]. Must not know who asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{read, read_fingerprint};
use crate::domain::schema::{Catalog, Snapshot};
use crate::guard::policy::Policy;
use crate::postgres::error::QueryError;
use crate::postgres::pool::DatabasePool;

/// How long the check, or the whole reading, may take. A thousand tables take a fraction of a second.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// DDL that commits while the catalogs are read can make PostgreSQL's printing functions fail; the next try sees its result.
const READ_TRIES_MAX: usize = 3;

/// The schema as the policy lets it be seen, never older than a few seconds. Cheap to clone.
#[derive(Clone)]
pub struct CatalogCache {
    shared: Arc<Shared>,
}

struct Shared {
    pool: DatabasePool,
    policy: Policy,
    recheck_after: Duration,
    state: Mutex<State>,
    /// Held by the one caller that asks the database; the others wait for what it finds.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The last snapshot, and when it was known to be true.
    snapshot: Option<(Arc<Snapshot>, Instant)>,
    /// Whether that has been called into question since.
    is_doubted: bool,
    /// What the snapshot lacks only because tenants are kept apart, for the operator.
    without_row_security: Vec<String>,
    /// How often the database was asked.
    attempts: u64,
    /// Why the last attempt failed, if it did.
    failure: Option<Arc<QueryError>>,
}

impl CatalogCache {
    /// Reads nothing yet. A snapshot is served without asking the database for `recheck_after`.
    #[must_use]
    pub fn new(pool: DatabasePool, policy: Policy, recheck_after: Duration) -> Self {
        Self {
            shared: Arc::new(Shared {
                pool,
                policy,
                recheck_after,
                state: Mutex::default(),
                reading: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// The schema as it is now. Callers that come together share one check, and its failure.
    ///
    /// # Errors
    /// The database cannot be asked. An old snapshot is not served then: nothing could be run on it anyway.
    ///
    /// # Cancel safety
    /// Dropped midway, the next caller asks instead.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, QueryError> {
        let attempts_before = {
            let state = self.state();
            if let Some(snapshot) = self.fresh(&state) {
                return Ok(snapshot);
            }
            state.attempts
        };
        let _turn = self.shared.reading.lock().await;
        let known = {
            let state = self.state();
            if let Some(snapshot) = self.fresh(&state) {
                return Ok(snapshot);
            }
            if state.attempts != attempts_before
                && let Some(failure) = &state.failure
            {
                return Err(QueryError::shared(failure));
            }
            state
                .snapshot
                .as_ref()
                .map(|(snapshot, _)| Arc::clone(snapshot))
        };
        let asked_at = Instant::now();
        let outcome = self.ask(known).await;
        let mut state = self.state();
        state.attempts += 1;
        match outcome {
            Ok(snapshot) => {
                state.snapshot = Some((Arc::clone(&snapshot), asked_at));
                state.failure = None;
                state.is_doubted = false;
                Ok(snapshot)
            }
            Err(error) => {
                let error = Arc::new(error);
                let shared = QueryError::shared(&error);
                state.failure = Some(error);
                Err(shared)
            }
        }
    }

    /// What the last snapshot lacks only because tenants are kept apart and row-level security does not, as `schema.name`.
    #[must_use]
    pub fn without_row_security(&self) -> Vec<String> {
        self.state().without_row_security.clone()
    }

    /// Has the next caller ask the database, however fresh the last answer is: something has shown that it is not true any more.
    pub fn doubt(&self) {
        self.state().is_doubted = true;
    }

    /// The known snapshot if it is still true, or a new one.
    async fn ask(&self, known: Option<Arc<Snapshot>>) -> Result<Arc<Snapshot>, QueryError> {
        let mut tries_left = READ_TRIES_MAX;
        let catalog = loop {
            tries_left -= 1;
            match self.read_unless(known.as_deref()).await {
                Err(QueryError::Refused { sqlstate, .. })
                    if sqlstate.starts_with("XX") && tries_left > 0 => {}
                outcome => break outcome?,
            }
        };
        let Some(catalog) = catalog else {
            return known.ok_or_else(|| QueryError::unavailable("there is no catalog"));
        };
        for pattern in self.shared.policy.idle_patterns(&catalog) {
            tracing::warn!(
                pattern,
                "this pattern of ALLOWED_TABLES or ALLOWED_MODELS matches nothing in the database; \
                 a column is hidden by !schema.table.column"
            );
        }
        let unguarded = self.shared.policy.without_row_security(&catalog);
        if !unguarded.is_empty() {
            tracing::warn!(
                relations = unguarded.join(", "),
                "hidden, because row-level security does not keep their tenants apart for this role; `db-chat doctor` says more"
            );
        }
        self.state().without_row_security = unguarded;
        let snapshot = self.shared.policy.apply(catalog);
        tracing::info!(
            relations_count = snapshot.relations.len(),
            hidden_relations_count = snapshot.hidden_relations_count,
            "read the database's schema"
        );
        Ok(Arc::new(snapshot))
    }

    /// Reads the catalog; `None` when it is what `known` was made of.
    async fn read_unless(&self, known: Option<&Snapshot>) -> Result<Option<Catalog>, QueryError> {
        let fingerprint = known.map(|snapshot| snapshot.fingerprint.clone());
        let never = CancellationToken::new();
        let pool = &self.shared.pool;
        pool.run(READ_TIMEOUT, &never, |client| {
            Box::pin(async move {
                if let Some(fingerprint) = fingerprint
                    && fingerprint == read_fingerprint(client).await?
                {
                    return Ok(None);
                }
                read(client).await.map(Some)
            })
        })
        .await
    }

    fn fresh(&self, state: &State) -> Option<Arc<Snapshot>> {
        let (snapshot, checked_at) = state.snapshot.as_ref()?;
        let is_fresh = !state.is_doubted && checked_at.elapsed() < self.shared.recheck_after;
        is_fresh.then(|| Arc::clone(snapshot))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
