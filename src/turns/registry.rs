//! Which turns are on this instance: those that run, and those that ended and may still be resumed.
//!
//! Ended ones go when their time is over, or, oldest first, when they hold more bytes than allowed. There is no task that
//! sweeps: every call that adds or looks up drops what has expired.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::RequestId;
use crate::domain::principal::Principal;

use super::TurnName;
use super::local_turn::LocalTurn;

/// The turns, by who asked and how they call it.
pub(super) struct Registry {
    turns: HashMap<(Principal, RequestId), Vec<Arc<LocalTurn>>>,
    /// Ended ones with the bytes of their frames, those that ended first in front.
    ended: VecDeque<(Arc<LocalTurn>, usize)>,
    ended_bytes: usize,
    bytes_max: usize,
    keep_for: Duration,
}

/// What a name stands for.
pub(super) enum Found {
    One(Arc<LocalTurn>),
    /// Turns in several conversations, and the name says none.
    Several,
    None,
}

/// The same principal has such a turn under way.
pub(super) struct Duplicate;

impl Registry {
    /// Keeps ended turns for `keep_for`, and of their frames at most `bytes_max` bytes.
    pub(super) fn new(keep_for: Duration, bytes_max: usize) -> Self {
        Self {
            turns: HashMap::new(),
            ended: VecDeque::new(),
            ended_bytes: 0,
            bytes_max,
            keep_for,
        }
    }

    /// Adds a turn that begins. An ended one of the same name gives way.
    pub(super) fn insert(&mut self, turn: &Arc<LocalTurn>) -> Result<(), Duplicate> {
        self.drop_expired();
        let turns = self.turns.entry(key(turn)).or_default();
        let same = turns
            .iter()
            .position(|other| other.conversation_id == turn.conversation_id);
        if let Some(same) = same {
            if turns[same].is_running() {
                return Err(Duplicate);
            }
            let replaced = turns.remove(same);
            self.forget_ended(&replaced);
        }
        self.turns
            .entry(key(turn))
            .or_default()
            .push(Arc::clone(turn));
        Ok(())
    }

    /// What a client means. Somebody with a name of their own means the newest; where everybody is anonymous a name that
    /// several turns share stands for none of them, as it might be somebody else's.
    pub(super) fn find(&mut self, name: &TurnName) -> Found {
        self.drop_expired();
        let key = (name.principal.clone(), name.request_id.clone());
        let mut matching = self.turns.get(&key).into_iter().flatten().filter(|turn| {
            name.conversation_id
                .is_none_or(|id| id == turn.conversation_id)
        });
        let Some(newest) = matching.next_back() else {
            return Found::None;
        };
        if name.principal.is_anonymous() && matching.next().is_some() {
            return Found::Several;
        }
        Found::One(Arc::clone(newest))
    }

    /// Every turn that ended and can be resumed, or runs under a name of its own.
    pub(super) fn resumable(&mut self) -> Vec<Arc<LocalTurn>> {
        self.drop_expired();
        let turns = self.turns.values().flatten();
        let is_known = |turn: &&Arc<LocalTurn>| turn.has_name() || !turn.is_running();
        turns
            .filter(|turn| turn.is_resumable())
            .filter(is_known)
            .cloned()
            .collect()
    }

    /// A turn has had its final frame: it stays for as long as it can be resumed.
    pub(super) fn ended(&mut self, turn: &Arc<LocalTurn>) {
        if !turn.is_resumable() || turn.log.refusal().is_some() {
            self.remove(turn);
            return;
        }
        let bytes = turn.log.bytes();
        self.ended_bytes += bytes;
        self.ended.push_back((Arc::clone(turn), bytes));
        while self.ended_bytes > self.bytes_max {
            let Some((turn, bytes)) = self.ended.pop_front() else {
                return;
            };
            self.ended_bytes -= bytes;
            self.remove(&turn);
        }
    }

    fn drop_expired(&mut self) {
        let now = Instant::now();
        // One whose last follower left only lately is behind others: it is looked at again when it comes to the front.
        for _ in 0..self.ended.len() {
            let Some((turn, _)) = self.ended.front() else {
                return;
            };
            let ended_at = turn.log.ended_at().unwrap_or(now);
            if now.duration_since(ended_at) < self.keep_for {
                return;
            }
            let Some((turn, bytes)) = self.ended.pop_front() else {
                return;
            };
            let is_over = turn
                .idle_since()
                .is_some_and(|since| now.duration_since(since) >= self.keep_for);
            if is_over {
                self.ended_bytes -= bytes;
                self.remove(&turn);
            } else {
                self.ended.push_back((turn, bytes));
            }
        }
    }

    fn forget_ended(&mut self, turn: &Arc<LocalTurn>) {
        let place = self.ended.iter().position(|(other, _)| other.id == turn.id);
        if let Some((_, bytes)) = place.and_then(|place| self.ended.remove(place)) {
            self.ended_bytes -= bytes;
        }
    }

    /// A turn is gone, or never came to be.
    pub(super) fn remove(&mut self, turn: &LocalTurn) {
        let key = key(turn);
        if let Some(turns) = self.turns.get_mut(&key) {
            turns.retain(|other| other.id != turn.id);
            if turns.is_empty() {
                self.turns.remove(&key);
            }
        }
    }
}

fn key(turn: &LocalTurn) -> (Principal, RequestId) {
    (turn.principal.clone(), turn.request_id.clone())
}
