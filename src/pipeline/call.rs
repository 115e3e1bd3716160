//! One model call: a request in, its whole text out, pieces handed on as they come.

use futures_util::StreamExt;

use super::error::TurnError;
use super::meter::{Meter, SpentBudget};
use crate::llm::{FinishReason, LlmDelta, LlmError, LlmProvider, LlmRequest};

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
/// is awaited, so that a reader that is behind slows the stream instead of filling memory.
///
/// # Cancel safety
/// Dropping the future closes the provider's connection; text that was not handed on is lost.
pub(super) async fn call<F>(
    provider: &dyn LlmProvider,
    request: LlmRequest,
    meter: &mut Meter,
    mut on_text: impl FnMut(String) -> F,
) -> Result<Reply, CallError>
where
    F: Future<Output = ()>,
{
    let mut counting = meter
        .begin_call(provider.model(), &request)
        .map_err(CallError::Budget)?;
    let mut deltas = provider.stream(request).await.map_err(CallError::Llm)?;
    counting.begin();
    loop {
        match deltas.next().await {
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
