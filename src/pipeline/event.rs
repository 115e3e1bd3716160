//! What a turn tells the outside, in the order in which it happens.

use tokio::sync::mpsc;

use super::error::TurnError;
use crate::domain::result::ResultSet;
use crate::domain::usage::TurnUsage;

/// Where a turn's events go. Bounded: a turn waits for a reader that falls behind, and a reader that
/// is gone does not stop it (only its cancellation token does).
pub type EventSender = mpsc::Sender<TurnEvent>;

/// One thing that happened in a turn. The last event is always `Answered` or `Failed`.
#[derive(Debug)]
pub enum TurnEvent {
    /// A stage begins.
    Stage(Stage),
    /// The query passed the guard and is about to run.
    Sql(String),
    /// A piece of the prose.
    Token(String),
    /// The whole prose.
    ProseEnd(String),
    /// Final: the turn has a reply.
    Answered(Box<Answer>),
    /// Final: the turn failed.
    Failed(TurnError),
}

/// The stages that a person is told about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Reading the conversation and choosing the schema.
    Understanding,
    /// The model writes SQL.
    Generating,
    /// All of the model's places are taken, and the question stands in its queue. After it the stage before goes on.
    Waiting,
    /// The guard looks at it.
    Checking,
    /// A refused or failed query goes back to the model.
    Repairing,
    /// PostgreSQL runs it.
    Executing,
    /// The model writes the prose.
    Narrating,
    /// The turn is stored.
    Storing,
}

impl Stage {
    /// The stable name on the wire and in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Understanding => "understanding",
            Self::Generating => "generating",
            Self::Waiting => "waiting",
            Self::Checking => "checking",
            Self::Repairing => "repairing",
            Self::Executing => "executing",
            Self::Narrating => "narrating",
            Self::Storing => "storing",
        }
    }

    /// What a person reads while it lasts.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Understanding => "Reading your question",
            Self::Generating => "Writing a query",
            Self::Waiting => "Waiting for the language model",
            Self::Checking => "Checking that the query is safe",
            Self::Repairing => "Correcting the query",
            Self::Executing => "Asking the database",
            Self::Narrating => "Writing the answer",
            Self::Storing => "Saving the answer",
        }
    }
}

/// A turn's reply with everything that backs it.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What the person is told.
    pub reply: String,
    /// The SQL that ran.
    pub sql: Option<String>,
    /// Its rows.
    pub result: Option<ResultSet>,
    /// What backs the reply.
    pub evidence: Evidence,
    /// What the model calls cost.
    pub usage: TurnUsage,
    /// Why there is no real answer, where there is none.
    pub shortfall: Option<Shortfall>,
    /// A question back to the person.
    pub clarification: Option<Clarification>,
    /// Up to three questions that could follow.
    pub suggestions: Vec<String>,
}

/// Why a turn that did not fail has no real answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortfall {
    /// The database cannot answer the question.
    NotAnswerable,
    /// The guard refused every query that the model wrote.
    QueryRefused,
    /// PostgreSQL refused every query that the model wrote.
    QueryFailed,
    /// PostgreSQL expected every query that the model wrote to cost more than it may.
    QueryTooCostly,
    /// The query ran into the time limit.
    QueryTimeout,
    /// The model declined.
    ModelRefused,
    /// The model's reply could not be used.
    ModelReplyInvalid,
}

/// A question back to the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clarification {
    /// What is asked.
    pub question: String,
    /// Answers to pick from; may be empty.
    pub options: Vec<String>,
}

/// What backs an answer: drawn from the checked query and its rows, never from the model's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Relations read, schema-qualified.
    pub tables: Vec<String>,
    /// Columns read, as `schema.table.column`.
    pub columns: Vec<String>,
    /// Conditions, as SQL.
    pub filters: Vec<String>,
    /// Join conditions, as SQL.
    pub joins: Vec<String>,
    /// Warnings about a query that is allowed but doubtful.
    pub warnings: Vec<String>,
    /// Numbers in the prose that are not in the rows.
    pub unverified_numbers: Vec<String>,
}
