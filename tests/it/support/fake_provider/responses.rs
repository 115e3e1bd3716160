//! OpenAI's Responses API from the provider's side: items with their parts, numbered events, everything repeated at the end.

use serde_json::{Value, json};

use super::dialect::{USAGE, named};
use super::reply::{Event, Stop};

/// One reply being written.
#[derive(Default)]
pub(super) struct ResponseWriter {
    sequence_number: u64,
    /// The items that are closed.
    output: Vec<Value>,
    open: Option<OpenItem>,
}

/// The item that deltas go to.
struct OpenItem {
    kind: ItemKind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ItemKind {
    Message,
    Refusal,
    Reasoning,
}

impl ItemKind {
    /// The type of the part that an item of this kind has, and the field that holds its text.
    fn part(self) -> (&'static str, &'static str) {
        match self {
            Self::Message => ("output_text", "text"),
            Self::Refusal => ("refusal", "refusal"),
            Self::Reasoning => ("summary_text", "text"),
        }
    }

    /// What the names of its events begin with: those of the part, and those of its text.
    fn events(self) -> (&'static str, &'static str) {
        match self {
            Self::Message => ("response.content_part", "response.output_text"),
            Self::Refusal => ("response.content_part", "response.refusal"),
            Self::Reasoning => (
                "response.reasoning_summary_part",
                "response.reasoning_summary_text",
            ),
        }
    }
}

impl ResponseWriter {
    pub(super) fn event(&mut self, event: &Event) -> String {
        match event {
            Event::Begin => {
                let response = self.response("in_progress", json!({}));
                self.numbered("response.created", json!({"response": response}))
                    + &self.numbered("response.in_progress", json!({"response": response}))
            }
            Event::Text(text) => self.delta(ItemKind::Message, text),
            Event::Thinking(text) => self.delta(ItemKind::Reasoning, text),
            Event::Ping | Event::Comment => ": ping\n\n".to_owned(),
            Event::Unknown => self.numbered(
                "response.output_text.reconsidered",
                json!({"delta": "?", "output_index": 0}),
            ),
            Event::Finish(stop) => self.finish(stop),
            Event::Error { kind } => self.numbered(
                "error",
                json!({"code": kind, "message": "no, in words", "param": null}),
            ),
        }
    }

    fn finish(&mut self, stop: &Stop) -> String {
        let refusal = match stop {
            Stop::Refusal(words) => self.delta(ItemKind::Refusal, words),
            Stop::Complete | Stop::TokensMax => String::new(),
        };
        let (status, details) = match stop {
            Stop::TokensMax => ("incomplete", json!({"reason": "max_output_tokens"})),
            Stop::Complete | Stop::Refusal(_) => ("completed", Value::Null),
        };
        let closing = self.close_item();
        let response = self.response(
            status,
            json!({
                "incomplete_details": details,
                "usage": {
                    "input_tokens": USAGE.input,
                    "input_tokens_details": {"cached_tokens": USAGE.cached},
                    "output_tokens": USAGE.output,
                    "output_tokens_details": {"reasoning_tokens": 0},
                    "total_tokens": USAGE.input + USAGE.output,
                },
            }),
        );
        let end = self.numbered(&format!("response.{status}"), json!({"response": response}));
        refusal + &closing + &end
    }

    fn delta(&mut self, kind: ItemKind, text: &str) -> String {
        let mut events = String::new();
        if self.open.as_ref().is_none_or(|item| item.kind != kind) {
            events += &self.close_item();
            events += &self.open_item(kind);
        }
        if let Some(item) = &mut self.open {
            item.text += text;
        }
        let delta = self.placed(json!({"delta": text}));
        events + &self.numbered(&format!("{}.delta", kind.events().1), delta)
    }

    fn open_item(&mut self, kind: ItemKind) -> String {
        let (part_type, field) = kind.part();
        self.open = Some(OpenItem {
            kind,
            text: String::new(),
        });
        let item = self.item(kind, "in_progress", json!([]));
        let added = json!({"output_index": self.output.len(), "item": item});
        let part = self.placed(json!({"part": {"type": part_type, field: ""}}));
        self.numbered("response.output_item.added", added)
            + &self.numbered(&format!("{}.added", kind.events().0), part)
    }

    fn close_item(&mut self) -> String {
        let Some(OpenItem { kind, text }) = self.open.take() else {
            return String::new();
        };
        let (part_type, field) = kind.part();
        let (part_events, text_events) = kind.events();
        let whole_text = self.placed(json!({field: text}));
        let part = json!({"type": part_type, field: text});
        let whole_part = self.placed(json!({"part": part}));
        let item = self.item(kind, "completed", json!([part]));
        let done = json!({"output_index": self.output.len(), "item": item});
        let events = self.numbered(&format!("{text_events}.done"), whole_text)
            + &self.numbered(&format!("{part_events}.done"), whole_part)
            + &self.numbered("response.output_item.done", done);
        self.output.push(item);
        events
    }

    fn item(&self, kind: ItemKind, status: &str, parts: Value) -> Value {
        let id = format!("item_{}", self.output.len());
        match kind {
            ItemKind::Reasoning => json!({"id": id, "type": "reasoning", "summary": parts}),
            ItemKind::Message | ItemKind::Refusal => json!({
                "id": id, "type": "message", "role": "assistant", "status": status, "phase": "final_answer", "content": parts,
            }),
        }
    }

    /// Fields with the place of the open item beside them.
    fn placed(&self, mut fields: Value) -> Value {
        fields["item_id"] = json!(format!("item_{}", self.output.len()));
        fields["output_index"] = json!(self.output.len());
        fields["content_index"] = json!(0);
        fields
    }

    fn response(&self, status: &str, more: Value) -> Value {
        let mut response = json!({
            "id": "resp_1", "object": "response", "created_at": 1, "model": "model-1", "status": status,
            "error": null, "incomplete_details": null, "output": self.output, "usage": null,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            response[name] = value.clone();
        }
        response
    }

    fn numbered(&mut self, name: &str, fields: Value) -> String {
        let mut event = json!({"type": name, "sequence_number": self.sequence_number});
        self.sequence_number += 1;
        for (name, value) in fields.as_object().into_iter().flatten() {
            event[name] = value.clone();
        }
        named(&event)
    }
}
