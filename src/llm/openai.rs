//! OpenAI's Chat Completions API and the servers that imitate it: requests and stream events. Knows no HTTP beyond the names of headers.

use std::collections::VecDeque;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::dialect::{
    Credential, Decoder, Dialect, Progress, ProviderSettings, RefusalWords, StreamFault,
    parse_event, words,
};
use super::{FinishReason, LlmDelta, LlmRequest, LlmRole};
use crate::domain::usage::TokenUsage;

/// The settings of every server that speaks one of OpenAI's APIs.
pub(super) const SETTINGS: ProviderSettings = ProviderSettings {
    key: "OPENAI_API_KEY",
    model: "OPENAI_MODEL",
    base_url: "OPENAI_BASE_URL",
    version_required: false,
};

/// Chat Completions, with what differs between servers as settings.
pub(super) struct OpenAi {
    /// The field that caps the reply. OpenAI's reasoning models refuse `max_tokens`; Ollama reads nothing else.
    pub(super) tokens_max_field: String,
    /// Whether to name the stable prefix. Some servers refuse fields that they do not know.
    pub(super) prompt_cache_key: bool,
    /// The header that carries the key.
    pub(super) key_header: HeaderName,
}

impl Dialect for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn settings(&self) -> ProviderSettings {
        SETTINGS
    }

    fn call_path(&self) -> &'static str {
        "chat/completions"
    }

    fn headers(&self, key: Option<&Credential>) -> HeaderMap {
        key_headers(&self.key_header, key)
    }

    /// No sampling parameters: the reasoning models refuse them. The role is `system`, the older name, since compatible servers know no other.
    fn body(&self, model: &str, request: &LlmRequest) -> Value {
        let system = (!request.system.is_empty())
            .then(|| json!({"role": "system", "content": request.system}));
        let messages = request.messages.iter().map(|message| {
            let role = match message.role {
                LlmRole::User => "user",
                LlmRole::Assistant => "assistant",
            };
            json!({"role": role, "content": message.text})
        });
        let mut body = json!({
            "model": model,
            "messages": system.into_iter().chain(messages).collect::<Vec<Value>>(),
            "stream": true,
            // Without it no server reports what the call cost.
            "stream_options": {"include_usage": true},
        });
        body[&self.tokens_max_field] = json!(request.output_tokens_max);
        if self.prompt_cache_key && !request.cache_key.is_empty() {
            body["prompt_cache_key"] = json!(request.cache_key);
        }
        body
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::<ChatDecoder>::default()
    }
}

/// The key as a bearer token, or bare in a header of another name, as Azure's `api-key`.
pub(super) fn key_headers(name: &HeaderName, key: Option<&Credential>) -> HeaderMap {
    let value = key.map(|key| match *name == AUTHORIZATION {
        true => key.bearer.clone(),
        false => key.plain.clone(),
    });
    value
        .map(|value| (name.clone(), value))
        .into_iter()
        .collect()
}

/// One reply: chunks with deltas, a `finish_reason`, and perhaps a last chunk with the counters and `[DONE]`.
#[derive(Default)]
struct ChatDecoder {
    finish_reason: Option<String>,
    refusal: RefusalWords,
}

impl Decoder for ChatDecoder {
    fn decode(
        &mut self,
        data: &str,
        deltas: &mut VecDeque<LlmDelta>,
    ) -> Result<Progress, StreamFault> {
        if data.trim() == "[DONE]" {
            return Ok(Progress::Complete);
        }
        // Before the choices: a server that fails midway sends an error under status 200.
        let chunk = parse_event(data)?;
        let mut progress = Progress::Waiting;
        // The first of them; there are none in Azure's first chunk, in its annotations and beside the final counters.
        if let Some(choice) = chunk["choices"].get(0) {
            progress = self.read_choice(choice, deltas)?;
        }
        let reported = usage(&chunk["usage"]).or_else(|| usage(&chunk["x_groq"]["usage"]));
        let counted = reported.is_some();
        deltas.extend(reported.map(LlmDelta::Usage));
        Ok(match self.finish_reason {
            Some(_) if counted => Progress::Complete,
            Some(_) => Progress::Ended,
            None => progress,
        })
    }

    fn finish_reason(&mut self) -> Option<FinishReason> {
        Some(match self.finish_reason.as_deref()? {
            "length" => FinishReason::TokensMax,
            "content_filter" => FinishReason::Filtered,
            // `stop`; reasons that belong to tools, which no request offers; and whatever a server makes up.
            _ => match self.refusal.take() {
                Some(words) => FinishReason::Refused(Some(words)),
                None => FinishReason::Complete,
            },
        })
    }
}

impl ChatDecoder {
    fn read_choice(
        &mut self,
        choice: &Value,
        deltas: &mut VecDeque<LlmDelta>,
    ) -> Result<Progress, StreamFault> {
        let delta = &choice["delta"];
        let mut progress = Progress::Waiting;
        // Reasoning has no standard name; under none of them is it part of the answer.
        if words(&delta["reasoning_content"])
            .or(words(&delta["reasoning"]))
            .is_some()
        {
            progress = Progress::Writing;
        }
        if let Some(text) = words(&delta["content"]) {
            deltas.push_back(LlmDelta::Text(text.to_owned()));
            progress = Progress::Writing;
        }
        if let Some(text) = words(&delta["refusal"]) {
            self.refusal.push(text);
            progress = Progress::Writing;
        }
        match words(&choice["finish_reason"]) {
            // DeepSeek: the server ran out of resources, and the text is cut wherever it was.
            Some(reason @ "insufficient_system_resource") => {
                return Err(StreamFault::Reported(
                    json!({"error": {"type": reason}}).to_string(),
                ));
            }
            Some(reason) => self.finish_reason = Some(reason.to_owned()),
            None => {}
        }
        Ok(progress)
    }
}

fn usage(usage: &Value) -> Option<TokenUsage> {
    let input_tokens = usage["prompt_tokens"].as_u64();
    let output_tokens = usage["completion_tokens"].as_u64();
    input_tokens.or(output_tokens)?;
    Some(TokenUsage {
        calls: 1,
        input_tokens,
        cached_tokens: usage["prompt_tokens_details"]["cached_tokens"]
            .as_u64()
            .or_else(|| usage["prompt_cache_hit_tokens"].as_u64()),
        output_tokens,
    })
}
