//! Every key that db-chat writes to Redis, and nothing else that names one.
//!
//! The conversation's id stands in braces: Redis Cluster hashes only what is between them, so all
//! keys of one conversation live in one slot, and a script may touch them together.

use crate::domain::ids::ConversationId;

/// Makes keys under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys that begin with `prefix` as it is.
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
        }
    }

    /// A list: the turns of one conversation, oldest first, each as `codec` writes it.
    pub(super) fn turns(&self, id: ConversationId) -> String {
        format!("{}conversation:{{{id}}}:turns", self.prefix)
    }

    /// A string: the summary of its older turns, as `codec` writes it. Lives as long as the turns.
    pub(super) fn summary(&self, id: ConversationId) -> String {
        format!("{}conversation:{{{id}}}:summary", self.prefix)
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
