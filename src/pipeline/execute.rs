//! A checked query to its rows. Refused here: what PostgreSQL itself refuses, which the model may
//! repair, and what takes too long, which it may not.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::error::TurnError;
use super::event::{EventSender, Stage, TurnEvent};
use super::hint;
use super::prompts::Prompts;
use super::record::TurnRecord;
use super::{Pipeline, Turn};
use crate::config::Limits;
use crate::domain::result::ResultSet;
use crate::domain::schema::Snapshot;
use crate::domain::sql::DraftSql;
use crate::guard::{CheckedSql, Rejection};
use crate::postgres::QueryError;
use crate::postgres::pool::DatabasePool;
use crate::postgres::read_only::{self, ExecutionLimits};
use crate::postgres::row_scope::RowScope;

/// What became of one draft.
pub(super) enum Attempt {
    /// It ran.
    Ran(CheckedSql, ResultSet),
    /// The guard refused it.
    Rejected(Rejection),
    /// PostgreSQL refused it.
    Failed(Box<CheckedSql>, QueryFailure),
    /// PostgreSQL expects it to cost too much, by so many times.
    TooCostly(u64),
    /// It ran into the time limit. Asking the model for a faster one would cost as much time again.
    TimedOut,
}

/// PostgreSQL's refusal, without anything that could carry data.
pub(super) struct QueryFailure {
    sqlstate: String,
    message: String,
    hint: Option<String>,
    position: Option<u32>,
}

impl QueryFailure {
    /// Errors about the query's own words keep theirs. All others are raised while rows are read, by their values, which
    /// PostgreSQL quotes (`invalid input syntax for type integer: "Ada"`), or by a function of the database's owner,
    /// which can say anything. The call that writes SQL must not see rows, not even one value.
    fn new(sqlstate: String, message: String, hint: Option<String>, position: Option<u32>) -> Self {
        let class = sqlstate.get(..2).unwrap_or_default();
        let (message, hint) = match (class, sqlstate.as_str()) {
            // Behind a view there can be tables that the policy hides, and a column that is missing can resemble a
            // hidden one.
            (_, "42501") => ("permission denied".to_owned(), None),
            (_, "42703") => (message, None),
            // Feature not supported, cardinality, syntax or access rule, program limit.
            ("0A" | "21" | "42" | "54", _) => (message, hint),
            // Data exception, of a value that stands in the query: only what the query says has a place in it.
            ("22", _) if position.is_some() => (message, hint),
            // Of a value that stands in a row: what it is comes before the value.
            ("22", _) => {
                let value_at = message.find([':', '"', '\'', '«', '»', '„', '“', '”']);
                let kind = value_at.map_or(message.as_str(), |at| &message[..at]);
                (kind.trim_end().to_owned(), None)
            }
            _ => ("the query failed on some of the rows".to_owned(), None),
        };
        Self {
            sqlstate,
            message,
            hint,
            position,
        }
    }

    /// Whether the database is not what the catalog said.
    pub(super) fn is_about_names(&self) -> bool {
        hint::is_about_names(&self.sqlstate)
    }

    /// What the model is told.
    pub(super) fn objection(
        &self,
        prompts: &Prompts,
        checked: &CheckedSql,
        snapshot: &Snapshot,
    ) -> String {
        let position = self.position;
        let own =
            position.and_then(|position| hint::hint(&self.sqlstate, position, checked, snapshot));
        let near = position.and_then(|position| hint::near(checked.as_str(), position));
        prompts.repair_failed(
            &self.sqlstate,
            &self.message,
            own.or_else(|| self.hint.clone()).as_deref(),
            position,
            near.as_deref(),
        )
    }
}

impl Pipeline {
    /// One draft through the guard and, if it passes, through PostgreSQL.
    pub(super) async fn attempt(
        &self,
        turn: &Turn,
        draft: DraftSql,
        snapshot: &Arc<Snapshot>,
        events: &EventSender,
        record: &mut TurnRecord,
    ) -> Result<Attempt, TurnError> {
        record.enter(Stage::Checking, events).await;
        let checked = match self
            .parts
            .checker
            .check(draft.clone(), Arc::clone(snapshot))
            .await
        {
            Ok(checked) => checked,
            Err(rejection) => {
                record.refused(draft.as_str().to_owned(), &rejection);
                return Ok(Attempt::Rejected(rejection));
            }
        };
        let setting = self.parts.tenant_setting.as_ref();
        let scope = RowScope::of(setting, &turn.principal)
            .map_err(|source| TurnError::NoTenant { source })?;
        record.allowed(&checked);
        let _ = events
            .send(TurnEvent::Sql(checked.as_str().to_owned()))
            .await;
        record.enter(Stage::Executing, events).await;
        let attempt = execute(
            &self.parts.pool,
            checked,
            &scope,
            &self.parts.limits,
            &turn.cancel,
        )
        .await?;
        if let Attempt::Ran(_, result) = &attempt {
            record.ran(result);
        }
        Ok(attempt)
    }
}

/// Runs the query once.
async fn execute(
    pool: &DatabasePool,
    checked: CheckedSql,
    scope: &RowScope,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Attempt, TurnError> {
    match read_only::run(
        pool,
        &checked,
        scope,
        &ExecutionLimits::from(limits),
        cancel,
    )
    .await
    {
        Ok(result) => Ok(Attempt::Ran(checked, result)),
        Err(QueryError::Refused {
            sqlstate,
            message,
            hint,
            position,
        }) => Ok(Attempt::Failed(
            Box::new(checked),
            QueryFailure::new(sqlstate, message, hint, position),
        )),
        Err(QueryError::TooCostly { estimate, max }) => {
            Ok(Attempt::TooCostly(estimate.div_ceil(max.max(1))))
        }
        Err(QueryError::StatementTimeout { .. }) => Ok(Attempt::TimedOut),
        Err(QueryError::Cancelled) => Err(TurnError::Cancelled),
        Err(source @ (QueryError::Unavailable { .. } | QueryError::PoolTimeout { .. })) => {
            Err(TurnError::Database { source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sqlstate: &str, message: &str, position: Option<u32>, expected: (&str, bool)) {
        let hint = Some("Perhaps Ada.".to_owned());
        let failure = QueryFailure::new(sqlstate.to_owned(), message.to_owned(), hint, position);
        let told = (failure.message.as_str(), failure.hint.is_some());
        assert_eq!(told, expected, "{sqlstate}");
    }

    #[test]
    fn values_of_rows_are_left_out() {
        let of_text = "invalid input syntax for type integer: \"Ada\"";
        check(
            "22012",
            "division by zero",
            None,
            ("division by zero", false),
        );
        check(
            "22P02",
            of_text,
            None,
            ("invalid input syntax for type integer", false),
        );
        check(
            "22003",
            "value \"99\" is out of range for type smallint",
            None,
            ("value", false),
        );
        let of_function = "Ada must not be counted";
        check(
            "P0001",
            of_function,
            None,
            ("the query failed on some of the rows", false),
        );
    }

    #[test]
    fn words_of_the_query_stay_and_hidden_names_do_not() {
        let of_query = "invalid input value for enum mood: \"Ada\"";
        check("22P02", of_query, Some(8), (of_query, true));
        let no_operator = "operator does not exist: text > integer";
        check("42883", no_operator, Some(8), (no_operator, true));
        let no_column = "column c.nmae does not exist";
        check("42703", no_column, Some(8), (no_column, false));
        check(
            "42501",
            "permission denied for table wages",
            None,
            ("permission denied", false),
        );
    }
}
