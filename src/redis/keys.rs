//! Every key that db-chat writes to Redis, and nothing else that names one.
//!
//! Redis Cluster hashes only what stands in braces, so keys with the same text there live in one slot, and a script may
//! touch them together.

use ring::digest;

use crate::domain::ids::{ConversationId, RequestId, TurnId};
use crate::domain::principal::Principal;

/// Makes keys under one prefix.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys that begin with `prefix` as it is.
    #[must_use]
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// A list: the turns of one conversation, oldest first, each as `conversations::codec` writes it.
    #[must_use]
    pub fn turns(&self, id: ConversationId) -> String {
        self.conversation(id, "turns")
    }

    /// A text with a short life: the turn that runs in the conversation.
    #[must_use]
    pub fn conversation_lock(&self, id: ConversationId) -> String {
        self.conversation(id, "lock")
    }

    /// A text: the turn that ran last; whoever finds another one here may not write any more.
    #[must_use]
    pub fn conversation_holder(&self, id: ConversationId) -> String {
        self.conversation(id, "holder")
    }

    /// A sorted set: the turns that wait, each with its instance, by when they came.
    #[must_use]
    pub fn conversation_line(&self, id: ConversationId) -> String {
        self.conversation(id, "line")
    }

    /// A sorted set: the same turns, by when they count as gone.
    #[must_use]
    pub fn conversation_line_heard(&self, id: ConversationId) -> String {
        self.conversation(id, "line-heard")
    }

    /// A stream: the frames of a turn, each under its number.
    #[must_use]
    pub fn turn_frames(&self, conversation: ConversationId, turn: TurnId) -> String {
        self.turn(conversation, turn, "frames")
    }

    /// A text with a short life: the instance that runs the turn.
    #[must_use]
    pub fn turn_lease(&self, conversation: ConversationId, turn: TurnId) -> String {
        self.turn(conversation, turn, "lease")
    }

    /// A sorted set with a short life: the instances where somebody follows the turn, by when they count as gone.
    #[must_use]
    pub fn turn_followers(&self, conversation: ConversationId, turn: TurnId) -> String {
        self.turn(conversation, turn, "followed-at")
    }

    /// A mark: the turn is to be stopped, or somebody who followed it elsewhere has left it for good.
    #[must_use]
    pub fn turn_cancel(&self, conversation: ConversationId, turn: TurnId) -> String {
        self.turn(conversation, turn, "cancel")
    }

    /// A text with a short life: the turn in the conversation that a principal calls by this request id, and its instance.
    #[must_use]
    pub fn turn_claim(
        &self,
        conversation: ConversationId,
        principal: &Principal,
        request_id: &RequestId,
    ) -> String {
        let owner = Self::owner(principal);
        self.conversation(conversation, &format!("request:{owner}:{request_id}"))
    }

    /// A sorted set: the turns that a principal calls by this request id, in whichever conversation, by when they came.
    #[must_use]
    pub fn turn_names(&self, principal: &Principal, request_id: &RequestId) -> String {
        let owner = Self::owner(principal);
        format!("{}request:{owner}:{request_id}", self.prefix)
    }

    /// A text: since when Redis has had what it has.
    #[must_use]
    pub fn turns_age(&self) -> String {
        format!("{}turns:since", self.prefix)
    }

    /// A mark: Redis knows the instance.
    #[must_use]
    pub fn instance_mark(&self, instance: &str) -> String {
        format!("{}instance:{{{instance}}}:mark", self.prefix)
    }

    /// A channel, not a key: the turns that somebody on the instance is to look at.
    #[must_use]
    pub fn instance_channel(&self, instance: &str) -> String {
        self.instance_channels() + instance
    }

    /// What every [`instance_channel`](Self::instance_channel) begins with; the instance follows.
    #[must_use]
    pub fn instance_channels(&self) -> String {
        format!("{}instance-turns:", self.prefix)
    }

    fn conversation(&self, id: ConversationId, what: &str) -> String {
        format!("{}conversation:{{{id}}}:{what}", self.prefix)
    }

    fn turn(&self, conversation: ConversationId, turn: TurnId, what: &str) -> String {
        self.conversation(conversation, &format!("turn:{turn}:{what}"))
    }

    /// A string: the summary of its older turns, as `conversations::codec` writes it. Lives as long as the turns.
    #[must_use]
    pub fn summary(&self, id: ConversationId) -> String {
        format!("{}conversation:{{{id}}}:summary", self.prefix)
    }

    /// A hash beside the turns: `owner` as [`Keys::owner`] writes it, `title`, `created_at` and `updated_at` (ms).
    #[must_use]
    pub fn about(&self, id: ConversationId) -> String {
        format!("{}conversation:{{{id}}}:about", self.prefix)
    }

    /// A sorted set: the ids of somebody's conversations by last use (ms).
    #[must_use]
    pub fn conversations_of(&self, owner: &Principal) -> String {
        format!(
            "{}principal:{{{}}}:conversations",
            self.prefix,
            Self::owner(owner)
        )
    }

    /// A text that expires: whose ticket it is, by the ticket's hash.
    #[must_use]
    pub fn ticket(&self, hash: &str) -> String {
        format!("{}ticket:{hash}", self.prefix)
    }

    /// A number that expires: when the allowance of questions or tickets (`kind`) will be whole again (ms), as `limits::rate`
    /// counts.
    #[must_use]
    pub fn rate(&self, kind: &str, subject: &Principal) -> String {
        format!(
            "{}principal:{{{}}}:{kind}_rate",
            self.prefix,
            Self::owner(subject)
        )
    }

    /// A principal as it stands in keys and values: short, without braces, and without anybody's name.
    #[must_use]
    pub fn owner(principal: &Principal) -> String {
        if principal.is_anonymous() {
            return principal.to_string();
        }
        let hash = digest::digest(&digest::SHA256, principal.as_str().as_bytes());
        // 128 bits: nobody finds two names with the same ones.
        hash.as_ref()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_prefix_and_the_id_as_its_hash_tag() {
        let id = ConversationId::parse("3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b").unwrap();
        assert_eq!(
            Keys::new("db-chat:").turns(id),
            "db-chat:conversation:{3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b}:turns"
        );
    }
}
