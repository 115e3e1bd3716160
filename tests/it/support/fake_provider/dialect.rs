//! The real wire protocols, from the provider's side.

use serde_json::{Value, json};

use super::reply::{Event, Stop};
use super::responses::ResponseWriter;

/// The counters that every complete reply reports, in tokens.
pub(crate) struct FakeUsage {
    /// Read by the model, cached ones included.
    pub(crate) input: u64,
    /// Of these, from the cache.
    pub(crate) cached: u64,
    /// Of these, written to the cache (Anthropic).
    cache_written: u64,
    /// Written by the model.
    pub(crate) output: u64,
}

/// What every complete reply reports.
pub(crate) const USAGE: FakeUsage = FakeUsage {
    input: 1_130,
    cached: 1_024,
    cache_written: 6,
    output: 34,
};

/// Writes one reply.
pub(super) enum Writer {
    Anthropic(MessageWriter),
    Chat,
    Responses(ResponseWriter),
}

/// Anthropic's stream: blocks are opened and closed, and counted.
#[derive(Default)]
pub(super) struct MessageWriter {
    block: Option<&'static str>,
    index: usize,
}

impl Writer {
    /// The dialect that belongs to a path; `None` for a path that no provider has.
    pub(super) fn for_path(path: &str) -> Option<Self> {
        let path = path.split('?').next().unwrap_or(path);
        if path.ends_with("/v1/messages") {
            return Some(Self::Anthropic(MessageWriter::default()));
        }
        if path.ends_with("/responses") {
            return Some(Self::Responses(ResponseWriter::default()));
        }
        path.ends_with("/chat/completions").then_some(Self::Chat)
    }

    /// An event as lines that end in `\n`, blank lines included.
    pub(super) fn event(&mut self, event: &Event) -> String {
        match (self, event) {
            (_, Event::Comment) => ": keep-alive\n\n".to_owned(),
            (Self::Anthropic(writer), event) => writer.event(event),
            (Self::Chat, event) => chat(event),
            (Self::Responses(writer), event) => writer.event(event),
        }
    }

    /// The body of an error answer.
    pub(super) fn error_body(&self, kind: &str) -> String {
        match self {
            Self::Anthropic(_) => json!({
                "type": "error",
                "error": {"type": kind, "message": "no, in words"},
                "request_id": "req_1",
            }),
            Self::Chat | Self::Responses(_) => json!({
                "error": {"message": "no, in words", "type": kind, "param": null, "code": kind},
            }),
        }
        .to_string()
    }
}

impl MessageWriter {
    fn event(&mut self, event: &Event) -> String {
        match event {
            Event::Begin => named(&json!({
                "type": "message_start",
                "message": {
                    "id": "msg_1", "type": "message", "role": "assistant", "model": "model-1", "content": [],
                    "stop_reason": null, "stop_sequence": null,
                    "usage": {
                        "input_tokens": USAGE.input - USAGE.cached - USAGE.cache_written,
                        "cache_creation_input_tokens": USAGE.cache_written,
                        "cache_read_input_tokens": USAGE.cached,
                        "output_tokens": 1,
                    },
                },
            })),
            Event::Text(text) => self.delta(
                "text",
                json!({"type": "text", "text": ""}),
                json!({"type": "text_delta", "text": text}),
            ),
            Event::Thinking(text) => self.delta(
                "thinking",
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                json!({"type": "thinking_delta", "thinking": text}),
            ),
            Event::Ping => named(&json!({"type": "ping"})),
            Event::Comment => String::new(),
            Event::Unknown => named(
                &json!({"type": "content_block_reconsidered", "index": 7, "delta": {"text": "?"}}),
            ),
            Event::Finish(stop) => {
                let (reason, details) = match stop {
                    Stop::Complete => ("end_turn", Value::Null),
                    Stop::TokensMax => ("max_tokens", Value::Null),
                    Stop::Refusal(words) => (
                        "refusal",
                        json!({"type": "refusal", "category": "cyber", "explanation": words}),
                    ),
                };
                let end = named(&json!({
                    "type": "message_delta",
                    "delta": {"stop_reason": reason, "stop_sequence": null, "stop_details": details},
                    "usage": {"output_tokens": USAGE.output},
                }));
                self.close_block() + &end + &named(&json!({"type": "message_stop"}))
            }
            Event::Error { kind } => named(&json!({
                "type": "error",
                "error": {"type": kind, "message": "no, in words"},
                "request_id": "req_1",
            })),
        }
    }

    fn delta(&mut self, kind: &'static str, block: Value, delta: Value) -> String {
        let mut events = String::new();
        if self.block != Some(kind) {
            events += &self.close_block();
            events += &named(
                &json!({"type": "content_block_start", "index": self.index, "content_block": block}),
            );
            self.block = Some(kind);
        }
        events
            + &named(&json!({"type": "content_block_delta", "index": self.index, "delta": delta}))
    }

    fn close_block(&mut self) -> String {
        let Some(kind) = self.block.take() else {
            return String::new();
        };
        let mut events = String::new();
        if kind == "thinking" {
            let delta = json!({"type": "signature_delta", "signature": "c2lnbmVk"});
            events += &named(
                &json!({"type": "content_block_delta", "index": self.index, "delta": delta}),
            );
        }
        events += &named(&json!({"type": "content_block_stop", "index": self.index}));
        self.index += 1;
        events
    }
}

/// An event with its name, as Chat Completions has none.
pub(super) fn named(event: &Value) -> String {
    format!(
        "event: {}\ndata: {event}\n\n",
        event["type"].as_str().unwrap()
    )
}

fn chat(event: &Event) -> String {
    match event {
        Event::Begin => choice(json!({"role": "assistant", "content": ""}), None),
        Event::Text(text) => choice(json!({"content": text}), None),
        Event::Thinking(text) => choice(json!({"reasoning_content": text}), None),
        Event::Ping | Event::Comment => ": ping\n\n".to_owned(),
        Event::Unknown => chunk(&json!({"object": "chat.completion.reconsidered", "choices": []})),
        Event::Finish(stop) => {
            let (refusal, reason) = match stop {
                Stop::Complete => (String::new(), "stop"),
                Stop::TokensMax => (String::new(), "length"),
                Stop::Refusal(words) => (choice(json!({"refusal": words}), None), "stop"),
            };
            let counters = chunk(&json!({
                "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "model-1", "choices": [],
                "usage": {
                    "prompt_tokens": USAGE.input,
                    "completion_tokens": USAGE.output,
                    "total_tokens": USAGE.input + USAGE.output,
                    "prompt_tokens_details": {"cached_tokens": USAGE.cached},
                },
            }));
            refusal + &choice(json!({}), Some(reason)) + &counters + "data: [DONE]\n\n"
        }
        Event::Error { kind } => chunk(&json!({
            "error": {"message": "no, in words", "type": kind, "param": null, "code": null},
        })),
    }
}

fn choice(delta: Value, finish_reason: Option<&str>) -> String {
    chunk(&json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "model-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": null}],
        "usage": null,
    }))
}

fn chunk(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}
