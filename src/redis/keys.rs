//! Every key that db-chat writes to Redis, and nothing else that names one.
//!
//! Redis Cluster hashes only what stands in braces, so keys with the same text there live in one slot, and a script may
//! touch them together.

use ring::digest;

use crate::domain::ids::ConversationId;
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
        format!("{}conversation:{{{id}}}:turns", self.prefix)
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

    /// A number that expires: when the allowance of questions will be whole again (ms), as `limits::question_rate` counts.
    #[must_use]
    pub fn question_rate(&self, subject: &Principal) -> String {
        format!(
            "{}principal:{{{}}}:question_rate",
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
