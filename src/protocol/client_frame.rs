//! What a client may send: the text of one frame, or the body of the REST call, to a [`ClientFrame`].
//!
//! Looks at shape and types only. Whether a question is too long or an id well-formed is for `wire`.

use serde::Deserialize;
use serde_json::Value;

/// A frame from the client. A frame without `type` is a question, as in the Django app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// Asks a question.
    Query(QueryFrame),
    /// Stops a question that is being answered.
    Cancel {
        /// Which one.
        request_id: String,
        /// Its conversation, where the client says it.
        conversation_id: Option<String>,
    },
    /// Takes up the frames of a question on a new connection.
    Resume {
        /// Which one.
        request_id: String,
        /// Its conversation, where the client says it.
        conversation_id: Option<String>,
        /// The last `seq` that the client has.
        after: u64,
    },
}

/// A question, over the socket or as the body of the REST call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryFrame {
    /// The question; `None` where it is absent or null.
    pub query: Option<String>,
    /// The conversation to continue; absent or null begins a new one.
    pub conversation_id: Option<String>,
    /// The client's own reference; one is made where it is absent or null.
    pub request_id: Option<String>,
    /// Whether `llm_token` and `llm_stream_end` frames are wanted; absent or null means yes.
    pub stream: bool,
}

/// A frame that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableFrame {
    /// The frame's `request_id`, where at least that could be read.
    pub request_id: Option<String>,
    /// What is wrong with it.
    pub fault: FrameFault,
}

/// Why a frame cannot be read. Holds nothing of the frame's own text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameFault {
    /// Not JSON (RFC 8259), nested too deep, a field twice, or something behind the object.
    NotJson {
        /// Where reading stopped, from 1.
        line: usize,
        /// Where in that line, from 1.
        column: usize,
    },
    /// JSON, but no object.
    NotAnObject,
    /// A field has the wrong type.
    WrongType {
        /// Which one.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A field is needed that is absent or null.
    Missing {
        /// Which one.
        field: &'static str,
    },
    /// `type` is none of those that a client may send.
    UnknownType,
}

impl ClientFrame {
    /// Reads one text frame. Unknown fields are ignored; a known field that occurs twice is refused,
    /// because parsers disagree about which one counts.
    ///
    /// # Errors
    /// The first fault found, with the frame's `request_id` where it could be read.
    pub fn parse(text: &str) -> Result<Self, UnreadableFrame> {
        let mut fields = Fields::parse(text)?;
        let request_id = fields.request_id();
        fields.frame().map_err(|fault| UnreadableFrame {
            request_id: request_id.ok().flatten(),
            fault,
        })
    }
}

impl QueryFrame {
    /// Reads the body of the REST call: a question, whatever its `type` says.
    ///
    /// # Errors
    /// As [`ClientFrame::parse`].
    pub fn parse(text: &str) -> Result<Self, UnreadableFrame> {
        let mut fields = Fields::parse(text)?;
        let request_id = fields.request_id();
        fields.query().map_err(|fault| UnreadableFrame {
            request_id: request_id.ok().flatten(),
            fault,
        })
    }
}

/// Every field of every frame, before its type is looked at. `null` reads as `None`, like absence.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "type", default)]
    kind: Option<Value>,
    #[serde(default)]
    query: Option<Value>,
    #[serde(default)]
    conversation_id: Option<Value>,
    #[serde(default)]
    request_id: Option<Value>,
    #[serde(default)]
    stream: Option<Value>,
    #[serde(default)]
    after: Option<Value>,
}

impl Fields {
    fn parse(text: &str) -> Result<Self, UnreadableFrame> {
        let unreadable = |fault| UnreadableFrame {
            request_id: None,
            fault,
        };
        let not_json = |error: serde_json::Error| {
            unreadable(FrameFault::NotJson {
                line: error.line(),
                column: error.column(),
            })
        };
        // Read twice, because neither reading does both: as a value for the depth of unknown fields
        // too, and as fields for those that occur twice. An array would also pass for the fields.
        let value: Value = serde_json::from_str(text).map_err(not_json)?;
        if !value.is_object() {
            return Err(unreadable(FrameFault::NotAnObject));
        }
        serde_json::from_str(text).map_err(not_json)
    }

    fn frame(&mut self) -> Result<ClientFrame, FrameFault> {
        match text("type", self.kind.take())?.as_deref() {
            None | Some("query") => self.query().map(ClientFrame::Query),
            Some("cancel") => Ok(ClientFrame::Cancel {
                request_id: self.required_request_id()?,
                conversation_id: self.conversation_id()?,
            }),
            Some("resume") => Ok(ClientFrame::Resume {
                request_id: self.required_request_id()?,
                conversation_id: self.conversation_id()?,
                after: self.after()?,
            }),
            Some(_) => Err(FrameFault::UnknownType),
        }
    }

