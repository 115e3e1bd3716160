//! One model call: a request in, its whole text out, pieces handed on as they come.

use std::pin::pin;

use futures_util::StreamExt;

use super::error::TurnError;
use super::event::{EventSender, Stage, TurnEvent};
use super::meter::{CallMeter, Meter, SpentBudget};
use crate::llm::notice::{CallNotice, CallNotices};
use crate::llm::{FinishReason, LlmDelta, LlmError, LlmProvider, LlmRequest};

/// Who hears when a call has to wait, and when it goes on.
#[derive(Clone, Copy)]
pub(super) struct CallWatch<'a> {
    /// Where it is told.
    pub(super) events: &'a EventSender,
    /// The stage that the call belongs to, told again after a wait.
    pub(super) stage: Stage,
}

/// A complete reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// All text deltas in order.
    pub(super) text: String,
    /// Why it ended.
    pub(super) finish: FinishReason,
}

/// A call without a complete reply.
#[derive(Debug)]
pub(super) enum CallError {
    /// It was not made: a budget has no room for it.
    Budget(SpentBudget),
    /// It failed.
    Llm(LlmError),
}

impl CallError {
    /// As the end of a turn; `purpose` is what the call was for.
    pub(super) fn during(self, purpose: &'static str) -> TurnError {
        match self {
            Self::Budget(budget) => TurnError::BudgetSpent { budget },
            Self::Llm(source) => TurnError::Llm { purpose, source },
        }
    }
}

/// Calls the model once and adds what it cost to `meter`, also when it fails or is dropped half-way. `on_text` sees each piece as it arrives and
/// is awaited, so that a reader that is behind slows the stream instead of filling memory. `watch` is `None` where nobody waits for the call.
///
/// # Cancel safety
/// Dropping the future closes the provider's connection; text that was not handed on is lost.
pub(super) async fn call<F>(
    provider: &dyn LlmProvider,
    request: LlmRequest,
    meter: &mut Meter,
    watch: Option<CallWatch<'_>>,
    mut on_text: impl FnMut(String) -> F,
) -> Result<Reply, CallError>
where
    F: Future<Output = ()>,
{
    let mut counting = meter
        .begin_call(provider.model(), &request)
        .map_err(CallError::Budget)?;
    let (notices, mut heard) = CallNotices::channel();
    let mut opening = pin!(provider.stream_telling(request, notices));
    let mut deltas = loop {
        tokio::select! {
            biased;
            Some(notice) = heard.recv() => hear(notice, &mut counting, watch).await,
            opened = &mut opening => break opened.map_err(CallError::Llm)?,
        }
    };
    counting.begin();
    loop {
        let delta = tokio::select! {
            biased;
            Some(notice) = heard.recv() => {
                hear(notice, &mut counting, watch).await;
                continue;
            }
            delta = deltas.next() => delta,
        };
        match delta {
            Some(Ok(LlmDelta::Text(piece))) => {
                counting.write(&piece);
                on_text(piece).await;
            }
            Some(Ok(LlmDelta::Usage(latest))) => counting.report(latest),
            Some(Ok(LlmDelta::Finish(finish))) => {
                let text = counting.complete();
                return Ok(Reply { text, finish });
            }
            Some(Err(error)) => return Err(CallError::Llm(error)),
            None => {
                let problem = "it ended without saying why".to_owned();
                return Err(CallError::Llm(LlmError::Interrupted {
                    provider: provider.name(),
                    problem,
                }));
            }
        }
    }
}

async fn hear(notice: CallNotice, counting: &mut CallMeter<'_>, watch: Option<CallWatch<'_>>) {
    let waits = match notice {
        CallNotice::Queued => true,
        CallNotice::Admitted => false,
        CallNotice::Answering(model) => return counting.answering(model),
    };
    if let Some(CallWatch { events, stage }) = watch {
        let stage = if waits { Stage::Waiting } else { stage };
        // A reader that is gone does not stop the turn; only its cancellation token does.
        let _ = events.send(TurnEvent::Stage(stage)).await;
    }
}
