//! One-time tickets: browsers cannot put a header on a socket's handshake, and what stands in an address ends up in the logs
//! of every proxy. So a page asks for a ticket over REST, and a ticket that somebody finds in a log has been used already.
//!
//! Kept in Redis where there is one, so that any instance takes it; only hashes are kept, so that whoever reads Redis has none.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fred::interfaces::KeysInterface;
use fred::types::{Expiration, SetOptions};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::Identity;
use super::error::TicketError;
use crate::domain::principal::Principal;
use crate::redis::{Keys, RedisConnection};

/// How long a ticket waits to be used, in seconds: for one request after another, on a slow line.
pub const TICKET_SECONDS: u32 = 30;

/// Tickets given out in the last [`TICKET_SECONDS`] that are kept in memory; about 300 bytes each. A thousand pages a second
/// fill this. In Redis the rate of each principal is what bounds them, as its other keys.
const WAITING_MAX: usize = 30_000;

/// Random bytes of a ticket.
const TICKET_BYTES: usize = 32;

/// The tickets that wait to be used.
pub struct Tickets {
    place: Place,
}

enum Place {
    Memory(Mutex<Waiting>),
    Redis(RedisConnection, Keys),
}

/// The tickets of this process.
#[derive(Default)]
struct Waiting {
    by_hash: HashMap<String, Identity>,
    /// All that were given out and are not over, used ones too, by when they are.
    by_end: VecDeque<(Instant, String)>,
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

    /// A new ticket for whoever this is, good once within [`TICKET_SECONDS`], and no longer than what proved them.
    ///
    /// # Errors
    /// It cannot be kept.
    pub async fn issue(&self, identity: &Identity) -> Result<SecretString, TicketError> {
        let mut bytes = [0; TICKET_BYTES];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| TicketError::NoRandomness)?;
        let ticket = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
        let hash = hash(&ticket);
        match &self.place {
            Place::Memory(waiting) => lock(waiting).keep(hash, identity.clone())?,
            Place::Redis(redis, keys) => {
                let (key, text) = (keys.ticket(&hash), to_text(identity));
                let expiration = Some(Expiration::EX(TICKET_SECONDS.into()));
                let options = Some(SetOptions::NX);
                let () = redis
                    .call(|client| async move {
                        client.set(key, text, expiration, options, false).await
                    })
                    .await
                    .map_err(|source| TicketError::Unavailable { source })?;
            }
        }
        Ok(ticket)
    }

    /// Whose ticket this is; it is none any more then. `None` where it is none, was used, or is too old, or what it was got
    /// with is.
    ///
    /// # Errors
    /// Redis cannot be asked. The ticket may have been used up.
    pub async fn redeem(&self, ticket: &SecretString) -> Result<Option<Identity>, TicketError> {
        let hash = hash(ticket);
        let found = match &self.place {
            Place::Memory(waiting) => lock(waiting).take(&hash),
            Place::Redis(redis, keys) => {
                let key = keys.ticket(&hash);
                let text: Option<String> = redis
                    .call(|client| async move { client.getdel(key).await })
                    .await
                    .map_err(|source| TicketError::Unavailable { source })?;
                text.and_then(|text| from_text(&text))
            }
        };
        let now = SystemTime::now();
        Ok(found.filter(|identity| identity.expires_at.is_none_or(|end| end > now)))
    }
}

impl Waiting {
    fn keep(&mut self, hash: String, identity: Identity) -> Result<(), TicketError> {
        self.forget_old();
        if self.by_end.len() >= WAITING_MAX {
            return Err(TicketError::TooMany);
        }
        let end = Instant::now() + Duration::from_secs(TICKET_SECONDS.into());
        self.by_end.push_back((end, hash.clone()));
        self.by_hash.insert(hash, identity);
        Ok(())
    }

    fn take(&mut self, hash: &str) -> Option<Identity> {
        self.forget_old();
        self.by_hash.remove(hash)
    }

    /// All live equally long, so the oldest are in front.
    fn forget_old(&mut self) {
        let now = Instant::now();
        while let Some((_, hash)) = self.by_end.pop_front_if(|(end, _)| *end <= now) {
            self.by_hash.remove(&hash);
        }
    }
}

