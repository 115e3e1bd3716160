//! The task that owns one connection's state: the turns that it follows, the timers and the outbox.
//!
//! It follows at most `questions_in_flight_max` turns, those included that wait for another of their conversation. The turns
//! are not its own: when it ends they go on, to be resumed on another connection, unless the client said that it left.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::domain::caller::Caller;
use crate::domain::ids::RequestId;
use crate::protocol::client_frame::{ClientFrame, QueryFrame};
use crate::protocol::close_code::CloseCode;
use crate::protocol::error_code::ErrorCode;
use crate::protocol::server_frame::ServerFrame;
use crate::turns::{Delivered, Delivery, Following, TurnName};
use crate::wire::errors::WireError;
use crate::wire::questions;

use super::ConnectionContext;
use super::heartbeat::{Beat, Heartbeat};
use super::mailbox::{Mailbox, Wake};
use super::outbox::{Outbox, Overfull};
use super::socket::{Inbound, SocketReader};

/// Cancels of turns on other connections that may be looked up at once; each is one call to the store.
const CANCELS_IN_FLIGHT_MAX: usize = 4;

/// One connection.
pub(super) struct Actor {
    context: ConnectionContext,
    /// Who opened the connection; every question on it is asked by them.
    caller: Caller,
    /// When to look whether what proved the caller is good no more.
    expires_at: Option<Instant>,
    outbox: Outbox,
    mailbox: Mailbox,
    heartbeat: Heartbeat,
    turns: HashMap<RequestId, Followed>,
    /// One permit a question, from its acceptance until its final frame is being written.
    permits: Arc<Semaphore>,
    cancels: Arc<Semaphore>,
    /// The server is stopping: no new questions.
    is_stopping: bool,
    /// The close frame is queued: only its writing is waited for.
    is_closing: bool,
}

