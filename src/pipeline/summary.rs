//! The older turns of a long conversation in a few sentences, made by the model once they have outgrown what it is given.
//!
//! Made after the final event, so that no answer waits for it; where it fails, the conversation goes on without, and the
//! turns are told of by the next one. It sees questions and queries only, as the call that writes SQL does.

use std::sync::Arc;

use super::call::{CallError, call};
use super::history::{self, HistoryBudget};
use super::meter::Meter;
use super::prompts::Prompts;
use super::schema_context::cut_to_tokens;
use crate::conversations::{ConversationStore, StoreError};
use crate::domain::conversation::{Conversation, StoredTurn, Summary};
use crate::domain::ids::ConversationId;
use crate::domain::principal::Principal;
use crate::llm::{FinishReason, LlmMessage, LlmProvider, LlmRequest, LlmRole};

/// Tokens of turns that one summary is made of, in history budgets: after failures there may be many.
const BUDGETS_TOLD_MAX: usize = 3;

/// A summary to be made.
pub(super) struct SummaryWork {
    /// Who makes it.
    pub(super) provider: Arc<dyn LlmProvider>,
    /// Where it is kept.
    pub(super) store: Arc<dyn ConversationStore>,
    /// The templates.
    pub(super) prompts: Prompts,
    /// On whose behalf it is kept.
    pub(super) owner: Principal,
    /// Whose it is.
    pub(super) conversation_id: ConversationId,
    /// The one before, which it takes in.
    pub(super) previous: Option<Summary>,
    /// What it tells of; not empty.
    pub(super) turns: Vec<StoredTurn>,
    /// How turns are told.
    pub(super) budget: HistoryBudget,
    /// Tokens that it may have.
    pub(super) tokens_max: usize,
    /// Tokens that the model may write for it, thinking included.
    pub(super) output_tokens_max: u32,
    /// Has what the conversation has cost so far.
    pub(super) meter: Meter,
}

/// No summary was made.
#[derive(Debug, thiserror::Error)]
enum SummaryError {
    #[error("the token budget of the conversation is spent")]
    BudgetSpent,
    #[error("the model failed")]
    Llm(#[source] crate::llm::LlmError),
    #[error("the model gave no summary: {finish:?}")]
    NoSummary { finish: FinishReason },
    #[error("it could not be kept")]
    Store(#[source] StoreError),
}

/// The turns that fell out of what the model is given when `newest` was added, if any did: then a summary is due. Only
/// then: one that fails is tried again when the next ones fall out, not with every turn.
pub(super) fn due(
    conversation: Option<&Conversation>,
    newest: &StoredTurn,
    budget: HistoryBudget,
) -> Option<Vec<StoredTurn>> {
    if budget.turns_max == 0 {
        return None;
    }
    let before = conversation.map_or(&[][..], Conversation::turns_after_summary);
    let mut turns = before.to_vec();
    turns.push(newest.clone());
    let first = history::first_given(&turns, budget);
    if first <= history::first_given(before, budget) {
        return None;
    }
    turns.truncate(first);
    Some(turns)
}

impl SummaryWork {
    /// Makes the summary and keeps it.
    pub(super) async fn run(mut self) {
        let conversation_id = self.conversation_id;
        match self.make().await {
            Ok(is_kept) => {
                tracing::debug!(%conversation_id, is_kept, "older turns were summarised")
            }
            Err(error) => tracing::warn!(
                %conversation_id,
                error = &error as &dyn std::error::Error,
                "older turns could not be summarised; the conversation goes on without"
            ),
        }
    }

    async fn make(&mut self) -> Result<bool, SummaryError> {
        let Some(last) = self.turns.last() else {
            return Ok(false);
        };
        let (last_request_id, last_asked_at) = (last.request_id.clone(), last.asked_at);
        let told_max = self.budget.tokens_max.saturating_mul(BUDGETS_TOLD_MAX);
        let told = history::told(&self.turns, self.budget, told_max);
        let previous = self.previous.as_ref().map(|summary| summary.text.as_str());
        let request = LlmRequest {
            system: self.prompts.summary_system(),
            cache_key: "db-chat-summary".to_owned(),
            messages: vec![LlmMessage {
                role: LlmRole::User,
                text: self.prompts.summary_question(previous, &told),
            }],
            output_tokens_max: self.output_tokens_max,
        };
        let provider = self.provider.as_ref();
        let reply = call(provider, request, &mut self.meter, None, |_| {
            std::future::ready(())
        })
        .await
        .map_err(|error| match error {
            CallError::Budget(_) => SummaryError::BudgetSpent,
            CallError::Llm(error) => SummaryError::Llm(error),
        })?;
        let text = reply.text.trim();
        if reply.finish != FinishReason::Complete || text.is_empty() {
            return Err(SummaryError::NoSummary {
                finish: reply.finish,
            });
        }
        let spent_before = self
            .previous
            .as_ref()
            .map_or(0, |summary| summary.tokens_spent);
        let spent = self.meter.usage().tokens.total();
        let summary = Summary {
            text: cut_to_tokens(text, self.tokens_max),
            last_request_id,
            last_asked_at,
            tokens_spent: spent_before.saturating_add(spent),
        };
        let kept = self
            .store
            .summarise(&self.owner, self.conversation_id, summary);
        kept.await.map_err(SummaryError::Store)
    }
}
