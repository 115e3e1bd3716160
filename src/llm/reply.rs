//! One reply on its way: a body and a decoder in, deltas out, each wait with its deadline. Knows no dialect and no retry.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::dialect::{Decoder, Progress, StreamFault};
use super::endpoint::KeyMask;
use super::error::LlmError;
use super::sse::{self, SseBounds, SseError};
use super::{LlmDelta, LlmStream, error_answer};
use crate::domain::usage::TokenUsage;

/// How much larger than a reply's text one event may be: the largest honest one repeats the whole text, in which JSON may escape a
/// character of two bytes with six, …
const EVENT_BYTES_PER_REPLY_BYTE: usize = 4;

/// … and the request's instructions, settings and identifiers beside it.
const EVENT_BYTES_BESIDE: usize = 1 << 20;

/// How much larger a body may be than its text: a token of four bytes comes in a frame of some 200, and thinking comes unseen.
const BODY_BYTES_PER_REPLY_BYTE: usize = 64;

/// How long to wait for counters after the terminal mark: they come in the same breath or not at all.
const COUNTERS_TIMEOUT: Duration = Duration::from_secs(1);

/// The bounds on one reply.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReplyBounds {
    /// When the reply has to have begun.
    pub(super) first_token: Deadline,
    /// When it has to be complete.
    pub(super) total: Deadline,
    /// Longest time without any byte, once the model is at work.
    pub(super) idle_timeout: Duration,
    /// Bytes of its text.
    pub(super) reply_bytes_max: usize,
}

/// A point in time, with the timeout that it comes from, for the error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    /// The point in time.
    pub(super) at: Instant,
    /// The timeout.
    pub(super) after: Duration,
    /// What is to have happened by then.
    pub(super) awaited: &'static str,
}

impl Deadline {
    /// A deadline from now on.
    pub(super) fn new(after: Duration, awaited: &'static str) -> Self {
        Self {
            at: Instant::now() + after,
            after,
            awaited,
        }
    }

    /// The earlier of two.
    pub(super) fn min(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// The error of having missed it.
    pub(super) fn missed(self, provider: &'static str) -> LlmError {
        LlmError::Timeout {
            provider,
            awaited: self.awaited,
            after: self.after,
        }
    }
}

/// A reply that broke off.
pub(super) struct BrokenReply {
    /// What happened.
    pub(super) error: LlmError,
    /// Whether the provider's own words, or the broken connection, mean that the same request may succeed in a moment.
    pub(super) transient: bool,
}

/// One reply. Dropping it closes the provider's connection.
pub(super) struct Reply {
    provider: &'static str,
    mask: Arc<KeyMask>,
    /// `None` once the reply has ended: the connection is closed by then, whoever still holds the reply.
    events: Option<BoxStream<'static, Result<String, SseError>>>,
    decoder: Box<dyn Decoder>,
    /// Decoded, not handed out yet.
    ready: VecDeque<LlmDelta>,
    /// What must come next, and by when.
    deadline: Deadline,
    bounds: ReplyBounds,
    idle_timeout: watch::Sender<Duration>,
    text_bytes: usize,
    begun: bool,
    /// After the terminal mark only counters are waited for, and nothing is an error any more.
    ended: bool,
}

impl Reply {
    /// Takes the body of an accepted call.
    pub(super) fn new<S>(
        provider: &'static str,
        mask: Arc<KeyMask>,
        body: S,
        decoder: Box<dyn Decoder>,
        bounds: ReplyBounds,
    ) -> Self
    where
        S: Stream<Item = reqwest::Result<Bytes>> + Send + Unpin + 'static,
    {
        // Until the reply begins, the deadline of the first token is the only one: a model may think in silence.
        let idle_timeout = watch::Sender::new(bounds.total.after);
        let sse_bounds = SseBounds {
            event_bytes_max: bounds
                .reply_bytes_max
                .saturating_mul(EVENT_BYTES_PER_REPLY_BYTE)
                .saturating_add(EVENT_BYTES_BESIDE),
            body_bytes_max: bounds
                .reply_bytes_max
                .saturating_mul(BODY_BYTES_PER_REPLY_BYTE),
            idle_timeout: idle_timeout.subscribe(),
        };
        // A network error may name the URL, which may hold a password.
        let body = body.map(|bytes| bytes.map_err(reqwest::Error::without_url));
        Self {
            provider,
            mask,
            events: Some(sse::events(body, sse_bounds)),
            decoder,
            ready: VecDeque::new(),
            deadline: bounds.first_token.min(bounds.total),
            bounds,
            idle_timeout,
            text_bytes: 0,
            begun: false,
            ended: false,
        }
    }

