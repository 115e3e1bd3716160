//! One turn that runs, or ran, on this instance: its name, its log, and how it is stopped.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::{ConversationId, RequestId, TurnId};
use crate::domain::principal::Principal;
use crate::wire::errors::WireError;
use crate::wire::questions::AcceptedQuestion;

use super::frame::Delivery;
use super::log::TurnLog;
use super::shared::{OwnTurn, SharedTurn};

/// A turn. Shared by its runner, its followers and the registry.
pub(super) struct LocalTurn {
    pub(super) id: TurnId,
    pub(super) principal: Principal,
    pub(super) request_id: RequestId,
    pub(super) conversation_id: ConversationId,
    pub(super) delivery: Delivery,
    pub(super) log: TurnLog,
    /// Stops the turn; also fires when the server gives up waiting for turns.
    pub(super) cancel: CancellationToken,
    /// Whether its name is its own among all instances; until then it may turn out not to be a question at all.
    has_name: AtomicBool,
    /// Whether it runs in its conversation, and not only waits.
    holds_conversation: AtomicBool,
    /// Rung when its last follower here has said that it will not come back.
    left_for_good: Notify,
    /// Why it was stopped, where somebody said so.
    stopped_for: OnceLock<WireError>,
}

impl LocalTurn {
    pub(super) fn new(
        question: &AcceptedQuestion,
        delivery: Delivery,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            id: TurnId::next(),
            principal: question.principal.clone(),
            request_id: question.request_id.clone(),
            conversation_id: question.conversation_id,
            delivery,
            log: TurnLog::new(question, delivery),
            cancel,
            has_name: AtomicBool::new(false),
            holds_conversation: AtomicBool::new(false),
            left_for_good: Notify::new(),
            stopped_for: OnceLock::new(),
        }
    }

    /// Its name is its own from now on.
    pub(super) fn take_name(&self) {
        self.has_name.store(true, Ordering::Release);
    }

    pub(super) fn has_name(&self) -> bool {
        self.has_name.load(Ordering::Acquire)
    }

    /// It runs in its conversation from now on.
    pub(super) fn hold_conversation(&self) {
        self.holds_conversation.store(true, Ordering::Release);
    }

    pub(super) fn holds_conversation(&self) -> bool {
        self.holds_conversation.load(Ordering::Acquire)
    }

    /// What the other instances call it.
    pub(super) fn shared(&self) -> SharedTurn {
        SharedTurn {
            conversation_id: self.conversation_id,
            id: self.id,
        }
    }

    /// The same, with what its client calls it.
    pub(super) fn own(&self) -> OwnTurn<'_> {
        OwnTurn {
            turn: self.shared(),
            principal: &self.principal,
            request_id: &self.request_id,
        }
    }

    /// Stops it; the first reason counts, and becomes its final frame unless it was faster.
    pub(super) fn stop(&self, error: WireError) {
        let _ = self.stopped_for.set(error);
        self.cancel.cancel();
    }

    /// Its last follower here will not come back. Whether it goes on for somebody elsewhere is for its runner to find out.
    pub(super) fn leave_for_good(&self) {
        self.left_for_good.notify_one();
    }

    /// Returns once after [`leave_for_good`](Self::leave_for_good).
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn left_for_good(&self) {
        self.left_for_good.notified().await;
    }

    /// Why it was stopped, where somebody said so.
    pub(super) fn stopped_for(&self) -> Option<&WireError> {
        self.stopped_for.get()
    }

    pub(super) fn is_running(&self) -> bool {
        self.log.ended_at().is_none()
    }

    /// Whether the turn can be taken up again on another connection.
    pub(super) fn is_resumable(&self) -> bool {
        self.delivery == Delivery::Resumable
    }

    /// Since when neither a turn nor a follower has needed this; `None` while one does.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        Some(self.log.ended_at()?.max(self.log.alone_since()?))
    }

    /// Whether nobody has followed it for `timeout`.
    pub(super) fn is_abandoned(&self, timeout: Duration) -> bool {
        let alone = self.log.alone_since();
        alone.is_some_and(|since| since.elapsed() >= timeout)
    }
}
