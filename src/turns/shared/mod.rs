//! What instances know of each other's turns, in Redis: logs, leases, names, the line of each conversation.
//!
//! All keys of one script have the conversation's id as their hash tag, so that they live in one slot of a cluster.
//! Everything expires by itself. What one instance does that another waits for rings a bell there; nothing rests on that.
//! Knows no follower and no runner; every call is one round trip within the deadline of the
//! connection.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use fred::error::Error as RedisError;
use fred::interfaces::{KeysInterface, SortedSetsInterface};
use fred::types::Value;

use crate::domain::ids::{ConversationId, RequestId, TurnId};
use crate::domain::principal::Principal;
use crate::redis::{Heard, Keys, RedisConnection};

use super::TurnName;
use super::bells::{Bell, Bells};
use super::frame::TurnFrame;

const APPEND_FRAMES: &str = concat!(include_str!("wake.lua"), include_str!("append_frames.lua"));
const LOSE_TURN: &str = concat!(include_str!("wake.lua"), include_str!("lose_turn.lua"));
const CANCEL_TURN: &str = concat!(include_str!("wake.lua"), include_str!("cancel_turn.lua"));
const READ_FRAMES: &str = include_str!("read_frames.lua");
const RENEW_TURN: &str = include_str!("renew_turn.lua");
const TAKE_CONVERSATION: &str = include_str!("take_conversation.lua");
const BEGIN_TURN: &str = include_str!("begin_turn.lua");
const END_TURN: &str = concat!(include_str!("wake.lua"), include_str!("end_turn.lua"));
const LEAVE_TURN: &str = concat!(include_str!("wake.lua"), include_str!("leave_turn.lua"));
const NAME_TURN: &str = include_str!("name_turn.lua");
const AGE: &str = include_str!("age.lua");
const CHECK_IN: &str = include_str!("check_in.lua");

/// How long the owner of a turn, of a conversation or of a place in its line counts as alive after it was last heard of.
pub(super) const LEASE: Duration = Duration::from_secs(3);

/// How long a name, and the fence of a conversation, outlive their last use: above the longest turn there can be.
const NAME_LIFE: Duration = Duration::from_secs(60 * 60);
const HOLDER_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How many turns one name may stand for; more than one only where clients are anonymous.
const NAMESAKES_MAX: usize = 16;

/// What a turn that was lost is numbered by at most: any number is taken from a client, and a script counts in floating point.
const LOST_AFTER_MAX: u64 = 1 << 40;

/// Frames read at once.
pub(super) const FRAMES_READ_MAX: usize = 64;

/// This instance's view of what all share. Cheap to clone.
#[derive(Clone)]
pub struct SharedTurns {
    redis: RedisConnection,
    keys: Keys,
    /// This instance among all, until it ends.
    instance: TurnId,
    /// How long a name is kept after its last use.
    name_life: Duration,
    /// Rung by the messages of other instances.
    bells: Bells,
}

/// Which turn, everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SharedTurn {
    pub(super) conversation_id: ConversationId,
    pub(super) id: TurnId,
}

/// A turn of this instance, with what its client calls it.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnTurn<'a> {
    pub(super) turn: SharedTurn,
    pub(super) principal: &'a Principal,
    pub(super) request_id: &'a RequestId,
}

/// What became of frames that were to be appended; the numbers are those of the last frame that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appended {
    UpTo(u64),
    /// They do not follow on what is there.
    Gap(u64),
    /// The final frame is there.
    Ended,
    /// Somebody else has ended it, because its owner seemed to be gone.
    Lost,
}

/// What the owner of a turn learns when it renews its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Renewed {
    /// Otherwise it had run out, or Redis has lost it.
    pub(super) was_there: bool,
    /// Somebody follows on another instance.
    pub(super) is_followed: bool,
    /// Somebody wants it stopped.
    pub(super) is_cancelled: bool,
    /// Somebody followed it elsewhere, and will not come back.
    pub(super) is_left_for_good: bool,
}

/// What is there of a turn after a number.
pub(super) struct Reading {
    /// Whether its owner is alive.
    pub(super) is_owned: bool,
    pub(super) frames: Vec<SharedFrame>,
}

