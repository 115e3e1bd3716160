//! Questions being answered, apart from whoever asked them: a turn belongs to no connection, so a lost one can be
//! taken up on another. In: accepted questions, resumes and cancels of a principal. Out: numbered frames into a channel.
//!
//! Each turn writes its frames into a log; whoever listens follows that log from a number on. A turn that nobody follows
//! goes on for `resume_seconds` and is then stopped; its log is kept for as long after its end. Knows no socket.

mod bells;
mod first_step;
mod follow;
mod frame;
mod line;
mod local_turn;
mod log;
mod registry;
mod remote;
mod replica;
mod runner;
mod shared;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

pub use follow::Following;
pub use frame::{Delivered, Delivery, Ending, TurnFrame};
pub use shared::SharedTurns;

use crate::config::Limits;
use crate::domain::ids::{ConversationId, RequestId};
use crate::domain::principal::Principal;
use crate::pipeline::Turn;
use crate::pipeline::event::EventSender;
use crate::protocol::error_code::ErrorCode;
use crate::telemetry::metrics::Metrics;
use crate::wire::errors::WireError;
use crate::wire::questions::AcceptedQuestion;

use first_step::first_step;
use line::Line;
use local_turn::LocalTurn;
use registry::{Found, Registry};

/// Runs one turn to its end; what `pipeline::Pipeline::run_turn` does. Polled for the first time where the question was
/// asked, on a thread that serves sockets: until its first wait it may tell something, but not work.
pub type RunTurn = Arc<dyn Fn(Turn, EventSender) -> BoxFuture<'static, ()> + Send + Sync>;

/// The turns of this process. Cheap to clone.
#[derive(Clone)]
pub struct TurnHub {
    hub: Arc<Hub>,
}

struct Hub {
    run_turn: RunTurn,
    runtime: Handle,
    tasks: TaskTracker,
    abort: CancellationToken,
    /// For how long a turn without followers goes on, and its log is kept.
    resume_timeout: Duration,
    registry: Mutex<Registry>,
    line: Line,
    /// What is shared with other instances; `None`: there are none.
    shared: Option<SharedTurns>,
    /// Others are listened to until this is dropped.
    _hearing: DropGuard,
    metrics: Metrics,
}

/// How often this instance looks whether Redis still knows it.
const CHECK_IN: Duration = Duration::from_secs(1);

/// One question as its client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnName {
    /// Whose it is. Nobody else can name it.
    pub principal: Principal,
    /// The client's reference.
    pub request_id: RequestId,
    /// The conversation, where the client said it. Without authentication everybody is one principal, and several
    /// clients may have chosen one request id: this tells them apart.
    pub conversation_id: Option<ConversationId>,
}

impl TurnHub {
    /// Turns run on `runtime`, are counted by `tasks` and all stop when `abort` fires. Without `shared` there is no other
    /// instance.
    #[must_use]
    pub fn new(
        run_turn: RunTurn,
        limits: &Limits,
        runtime: Handle,
        tasks: TaskTracker,
        abort: CancellationToken,
        shared: Option<SharedTurns>,
        metrics: Metrics,
    ) -> Self {
        let resume_timeout = Duration::from_secs(limits.resume_seconds);
        let over = CancellationToken::new();
        let hub = Arc::new(Hub {
            run_turn,
            runtime,
            tasks,
            abort,
            resume_timeout,
            registry: Mutex::new(Registry::new(resume_timeout, limits.replay_bytes_max)),
            line: Line::default(),
            shared,
            _hearing: over.clone().drop_guard(),
            metrics,
        });
        if let Some(shared) = hub.shared.clone() {
            // They end with the hub; shutdown has nothing to wait for.
            let tasks = TaskTracker::new();
            tasks.spawn_on(check_in(Arc::downgrade(&hub)), &hub.runtime);
            let hearing = async move { over.run_until_cancelled(shared.hear()).await };
            tasks.spawn_on(hearing, &hub.runtime);
        }
        Self { hub }
    }

    /// Starts a turn and returns at once. `receiver` gets its frames, ending with exactly one that has an `ending`; or, and
    /// then nothing else, a refusal, if another instance is answering the same question. Turns of one conversation run one after the other, in the order of these calls.
    ///
    /// The turn takes its first step here: what it tells before it has to wait for anything is with `receiver` on return, if that
    /// has room. However many turns are at work, the asker of one more hears at once that it has begun.
    ///
    /// # Errors
    /// The same principal has a turn under way with this request id in this conversation.
    pub fn ask(
        &self,
        question: AcceptedQuestion,
        delivery: Delivery,
        receiver: mpsc::Sender<Delivered>,
    ) -> Result<Following, WireError> {
        let hub = &self.hub;
        let cancel = hub.abort.child_token();
        let turn = Arc::new(LocalTurn::new(&question, delivery, cancel));
        self.registry().insert(&turn).map_err(|_| duplicate())?;
        let place = hub.line.enter(question.conversation_id);
        let (following, pump) = follow::local(&turn, 0, receiver);
        // Below the connection that asks, where one does.
        let span = tracing::info_span!(
            "turn",
            request_id = %turn.request_id,
            conversation_id = %turn.conversation_id,
            outcome = tracing::field::Empty,
        );
        let running = runner::run(self.clone(), turn, question, place);
        let running = first_step(running.instrument(span), &hub.runtime);
        let pump = first_step(pump, &hub.runtime);
        if let Some(running) = running {
            hub.tasks.spawn_on(running, &hub.runtime);
        }
        if let Some(pump) = pump {
            hub.tasks.spawn_on(pump, &hub.runtime);
        }
        Ok(following)
    }

