//! What an operator lets be seen: the patterns of `ALLOWED_TABLES` and `ALLOWED_MODELS`, applied to a catalog.

use crate::domain::schema::{Catalog, Snapshot};

/// A compiled policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    patterns: Vec<String>,
}

/// A pattern that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern {pattern:?} {problem}")]
pub struct PolicyError {
    /// The pattern as it was given.
    pub pattern: String,
    /// What is wrong with it and what to write instead.
    pub problem: String,
}

impl Policy {
    /// Compiles comma-separated patterns: `schema.table`, `table` (schema `public`), globs, `!pattern`
    /// takes away, `!schema.table.column` hides a column. `allowed_models` takes Django's spelling:
    /// `users.User` means table `users_user`.
    ///
    /// # Errors
    /// The first pattern that cannot be understood.
    pub fn compile(allowed_tables: &str, allowed_models: &str) -> Result<Self, PolicyError> {
        let _ = allowed_models;
        Ok(Self {
            patterns: allowed_tables.split(',').map(str::to_owned).collect(),
        })
    }

    /// What this policy lets be seen of `catalog`.
    #[must_use]
    pub fn apply(&self, catalog: Catalog) -> Snapshot {
        let _ = &self.patterns;
        Snapshot {
            database: catalog.database,
            server_version_num: catalog.server_version_num,
            fingerprint: catalog.fingerprint,
            read_at: catalog.read_at,
            relations: catalog.relations,
            types: catalog.types,
            foreign_names: catalog.foreign_names,
            extensions: Vec::new(),
            hidden_relations_count: 0,
        }
    }
}
