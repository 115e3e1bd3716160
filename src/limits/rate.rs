//! So many a minute: a whole minute's worth may come at once, then one as each becomes free again (the generic cell rate
//! algorithm, which needs one number a subject and lets nobody double their share at the turn of a minute).
//!
//! With Redis the count is one over all instances. When Redis is away nothing is let through: conversations and tickets live
//! there too, so no question could be answered anyway, and counting on in each instance would let through as many times too
//! many as there are instances, at the very moment when something is overloaded.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fred::types::Value;

use super::subject::subject;
use crate::config::Limits;
use crate::domain::principal::Principal;
use crate::redis::{Keys, RedisConnection};

const RATE: &str = include_str!("rate.lua");

const MINUTE: Duration = Duration::from_secs(60);

/// Subjects in memory between two clean-ups.
const SUBJECTS_MAX: usize = 10_000;

/// Counts one kind of thing that somebody wants.
pub struct MinuteRate {
    /// Tells the kind in Redis.
    kind: &'static str,
    per_minute_max: u32,
    place: Place,
}

enum Place {
    /// For each subject, when its allowance will be whole again.
    Memory(Mutex<HashMap<Principal, Instant>>),
    Redis(RedisConnection, Keys),
}

/// Something that may not be had now.
#[derive(Debug, thiserror::Error)]
pub enum RateError {
    /// Too many came before it.
    #[error("too many in a minute")]
    Exceeded {
        /// After this long one more is allowed.
        retry_after: Duration,
    },
    /// Redis cannot be asked.
    #[error("nothing can be counted in Redis")]
    Unavailable {
        /// The driver's own words.
        #[source]
        source: fred::error::Error,
    },
}

impl MinuteRate {
    /// Of questions. In Redis where there is a connection, else in this process.
    #[must_use]
    pub fn of_questions(
        limits: &Limits,
        redis: Option<RedisConnection>,
        redis_prefix: &str,
    ) -> Self {
        let per_minute_max = limits.questions_per_minute_max;
        Self::new("question", per_minute_max, redis, redis_prefix)
    }

    /// Of tickets. In Redis where there is a connection, else in this process.
    #[must_use]
    pub fn of_tickets(limits: &Limits, redis: Option<RedisConnection>, redis_prefix: &str) -> Self {
        let per_minute_max = limits.tickets_per_minute_max;
        Self::new("ticket", per_minute_max, redis, redis_prefix)
    }

    fn new(
        kind: &'static str,
        per_minute_max: u32,
        redis: Option<RedisConnection>,
        redis_prefix: &str,
    ) -> Self {
        let place = match redis {
            Some(redis) => Place::Redis(redis, Keys::new(redis_prefix)),
            None => Place::Memory(Mutex::default()),
        };
        Self {
            kind,
            per_minute_max,
            place,
        }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// It may not be had now; then it is not counted.
    pub async fn admit(
        &self,
        principal: &Principal,
        address: Option<IpAddr>,
    ) -> Result<(), RateError> {
        let Some(subject) = subject(principal, address) else {
            return Ok(());
        };
        let wait = match &self.place {
            Place::Memory(whole_at) => self.count(whole_at, subject, Instant::now()),
            Place::Redis(redis, keys) => {
                let arguments = [
                    Value::from(self.interval().as_millis().max(1).to_string()),
                    Value::from(self.per_minute_max.to_string()),
                ];
                let wait_ms: u64 = redis
                    .run_script(RATE, [keys.rate(self.kind, &subject)], arguments)
                    .await
                    .map_err(|source| RateError::Unavailable { source })?;
                Duration::from_millis(wait_ms)
            }
        };
        if wait.is_zero() {
            return Ok(());
        }
        Err(RateError::Exceeded { retry_after: wait })
    }

    /// In which one more is allowed.
    fn interval(&self) -> Duration {
        MINUTE / self.per_minute_max.max(1)
    }

    /// What the script does, in this process.
    fn count(
        &self,
        whole_at: &Mutex<HashMap<Principal, Instant>>,
        subject: Principal,
        now: Instant,
    ) -> Duration {
        let mut whole_at = whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        if whole_at.len() >= SUBJECTS_MAX {
            // Who has a whole allowance is as good as new. At most a minute's callers stay.
            whole_at.retain(|_, whole_at| *whole_at > now);
        }
        let before = whole_at.get(&subject).copied().unwrap_or(now).max(now);
        let after = before + self.interval();
        let wait = (after - now).saturating_sub(self.interval() * self.per_minute_max);
        if wait.is_zero() {
            whole_at.insert(subject, after);
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_may_come_at_once_and_then_one_at_a_time() {
        let limits = Limits {
            questions_per_minute_max: 3,
            ..Limits::default()
        };
        let rate = MinuteRate::of_questions(&limits, None, "");
        let (counted, start) = (Mutex::default(), Instant::now());
        let ask = |name: &str, seconds: u64| {
            let now = start + Duration::from_secs(seconds);
            let subject = Principal::proved("key", name);
            rate.count(&counted, subject, now).as_secs()
        };
        assert_eq!([ask("ada", 0), ask("ada", 0), ask("ada", 0)], [0, 0, 0]);
        assert_eq!([ask("ada", 0), ask("ada", 15)], [20, 5]);
        assert_eq!(ask("grace", 15), 0, "others have their own");
        assert_eq!([ask("ada", 20), ask("ada", 20)], [0, 20]);
        assert_eq!([ask("ada", 99), ask("ada", 99), ask("ada", 99)], [0, 0, 0]);
        assert_ne!(ask("ada", 99), 0, "unused minutes do not add up");
    }
}
