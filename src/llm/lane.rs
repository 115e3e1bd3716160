//! One provider as all calls of the process share it: behind its circuit breaker, through its queue, with the tries that a call takes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::breaker::{Breaker, Outcome, TryPermit};
use super::error::LlmError;
use super::notice::{CallNotice, CallNotices};
use super::provider::HttpProvider;
use super::queue::{CallQueue, Place};
use super::reply::Deadline;
use super::sse::causes;
use super::{LlmDelta, LlmProvider, LlmRequest, LlmStream, retry};
use crate::domain::usage::ModelName;
use crate::telemetry::metrics::Metrics;

/// A provider, its breaker and its queue.
pub(super) struct Lane {
    provider: HttpProvider,
    breaker: Breaker,
    queue: CallQueue,
    retries_max: u32,
    total_timeout: Duration,
    metrics: Metrics,
}

/// A call that the model is at work on.
pub(super) struct BegunCall {
    /// The reply.
    pub(super) stream: LlmStream,
    /// Tries that it took.
    pub(super) calls: u32,
}

/// A call that gave nothing, with its retries spent.
pub(super) struct FailedCall {
    /// The last try's error, or why there was none.
    pub(super) error: LlmError,
    /// Tries that were made.
    pub(super) calls: u32,
}

impl Lane {
    /// Puts the parts together. A queue may be shared with another model of the same provider.
    pub(super) fn new(
        provider: HttpProvider,
        breaker: Breaker,
        queue: CallQueue,
        retries_max: u32,
        total_timeout: Duration,
        metrics: Metrics,
    ) -> Self {
        Self {
            provider,
            breaker,
            queue,
            retries_max,
            total_timeout,
            metrics,
        }
    }

    /// Who answers here.
    pub(super) fn model_name(&self) -> ModelName {
        self.provider.model_name()
    }

    /// The deadline of a call that begins now, over the queue, all tries and the reply.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::new(self.total_timeout, "complete reply")
    }

    /// Makes a call: waits for a place, and tries until the model is at work on the reply.
    ///
    /// # Cancel safety
    /// Dropping the future or the reply leaves the queue and closes the provider's connection.
    pub(super) async fn call(
        &self,
        request: &LlmRequest,
        total: Deadline,
        notices: &CallNotices,
    ) -> Result<BegunCall, FailedCall> {
        let mut calls = 0;
        let outcome = self
            .try_until_begun(request, total, notices, &mut calls)
            .await;
        match outcome {
            Ok(stream) => {
                notices.tell(CallNotice::Answering(self.model_name()));
                Ok(BegunCall { stream, calls })
            }
            Err(error) => Err(FailedCall { error, calls }),
        }
    }

    async fn try_until_begun(
        &self,
        request: &LlmRequest,
        total: Deadline,
        notices: &CallNotices,
        calls: &mut u32,
    ) -> Result<LlmStream, LlmError> {
        // Nobody queues for a provider that is known to be down.
        if let Some(retry_after) = self.breaker.closed_for() {
            return Err(self.circuit_open(retry_after));
        }
        let place = self
            .queue
            .enter(self.provider.name(), total, notices)
            .await?;
        let body = self.provider.body(request);
        let mut last_error = None;
        loop {
            let mut permit = match (self.breaker.admit(), last_error) {
                (Ok(permit), _) => permit,
                // Others have found out meanwhile that the provider is down. What this call saw itself says more.
                (Err(_), Some(error)) => return Err(error),
                (Err(retry_after), None) => return Err(self.circuit_open(retry_after)),
            };
            *calls += 1;
            let failed = match self.provider.try_once(body.clone(), *calls, total).await {
                Ok(stream) => {
                    permit.begin();
                    return Ok(watch(stream, permit, place));
                }
                Err(failed) => failed,
            };
            permit.settle(outcome(&failed.error));
            let retries = *calls - 1;
            if !failed.transient || retries == self.retries_max {
                return Err(failed.error);
            }
            let wait = match retry::wait(retries, failed.wait, fastrand::f64()) {
                Some(wait) if Instant::now() + wait < total.at => wait,
                Some(_) | None => return Err(failed.error),
            };
            // Before the wait: there is nothing to wait for once the circuit has opened.
            if self.breaker.closed_for().is_some() {
                return Err(failed.error);
            }
            self.metrics.llm_retried(self.provider.name());
            tracing::info!(
                provider = self.provider.name(),
                retry = retries + 1,
                wait_ms = wait.as_millis(),
                error = causes(&failed.error),
                "a model call failed and is tried again"
            );
            last_error = Some(failed.error);
            tokio::time::sleep(wait).await;
        }
    }

    fn circuit_open(&self, retry_after: Duration) -> LlmError {
        LlmError::CircuitOpen {
            provider: self.provider.name(),
            retry_after,
        }
    }
}

#[async_trait]
impl LlmProvider for Lane {
    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn model(&self) -> &str {
        self.provider.model()
    }

    async fn stream_telling(
        &self,
        request: LlmRequest,
        notices: CallNotices,
    ) -> Result<LlmStream, LlmError> {
        match self.call(&request, self.deadline(), &notices).await {
            Ok(begun) => Ok(begun.stream),
            Err(failed) => Err(failed.error),
        }
    }

    async fn reachable(&self) -> Result<(), LlmError> {
        // A server that still lists its models while every call fails is not there for questions.
        match self.breaker.closed_for() {
            Some(retry_after) => Err(self.circuit_open(retry_after)),
            None => self.provider.reachable().await,
        }
    }
}

/// The reply, holding its place until it has ended, and telling the breaker how.
fn watch(stream: LlmStream, permit: TryPermit, place: Place) -> LlmStream {
    stream::unfold(Some((stream, permit, place)), |watched| async move {
        let (mut stream, permit, place) = watched?;
        match stream.next().await? {
            Ok(last @ LlmDelta::Finish(_)) => {
                permit.settle(Outcome::Lives);
                Some((Ok(last), None))
            }
            Ok(delta) => Some((Ok(delta), Some((stream, permit, place)))),
            Err(error) => {
                permit.settle(outcome(&error));
                Some((Err(error), None))
            }
        }
    })
    .boxed()
}

fn outcome(error: &LlmError) -> Outcome {
    if error.is_providers_fault() {
        Outcome::Failed
    } else {
        Outcome::Lives
    }
}

/// A lane behind a shared handle, as [`LlmProvider`]s are handed out.
pub(super) fn shared(lane: &Arc<Lane>) -> Arc<dyn LlmProvider> {
    Arc::clone(lane) as Arc<dyn LlmProvider>
}
