//! Question and context to a draft: the call that writes SQL. Refused here: replies that are neither
//! SQL nor a question back nor a refusal, and replies that the model or its provider cut off.

use std::sync::Arc;

use super::call::{CallError, CallWatch, call};
use super::meter::Meter;
use super::reply::{self, ModelReply};
use super::schema_context::cut_to_tokens;
use crate::llm::{FinishReason, LlmMessage, LlmProvider, LlmRequest, LlmRole};

/// Tokens of a failed attempt, or of what was wrong with it, that go back to the model. The longest query that the guard reads
/// has a few more.
const ATTEMPT_TOKENS_MAX: usize = 4_000;

/// A conversation with the model about one question, kept so that a repair can go on from it.
pub(super) struct Generator {
    provider: Arc<dyn LlmProvider>,
    request: LlmRequest,
}

/// What came of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Generated {
    /// A reply that says what it is.
    Reply(ModelReply),
    /// It was cut where it had as many tokens as it may have.
    CutOff,
    /// The model declined for reasons of its own.
    Refused,
}

impl Generator {
    /// `system` is the stable part; `messages` are the conversation so far and the question.
    pub(super) fn new(
        provider: Arc<dyn LlmProvider>,
        system: String,
        cache_key: String,
        messages: Vec<LlmMessage>,
        output_tokens_max: u32,
    ) -> Self {
        Self {
            provider,
            request: LlmRequest {
                system,
                cache_key,
                messages,
                output_tokens_max,
            },
        }
    }

    /// Asks for a reply, and remembers it for [`Generator::object`].
    pub(super) async fn ask(
        &mut self,
        meter: &mut Meter,
        watch: CallWatch<'_>,
    ) -> Result<Generated, CallError> {
        let request = self.request.clone();
        let reply = call(self.provider.as_ref(), request, meter, Some(watch), |_| {
            std::future::ready(())
        })
        .await?;
        let generated = match reply.finish {
            FinishReason::Complete => Generated::Reply(reply::read(&reply.text)),
            FinishReason::TokensMax => Generated::CutOff,
            FinishReason::Refused(_) | FinishReason::Filtered => return Ok(Generated::Refused),
        };
        // Providers refuse empty messages.
        let said = if reply.text.trim().is_empty() {
            "(nothing)".to_owned()
        } else {
            cut_to_tokens(&reply.text, ATTEMPT_TOKENS_MAX)
        };
        self.request.messages.push(LlmMessage {
            role: LlmRole::Assistant,
            text: said,
        });
        Ok(generated)
    }

    /// Says what was wrong with the last reply; the next [`Generator::ask`] sends it.
    pub(super) fn object(&mut self, objection: &str) {
        self.request.messages.push(LlmMessage {
            role: LlmRole::User,
            text: cut_to_tokens(objection, ATTEMPT_TOKENS_MAX),
        });
    }
}