    fn query(&mut self) -> Result<QueryFrame, FrameFault> {
        Ok(QueryFrame {
            query: text("query", self.query.take())?,
            conversation_id: self.conversation_id()?,
            request_id: self.request_id()?,
            stream: match self.stream.take() {
                None => true,
                Some(Value::Bool(stream)) => stream,
                Some(_) => {
                    return Err(FrameFault::WrongType {
                        field: "stream",
                        expected: "true or false",
                    });
                }
            },
        })
    }

    fn request_id(&self) -> Result<Option<String>, FrameFault> {
        text("request_id", self.request_id.clone())
    }

    fn conversation_id(&mut self) -> Result<Option<String>, FrameFault> {
        text("conversation_id", self.conversation_id.take())
    }

    fn required_request_id(&self) -> Result<String, FrameFault> {
        self.request_id()?.ok_or(FrameFault::Missing {
            field: "request_id",
        })
    }

    fn after(&self) -> Result<u64, FrameFault> {
        match &self.after {
            None => Ok(0),
            Some(value) => value.as_u64().ok_or(FrameFault::WrongType {
                field: "after",
                expected: "a whole number, zero or more",
            }),
        }
    }
}

fn text(field: &'static str, value: Option<Value>) -> Result<Option<String>, FrameFault> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(FrameFault::WrongType {
            field,
            expected: "a string",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> FrameFault {
        ClientFrame::parse(text).unwrap_err().fault
    }

    #[test]
    fn a_frame_without_a_type_is_a_question() {
        let expected = ClientFrame::Query(QueryFrame {
            query: Some("How many?".to_owned()),
            conversation_id: None,
            request_id: None,
            stream: true,
        });
        for text in [
            r#"{"query":"How many?"}"#,
            r#"{"type":"query","query":"How many?"}"#,
            r#"{"type":null,"query":"How many?","conversation_id":null,"request_id":null,"stream":null}"#,
            " {\"query\":\"How many?\",\"sql\":\"SELECT 1\"}\n",
        ] {
            assert_eq!(ClientFrame::parse(text), Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn cancel_and_resume_name_their_question() {
        assert_eq!(
            ClientFrame::parse(r#"{"type":"cancel","request_id":"a"}"#),
            Ok(ClientFrame::Cancel {
                request_id: "a".to_owned(),
                conversation_id: None
            })
        );
        assert_eq!(
            ClientFrame::parse(
                r#"{"type":"resume","request_id":"a","conversation_id":"c","after":17}"#
            ),
            Ok(ClientFrame::Resume {
                request_id: "a".to_owned(),
                conversation_id: Some("c".to_owned()),
                after: 17
            })
        );
        let missing = FrameFault::Missing {
            field: "request_id",
        };
        assert_eq!(fault(r#"{"type":"cancel"}"#), missing);
        assert_eq!(fault(r#"{"type":"resume","request_id":null}"#), missing);
        assert_eq!(fault(r#"{"type":"Cancel"}"#), FrameFault::UnknownType);
    }

    #[test]
    fn what_is_no_json_object_is_told_apart() {
        for text in ["null", "42", "true", r#""q""#, "[]", r#"["q",null]"#] {
            assert_eq!(fault(text), FrameFault::NotAnObject, "{text}");
        }
        for text in [
            "",
            "{",
            "How many?",
            "{'query': 'a'}",
            "{\"query\":\"a\",}",
            "{\"query\":\"a\"} DROP",
            "{\"query\":\"a\"}{\"query\":\"b\"}",
            "{\"query\":\"a\",\"query\":\"b\"}",
            "{\"query\":\"\\ud83d\"}",
            "\u{feff}{\"query\":\"a\"}",
        ] {
            assert!(matches!(fault(text), FrameFault::NotJson { .. }), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_even_in_unknown_fields() {
        let text = format!(
            r#"{{"query":"a","x":{}1{}}}"#,
            r#"{"a":"#.repeat(10_000),
            "}".repeat(10_000)
        );
        assert!(matches!(fault(&text), FrameFault::NotJson { .. }));
    }

    #[test]
    fn a_wrong_type_names_the_field_and_keeps_the_request_id() {
        for (text, field) in [
            (r#"{"request_id":"r","query":42}"#, "query"),
            (
                r#"{"request_id":"r","conversation_id":[]}"#,
                "conversation_id",
            ),
            (r#"{"request_id":"r","stream":1}"#, "stream"),
            (r#"{"request_id":"r","type":1}"#, "type"),
            (r#"{"request_id":"r","type":"resume","after":-1}"#, "after"),
        ] {
            let unreadable = ClientFrame::parse(text).unwrap_err();
            assert_eq!(unreadable.request_id.as_deref(), Some("r"), "{text}");
            let FrameFault::WrongType { field: found, .. } = unreadable.fault else {
                panic!("{text}: {unreadable:?}");
            };
            assert_eq!(found, field);
        }
    }
}
