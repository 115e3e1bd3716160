//! One model call: a request in, its whole text out, pieces handed on as they come.

use futures_util::StreamExt;

use crate::domain::usage::TokenUsage;
use crate::llm::{FinishReason, LlmDelta, LlmError, LlmProvider, LlmRequest};

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
    let mut deltas = provider.stream(request).await?;
    let mut text = String::new();
    let finish = loop {
        match deltas.next().await {
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
