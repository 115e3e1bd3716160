//! API keys: made at random here, kept as hashes in the settings.
//!
//! The hash is SHA-256 and not a slow one such as Argon2: a slow hash makes up for secrets that can be guessed, and these
//! have 256 random bits. It would only let whoever sends rubbish keep the server busy.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::config::ApiKeyEntry;
use crate::domain::principal::Principal;

/// In front of every key, so that scanners for leaked secrets and people know what they see.
const PREFIX: &str = "dbchat_";

/// The keys that are let in.
pub(super) struct ApiKeys {
    entries: Vec<(Principal, [u8; 32])>,
}

impl ApiKeys {
    pub(super) fn new(entries: &[ApiKeyEntry]) -> Self {
        let entries = entries.iter();
        Self {
            entries: entries
                .map(|entry| (Principal::proved("key", &entry.name), entry.sha256))
                .collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whose key this is. Takes as long whichever it is, and whether or not it is one.
    pub(super) fn find(&self, key: &SecretString) -> Option<Principal> {
        let hash = digest::digest(&digest::SHA256, key.expose_secret().as_bytes());
        let mut found = None;
        for (principal, expected) in &self.entries {
            if bool::from(hash.as_ref().ct_eq(expected)) {
                found = Some(principal);
            }
        }
        found.cloned()
    }
}

/// A key that was just made: the only moment in which it can be seen.
pub struct NewApiKey {
    /// For the client.
    pub key: SecretString,
    /// For `DB_CHAT_API_KEYS`: `name:sha256`.
    pub entry: String,
}

impl NewApiKey {
    /// Makes a key of 256 random bits for `name`; `None` where the system has no random numbers.
    #[must_use]
    pub fn random(name: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).ok()?;
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let hash = digest::digest(&digest::SHA256, key.as_bytes());
        let mut entry = format!("{name}:");
        for byte in hash.as_ref() {
            // Writing into a text cannot fail.
            let _ = write!(entry, "{byte:02x}");
        }
        Some(Self {
            key: key.into(),
            entry,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_let_in_under_its_name_and_nothing_like_it_is() {
        let [ada, grace] = ["ada", "grace"].map(|name| NewApiKey::random(name).unwrap());
        let keys = ApiKeys::new(&[&ada, &grace].map(|new| ApiKeyEntry::parse(&new.entry).unwrap()));
        assert_eq!(
            keys.find(&grace.key),
            Some(Principal::proved("key", "grace"))
        );
        let text = ada.key.expose_secret();
        for other in [
            "".to_owned(),
            text.to_uppercase(),
            format!("{text} "),
            text[..text.len() - 1].to_owned(),
            ada.entry.clone(),
            ada.entry["ada:".len()..].to_owned(),
        ] {
            assert_eq!(keys.find(&other.into()), None);
        }
    }
}
