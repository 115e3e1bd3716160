//! The task that owns one connection's state: the turns in flight, the timers and the outbox.
//!
//! Turns of one conversation run one after the other, in the order in which they were asked; turns of
//! different conversations run side by side, `questions_in_flight_max` of them, waiting ones included.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::caller::Caller;
use crate::domain::ids::{ConversationId, RequestId};
use crate::protocol::client_frame::{ClientFrame, QueryFrame};
use crate::protocol::close_code::CloseCode;
use crate::protocol::error_code::ErrorCode;
use crate::protocol::server_frame::ServerFrame;
use crate::wire::errors::WireError;
use crate::wire::questions;
use crate::wire::relay::{Delivery, RelayedFrame};

use super::ConnectionContext;
use super::heartbeat::{Beat, Heartbeat};
use super::mailbox::{Mailbox, Wake};
use super::outbox::{Outbox, Overfull};
use super::socket::{Inbound, SocketReader};

/// One connection.
pub(super) struct Actor {
    context: ConnectionContext,
    /// Who opened the connection; every question on it is asked by them.
    caller: Caller,
    outbox: Outbox,
    mailbox: Mailbox,
    heartbeat: Heartbeat,
    turns: HashMap<RequestId, TurnInFlight>,
    /// The turns of each conversation that has any: the running one first, then those that wait for it.
    conversations: HashMap<ConversationId, VecDeque<RequestId>>,
    /// One permit a question, from its acceptance until its final frame is being written.
    permits: Arc<Semaphore>,
    /// The server is stopping: no new questions.
    is_stopping: bool,
    /// The close frame is queued: only its writing is waited for.
    is_closing: bool,
}

/// A question without its final frame.
struct TurnInFlight {
    conversation_id: ConversationId,
    /// Stops the turn.
    cancel: CancellationToken,
    /// Lets the turn start; `None` once it has.
    go: Option<oneshot::Sender<()>>,
    permit: OwnedSemaphorePermit,
    /// Stops the turn when the connection ends, however it ends.
    _cancel_on_drop: DropGuard,
}

impl Actor {
    pub(super) fn new(
        context: ConnectionContext,
        caller: Caller,
        outbox: Outbox,
        reader: SocketReader,
    ) -> Self {
        let heartbeat = Heartbeat::new(
            Duration::from_millis(context.limits.ping_interval_ms),
            Duration::from_millis(context.limits.pong_timeout_ms),
            Instant::now(),
        );
        Self {
            mailbox: Mailbox::new(context.stop.clone(), reader),
            permits: Arc::new(Semaphore::new(context.limits.questions_in_flight_max)),
            context,
            caller,
            outbox,
            heartbeat,
            turns: HashMap::new(),
            conversations: HashMap::new(),
            is_stopping: false,
            is_closing: false,
        }
    }

    /// Runs until the socket is gone or its close frame has been written.
    pub(super) async fn run(mut self) {
        self.send(&ServerFrame::Status {
            head: None,
            stage: "connected",
            message: "Connected",
        });
        while !self.outbox.is_over() {
            let deadline = self.next_deadline();
            match self.mailbox.next(deadline, &self.outbox).await {
                Wake::Stop => self.stop(),
                Wake::Timer => self.tick(),
                // The loop's own condition and the mailbox look at the outbox again.
                Wake::OutboxMoved => {}
                Wake::Turn(frame) => self.relay(frame),
                Wake::Socket(inbound) => self.receive(inbound),
            }
        }
    }

    fn receive(&mut self, inbound: Inbound) {
        self.heartbeat.heard(Instant::now());
        match inbound {
            Inbound::Text(text) => self.read(&text),
            Inbound::Ping(payload) => self.outbox.pong(payload),
            Inbound::Pong => {}
            Inbound::Closed => self.close(CloseCode::Normal),
            Inbound::Broken(code) => self.close(code),
            Inbound::Gone => self.outbox.abandon(),
        }
    }

    fn read(&mut self, text: &str) {
        match ClientFrame::parse(text) {
            Ok(ClientFrame::Query(query)) => self.ask(query),
            Ok(ClientFrame::Cancel { request_id }) => self.cancel(request_id),
            Ok(ClientFrame::Resume {
                request_id,
                after: _,
            }) => {
                // A question ends with its connection, so there is never one to take up.
                let error = WireError::new(
                    ErrorCode::RequestNotFound,
                    "No such question is being answered. Please ask it again.",
                );
                self.refuse(Some(request_id), &error);
            }
            Err(unreadable) => self.refuse(unreadable.request_id, &unreadable.fault.into()),
        }
    }

    fn ask(&mut self, query: QueryFrame) {
        let request_id = query.request_id.clone();
        if let Err(error) = self.try_ask(query) {
            self.refuse(request_id, &error);
        }
    }

