//! Identifiers as types of their own, so that one can never be passed where another is meant.

use std::fmt;

use uuid::Uuid;

/// Names a conversation: what outlives the socket. Random, so that it cannot be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId(Uuid);

impl ConversationId {
    /// A new random id (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads the hyphenated form of RFC 9562, 36 characters, in either letter case.
    ///
    /// The other spellings that UUID libraries take (braces, `urn:uuid:`, no hyphens, blanks around)
    /// are refused: two texts which name one conversation would be two keys elsewhere.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

/// The client's reference for one question, echoed in every frame about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(String);

/// Longest request id that is accepted, in bytes. Two UUIDs and a prefix fit; a payload does not.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

impl RequestId {
    /// A new id for a question whose client sent none (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().to_string())
    }

    /// Takes a client's id: 1 to [`REQUEST_ID_BYTES_MAX`] visible ASCII characters.
    ///
    /// Anything else is refused, because the id is written to logs and headers as it is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=REQUEST_ID_BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// The id as the client wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Names one turn among all of all instances, whatever its client calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnId(Uuid);

impl TurnId {
    /// A new id (UUID version 7): later ones sort after earlier ones, as far as the instances' clocks agree.
    #[must_use]
    pub fn next() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads what [`Display`](fmt::Display) wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_id_has_exactly_one_spelling() {
        let id = "3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b";
        assert!(ConversationId::parse(id).is_some());
        for other in [
            "",
            &format!(" {id}"),
            &format!("{{{id}}}"),
            &id.replace('-', ""),
            &id.replace('b', "g"),
        ] {
            assert_eq!(ConversationId::parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_request_id_is_short_visible_ascii() {
        assert!(RequestId::parse("q-1").is_some());
        for refused in [
            "",
            "a b",
            "a\nb",
            "é",
            &"x".repeat(REQUEST_ID_BYTES_MAX + 1),
        ] {
            assert_eq!(RequestId::parse(refused), None, "{refused:?}");
        }
    }
}
