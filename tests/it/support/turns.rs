//! Turns played by a test instead of the pipeline, so that it decides what happens and when.

use std::sync::Arc;
use std::time::Duration;

use db_chat::pipeline::Turn;
use db_chat::pipeline::error::TurnError;
use db_chat::pipeline::event::{Answer, EventSender, Stage, TurnEvent};
use db_chat::turns::RunTurn;
use tokio::sync::{mpsc, oneshot};

/// No wait in a test is longer: what has not come by then does not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The turns that a server has started, for the test to play.
pub(crate) struct Playbook {
    turns: mpsc::Receiver<PlayedTurn>,
}

/// One turn. It runs until it is ended, dropped or cancelled.
pub(crate) struct PlayedTurn {
    /// What the server gave to the pipeline.
    pub(crate) turn: Turn,
    events: EventSender,
    _ended: oneshot::Sender<()>,
}

/// Turns that the test plays.
pub(crate) fn played() -> (RunTurn, Playbook) {
    let (sender, turns) = mpsc::channel(64);
    let run_turn: RunTurn = Arc::new(move |turn: Turn, events: EventSender| {
        let sender = sender.clone();
        Box::pin(async move {
            let (ended, until_ended) = oneshot::channel();
            let cancel = turn.cancel.clone();
            let played = PlayedTurn {
                turn,
                events: events.clone(),
                _ended: ended,
            };
            let _ = sender.send(played).await;
            tokio::select! {
                () = cancel.cancelled() => {
                    let _ = events.send(TurnEvent::Failed(TurnError::Cancelled)).await;
                }
                _ = until_ended => {}
            }
        })
    });
    (run_turn, Playbook { turns })
}

/// Turns that answer at once: a few stages, the question's words as tokens, the question as reply.
pub(crate) fn echoing() -> RunTurn {
    Arc::new(|turn: Turn, events: EventSender| {
        Box::pin(async move {
            let question = turn.question.as_str().to_owned();
            let mut script = vec![
                TurnEvent::Stage(Stage::Understanding),
                TurnEvent::Sql("SELECT 1".to_owned()),
            ];
            script.extend(
                question
                    .split_inclusive(' ')
                    .map(|word| TurnEvent::Token(word.to_owned())),
            );
            script.push(TurnEvent::ProseEnd(question.clone()));
            script.push(answered(&question));
            for event in script {
                let _ = events.send(event).await;
            }
        })
    })
}

/// The final event of a turn with this reply.
pub(crate) fn answered(reply: &str) -> TurnEvent {
    TurnEvent::Answered(Box::new(Answer {
        reply: reply.to_owned(),
        ..Answer::default()
    }))
}

impl Playbook {
    /// The next turn that the server starts.
    pub(crate) async fn next(&mut self) -> PlayedTurn {
        tokio::time::timeout(PATIENCE, self.turns.recv())
            .await
            .expect("a turn in time")
            .expect("a server")
    }

    /// Whether no turn has been started that was not taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

impl PlayedTurn {
    /// Lets something happen in the turn.
    pub(crate) async fn play(&self, event: TurnEvent) {
        assert!(self.try_play(event).await, "nobody listens any more");
    }

    /// The same; `false` if nobody listens any more.
    pub(crate) async fn try_play(&self, event: TurnEvent) -> bool {
        tokio::time::timeout(PATIENCE, self.events.send(event))
            .await
            .expect("room in time")
            .is_ok()
    }

    /// Ends it with an answer.
    pub(crate) async fn answer(self, reply: &str) {
        self.play(answered(reply)).await;
    }

    /// Waits until the server has told it to stop.
    pub(crate) async fn cancelled(&self) {
        tokio::time::timeout(PATIENCE, self.turn.cancel.cancelled())
            .await
            .expect("cancelled in time");
    }
}