    /// Waits until the model is at work: until then another try costs nothing that a person has seen.
    pub(super) async fn begin(&mut self) -> Result<(), BrokenReply> {
        while !self.begun {
            self.read_event().await?;
        }
        Ok(())
    }

    /// The deltas. `calls` is how many tries it took, this one included.
    pub(super) fn into_stream(self, calls: u32) -> LlmStream {
        stream::try_unfold(self, move |mut reply| async move {
            let delta = reply.next_delta().await?;
            Ok(delta.map(|delta| (count_calls(delta, calls), reply)))
        })
        .boxed()
    }

    async fn next_delta(&mut self) -> Result<Option<LlmDelta>, LlmError> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Ok(Some(delta));
            }
            if self.events.is_none() {
                return Ok(None);
            }
            self.read_event().await.map_err(|broken| broken.error)?;
        }
    }

    /// Reads one event, or the end of the body.
    async fn read_event(&mut self) -> Result<(), BrokenReply> {
        let Some(events) = self.events.as_mut() else {
            return Ok(());
        };
        let event = timeout_at(self.deadline.at, events.next()).await;
        if self.ended && !matches!(event, Ok(Some(Ok(_)))) {
            self.finish();
            return Ok(());
        }
        let data = match event {
            Ok(Some(Ok(data))) => data,
            Ok(Some(Err(SseError::Idle))) => {
                let idle = Deadline::new(self.bounds.idle_timeout, "next token");
                return Err(lasting(idle.missed(self.provider)));
            }
            Ok(Some(Err(error @ SseError::Broken(_)))) => {
                return Err(self.interrupted(error.to_string(), true));
            }
            Ok(Some(Err(
                error @ (SseError::TooLarge { .. } | SseError::NotUtf8 | SseError::Malformed),
            ))) => {
                return Err(self.interrupted(error.to_string(), false));
            }
            Ok(None) => {
                let problem = "the body ended without the mark that ends a reply";
                return Err(self.interrupted(problem.to_owned(), true));
            }
            Err(_) => return Err(lasting(self.deadline.missed(self.provider))),
        };
        self.decode(&data)
    }

    fn decode(&mut self, data: &str) -> Result<(), BrokenReply> {
        let known = self.ready.len();
        let progress = match self.decoder.decode(data, &mut self.ready) {
            Ok(progress) => progress,
            // The reply was complete; what is wrong after it is nobody's concern.
            Err(_) if self.ended => Progress::Complete,
            Err(StreamFault::Unreadable) => {
                return Err(self.interrupted("an event is not JSON".to_owned(), false));
            }
            Err(StreamFault::Reported(error)) => {
                let answer = error_answer::read(200, &self.mask.apply(&error));
                tracing::debug!(
                    provider = self.provider,
                    message = answer.message,
                    "an error in a provider's stream"
                );
                return Err(BrokenReply {
                    error: LlmError::Answered {
                        provider: self.provider,
                        kind: answer.kind,
                        status: 200,
                        message: answer.codes,
                        // Only a head could say so, and it was sent before the fault.
                        retry_after: None,
                    },
                    transient: answer.transient,
                });
            }
        };
        let text_bytes: usize = self.ready.iter().skip(known).map(text_bytes).sum();
        self.text_bytes = self.text_bytes.saturating_add(text_bytes);
        if self.text_bytes > self.bounds.reply_bytes_max {
            let problem = format!(
                "its text is larger than {} bytes",
                self.bounds.reply_bytes_max
            );
            return Err(self.interrupted(problem, false));
        }
        match progress {
            Progress::Waiting => {}
            Progress::Writing => self.mark_begun(),
            Progress::Ended => {
                self.mark_begun();
                if !self.ended {
                    self.ended = true;
                    self.deadline =
                        Deadline::new(COUNTERS_TIMEOUT, "counters").min(self.bounds.total);
                }
            }
            Progress::Complete => {
                self.mark_begun();
                if !self.finish() {
                    let problem =
                        "the provider said that it was done before it had ended the reply";
                    return Err(self.interrupted(problem.to_owned(), true));
                }
            }
        }
        Ok(())
    }

    fn mark_begun(&mut self) {
        if !self.begun {
            self.begun = true;
            self.deadline = self.bounds.total;
            self.idle_timeout.send_replace(self.bounds.idle_timeout);
        }
    }

    /// Closes the connection and makes the reason the last delta; false if the reply's terminal mark has not been seen.
    fn finish(&mut self) -> bool {
        self.events = None;
        let reason = self.decoder.finish_reason();
        let finished = reason.is_some();
        self.ready.extend(reason.map(LlmDelta::Finish));
        finished
    }

    fn interrupted(&self, problem: String, transient: bool) -> BrokenReply {
        BrokenReply {
            error: LlmError::Interrupted {
                provider: self.provider,
                problem,
            },
            transient,
        }
    }
}

