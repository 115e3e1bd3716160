//! One-time tickets: browsers cannot put a header on a socket's handshake, and what stands in an address ends up in the logs
//! of every proxy. So a page asks for a ticket over REST, and a ticket that somebody finds in a log has been used already.
//!
//! Kept in Redis where there is one, so that any instance takes it; only hashes are kept, so that whoever reads Redis has none.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fred::interfaces::KeysInterface;
use fred::types::{Expiration, SetOptions};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use super::error::TicketError;
use crate::domain::principal::Principal;
use crate::redis::{Keys, RedisConnection};

/// How long a ticket waits to be used, in seconds: for one request after another, on a slow line.
pub const TICKET_SECONDS: u32 = 30;

/// Tickets that wait in memory; about 300 bytes each. A thousand pages a second fill this.
const WAITING_MAX: usize = 30_000;

/// Random bytes of a ticket.
const TICKET_BYTES: usize = 32;

/// The tickets that wait to be used.
pub struct Tickets {
    place: Place,
}

enum Place {
    Memory(Mutex<HashMap<String, (Principal, Instant)>>),
    Redis(RedisConnection, Keys),
}

impl Tickets {
    /// In Redis where there is a connection, else in this process.
    #[must_use]
    pub fn new(redis: Option<RedisConnection>, redis_prefix: &str) -> Self {
        let place = match redis {
            Some(redis) => Place::Redis(redis, Keys::new(redis_prefix)),
            None => Place::Memory(Mutex::default()),
        };
        Self { place }
    }

    /// A new ticket for `principal`, good once within [`TICKET_SECONDS`].
    ///
    /// # Errors
    /// It cannot be kept.
    pub async fn issue(&self, principal: &Principal) -> Result<SecretString, TicketError> {
        let mut bytes = [0; TICKET_BYTES];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| TicketError::NoRandomness)?;
        let ticket = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
        let hash = hash(&ticket);
        match &self.place {
            Place::Memory(waiting) => {
                let now = Instant::now();
                let mut waiting = lock(waiting);
                if waiting.len() >= WAITING_MAX {
                    waiting.retain(|_, (_, ends_at)| *ends_at > now);
                }
                if waiting.len() >= WAITING_MAX {
                    return Err(TicketError::TooMany);
                }
                let ends_at = now + Duration::from_secs(TICKET_SECONDS.into());
                waiting.insert(hash, (principal.clone(), ends_at));
            }
            Place::Redis(redis, keys) => {
                let (key, owner) = (keys.ticket(&hash), principal.to_string());
                let expiration = Some(Expiration::EX(TICKET_SECONDS.into()));
                let options = Some(SetOptions::NX);
                let () = redis
                    .call(|client| async move {
                        client.set(key, owner, expiration, options, false).await
                    })
                    .await
                    .map_err(|source| TicketError::Unavailable { source })?;
            }
        }
        Ok(ticket)
    }

    /// Whose ticket this is; it is none any more then. `None` where it is none, was used, or is too old.
    ///
    /// # Errors
    /// Redis cannot be asked. The ticket may have been used up.
    pub async fn redeem(&self, ticket: &SecretString) -> Result<Option<Principal>, TicketError> {
        let hash = hash(ticket);
        match &self.place {
            Place::Memory(waiting) => {
                let found = lock(waiting).remove(&hash);
                let in_time = found.filter(|(_, ends_at)| *ends_at > Instant::now());
                Ok(in_time.map(|(principal, _)| principal))
            }
            Place::Redis(redis, keys) => {
                let key = keys.ticket(&hash);
                let owner: Option<String> = redis
                    .call(|client| async move { client.getdel(key).await })
                    .await
                    .map_err(|source| TicketError::Unavailable { source })?;
                Ok(owner.map(Principal::from_text))
            }
        }
    }
}

/// Nothing in the map can be half-changed, so a poisoned lock is still sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash(ticket: &SecretString) -> String {
    let hash = digest::digest(&digest::SHA256, ticket.expose_secret().as_bytes());
    URL_SAFE_NO_PAD.encode(hash)
}