/// A frame as it was written.
pub(super) struct SharedFrame {
    pub(super) seq: u64,
    pub(super) name: String,
    pub(super) text: String,
    /// It was written because the owner is gone, whatever its number says.
    pub(super) is_lost: bool,
}

impl SharedTurns {
    /// Over a connection that others may use too, with keys that begin with `prefix`; turns can be resumed for `resume_timeout`.
    #[must_use]
    pub fn new(redis: RedisConnection, prefix: &str, resume_timeout: Duration) -> Self {
        Self {
            redis,
            keys: Keys::new(prefix),
            instance: TurnId::next(),
            name_life: NAME_LIFE.saturating_add(resume_timeout),
            bells: Bells::default(),
        }
    }

    /// Rings when another instance has done something to the turn, as long as there is [`hear`](Self::hear).
    pub(super) fn bell(&self, turn: TurnId) -> Bell {
        self.bells.bell(turn)
    }

    /// Rings the bells of this instance when others say so, over a connection of its own.
    pub(super) async fn hear(self) -> Infallible {
        let channel = self.keys.instance_channel(&self.instance.to_string());
        let mut subscription = self.redis.subscribe(channel);
        loop {
            match subscription.next().await {
                Heard::Message(turn) => {
                    if let Some(turn) = TurnId::parse(&turn) {
                        self.bells.ring(turn);
                    }
                }
                Heard::Gap => self.bells.ring_all(),
            }
        }
    }

    /// Claims the turn's name in its conversation until the turn ends, and takes its lease; `false` if a turn of another
    /// instance has the name.
    pub(super) async fn begin(&self, own: OwnTurn<'_>) -> Result<bool, RedisError> {
        let turn = own.turn;
        let keys = [
            self.claim(own),
            self.keys.turn_lease(turn.conversation_id, turn.id),
        ];
        let arguments = [
            self.place(turn),
            self.instance.to_string().into(),
            millis(LEASE),
        ];
        let begun: i64 = self.redis.run_script(BEGIN_TURN, keys, arguments).await?;
        Ok(begun == 1)
    }

    /// Lets others find a turn by its name.
    pub(super) async fn name(&self, own: OwnTurn<'_>) -> Result<(), RedisError> {
        let turn = own.turn;
        let key = self.keys.turn_names(own.principal, own.request_id);
        let arguments = [
            format!("{} {}", turn.conversation_id, turn.id).into(),
            millis(self.name_life),
            NAMESAKES_MAX.to_string().into(),
        ];
        self.redis.run_script(NAME_TURN, [key], arguments).await
    }

    /// The turns that a name stands for and that are still there, the newest first.
    pub(super) async fn find(&self, name: &TurnName) -> Result<Vec<SharedTurn>, RedisError> {
        let key = self.keys.turn_names(&name.principal, &name.request_id);
        let named: Vec<String> = self
            .redis
            .call(|client| async move { client.zrevrange(key, 0, -1, false).await })
            .await?;
        let mut turns = Vec::new();
        for text in named {
            let Some((conversation_id, id)) = text.split_once(' ') else {
                continue;
            };
            let (Some(conversation_id), Some(id)) =
                (ConversationId::parse(conversation_id), TurnId::parse(id))
            else {
                continue;
            };
            let turn = SharedTurn {
                conversation_id,
                id,
            };
            let is_meant = name.conversation_id.is_none_or(|id| id == conversation_id);
            if is_meant && self.is_there(turn).await? {
                turns.push(turn);
            }
        }
        Ok(turns)
    }

    /// For how long Redis has had what it has. One that was restarted empty is young, and learns again what is running.
    pub(super) async fn age(&self) -> Result<Duration, RedisError> {
        let key = self.keys.turns_age();
        let age: u64 = self
            .redis
            .run_script(AGE, [key], [millis(HOLDER_LIFE)])
            .await?;
        Ok(Duration::from_millis(age))
    }

