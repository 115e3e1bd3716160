//! A provider with another one that stands in for it: asked when the first has failed with what may pass, and only while no word of
//! that call has been handed out.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::error::LlmError;
use super::lane::{self, BegunCall, FailedCall, Lane};
use super::notice::CallNotices;
use super::reply::Deadline;
use super::sse::causes;
use super::{LlmDelta, LlmProvider, LlmRequest, LlmStream};
use crate::domain::usage::TokenUsage;

/// Two lanes. One deadline spans both.
pub(super) struct WithFallback {
    primary: Arc<Lane>,
    fallback: Arc<Lane>,
}

impl WithFallback {
    /// `fallback` stands in for `primary`.
    pub(super) fn new(primary: Arc<Lane>, fallback: Arc<Lane>) -> Self {
        Self { primary, fallback }
    }
}

#[async_trait]
impl LlmProvider for WithFallback {
    fn name(&self) -> &'static str {
        self.primary.name()
    }

    fn model(&self) -> &str {
        self.primary.model()
    }

    fn fallback(&self) -> Option<Arc<dyn LlmProvider>> {
        Some(lane::shared(&self.fallback))
    }

    async fn stream_telling(
        &self,
        request: LlmRequest,
        notices: CallNotices,
    ) -> Result<LlmStream, LlmError> {
        let total = self.primary.deadline();
        let called = self.primary.call(&request, total, &notices).await;
        let relief = Relief {
            lane: Arc::clone(&self.fallback),
            request,
            total,
            notices,
        };
        let reply = match called {
            Ok(begun) => RelievedReply {
                provider: self.name(),
                stream: begun.stream,
                spent: TokenUsage::default(),
                latest: calls(begun.calls),
                relief: Some(relief),
            },
            Err(failed) => {
                let begun = relief.take_over(failed.error).await?;
                RelievedReply {
                    provider: self.name(),
                    stream: begun.stream,
                    spent: calls(failed.calls),
                    latest: calls(begun.calls),
                    relief: None,
                }
            }
        };
        Ok(reply.into_stream())
    }

    async fn reachable(&self) -> Result<(), LlmError> {
        self.primary.reachable().await
    }
}

/// What it takes to ask the fallback the same.
struct Relief {
    lane: Arc<Lane>,
    request: LlmRequest,
    total: Deadline,
    notices: CallNotices,
}

impl Relief {
    /// Asks the fallback, if the error is one that another provider need not have.
    ///
    /// # Errors
    /// The primary's error, also where the fallback failed as well: the primary is the one to come back to.
    async fn take_over(self, error: LlmError) -> Result<BegunCall, LlmError> {
        if !error.may_pass() || self.total.at <= Instant::now() {
            return Err(error);
        }
        tracing::warn!(
            fallback = %self.lane.model_name(),
            error = causes(&error),
            "a model call failed and goes to the fallback"
        );
        let called = self
            .lane
            .call(&self.request, self.total, &self.notices)
            .await;
        called.map_err(|FailedCall { error: second, .. }| {
            tracing::warn!(
                fallback = %self.lane.model_name(),
                error = causes(&second),
                "the fallback failed, too"
            );
            error
        })
    }
}

/// A reply that the fallback may still take over.
struct RelievedReply {
    provider: &'static str,
    stream: LlmStream,
    /// What the calls before the present one cost.
    spent: TokenUsage,
    /// What the present one has cost so far.
    latest: TokenUsage,
    /// `None` once a word has been handed out, or the fallback is at work.
    relief: Option<Relief>,
}

impl RelievedReply {
    fn into_stream(self) -> LlmStream {
        // At once, since a server that never counts tokens must not hide the calls that were made.
        let first = LlmDelta::Usage(self.usage());
        let rest = stream::try_unfold(Some(self), |reply| async move {
            let Some(mut reply) = reply else {
                return Ok(None);
            };
            let delta = reply.next().await?;
            let is_last = matches!(delta, LlmDelta::Finish(_));
            Ok(Some((delta, (!is_last).then_some(reply))))
        });
        stream::iter([Ok(first)]).chain(rest).boxed()
    }

    async fn next(&mut self) -> Result<LlmDelta, LlmError> {
        let error = match self.stream.next().await {
            Some(Ok(LlmDelta::Usage(usage))) => {
                self.latest = usage;
                return Ok(LlmDelta::Usage(self.usage()));
            }
            Some(Ok(text @ LlmDelta::Text(_))) => {
                self.relief = None;
                return Ok(text);
            }
            Some(Ok(finish @ LlmDelta::Finish(_))) => return Ok(finish),
            Some(Err(error)) => error,
            None => LlmError::Interrupted {
                provider: self.provider,
                problem: "it ended without saying why".to_owned(),
            },
        };
        let Some(relief) = self.relief.take() else {
            return Err(error);
        };
        let begun = relief.take_over(error).await?;
        self.spent = self.usage();
        self.stream = begun.stream;
        self.latest = calls(begun.calls);
        Ok(LlmDelta::Usage(self.usage()))
    }

    fn usage(&self) -> TokenUsage {
        let mut usage = self.spent;
        usage.add(self.latest);
        usage
    }
}

fn calls(calls: u32) -> TokenUsage {
    TokenUsage {
        calls,
        ..TokenUsage::default()
    }
}