/// When the credential ends, in milliseconds since 1970 or `-`, a colon, and the principal.
fn to_text(identity: &Identity) -> String {
    let since_1970 = identity
        .expires_at
        .map(|end| end.duration_since(SystemTime::UNIX_EPOCH));
    let end = match since_1970 {
        // Rounded down, to end no later than the credential.
        Some(since_1970) => {
            let millis = since_1970.unwrap_or_default().as_millis();
            // What lies beyond is as good as never.
            u64::try_from(millis).unwrap_or(u64::MAX).to_string()
        }
        None => "-".to_owned(),
    };
    format!("{end}:{}", identity.principal)
}

/// `None` for what [`to_text`] has not written.
fn from_text(text: &str) -> Option<Identity> {
    let (end, principal) = text.split_once(':')?;
    let expires_at = match end {
        "-" => None,
        end => {
            let since_1970 = Duration::from_millis(end.parse().ok()?);
            Some(SystemTime::UNIX_EPOCH.checked_add(since_1970)?)
        }
    };
    Some(Identity {
        principal: Principal::from_text(principal.to_owned()),
        expires_at,
    })
}

/// Nothing in the map can be half-changed, so a poisoned lock is still sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash(ticket: &SecretString) -> String {
    let hash = digest::digest(&digest::SHA256, ticket.expose_secret().as_bytes());
    URL_SAFE_NO_PAD.encode(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada(expires_at: Option<SystemTime>) -> Identity {
        Identity {
            principal: Principal::proved("jwt", "https://issuer.test/|ada: the first"),
            expires_at,
        }
    }

    fn waiting(tickets: &Tickets) -> (usize, usize) {
        match &tickets.place {
            Place::Memory(waiting) => {
                let waiting = lock(waiting);
                (waiting.by_hash.len(), waiting.by_end.len())
            }
            Place::Redis(..) => panic!("in memory"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_is_good_for_thirty_seconds_and_then_takes_no_room() {
        let tickets = Tickets::new(None, "");
        let identity = ada(None);
        let early = tickets.issue(&identity).await.unwrap();
        let late = tickets.issue(&identity).await.unwrap();
        tokio::time::advance(Duration::from_millis(29_999)).await;
        assert_eq!(tickets.redeem(&early).await.unwrap(), Some(identity));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(tickets.redeem(&late).await.unwrap(), None);
        assert_eq!(waiting(&tickets), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_kept_than_have_room_used_ones_included() {
        let tickets = Tickets::new(None, "");
        let first = tickets.issue(&ada(None)).await.unwrap();
        assert!(tickets.redeem(&first).await.unwrap().is_some());
        for _ in 1..WAITING_MAX {
            tickets.issue(&ada(None)).await.unwrap();
        }
        let refused = tickets.issue(&ada(None)).await;
        assert!(matches!(refused, Err(TicketError::TooMany)), "{refused:?}");
        tokio::time::advance(Duration::from_secs(TICKET_SECONDS.into())).await;
        tickets.issue(&ada(None)).await.unwrap();
        assert_eq!(waiting(&tickets), (1, 1), "the others are gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_ticket_is_good_no_longer_than_the_token_that_it_was_got_with() {
        let tickets = Tickets::new(None, "");
        let now = SystemTime::now();
        for (end, is_good) in [
            (now + Duration::from_secs(60), true),
            (now - Duration::from_millis(1), false),
        ] {
            let ticket = tickets.issue(&ada(Some(end))).await.unwrap();
            let found = tickets.redeem(&ticket).await.unwrap();
            assert_eq!(found, is_good.then(|| ada(Some(end))));
        }
    }

    #[test]
    fn an_end_beyond_all_counting_is_still_one() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000_000_000_000);
        let read = from_text(&to_text(&ada(Some(end)))).unwrap();
        assert!(read.expires_at.unwrap() > SystemTime::now());
    }

    #[test]
    fn what_redis_keeps_is_read_as_it_was_written() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_millis(1_764_000_000_123);
        for identity in [ada(None), ada(Some(end))] {
            assert_eq!(from_text(&to_text(&identity)), Some(identity));
        }
        for text in ["", "key:ada", "ada", ":ada", "1.5:key:ada", "-1:key:ada"] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
