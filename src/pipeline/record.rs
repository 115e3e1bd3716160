//! What one turn leaves in the audit log, gathered stage by stage.

use std::time::{Duration, Instant};

use super::event::{EventSender, Stage, TurnEvent};
use crate::domain::result::ResultSet;
use crate::domain::usage::TokenUsage;
use crate::guard::{CheckedSql, Rejection};

/// The record of a turn that is under way.
#[derive(Debug, Default)]
pub(super) struct TurnRecord {
    /// What the model calls have cost so far.
    pub(super) usage: TokenUsage,
    sql: Option<String>,
    rejection: Option<&'static str>,
    rows: Option<usize>,
    bytes: Option<usize>,
    durations: Vec<(Stage, Duration)>,
    current: Option<(Stage, Instant)>,
}

impl TurnRecord {
    /// Tells that a stage begins, and keeps how long the one before it took.
    pub(super) async fn enter(&mut self, stage: Stage, events: &EventSender) {
        self.leave();
        self.current = Some((stage, Instant::now()));
        // A reader that is gone does not stop the turn; only its cancellation token does.
        let _ = events.send(TurnEvent::Stage(stage)).await;
    }

    /// Ends the present stage.
    pub(super) fn leave(&mut self) {
        if let Some((stage, began)) = self.current.take() {
            self.durations.push((stage, began.elapsed()));
        }
    }

    /// The guard let a query through.
    pub(super) fn allowed(&mut self, checked: &CheckedSql) {
        self.sql = Some(checked.as_str().to_owned());
        self.rejection = None;
    }

    /// The guard refused a query.
    pub(super) fn refused(&mut self, rejection: &Rejection) {
        self.rejection = Some(rejection.code().as_str());
    }

    /// The query gave these rows.
    pub(super) fn ran(&mut self, result: &ResultSet) {
        self.rows = Some(result.rows.len());
        self.bytes = Some(
            result
                .rows
                .iter()
                .flatten()
                .flatten()
                .map(String::len)
                .sum(),
        );
    }
}
