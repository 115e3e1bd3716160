//! One model call: a request in, its whole text out, pieces handed on as they come.

use std::pin::pin;

use futures_util::StreamExt;

use super::event::{EventSender, Stage, TurnEvent};
use crate::domain::usage::{ModelName, TokenUsage};
use crate::llm::notice::{CallNotice, CallNotices};
use crate::llm::{FinishReason, LlmDelta, LlmError, LlmProvider, LlmRequest};

/// What is told of a call beside its text.
pub(super) struct CallWatch<'a> {
    /// Hears when the call has to wait, and when it goes on.
    pub(super) events: &'a EventSender,
    /// The stage that the call belongs to, told again after a wait.
    pub(super) stage: Stage,
    /// Gets the model that answers, if it is not there yet.
    pub(super) models: &'a mut Vec<ModelName>,
}

impl CallWatch<'_> {
    async fn hear(&mut self, notice: CallNotice) {
        let stage = match notice {
            CallNotice::Queued => Stage::Waiting,
            CallNotice::Admitted => self.stage,
            CallNotice::Answering(model) => {
                if !self.models.contains(&model) {
                    self.models.push(model);
                }
                return;
            }
        };
        // A reader that is gone does not stop the turn; only its cancellation token does.
        let _ = self.events.send(TurnEvent::Stage(stage)).await;
    }
}

/// A complete reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// All text deltas in order.
    pub(super) text: String,
    /// Why it ended.
    pub(super) finish: FinishReason,
}

/// What a call has cost so far. Added to the turn's usage on every way out: a call that is broken off has cost something, too.
struct Meter<'a> {
    usage: &'a mut TokenUsage,
    counted: TokenUsage,
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.usage.add(self.counted);
    }
}

/// Calls the model once and adds what it cost to `usage`, also when it fails or is dropped half-way. `on_text` sees each piece as it arrives and
/// is awaited, so that a reader that is behind slows the stream instead of filling memory.
///
/// # Cancel safety
/// Dropping the future closes the provider's connection; text that was not handed on is lost.
pub(super) async fn call<F>(
    provider: &dyn LlmProvider,
    request: LlmRequest,
    usage: &mut TokenUsage,
    mut watch: CallWatch<'_>,
    mut on_text: impl FnMut(String) -> F,
) -> Result<Reply, LlmError>
where
    F: Future<Output = ()>,
{
    let mut meter = Meter {
        usage,
        counted: TokenUsage {
            calls: 1,
            ..TokenUsage::default()
        },
    };
    let (notices, mut heard) = CallNotices::channel();
    let mut opening = pin!(provider.stream_telling(request, notices));
    let mut deltas = loop {
        tokio::select! {
            biased;
            Some(notice) = heard.recv() => watch.hear(notice).await,
            opened = &mut opening => break opened?,
        }
    };
    let mut text = String::new();
    let finish = loop {
        let delta = tokio::select! {
            biased;
            Some(notice) = heard.recv() => {
                watch.hear(notice).await;
                continue;
            }
            delta = deltas.next() => delta,
        };
        match delta {
            Some(Ok(LlmDelta::Text(piece))) => {
                text.push_str(&piece);
                on_text(piece).await;
            }
            Some(Ok(LlmDelta::Usage(latest))) => meter.counted = latest,
            Some(Ok(LlmDelta::Finish(finish))) => break Ok(finish),
            Some(Err(error)) => break Err(error),
            None => {
                let problem = "it ended without saying why".to_owned();
                break Err(LlmError::Interrupted {
                    provider: provider.name(),
                    problem,
                });
            }
        }
    };
    Ok(Reply {
        text,
        finish: finish?,
    })
}