/// A failure that another try would not mend, or would bill a second time: the provider is at work on this one.
fn lasting(error: LlmError) -> BrokenReply {
    BrokenReply {
        error,
        transient: false,
    }
}

fn text_bytes(delta: &LlmDelta) -> usize {
    match delta {
        LlmDelta::Text(text) => text.len(),
        LlmDelta::Usage(_) | LlmDelta::Finish(_) => 0,
    }
}

fn count_calls(delta: LlmDelta, calls: u32) -> LlmDelta {
    match delta {
        LlmDelta::Usage(usage) => LlmDelta::Usage(TokenUsage { calls, ..usage }),
        LlmDelta::Text(_) | LlmDelta::Finish(_) => delta,
    }
}

#[cfg(test)]
mod tests {
    use super::super::anthropic::MessageDecoder;
    use super::*;

    const FIRST_WORDS: &str = "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Well\"}}\n\n";

    /// A reply that begins with some words and goes on with a byte a second, for ever.
    fn dripping(first: &'static str) -> Reply {
        let rest = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Bytes::from_static(b"x")), ()))
        });
        let body = stream::iter([Ok(Bytes::from_static(first.as_bytes()))]).chain(rest);
        let bounds = ReplyBounds {
            first_token: Deadline::new(Duration::from_secs(30), "first token"),
            total: Deadline::new(Duration::from_secs(120), "complete reply"),
            idle_timeout: Duration::from_secs(10),
            reply_bytes_max: 1 << 20,
        };
        let mask = Arc::new(KeyMask::new(None));
        Reply::new(
            "p",
            mask,
            Box::pin(body),
            Box::<MessageDecoder>::default(),
            bounds,
        )
    }

    fn timeout_of(error: &LlmError) -> (&'static str, u64) {
        let LlmError::Timeout { awaited, after, .. } = error else {
            panic!("{error:?}");
        };
        (awaited, after.as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_a_second_is_no_first_token() {
        let started = Instant::now();
        let broken = dripping("").begin().await.err().unwrap();
        assert_eq!(timeout_of(&broken.error), ("first token", 30));
        assert!(!broken.transient);
        assert_eq!(started.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_a_second_keeps_a_reply_alive_up_to_its_deadline_and_no_longer() {
        let started = Instant::now();
        let mut reply = dripping(FIRST_WORDS);
        reply.begin().await.ok().unwrap();
        assert_eq!(started.elapsed().as_secs(), 0);
        let deltas: Vec<_> = reply.into_stream(1).collect().await;
        assert!(matches!(&deltas[0], Ok(LlmDelta::Text(text)) if text == "Well"));
        assert_eq!(
            timeout_of(deltas[1].as_ref().unwrap_err()),
            ("complete reply", 120)
        );
        assert_eq!(deltas.len(), 2);
        assert_eq!(started.elapsed().as_secs(), 120);
    }
}