/// A question whose final frame has not come yet.
struct Followed {
    following: Following,
    permit: OwnedSemaphorePermit,
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
            cancels: Arc::new(Semaphore::new(CANCELS_IN_FLIGHT_MAX)),
            expires_at: caller.expires_at.and_then(from_now),
            context,
            caller,
            outbox,
            heartbeat,
            turns: HashMap::new(),
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
            feedback: self.context.keeps_feedback,
        });
        while !self.outbox.is_over() {
            let deadline = self.next_deadline();
            match self.mailbox.next(deadline, &self.outbox).await {
                Wake::Stop => self.stop(),
                Wake::Timer => self.tick(),
                // The loop's own condition and the mailbox look at the outbox again.
                Wake::OutboxMoved => {}
                Wake::Turn(delivered) => self.deliver(delivered),
                Wake::Socket(inbound) => {
                    self.receive(inbound);
                    if !self.outbox.has_room() {
                        // A client that sends much at once has its frames written before more of it is read.
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }

    fn receive(&mut self, inbound: Inbound) {
        self.heartbeat.heard(Instant::now());
        match inbound {
            Inbound::Text(text) => self.read(&text),
            Inbound::Ping(payload) => self.outbox.pong(payload),
            Inbound::Pong => {}
            Inbound::Closed(code) => {
                if code == Some(CloseCode::Normal.as_u16()) {
                    self.leave_for_good();
                }
                self.close(CloseCode::Normal);
            }
            Inbound::Broken(code) => self.close(code),
            Inbound::Gone => self.outbox.abandon(),
        }
    }

    fn read(&mut self, text: &str) {
        let (request_id, outcome) = match ClientFrame::parse(text) {
            Ok(ClientFrame::Query(query)) => (query.request_id.clone(), self.ask(query)),
            Ok(ClientFrame::Cancel {
                request_id,
                conversation_id,
            }) => {
                let outcome = self.cancel(&request_id, conversation_id.as_deref());
                (Some(request_id), outcome)
            }
            Ok(ClientFrame::Resume {
                request_id,
                conversation_id,
                after,
            }) => {
                let outcome = self.resume(&request_id, conversation_id.as_deref(), after);
                (Some(request_id), outcome)
            }
            Err(unreadable) => (unreadable.request_id, Err(unreadable.fault.into())),
        };
        if let Err(error) = outcome {
            self.refuse(request_id, &error);
        }
    }

    fn ask(&mut self, query: QueryFrame) -> Result<(), WireError> {
        let question_chars_max = self.context.limits.question_chars_max;
        let question =
            questions::accept(query, &self.caller, RequestId::random, question_chars_max)?;
        let request_id = question.request_id.clone();
        let permit = self.admit(&request_id)?;
        let following =
            self.context
                .turns
                .ask(question, Delivery::Resumable, self.mailbox.turn_sender())?;
        self.turns
            .insert(request_id, Followed { following, permit });
        Ok(())
    }

    fn resume(
        &mut self,
        request_id: &str,
        conversation_id: Option<&str>,
        after: u64,
    ) -> Result<(), WireError> {
        let name = self.name(request_id, conversation_id)?;
        let request_id = name.request_id.clone();
        let permit = self.admit(&request_id)?;
        let sender = self.mailbox.turn_sender();
        let following = self.context.turns.resume(name, after, sender);
        self.turns
            .insert(request_id, Followed { following, permit });
        Ok(())
    }

    /// A place among the questions in flight, for one that is not followed here yet.
    fn admit(&self, request_id: &RequestId) -> Result<OwnedSemaphorePermit, WireError> {
        if self.is_stopping {
            return Err(WireError::shutting_down());
        }
        if self.turns.contains_key(request_id) {
            return Err(WireError::new(
                ErrorCode::DuplicateRequestId,
                "A question with this `request_id` is being answered. Please give each question its own.",
            ));
        }
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_| {
            WireError::new(
                ErrorCode::TooManyQuestions,
                format!(
                    "At most {} questions can be in flight on one connection. Please wait for an answer.",
                    self.context.limits.questions_in_flight_max
                ),
            )
        })
    }

    fn cancel(&mut self, request_id: &str, conversation_id: Option<&str>) -> Result<(), WireError> {
        let name = self.name(request_id, conversation_id)?;
        let followed = self.turns.get(&name.request_id);
        if followed.is_some_and(|followed| followed.following.cancel()) {
            return Ok(());
        }
        let permit = Arc::clone(&self.cancels).try_acquire_owned().map_err(|_| {
            WireError::new(
                ErrorCode::TooManyQuestions,
                "Too many questions are being stopped. Please try again in a moment.",
            )
        })?;
        let sender = self.mailbox.turn_sender();
        self.context.turns.cancel(name, permit, sender);
        Ok(())
    }

    /// Refused names are never in use, so an id that is no id is not found.
    fn name(&self, request_id: &str, conversation_id: Option<&str>) -> Result<TurnName, WireError> {
        Ok(TurnName {
            principal: self.caller.principal.clone(),
            request_id: questions::parse_request_id(request_id)?,
            conversation_id: conversation_id
                .map(questions::parse_conversation_id)
                .transpose()?,
        })
    }

    /// Passes on what a turn has for the client; its final frame ends the following.
    fn deliver(&mut self, delivered: Delivered) {
        match delivered {
            Delivered::Frame(frame) => {
                let ended = match frame.ending {
                    Some(_) => self.turns.remove(&frame.request_id),
                    None => None,
                };
                self.push(frame.text, ended.map(|followed| followed.permit));
            }
            Delivered::Refused {
                request_id,
                ends_following,
                error,
            } => {
                if ends_following {
                    self.turns.remove(&request_id);
                }
                self.refuse(Some(request_id.to_string()), &error);
            }
        }
        self.close_if_stopped();
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        self.close_if_stopped();
    }

    /// A server that stops waits for the turns that it runs. Those of other instances are followed from another one.
    fn close_if_stopped(&mut self) {
        let has_turns_here = self.turns.values().any(|turn| turn.following.is_here());
        if self.is_stopping && !has_turns_here {
            self.close(CloseCode::GoingAway);
        }
    }

    fn next_deadline(&self) -> Instant {
        let beat = self.heartbeat.next();
        let beat = self.expires_at.map_or(beat, |end| end.min(beat));
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
        if self.has_expired(now) {
            self.close(CloseCode::CredentialExpired);
            return;
        }
        match self.heartbeat.beat(now) {
            Beat::Wait => {}
            Beat::Ping => self.outbox.ping(),
            Beat::Silent => self.close(CloseCode::PolicyViolation),
        }
    }

    /// By either clock: one of them stands still while a machine sleeps, the other can be set.
    fn has_expired(&self, now: Instant) -> bool {
        let end = self.caller.expires_at;
        self.expires_at.is_some_and(|end| now >= end)
            || end.is_some_and(|end| SystemTime::now() >= end)
    }

    fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.context.limits.write_timeout_ms)
    }

    /// The client has said that it is done: what it asked is stopped, unless somebody else follows it.
    fn leave_for_good(&mut self) {
        for (_, followed) in self.turns.drain() {
            followed.following.leave_for_good();
        }
    }

    /// Ends the connection from this side: what waits is written, then the close frame. Turns go on without it.
    fn close(&mut self, code: CloseCode) {
        self.is_closing = true;
        self.mailbox.stop_reading();
        self.turns.clear();
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
            Ok(text) => self.push(text.into(), None),
            Err(error) => tracing::error!(%error, "frame cannot be written as JSON"),
        }
    }

    fn push(&mut self, text: Arc<str>, permit: Option<OwnedSemaphorePermit>) {
        if let Err(Overfull) = self.outbox.push(text, permit) {
            tracing::info!("closing a connection whose outbox is over its limit");
            self.close(CloseCode::PolicyViolation);
        }
    }
}

/// The same moment on the clock that timers go by; `None` where it is too far off for one.
fn from_now(moment: SystemTime) -> Option<Instant> {
    let left = moment.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now().checked_add(left)
}
