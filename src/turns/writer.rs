//! Writes the log of a turn for its runner, and counts on the way what `/metrics` tells: outcomes, stages, times.

use std::time::Instant;

use crate::pipeline::event::{Answer, Stage, TurnEvent};
use crate::telemetry::metrics::{Held, Metrics};
use crate::wire::errors::{WireError, shortfall_code};

use super::log::TurnLog;

/// The stage of a turn that has not reached one: it waits for its place in the conversation.
const NO_STAGE: &str = "accepted";

/// The only one who writes a turn's log.
pub(super) struct TurnWriter<'a> {
    log: &'a TurnLog,
    metrics: &'a Metrics,
    accepted_at: Instant,
    /// The present stage, and since when it lasts.
    stage: Option<(Stage, Instant)>,
    has_spoken: bool,
    /// `None` once the turn has ended: what comes later counts no more.
    in_flight: Option<Held>,
}

impl<'a> TurnWriter<'a> {
    /// Begins with the clock; the turn is in flight until it ends or this is dropped.
    pub(super) fn begin(log: &'a TurnLog, metrics: &'a Metrics) -> Self {
        Self {
            log,
            metrics,
            accepted_at: Instant::now(),
            stage: None,
            has_spoken: false,
            in_flight: Some(metrics.turn_started()),
        }
    }

    /// Takes an event in. What it counts stands in the series before a client can see the frame.
    pub(super) fn write(&mut self, event: TurnEvent) {
        match &event {
            TurnEvent::Stage(stage) => self.enter(*stage),
            TurnEvent::Token(_) => self.speak(),
            TurnEvent::Answered(answer) => self.end(outcome(answer)),
            TurnEvent::Failed(error) => self.end(WireError::from(error).code.as_str()),
            TurnEvent::Sql(_) | TurnEvent::ProseEnd(_) => {}
        }
        self.log.write(event);
    }

    /// Takes the final failure in.
    pub(super) fn fail(&mut self, error: WireError) {
        self.end(error.code.as_str());
        self.log.fail(error);
    }

    fn enter(&mut self, stage: Stage) {
        let now = Instant::now();
        if let Some((left, began)) = self.stage.replace((stage, now)) {
            self.metrics
                .stage_ended(left.as_str(), now.duration_since(began));
        }
    }

    fn speak(&mut self) {
        if !self.has_spoken {
            self.has_spoken = true;
            self.metrics.first_token(self.accepted_at.elapsed());
        }
    }

    fn end(&mut self, outcome: &'static str) {
        if self.in_flight.take().is_none() {
            return;
        }
        let stage = self.stage.take();
        if let Some((left, began)) = stage {
            self.metrics.stage_ended(left.as_str(), began.elapsed());
        }
        let stage = stage.map_or(NO_STAGE, |(stage, _)| stage.as_str());
        self.metrics
            .turn_ended(outcome, stage, self.accepted_at.elapsed());
        tracing::Span::current().record("outcome", outcome);
    }
}

fn outcome(answer: &Answer) -> &'static str {
    match (answer.shortfall, &answer.clarification) {
        (Some(shortfall), _) => shortfall_code(shortfall).as_str(),
        (None, Some(_)) => "clarified",
        (None, None) => "answered",
    }
}
