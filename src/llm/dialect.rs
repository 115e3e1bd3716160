//! What tells one provider's HTTP API from another's: pure translation, with no IO, no clock and no retry.
//!
//! A provider that speaks HTTP and server-sent events is one file with these two traits; `provider`
//! does the rest. No condition on a vendor's name belongs here or below: what differs between servers of one dialect is a setting or is understood from
//! the answer.

use std::collections::VecDeque;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::{FinishReason, LlmDelta, LlmRequest};

/// One API: where calls go, what they say and how the replies are read.
pub(super) trait Dialect: Send + Sync + 'static {
    /// The provider's short name, for logs and errors.
    fn name(&self) -> &'static str;

    /// The names of its settings, for errors, and how its base URL is read.
    fn settings(&self) -> ProviderSettings;

    /// The path of calls below the version, e.g. `chat/completions`.
    fn call_path(&self) -> &'static str;

    /// Headers of every request. The values that hold the key are marked as sensitive.
    fn headers(&self, key: Option<&Credential>) -> HeaderMap;

    /// The body of a call.
    fn body(&self, model: &str, request: &LlmRequest) -> Value;

    /// Reads one reply.
    fn decoder(&self) -> Box<dyn Decoder>;
}

/// The names of a provider's settings, and how its base URL is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProviderSettings {
    /// The setting of the key.
    pub(super) key: &'static str,
    /// The setting of the model.
    pub(super) model: &'static str,
    /// The setting of the base URL.
    pub(super) base_url: &'static str,
    /// Whether a base URL without `/v1` gets one; else only an empty path does.
    pub(super) version_required: bool,
}

/// A key in the two forms in which APIs take it, both marked as sensitive so that no log shows them.
pub(super) struct Credential {
    /// The key alone.
    pub(super) plain: HeaderValue,
    /// `Bearer KEY`.
    pub(super) bearer: HeaderValue,
}

/// Reads the events of one reply.
pub(super) trait Decoder: Send {
    /// Reads the data of one event and appends what it says to `deltas`. Events and fields that it does not know are passed over.
    ///
    /// # Errors
    /// The event reports an error, or cannot be read.
    fn decode(
        &mut self,
        data: &str,
        deltas: &mut VecDeque<LlmDelta>,
    ) -> Result<Progress, StreamFault>;

    /// Why the reply ended; `None` as long as its terminal mark has not been seen.
    fn finish_reason(&mut self) -> Option<FinishReason>;
}

/// How far a reply has come with one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing of the reply itself: a ping, a preamble, something unknown.
    Waiting,
    /// The model is at work: words, or thinking that nobody is shown.
    Writing,
    /// The terminal mark has been seen; counters may still follow.
    Ended,
    /// Nothing more will come.
    Complete,
}

/// An event that ends a reply before its time.
#[derive(Debug)]
pub(super) enum StreamFault {
    /// The provider reports an error: the event, or what it means, in the shape of an error answer.
    Reported(String),
    /// The event cannot be read.
    Unreadable,
}

/// Parses the data of an event, and finds an error that it reports, whatever else it says.
pub(super) fn parse_event(data: &str) -> Result<Value, StreamFault> {
    let value: Value = serde_json::from_str(data).map_err(|_| StreamFault::Unreadable)?;
    // Gemini's endpoint wraps an error into an array.
    let item = value.get(0).unwrap_or(&value);
    let reported = item
        .get("error")
        .is_some_and(super::error_answer::is_reported)
        || item["object"] == "error"
        || item["type"] == "error";
    if reported {
        return Err(StreamFault::Reported(data.to_owned()));
    }
    Ok(value)
}

/// The words with which a model declines: collected, since they come in pieces, and bounded.
#[derive(Debug, Default)]
pub(super) struct RefusalWords {
    text: Option<String>,
}

impl RefusalWords {
    /// Unicode scalar values kept.
    const CHARS_MAX: usize = 2_000;

    /// Takes another piece.
    pub(super) fn push(&mut self, piece: &str) {
        let text = self.text.get_or_insert_default();
        let room = Self::CHARS_MAX.saturating_sub(text.chars().count());
        text.extend(piece.chars().take(room));
    }

    /// All of them; `None` if the model has not declined.
    pub(super) fn take(&mut self) -> Option<String> {
        self.text.take()
    }
}

/// The text of a field that is there and not empty.
pub(super) fn words(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}
