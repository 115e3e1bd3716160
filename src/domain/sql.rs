//! SQL before the guard has seen it. What comes out of the guard is `guard::CheckedSql`.

use std::fmt;

/// SQL that a model, the offline engine or a person wrote. Nothing in db-chat can run it: only the
/// guard takes it, and what the guard lets through has another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftSql(String);

impl DraftSql {
    /// Wraps a text without looking at it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DraftSql {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
