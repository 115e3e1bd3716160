//! OpenAI's Responses API: requests and stream events. Knows no HTTP beyond the names of headers.
//!
//! Nothing is kept at the provider: each request brings the whole conversation, and no later one refers to it.

use std::collections::{HashSet, VecDeque};

use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::dialect::{
    Credential, Decoder, Dialect, Progress, ProviderSettings, RefusalWords, StreamFault,
    parse_event, words,
};
use super::{FinishReason, LlmDelta, LlmRequest, LlmRole, openai};
use crate::domain::usage::TokenUsage;

/// The Responses API.
pub(super) struct Responses {
    /// Whether to name the stable prefix. Some servers refuse fields that they do not know.
    pub(super) prompt_cache_key: bool,
    /// The header that carries the key.
    pub(super) key_header: HeaderName,
}

impl Dialect for Responses {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn settings(&self) -> ProviderSettings {
        openai::SETTINGS
    }

    fn call_path(&self) -> &'static str {
        "responses"
    }

    fn headers(&self, key: Option<&Credential>) -> HeaderMap {
        openai::key_headers(&self.key_header, key)
    }

    /// No sampling parameters: the reasoning models refuse them. `store` is false, since by default the provider keeps what it is sent,
    /// rows included, for at least 30 days.
    fn body(&self, model: &str, request: &LlmRequest) -> Value {
        let mut body = json!({"model": model, "stream": true, "store": false});
        if !request.system.is_empty() {
            body["instructions"] = json!(request.system);
        }
        let input = request.messages.iter().map(|message| match message.role {
            LlmRole::User => json!({"role": "user", "content": message.text}),
            // Models that label what they say want the label back. Asides were left out when the reply was read.
            LlmRole::Assistant => {
                json!({"role": "assistant", "content": message.text, "phase": "final_answer"})
            }
        });
        body["input"] = input.collect();
        body["max_output_tokens"] = json!(request.output_tokens_max);
        if self.prompt_cache_key && !request.cache_key.is_empty() {
            body["prompt_cache_key"] = json!(request.cache_key);
        }
        body
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::<ResponseDecoder>::default()
    }
}

/// One reply: items with their deltas, then `response.completed`, `.incomplete` or `.failed`. The events that repeat the text whole are passed
/// over.
#[derive(Default)]
struct ResponseDecoder {
    /// Places in the output of the messages that are asides on the way to the answer.
    asides: HashSet<u64>,
    refusal: RefusalWords,
    ending: Option<Ending>,
}

/// The terminal event.
enum Ending {
    Completed,
    /// With the reason, where one is given.
    Incomplete(Option<String>),
}

impl Decoder for ResponseDecoder {
    fn decode(
        &mut self,
        data: &str,
        deltas: &mut VecDeque<LlmDelta>,
    ) -> Result<Progress, StreamFault> {
        // Not of this API, but of servers that imitate it.
        if data.trim() == "[DONE]" {
            return Ok(Progress::Complete);
        }
        // Of the three shapes in which errors come, this finds the two that are events of their own.
        let event = parse_event(data)?;
        let response = &event["response"];
        Ok(match event["type"].as_str() {
            // No sign of work yet: a model may think in silence after announcing that it will.
            Some("response.output_item.added") => {
                if event["item"]["phase"] == "commentary" {
                    self.asides.extend(event["output_index"].as_u64());
                }
                Progress::Waiting
            }
            Some("response.output_text.delta") => {
                if !self.is_aside(&event)
                    && let Some(text) = words(&event["delta"])
                {
                    deltas.push_back(LlmDelta::Text(text.to_owned()));
                }
                Progress::Writing
            }
            Some("response.refusal.delta") => {
                if let Some(piece) = words(&event["delta"]) {
                    self.refusal.push(piece);
                }
                Progress::Writing
            }
            Some(
                "response.reasoning_text.delta"
                | "response.reasoning_summary_text.delta"
                | "response.function_call_arguments.delta",
            ) => Progress::Writing,
            Some("response.completed") => {
                deltas.extend(usage(&response["usage"]).map(LlmDelta::Usage));
                self.ending = Some(Ending::Completed);
                Progress::Complete
            }
            Some("response.incomplete") => {
                deltas.extend(usage(&response["usage"]).map(LlmDelta::Usage));
                let reason = words(&response["incomplete_details"]["reason"]);
                self.ending = Some(Ending::Incomplete(reason.map(str::to_owned)));
                Progress::Complete
            }
            Some("response.failed") => {
                return Err(StreamFault::Reported(failure(&response["error"])));
            }
            Some(_) | None => Progress::Waiting,
        })
    }

    fn finish_reason(&mut self) -> Option<FinishReason> {
        Some(match self.ending.as_ref()? {
            Ending::Incomplete(Some(reason)) if reason == "content_filter" => {
                FinishReason::Filtered
            }
            // `max_output_tokens`; whatever else a later version may name, the text is cut.
            Ending::Incomplete(_) => FinishReason::TokensMax,
            Ending::Completed => match self.refusal.take() {
                Some(words) => FinishReason::Refused(Some(words)),
                None => FinishReason::Complete,
            },
        })
    }
}

impl ResponseDecoder {
    fn is_aside(&self, event: &Value) -> bool {
        event["output_index"]
            .as_u64()
            .is_some_and(|index| self.asides.contains(&index))
    }
}

/// The error of a failed response in the shape of an error answer.
fn failure(error: &Value) -> String {
    match error.is_object() {
        true => json!({ "error": error }),
        false => json!({"error": {"message": "the response failed"}}),
    }
    .to_string()
}

fn usage(usage: &Value) -> Option<TokenUsage> {
    let input_tokens = usage["input_tokens"].as_u64();
    let output_tokens = usage["output_tokens"].as_u64();
    input_tokens.or(output_tokens)?;
    Some(TokenUsage {
        calls: 1,
        input_tokens,
        cached_tokens: usage["input_tokens_details"]["cached_tokens"].as_u64(),
        output_tokens,
    })
}