    fn try_ask(&mut self, query: QueryFrame) -> Result<(), WireError> {
        let limits = &self.context.limits;
        let question = questions::accept(
            query,
            &self.caller,
            RequestId::random,
            limits.question_chars_max,
        )?;
        if self.is_stopping {
            return Err(WireError::shutting_down());
        }
        if self.turns.contains_key(&question.request_id) {
            return Err(WireError::new(
                ErrorCode::DuplicateRequestId,
                "A question with this `request_id` is being answered. Please give each question its own.",
            ));
        }
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            WireError::new(
                ErrorCode::TooManyQuestions,
                format!(
                    "At most {} questions can be in flight on one connection. Please wait for an answer.",
                    limits.questions_in_flight_max
                ),
            )
        })?;
        let (go, may_start) = oneshot::channel();
        let cancel = self.context.relay.cancellation();
        let request_id = question.request_id.clone();
        let conversation_id = question.conversation_id;
        self.context.relay.start(
            question,
            Delivery::Frames,
            Some(may_start),
            cancel.clone(),
            self.mailbox.turn_sender(),
        );
        self.conversations
            .entry(conversation_id)
            .or_default()
            .push_back(request_id.clone());
        self.turns.insert(
            request_id,
            TurnInFlight {
                conversation_id,
                _cancel_on_drop: cancel.clone().drop_guard(),
                cancel,
                go: Some(go),
                permit,
            },
        );
        self.start_next(conversation_id);
        Ok(())
    }

    /// Lets the first turn of a conversation start, if it has not.
    fn start_next(&mut self, conversation_id: ConversationId) {
        let first = self
            .conversations
            .get(&conversation_id)
            .and_then(VecDeque::front);
        if let Some(turn) = first.and_then(|id| self.turns.get_mut(id))
            && let Some(go) = turn.go.take()
        {
            // Fails only when the turn was cancelled meanwhile; its final frame is on its way then.
            let _ = go.send(());
        }
    }

    fn cancel(&mut self, request_id: String) {
        let turn = RequestId::parse(&request_id).and_then(|id| self.turns.get(&id));
        if let Some(turn) = turn {
            turn.cancel.cancel();
        } else {
            let error = WireError::new(
                ErrorCode::RequestNotFound,
                "No such question is being answered on this connection.",
            );
            self.refuse(Some(request_id), &error);
        }
    }

    /// Passes a turn's frame on; the final one ends the turn and lets the conversation's next one start.
    fn relay(&mut self, frame: RelayedFrame) {
        let mut permit = None;
        if frame.ending.is_some()
            && let Some(turn) = self.turns.remove(&frame.request_id)
        {
            permit = Some(turn.permit);
            if let Some(waiting) = self.conversations.get_mut(&turn.conversation_id) {
                waiting.retain(|id| *id != frame.request_id);
                if waiting.is_empty() {
                    self.conversations.remove(&turn.conversation_id);
                }
            }
            self.start_next(turn.conversation_id);
        }
        self.push(frame.text, permit);
        if self.is_stopping && self.turns.is_empty() {
            self.close(CloseCode::GoingAway);
        }
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        if self.turns.is_empty() {
            self.close(CloseCode::GoingAway);
        }
    }

    fn next_deadline(&self) -> Instant {
        let beat = self.heartbeat.next();
        match self.outbox.stalls_at(self.write_timeout()) {
            Some(stall) if self.is_closing => stall,
            Some(stall) => stall.min(beat),
            None => beat,
        }
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if self
            .outbox
            .stalls_at(self.write_timeout())
            .is_some_and(|at| now >= at)
        {
            tracing::info!("closing a connection whose client does not read");
            self.outbox.abandon();
            return;
        }
        if self.is_closing {
            return;
        }
        match self.heartbeat.beat(now) {
            Beat::Wait => {}
            Beat::Ping => self.outbox.ping(),
            Beat::Silent => self.close(CloseCode::PolicyViolation),
        }
    }

    fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.context.limits.write_timeout_ms)
    }

    /// Ends the connection from this side: its turns stop, what waits is written, then the close frame.
    fn close(&mut self, code: CloseCode) {
        self.is_closing = true;
        self.mailbox.stop_reading();
        self.turns.clear();
        self.conversations.clear();
        self.outbox.close(code);
    }

    fn refuse(&mut self, request_id: Option<String>, error: &WireError) {
        self.send(&ServerFrame::Refusal {
            request_id,
            error: error.body(),
        });
    }

    fn send(&mut self, frame: &ServerFrame) {
        match serde_json::to_string(frame) {
            Ok(text) => self.push(text, None),
            Err(error) => tracing::error!(%error, "frame cannot be written as JSON"),
        }
    }

    fn push(&mut self, text: String, permit: Option<OwnedSemaphorePermit>) {
        if let Err(Overfull) = self.outbox.push(text, permit) {
            tracing::info!("closing a connection whose outbox is over its limit");
            self.close(CloseCode::PolicyViolation);
        }
    }
}
