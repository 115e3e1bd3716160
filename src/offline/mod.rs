//! The engine that needs no model: a question in English and the visible catalog become SQL, or an honest "cannot".
//!
//! In: the question, the turns before it, the [`Snapshot`], today's date. Out: [`Draft`]; and for a result, a sentence.
//! It knows English and the shapes that databases share, never the names of any one database. Every word that carries
//! meaning must be understood, or the question is declined: another question's answer is worse than none. No IO, no clock.

mod calendar;
mod caution;
mod column_kind;
mod dates;
#[cfg(test)]
mod fixture;
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
    let outcome = understand(question, history, &vocabulary, today).and_then(|query| {
        caution::linked(&query, &vocabulary)?;
        let mut written = sql::write(&query, &vocabulary)?;
        written.assumptions.extend(until_today(&query, today));
        Ok(written)
    });
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

/// Which days "the last 7 days" and its like were taken for.
fn until_today(query: &Query, today: NaiveDate) -> Option<String> {
    query.conditions.iter().find_map(|condition| {
        let query::Condition::Period { range, .. } = condition else {
            return None;
        };
        let start = range.start.filter(|start| *start < today)?;
        (range.end == today.succ_opt())
            .then(|| format!("The period is from {start} up to and including today, {today}."))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(questions: &[&str], expected: &str) {
        let snapshot = fixture::library();
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let (last, before) = questions.split_last().unwrap();
        let history: Vec<PastTurn<'_>> = before
            .iter()
            .map(|question| PastTurn {
                question,
                sql: Some("SELECT 1"),
            })
            .collect();
        let found = match draft(last, &history, &snapshot, today) {
            Draft::Sql { sql, .. } => sql.as_str().replace('\n', " "),
            Draft::Cannot { .. } => "cannot".to_owned(),
        };
        assert_eq!(found, expected, "{questions:?}");
    }

    #[test]
    fn questions_become_the_sql_that_they_mean() {
        for (question, expected) in [
            (
                "How many members are there?",
                "SELECT count(*) AS member_count FROM public.member",
            ),
            (
                "titles of books from 2020",
                "SELECT \"Book\".title FROM public.\"Book\" WHERE \"Book\".published >= DATE '2020-01-01' AND \"Book\".published < DATE '2021-01-01' ORDER BY \"Book\".id",
            ),
            (
                "overdue loans",
                "SELECT loan.id, loan.book_id, loan.member_id, loan.status, loan.lent_at FROM public.loan WHERE loan.status = 'Over Due' ORDER BY loan.id",
            ),
            (
                "number of loans per month this year",
                "SELECT date_trunc('month', loan.lent_at)::date AS month, count(*) AS loan_count FROM public.loan WHERE loan.lent_at >= DATE '2026-01-01' AND loan.lent_at < DATE '2027-01-01' GROUP BY date_trunc('month', loan.lent_at)::date ORDER BY date_trunc('month', loan.lent_at)::date, count(*) DESC NULLS LAST",
            ),
            (
                "top 3 members by number of loans",
                "SELECT member.name AS member_name, count(*) AS loan_count FROM public.loan JOIN public.member ON member.id = loan.member_id GROUP BY member.name, member.id ORDER BY count(*) DESC NULLS LAST, member.name, member.id LIMIT 3",
            ),
            (
                "names of members without an email",
                "SELECT member.name FROM public.member WHERE member.email IS NULL ORDER BY member.id",
            ),
            (
                "names of members in Germany with fewer than 2 loans",
                "SELECT member.name FROM public.member WHERE lower(member.country) = 'germany' AND member.id NOT IN (SELECT loan.member_id FROM public.loan WHERE loan.member_id IS NOT NULL GROUP BY loan.member_id HAVING count(*) >= 2) ORDER BY member.id",
            ),
            (
                "names of members named \"O'Hara\"",
                "SELECT member.name FROM public.member WHERE lower(member.name) = 'o''hara' ORDER BY member.id",
            ),
            (
                "average price of books",
                "SELECT avg(\"Book\".price) AS average_price FROM public.\"Book\"",
            ),
        ] {
            check(&[question], expected);
        }
    }

    #[test]
    fn a_follow_up_changes_the_question_before() {
        let counted = "SELECT count(*) AS loan_count FROM public.loan WHERE";
        for (questions, expected) in [
            (
                vec!["how many loans last month", "and the month before?"],
                format!(
                    "{counted} loan.lent_at >= DATE '2026-09-01' AND loan.lent_at < DATE '2026-10-01'"
                ),
            ),
            (
                vec!["how many loans last month", "what about this year?"],
                format!(
                    "{counted} loan.lent_at >= DATE '2026-01-01' AND loan.lent_at < DATE '2027-01-01'"
                ),
            ),
            (
                vec!["how many loans are overdue", "what about returned?"],
                format!("{counted} loan.status = 'returned'"),
            ),
        ] {
            check(&questions, &expected);
        }
    }

    #[test]
    fn a_word_that_is_not_understood_is_an_honest_no() {
        for question in [
            "members who borrowed twice on Tuesday",
            "average number of loans per member",
            "how many unicorns are there",
            "show the secret codes of members",
            "members except the tall ones",
            "top 5 members",
            "loans by moonlight",
        ] {
            check(&[question], "cannot");
        }
    }

    #[test]
    fn what_is_suggested_can_be_answered_and_names_nothing_hidden() {
        let samples = sample_questions(&fixture::library(), 20);
        assert!(samples.len() >= 3, "{samples:?}");
        for sample in samples {
            assert!(!sample.contains("secret"), "{sample}");
            let today = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
            let drafted = draft(&sample, &[], &fixture::library(), today);
            assert!(matches!(drafted, Draft::Sql { .. }), "{sample}");
        }
    }
}