    /// Takes up a turn after the frame `after`: `receiver` gets what follows, from the log and then as it happens, or
    /// a refusal when there is no such turn.
    pub fn resume(
        &self,
        name: TurnName,
        after: u64,
        receiver: mpsc::Sender<Delivered>,
    ) -> Following {
        let found = self.registry().find(&name);
        match (found, &self.hub.shared) {
            (Found::One(turn), _) => self.follow(&turn, after, receiver),
            (Found::None, Some(shared)) => {
                let (following, pump) = follow::remote(self, shared.clone(), name, after, receiver);
                self.hub.tasks.spawn_on(pump, &self.hub.runtime);
                following
            }
            (Found::Several, _) => self.refuse(name, &ambiguous(), receiver),
            (Found::None, None) => self.refuse(name, &not_found(), receiver),
        }
    }

    /// Stops a turn of the principal; whoever follows it gets its final frame. `receiver` gets a refusal when there is
    /// no such turn, and nothing else. `permit` is held until that is known.
    pub fn cancel(
        &self,
        name: TurnName,
        permit: OwnedSemaphorePermit,
        receiver: mpsc::Sender<Delivered>,
    ) {
        let found = self.registry().find(&name);
        let known = match found {
            Found::One(turn) if turn.is_running() => {
                turn.stop(cancelled());
                return;
            }
            Found::One(_) => Some(not_found()),
            Found::Several => Some(ambiguous()),
            Found::None => None,
        };
        let shared = self.hub.shared.clone();
        let telling = async move {
            let error = match (known, shared) {
                (Some(error), _) => Some(error),
                (None, Some(shared)) => remote::cancel(&shared, &name).await.err(),
                (None, None) => Some(not_found()),
            };
            if let Some(error) = error {
                let refused = Delivered::Refused {
                    request_id: name.request_id,
                    ends_following: false,
                    error,
                };
                // Fails only when the client is gone.
                let _ = receiver.send(refused).await;
            }
            drop(permit);
        };
        self.hub.tasks.spawn_on(telling, &self.hub.runtime);
    }

    /// How many tasks there are now that run turns, follow them or copy their logs for other instances.
    #[must_use]
    pub fn tasks_count(&self) -> usize {
        self.hub.tasks.len()
    }

    fn follow(
        &self,
        turn: &Arc<LocalTurn>,
        after: u64,
        receiver: mpsc::Sender<Delivered>,
    ) -> Following {
        let (following, pump) = follow::local(turn, after, receiver);
        self.hub.tasks.spawn_on(pump, &self.hub.runtime);
        following
    }

    fn refuse(
        &self,
        name: TurnName,
        error: &WireError,
        receiver: mpsc::Sender<Delivered>,
    ) -> Following {
        let (following, telling) = follow::refusal(name.request_id, error.clone(), receiver);
        self.hub.tasks.spawn_on(telling, &self.hub.runtime);
        following
    }

    /// A turn does not come to be after all.
    fn refused(&self, turn: &LocalTurn, error: WireError) {
        self.registry().remove(turn);
        turn.log.refuse(error);
    }

    /// A turn has had its final frame.
    fn ended(&self, turn: &Arc<LocalTurn>) {
        self.registry().ended(turn);
    }

    /// Redis was away, or has forgotten what it knew: whatever can still be resumed is written again where it is missing.
    async fn restore(&self, shared: &SharedTurns) -> Result<(), fred::error::Error> {
        let turns = self.registry().resumable();
        tracing::info!(
            turns = turns.len(),
            "Redis was away: writing the logs of turns again"
        );
        for turn in turns {
            shared.name(turn.own()).await?;
            if turn.is_running() {
                turn.log.doubt();
            } else {
                replica::replicate(shared, &turn, self.hub.resume_timeout).await;
            }
        }
        Ok(())
    }

    /// Why a turn that was stopped without a word was stopped.
    fn why_stopped(&self) -> WireError {
        if self.hub.abort.is_cancelled() {
            WireError::shutting_down()
        } else {
            cancelled()
        }
    }

    /// Nothing on the registry can panic half-way through a change, so a poisoned lock is still sound.
    fn registry(&self) -> MutexGuard<'_, Registry> {
        let registry = self.hub.registry.lock();
        registry.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks after what Redis knows of this instance, for as long as there is a hub.
async fn check_in(hub: Weak<Hub>) {
    // An instance that begins has nothing to write again.
    let mut is_new = true;
    let mut is_in_doubt = false;
    loop {
        {
            let Some(hub) = hub.upgrade().map(|hub| TurnHub { hub }) else {
                return;
            };
            let Some(shared) = &hub.hub.shared else {
                return;
            };
            match shared.check_in().await {
                Ok(was_there) => {
                    if !was_there {
                        // Begins to count for how long Redis has had what it has.
                        let _ = shared.age().await;
                    }
                    is_in_doubt |= !was_there && !is_new;
                    is_new = false;
                    if is_in_doubt {
                        is_in_doubt = hub.restore(shared).await.is_err();
                    }
                }
                Err(_) => is_in_doubt = true,
            }
        }
        tokio::time::sleep(CHECK_IN).await;
    }
}

fn cancelled() -> WireError {
    WireError::new(ErrorCode::Cancelled, "The question was stopped.")
}

fn duplicate() -> WireError {
    WireError::new(
        ErrorCode::DuplicateRequestId,
        "A question with this `request_id` is being answered. Please resume it, or give each question its own.",
    )
}

fn not_found() -> WireError {
    WireError::new(
        ErrorCode::RequestNotFound,
        "No such question is being answered. Please ask it again.",
    )
}

fn ambiguous() -> WireError {
    WireError::new(
        ErrorCode::RequestNotFound,
        "Several questions have this `request_id`. Please name the `conversation_id` too.",
    )
}
