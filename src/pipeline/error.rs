//! Why a turn failed: one error over all stages, for `wire::errors` to map.

use super::meter::SpentBudget;
use crate::conversations::StoreError;
use crate::limits::RateError;
use crate::llm::LlmError;
use crate::postgres::QueryError;
use crate::postgres::row_scope::NoTenant;

/// A turn that ended without an answer.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// Someone stopped it.
    #[error("the turn was cancelled")]
    Cancelled,
    /// The model could not be used.
    #[error("the model call for {purpose} failed")]
    Llm {
        /// `sql` or `prose`.
        purpose: &'static str,
        /// What went wrong.
        #[source]
        source: LlmError,
    },
    /// A budget has no room for another call of the model.
    #[error("the token budget of the {budget:?} is spent")]
    BudgetSpent {
        /// Which one.
        budget: SpentBudget,
    },
    /// Tenants are kept apart, and whoever asks belongs to none.
    #[error("nothing was run")]
    NoTenant {
        /// That.
        #[source]
        source: NoTenant,
    },
    /// The database could not be used.
    #[error("the database could not be used")]
    Database {
        /// What went wrong.
        #[source]
        source: QueryError,
    },
    /// The conversation could not be read or written.
    #[error("the conversation could not be used")]
    Store {
        /// What went wrong.
        #[source]
        source: StoreError,
    },
    /// The question came too soon after others, or could not be counted.
    #[error("the question was not let in")]
    Rate {
        /// Which of both.
        #[source]
        source: RateError,
    },
    /// A fault of db-chat itself.
    #[error("internal fault: {problem}")]
    Internal {
        /// What should not have happened.
        problem: String,
    },
}