    /// Appends frames that follow each other; none at all asks how far it has come.
    pub(super) async fn append(
        &self,
        turn: SharedTurn,
        first: u64,
        frames: &[TurnFrame],
        life: Duration,
    ) -> Result<Appended, RedisError> {
        let mut arguments = vec![Value::from(first.to_string()), millis(life)];
        arguments.extend(self.wake(turn));
        for frame in frames {
            arguments.push(frame.name.into());
            arguments.push(Bytes::copy_from_slice(frame.text.as_bytes()).into());
        }
        let keys = [
            self.keys.turn_frames(turn.conversation_id, turn.id),
            self.keys.turn_followers(turn.conversation_id, turn.id),
        ];
        let (outcome, last): (i64, u64) = self
            .redis
            .run_script(APPEND_FRAMES, keys, arguments)
            .await?;
        Ok(match outcome {
            1 => Appended::UpTo(last),
            0 => Appended::Gap(last),
            -1 => Appended::Ended,
            _ => Appended::Lost,
        })
    }

    /// Reads frames after a number, and lets the owner know that somebody follows: the turn's [`bell`](Self::bell) rings
    /// for what is appended after this.
    pub(super) async fn read(&self, turn: SharedTurn, after: u64) -> Result<Reading, RedisError> {
        let keys = [
            self.keys.turn_frames(turn.conversation_id, turn.id),
            self.keys.turn_followers(turn.conversation_id, turn.id),
            self.keys.turn_lease(turn.conversation_id, turn.id),
        ];
        let arguments = [
            after.to_string().into(),
            FRAMES_READ_MAX.to_string().into(),
            millis(LEASE),
            self.instance.to_string().into(),
        ];
        let flat: Vec<String> = self.redis.run_script(READ_FRAMES, keys, arguments).await?;
        let mut fields = flat.into_iter();
        let is_owned = fields.next().is_some_and(|owner| !owner.is_empty());
        let mut frames = Vec::new();
        while let (Some(seq), Some(name), Some(text), Some(is_lost)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        {
            frames.push(SharedFrame {
                seq: seq.parse().unwrap_or(0),
                name,
                text,
                is_lost: is_lost == "1",
            });
        }
        Ok(Reading { is_owned, frames })
    }

    /// Ends a turn whose owner is gone with this text after the number `last`; `false` if it is not gone after all, or
    /// there is something to be read first.
    pub(super) async fn lose(
        &self,
        turn: SharedTurn,
        last: u64,
        text: &str,
        life: Duration,
    ) -> Result<bool, RedisError> {
        let keys = [
            self.keys.turn_frames(turn.conversation_id, turn.id),
            self.keys.turn_lease(turn.conversation_id, turn.id),
            self.keys.turn_followers(turn.conversation_id, turn.id),
        ];
        let [channels, id] = self.wake(turn);
        let arguments = [
            last.min(LOST_AFTER_MAX).to_string().into(),
            text.into(),
            millis(life),
            channels,
            id,
        ];
        let ended: i64 = self.redis.run_script(LOSE_TURN, keys, arguments).await?;
        Ok(ended == 1)
    }

    /// The owner of a running turn is alive. `life` is that of its log.
    pub(super) async fn renew(
        &self,
        own: OwnTurn<'_>,
        holds_conversation: bool,
        life: Duration,
    ) -> Result<Renewed, RedisError> {
        let SharedTurn {
            conversation_id,
            id,
        } = own.turn;
        let keys = [
            self.keys.turn_lease(conversation_id, id),
            self.keys.turn_frames(conversation_id, id),
            self.keys.turn_followers(conversation_id, id),
            self.keys.turn_cancel(conversation_id, id),
            self.keys.conversation_lock(conversation_id),
            self.keys.conversation_holder(conversation_id),
            self.claim(own),
        ];
        let arguments = [
            self.instance.to_string().into(),
            millis(LEASE),
            millis(life),
            id.to_string().into(),
            if holds_conversation { "1" } else { "0" }.into(),
            HOLDER_LIFE.as_secs().to_string().into(),
            self.place(own.turn),
        ];
        let flags: (i64, i64, i64, i64) =
            self.redis.run_script(RENEW_TURN, keys, arguments).await?;
        Ok(Renewed {
            was_there: flags.0 == 1,
            is_followed: flags.1 == 1,
            is_cancelled: flags.2 == 1,
            is_left_for_good: flags.3 == 1,
        })
    }

    /// Takes the conversation for a turn; `false`: it is in line now, and has to ask again within the lease. The turn's
    /// [`bell`](Self::bell) rings when it may be its time.
    pub(super) async fn take_conversation(&self, turn: SharedTurn) -> Result<bool, RedisError> {
        let conversation_id = turn.conversation_id;
        let keys = [
            self.keys.conversation_lock(conversation_id),
            self.keys.conversation_holder(conversation_id),
            self.keys.conversation_line(conversation_id),
            self.keys.conversation_line_heard(conversation_id),
        ];
        let arguments = [
            turn.id.to_string().into(),
            millis(LEASE),
            HOLDER_LIFE.as_secs().to_string().into(),
            self.place(turn),
        ];
        let taken: i64 = self
            .redis
            .run_script(TAKE_CONVERSATION, keys, arguments)
            .await?;
        Ok(taken == 1)
    }

    /// The turn has ended: gives back its name, and the conversation or the place in its line.
    pub(super) async fn end(&self, own: OwnTurn<'_>) -> Result<(), RedisError> {
        let turn = own.turn;
        let keys = [
            self.claim(own),
            self.keys.conversation_lock(turn.conversation_id),
            self.keys.conversation_line(turn.conversation_id),
            self.keys.conversation_line_heard(turn.conversation_id),
        ];
        let [channels, id] = self.wake(turn);
        self.redis
            .run_script(END_TURN, keys, [id, self.place(turn), channels])
            .await
    }

    /// Asks the owner of a turn to stop it; `false` if nobody runs it.
    pub(super) async fn cancel(&self, turn: SharedTurn) -> Result<bool, RedisError> {
        let keys = [
            self.keys.turn_lease(turn.conversation_id, turn.id),
            self.keys.turn_cancel(turn.conversation_id, turn.id),
        ];
        let [channels, id] = self.wake(turn);
        let arguments = [millis(NAME_LIFE), channels, id];
        let asked: i64 = self.redis.run_script(CANCEL_TURN, keys, arguments).await?;
        Ok(asked == 1)
    }

    /// Tells the owner of a turn that nobody here will come back for it.
    pub(super) async fn leave_for_good(&self, turn: SharedTurn) -> Result<(), RedisError> {
        let keys = [
            self.keys.turn_lease(turn.conversation_id, turn.id),
            self.keys.turn_followers(turn.conversation_id, turn.id),
            self.keys.turn_cancel(turn.conversation_id, turn.id),
        ];
        let [channels, id] = self.wake(turn);
        let arguments = [
            millis(NAME_LIFE),
            channels,
            id,
            self.instance.to_string().into(),
        ];
        self.redis.run_script(LEAVE_TURN, keys, arguments).await
    }

    /// Whether anybody here waits for something about the turn.
    pub(super) fn is_awaited(&self, turn: TurnId) -> bool {
        self.bells.is_awaited(turn)
    }

    /// Whether Redis still knows this instance; from now on it does.
    pub(super) async fn check_in(&self) -> Result<bool, RedisError> {
        let mark = self.keys.instance_mark(&self.instance.to_string());
        let was_there: i64 = self
            .redis
            .run_script(CHECK_IN, [mark], [millis(NAME_LIFE)])
            .await?;
        Ok(was_there == 1)
    }

    /// What a script needs to have other instances look at the turn.
    fn wake(&self, turn: SharedTurn) -> [Value; 2] {
        [
            self.keys.instance_channels().into(),
            turn.id.to_string().into(),
        ]
    }

    fn claim(&self, own: OwnTurn<'_>) -> String {
        let conversation_id = own.turn.conversation_id;
        self.keys
            .turn_claim(conversation_id, own.principal, own.request_id)
    }

    /// A turn of this instance as it stands in the line of its conversation, and in the claim of its name.
    fn place(&self, turn: SharedTurn) -> Value {
        format!("{} {}", turn.id, self.instance).into()
    }

    /// Whether anything is left of a turn.
    async fn is_there(&self, turn: SharedTurn) -> Result<bool, RedisError> {
        let keys = vec![
            self.keys.turn_frames(turn.conversation_id, turn.id),
            self.keys.turn_lease(turn.conversation_id, turn.id),
        ];
        let there: i64 = self
            .redis
            .call(|client| async move { client.exists(keys).await })
            .await?;
        Ok(there > 0)
    }
}

fn millis(duration: Duration) -> Value {
    duration.as_millis().to_string().into()
}
