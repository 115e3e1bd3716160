//! When to ping, and when a silent client is taken for dead. Pure: told the time, asked what is due.

use std::time::Duration;

use tokio::time::Instant;

/// One connection's timers.
#[derive(Debug)]
pub(super) struct Heartbeat {
    ping_interval: Duration,
    silence_max: Duration,
    last_heard: Instant,
    next_ping: Instant,
}

/// What a moment calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing yet.
    Wait,
    /// Send a ping.
    Ping,
    /// The client has been silent for too long.
    Silent,
}

impl Heartbeat {
    /// Starts at `now`: first ping after `ping_interval`, dead after `silence_max` without any frame.
    pub(super) fn new(ping_interval: Duration, silence_max: Duration, now: Instant) -> Self {
        Self {
            ping_interval,
            silence_max,
            last_heard: now,
            next_ping: now + ping_interval,
        }
    }

    /// Any frame of the client counts, not only pongs.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_heard = now;
    }

    /// When [`Self::beat`] should be asked next.
    pub(super) fn next(&self) -> Instant {
        self.next_ping.min(self.last_heard + self.silence_max)
    }

    /// What is due at `now`; a ping that is due is thereby taken as sent.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if now >= self.last_heard + self.silence_max {
            Beat::Silent
        } else if now >= self.next_ping {
            self.next_ping = now + self.ping_interval;
            Beat::Ping
        } else {
            Beat::Wait
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_answers_lives_and_one_that_is_silent_dies() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut heartbeat = Heartbeat::new(Duration::from_secs(20), Duration::from_secs(60), start);
        assert_eq!(heartbeat.next(), at(20));
        assert_eq!(heartbeat.beat(at(19)), Beat::Wait);
        assert_eq!(heartbeat.beat(at(20)), Beat::Ping);
        heartbeat.heard(at(21));
        assert_eq!(heartbeat.beat(at(40)), Beat::Ping);
        assert_eq!(heartbeat.beat(at(60)), Beat::Ping);
        assert_eq!(heartbeat.beat(at(80)), Beat::Ping);
        assert_eq!(heartbeat.next(), at(81));
        assert_eq!(heartbeat.beat(at(81)), Beat::Silent);
    }
}
