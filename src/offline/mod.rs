//! The engine that needs no model: a question in English and the visible catalog become SQL, or an honest "cannot".
//!
//! In: the question, the turns before it, the [`Snapshot`], today's date. Out: [`Draft`]; and for a result, a sentence.
//! It knows English and the shapes that databases share, never the names of any one database. Every word that carries
//! meaning must be understood, or the question is declined: another question's answer is worse than none. No IO, no clock.

mod column_kind;
mod dates;
mod follow_up;
mod joins;
mod meaning;
mod parse;
mod places;
mod query;
mod resolve;
mod samples;
mod sentence;
mod sql;
mod tokens;
mod vocabulary;

use chrono::NaiveDate;

use crate::domain::schema::Snapshot;
use crate::domain::sql::DraftSql;

pub use samples::sample_questions;
pub use sentence::narrate;

use query::Query;
use vocabulary::Vocabulary;

/// A question asked earlier in the same conversation, as far as a follow-up needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastTurn<'a> {
    /// What was asked.
    pub question: &'a str,
    /// The SQL that answered it; a turn without any is nothing to follow up on.
    pub sql: Option<&'a str>,
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// The question was understood whole.
    Sql {
        /// One SELECT, every relation schema-qualified.
        sql: DraftSql,
        /// Choices that the question left open and how they were made, as sentences for the person; often empty.
        assumptions: Vec<String>,
    },
    /// It was not, or the database as it may be seen does not hold the answer.
    Cannot {
        /// A sentence for the person. It repeats only words of the question and visible names.
        reason: String,
        /// At most three questions that can be answered from this database.
        suggestions: Vec<String>,
    },
}

/// Turns a question into SQL. `today` is the date that "last month" counts from.
#[must_use]
pub fn draft(
    question: &str,
    history: &[PastTurn<'_>],
    snapshot: &Snapshot,
    today: NaiveDate,
) -> Draft {
    let vocabulary = Vocabulary::new(snapshot);
    let outcome = understand(question, history, &vocabulary, today)
        .and_then(|query| sql::write(&query, &vocabulary));
    match outcome {
        Ok(written) => Draft::Sql {
            sql: DraftSql::new(written.sql),
            assumptions: written.assumptions,
        },
        Err(misunderstanding) => Draft::Cannot {
            reason: misunderstanding.reason,
            suggestions: sample_questions(snapshot, SUGGESTIONS_MAX),
        },
    }
}

/// How many questions a decline suggests.
const SUGGESTIONS_MAX: usize = 3;

/// How many earlier turns are read again to understand a follow-up. A chain of more is rare, and each costs a parse.
const HISTORY_TURNS_MAX: usize = 10;

/// Why a question was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Misunderstanding {
    /// A sentence for the person.
    reason: String,
}

impl Misunderstanding {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// The query that a question means: by itself, or as a change to the one before it.
fn understand(
    question: &str,
    history: &[PastTurn<'_>],
    vocabulary: &Vocabulary<'_>,
    today: NaiveDate,
) -> Result<Query, Misunderstanding> {
    let first = history.len().saturating_sub(HISTORY_TURNS_MAX);
    let mut previous: Option<Query> = None;
    for turn in history.iter().skip(first).filter(|turn| turn.sql.is_some()) {
        if let Ok(query) = follow_up::read(turn.question, previous.as_ref(), vocabulary, today) {
            previous = Some(query);
        }
    }
    follow_up::read(question, previous.as_ref(), vocabulary, today)
}
