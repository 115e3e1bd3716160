//! What one turn leaves behind however it ends, gathered stage by stage: for the audit log, and for the conversation where it is stopped.

use std::time::{Duration, Instant};

use super::error::TurnError;
use super::event::{Answer, EventSender, Stage, TurnEvent};
use super::meter::Meter;
use super::stage_span::StageSpan;
use super::{Engine, Turn};
use crate::domain::result::ResultSet;
use crate::guard::{CheckedSql, Rejection};
use crate::state::AuditEntry;
use crate::state::audit::{AuditOutcome, AuditVerdict};

/// The record of a turn that is under way.
#[derive(Debug)]
pub(super) struct TurnRecord {
    /// Counts the model calls.
    pub(super) meter: Meter,
    /// What the person has been told so far.
    pub(super) said: String,
    began: Instant,
    sql: Option<String>,
    verdict: Option<AuditVerdict>,
    row_count: Option<usize>,
    result_bytes: Option<usize>,
    stages: Vec<(&'static str, Duration)>,
    current: Option<(Stage, Instant)>,
    span: StageSpan,
}

impl TurnRecord {
    /// Begins with the clock; `span` follows the stages.
    pub(super) fn begin(meter: Meter, span: StageSpan) -> Self {
        Self {
            meter,
            said: String::new(),
            began: Instant::now(),
            sql: None,
            verdict: None,
            row_count: None,
            result_bytes: None,
            stages: Vec::new(),
            current: None,
            span,
        }
    }

    /// Tells that a stage begins, and keeps how long the one before it took.
    pub(super) async fn enter(&mut self, stage: Stage, events: &EventSender) {
        self.leave();
        self.current = Some((stage, Instant::now()));
        // A reader that is gone does not stop the turn; only its cancellation token does.
        let _ = events.send(TurnEvent::Stage(stage)).await;
        self.span.enter(stage).await;
    }

    /// Ends the present stage.
    pub(super) fn leave(&mut self) {
        if let Some((stage, began)) = self.current.take() {
            self.stages.push((stage.as_str(), began.elapsed()));
            self.span.leave();
        }
    }

    /// The guard let a query through.
    pub(super) fn allowed(&mut self, checked: &CheckedSql) {
        self.sql = Some(checked.as_str().to_owned());
        self.verdict = Some(AuditVerdict::Allowed);
    }

    /// The guard refused a query; `sql` is what the model wrote.
    pub(super) fn refused(&mut self, sql: String, rejection: &Rejection) {
        self.sql = Some(sql);
        self.verdict = Some(AuditVerdict::Refused {
            code: rejection.code().as_str().to_owned(),
        });
    }

    /// The last query that passed the guard, if the last one did.
    pub(super) fn allowed_sql(&self) -> Option<&str> {
        self.sql
            .as_deref()
            .filter(|_| self.verdict == Some(AuditVerdict::Allowed))
    }

    /// The query gave these rows.
    pub(super) fn ran(&mut self, result: &ResultSet) {
        self.row_count = Some(result.rows.len());
        self.result_bytes = Some(
            result
                .rows
                .iter()
                .flatten()
                .flatten()
                .map(String::len)
                .sum(),
        );
    }

    /// The row of the audit log. `error_code` is what the client is sent.
    pub(super) fn into_entry(
        mut self,
        turn: &Turn,
        engine: &Engine,
        outcome: &Result<Answer, TurnError>,
        error_code: Option<&'static str>,
    ) -> AuditEntry {
        self.leave();
        let mut usage = self.meter.usage();
        let (provider, model) = match (usage.models.pop(), engine) {
            // A fallback may have answered.
            (Some(name), _) => (name.provider.to_owned(), name.model),
            (None, Engine::Model(provider)) => {
                (provider.name().to_owned(), provider.model().to_owned())
            }
            (None, Engine::Offline) => ("offline".to_owned(), String::new()),
        };
        AuditEntry {
            principal: (!turn.principal.is_anonymous()).then(|| turn.principal.to_string()),
            client_address: turn.client_address,
            request_id: turn.request_id.clone(),
            conversation_id: turn.conversation_id,
            asked_at: turn.asked_at,
            question: turn.question.as_str().to_owned(),
            sql: self.sql,
            verdict: self.verdict,
            row_count: self.row_count,
            result_bytes: self.result_bytes,
            duration: self.began.elapsed(),
            stages: self.stages,
            provider,
            model,
            usage: usage.tokens,
            outcome: match outcome {
                Ok(answer) if answer.clarification.is_some() => AuditOutcome::Clarified,
                Ok(answer) if answer.shortfall.is_some() => AuditOutcome::Declined,
                Ok(_) => AuditOutcome::Answered,
                Err(TurnError::Cancelled) => AuditOutcome::Cancelled,
                Err(_) => AuditOutcome::Failed,
            },
            error_code: error_code.map(str::to_owned),
        }
    }
}
