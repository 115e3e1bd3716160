//! One channel that is listened to, over a connection of its own.
//!
//! Redis keeps no message for who does not listen just then, so a message is a hint and never more: what it is about is in
//! keys, which whoever listens looks at now and then anyway.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{ClientLike, EventInterface, FredResult, PubsubInterface};
use fred::types::Message;
use fred::types::config::{Options, Server};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::driver::Driver;

/// How often the channel is subscribed to again. That mends a subscription that went unnoticed, and is the only way to
/// notice a link that is dead but not closed.
const AGAIN: Duration = Duration::from_secs(5);

/// Pause after a subscription that failed.
const PAUSE: Duration = Duration::from_millis(500);

/// What is heard on a channel. At most `connection::MESSAGES_WAITING_MAX` messages wait to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(String),
    /// Messages may have been missed: the subscription is new, or too many came at once.
    Gap,
}

/// A subscription; it is kept up for as long as [`next`](Self::next) is called.
pub struct Subscription {
    driver: Driver,
    channel: String,
    timeout: Duration,
    messages: broadcast::Receiver<Message>,
    reconnects: broadcast::Receiver<Server>,
    /// When the channel is to be subscribed to, again or for the first time.
    due_at: Instant,
    is_subscribed: bool,
}

impl Subscription {
    /// Over the connection that `client` is going to have. Runs within a Tokio runtime.
    pub(super) fn new(client: Client, channel: String, timeout: Duration) -> Self {
        let (messages, reconnects) = (client.message_rx(), client.reconnect_rx());
        Self {
            driver: Driver::start(client),
            channel,
            timeout,
            messages,
            reconnects,
            due_at: Instant::now(),
            is_subscribed: false,
        }
    }

    /// Waits for the next thing heard, however long Redis is away.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub async fn next(&mut self) -> Heard {
        loop {
            tokio::select! {
                biased;
                connected = self.reconnects.recv() => {
                    if !matches!(connected, Err(RecvError::Closed)) {
                        self.is_subscribed = false;
                        self.due_at = Instant::now();
                    }
                }
                () = tokio::time::sleep_until(self.due_at) => {
                    let was_subscribed = self.is_subscribed;
                    self.subscribe().await;
                    if self.is_subscribed && !was_subscribed {
                        return Heard::Gap;
                    }
                }
                message = self.messages.recv() => match message {
                    Ok(message) => if let Some(text) = message.value.as_string() {
                        return Heard::Message(text);
                    },
                    Err(RecvError::Lagged(_)) => return Heard::Gap,
                    // The client is held here, and with it the other end.
                    Err(RecvError::Closed) => tokio::time::sleep(AGAIN).await,
                },
            }
        }
    }

    async fn subscribe(&mut self) {
        // Should this be dropped midway, it is done again soon.
        self.due_at = Instant::now() + PAUSE;
        self.driver.revive();
        let options = Options {
            timeout: Some(self.timeout),
            fail_fast: true,
            ..Options::default()
        };
        let client = self.driver.client().with_options(&options);
        let answer = client.subscribe(self.channel.as_str());
        let outcome: Result<FredResult<()>, _> = tokio::time::timeout(self.timeout, answer).await;
        self.is_subscribed = matches!(outcome, Ok(Ok(())));
        if self.is_subscribed {
            self.due_at = Instant::now() + AGAIN;
        } else {
            tracing::debug!(?outcome, "a channel of Redis cannot be listened to");
        }
    }
}
