//! Anthropic's Messages API: requests and stream events. Knows no HTTP beyond the names of headers.

use std::collections::VecDeque;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::dialect::{
    Credential, Decoder, Dialect, Progress, ProviderSettings, StreamFault, parse_event, words,
};
use super::{FinishReason, LlmDelta, LlmRequest, LlmRole};
use crate::domain::usage::TokenUsage;

/// The Messages API in one version.
pub(super) struct Anthropic {
    /// Value of the `anthropic-version` header; never inherited, since versions change what a field means.
    pub(super) version: HeaderValue,
}

impl Dialect for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn settings(&self) -> ProviderSettings {
        ProviderSettings {
            key: "ANTHROPIC_API_KEY",
            model: "ANTHROPIC_MODEL",
            base_url: "ANTHROPIC_BASE_URL",
            version_required: true,
        }
    }

    fn call_path(&self) -> &'static str {
        "messages"
    }

    fn headers(&self, key: Option<&Credential>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(
            HeaderName::from_static("anthropic-version"),
            self.version.clone(),
        );
        if let Some(key) = key {
            headers.insert(HeaderName::from_static("x-api-key"), key.plain.clone());
        }
        headers
    }

    /// No sampling parameters: every current model refuses them. No thinking parameter either: the models differ in which they accept, and
    /// each does well without.
    fn body(&self, model: &str, request: &LlmRequest) -> Value {
        // What the model said last ends what the next request repeats: everything up to there is worth a second entry in
        // the cache. An entry is found from up to 20 blocks further on, and a turn adds two.
        let said_last = request
            .messages
            .iter()
            .rposition(|message| message.role == LlmRole::Assistant);
        let messages: Vec<Value> = request
            .messages
            .iter()
            .enumerate()
            .map(|(at, message)| {
                let role = match message.role {
                    LlmRole::User => "user",
                    LlmRole::Assistant => "assistant",
                };
                let content = match said_last == Some(at) {
                    true => json!([text_until_mark(&message.text)]),
                    false => json!(message.text),
                };
                json!({"role": role, "content": content})
            })
            .collect();
        let mut body = json!({
            "model": model,
            "max_tokens": request.output_tokens_max,
            "stream": true,
        });
        // An empty text block is refused.
        if !request.system.is_empty() {
            // Instructions and schema are the same for every turn; everything after the mark is not.
            body["system"] = json!([text_until_mark(&request.system)]);
        }
        body["messages"] = Value::Array(messages);
        body
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::<MessageDecoder>::default()
    }
}

/// A block of text up to whose end the request is to be kept in the provider's cache.
fn text_until_mark(text: &str) -> Value {
    json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}})
}

/// One reply: `message_start`, blocks, `message_delta`, `message_stop`.
#[derive(Default)]
pub(super) struct MessageDecoder {
    counters: Counters,
    finish: FinishSeen,
}

/// Counters as the API names them. Later values overwrite earlier ones, and those that are missing stay.
#[derive(Default)]
struct Counters {
    input: Option<u64>,
    cache_creation: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
}

#[derive(Default)]
struct FinishSeen {
    stop_reason: Option<String>,
    explanation: Option<String>,
    stopped: bool,
}

impl Decoder for MessageDecoder {
    fn decode(
        &mut self,
        data: &str,
        deltas: &mut VecDeque<LlmDelta>,
    ) -> Result<Progress, StreamFault> {
        let event = parse_event(data)?;
        Ok(match event["type"].as_str() {
            Some("message_start") => {
                deltas.push_back(self.counters.update(&event["message"]["usage"]));
                Progress::Waiting
            }
            Some("content_block_start") => {
                let block = &event["content_block"];
                if block["type"] == "text" {
                    push_text(&block["text"], deltas);
                }
                Progress::Writing
            }
            Some("content_block_delta") => {
                let delta = &event["delta"];
                if delta["type"] == "text_delta" {
                    push_text(&delta["text"], deltas);
                }
                Progress::Writing
            }
            Some("message_delta") => {
                let delta = &event["delta"];
                if let Some(reason) = words(&delta["stop_reason"]) {
                    self.finish.stop_reason = Some(reason.to_owned());
                }
                if let Some(explanation) = words(&delta["stop_details"]["explanation"]) {
                    self.finish.explanation = Some(explanation.to_owned());
                }
                deltas.push_back(self.counters.update(&event["usage"]));
                Progress::Writing
            }
            Some("message_stop") => {
                self.finish.stopped = true;
                Progress::Complete
            }
            // `ping`, `content_block_stop`, and whatever comes with the next version.
            Some(_) | None => Progress::Waiting,
        })
    }

    fn finish_reason(&mut self) -> Option<FinishReason> {
        if !self.finish.stopped {
            return None;
        }
        Some(match self.finish.stop_reason.as_deref() {
            // A full context cuts the text just as the cap does.
            Some("max_tokens" | "model_context_window_exceeded") => FinishReason::TokensMax,
            Some("refusal") => FinishReason::Refused(self.finish.explanation.take()),
            // `end_turn`, `stop_sequence`; reasons that belong to tools, which no request offers; and those of a later version.
            Some(_) | None => FinishReason::Complete,
        })
    }
}

impl Counters {
    fn update(&mut self, usage: &Value) -> LlmDelta {
        let read =
            |name: &str, counter: &mut Option<u64>| *counter = usage[name].as_u64().or(*counter);
        read("input_tokens", &mut self.input);
        read("cache_creation_input_tokens", &mut self.cache_creation);
        read("cache_read_input_tokens", &mut self.cache_read);
        read("output_tokens", &mut self.output);
        // `input_tokens` leaves out what was written to the cache or read from it.
        let cache = self
            .cache_creation
            .unwrap_or(0)
            .saturating_add(self.cache_read.unwrap_or(0));
        LlmDelta::Usage(TokenUsage {
            calls: 1,
            input_tokens: self.input.map(|input| input.saturating_add(cache)),
            cached_tokens: self.cache_read,
            output_tokens: self.output,
        })
    }
}

fn push_text(text: &Value, deltas: &mut VecDeque<LlmDelta>) {
    if let Some(text) = words(text) {
        deltas.push_back(LlmDelta::Text(text.to_owned()));
    }
}
