//! What every call that writes SQL begins with: instructions and schema, written once for each snapshot.
//!
//! The same bytes for every question, so that providers' prompt caches hit. Knows no question.

use std::sync::{Arc, Mutex, PoisonError};

use super::prompts::Prompts;
use super::schema_context::whole_schema;
use crate::domain::schema::Snapshot;

/// In the place of a schema that does not fit.
const TOO_LARGE: &str = "(too many tables to list: those that matter come with each question)";

/// Hexadecimal digits of the schema's fingerprint in the name for caches.
const CACHE_KEY_DIGITS: usize = 32;

/// The beginning of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instructions {
    /// The text.
    pub(super) system: String,
    /// Its name, for providers that find their cache by one.
    pub(super) cache_key: String,
    /// Whether all of the schema is in it; otherwise what matters has to come with the question.
    pub(super) has_whole_schema: bool,
}

/// The instructions for the snapshot that was asked for last.
#[derive(Debug, Default)]
pub(super) struct InstructionsCache {
    last: Mutex<Option<(Arc<Snapshot>, Arc<Instructions>)>>,
}

impl InstructionsCache {
    /// Of this snapshot, within `tokens_max` for the schema. Callers pass the same prompts and budget each time.
    pub(super) fn of(
        &self,
        snapshot: &Arc<Snapshot>,
        prompts: &Prompts,
        tokens_max: usize,
    ) -> Arc<Instructions> {
        if let Some((of, known)) = &*self.last()
            && Arc::ptr_eq(of, snapshot)
        {
            return Arc::clone(known);
        }
        // Not under the lock: two that come together write the same.
        let written = Arc::new(Instructions::write(snapshot, prompts, tokens_max));
        *self.last() = Some((Arc::clone(snapshot), Arc::clone(&written)));
        written
    }

    /// Nothing panics while it is locked, so a poisoned lock is still sound.
    fn last(&self) -> std::sync::MutexGuard<'_, Option<(Arc<Snapshot>, Arc<Instructions>)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instructions {
    fn write(snapshot: &Snapshot, prompts: &Prompts, tokens_max: usize) -> Self {
        let whole = whole_schema(snapshot, tokens_max);
        let server_version = (snapshot.server_version_num / 10_000).to_string();
        let digits: String = snapshot
            .fingerprint
            .chars()
            .take(CACHE_KEY_DIGITS)
            .collect();
        Self {
            system: prompts.sql_system(&server_version, whole.as_deref().unwrap_or(TOO_LARGE)),
            cache_key: format!("db-chat-{digits}"),
            has_whole_schema: whole.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::schema::ForeignNames;

    fn snapshot(server_version_num: u32) -> Arc<Snapshot> {
        Arc::new(Snapshot {
            database: "shop".to_owned(),
            server_version_num,
            fingerprint: "0123456789abcdef".repeat(4),
            read_at: chrono::DateTime::UNIX_EPOCH,
            relations: Vec::new(),
            types: Vec::new(),
            foreign_names: ForeignNames::default(),
            extensions: Vec::new(),
            hidden_relations_count: 0,
        })
    }

    #[test]
    fn instructions_are_written_once_for_a_snapshot_and_anew_for_the_next() {
        let prompts = Prompts::load(None).expect("the built-in ones");
        let cache = InstructionsCache::default();
        let (old, new) = (snapshot(150_018), snapshot(160_004));
        let first = cache.of(&old, &prompts, 1_000);
        assert!(first.system.contains("PostgreSQL 15,"), "{}", first.system);
        assert!(first.has_whole_schema);
        assert_eq!(first.cache_key, "db-chat-0123456789abcdef0123456789abcdef");
        assert!(Arc::ptr_eq(&first, &cache.of(&old, &prompts, 1_000)));
        let second = cache.of(&new, &prompts, 1_000);
        assert!(second.system.contains("PostgreSQL 16,"));
        // The old one again is another one's snapshot by now.
        assert_eq!(first, cache.of(&old, &prompts, 1_000));
    }
}
