//! A turn's events to frames, numbered 1, 2, 3 … without gaps and ended by exactly one final frame,
//! whatever the events were. Pure: one [`FrameMaker`] a turn.

use crate::pipeline::error::TurnError;
use crate::pipeline::event::TurnEvent;
use crate::protocol::server_frame::{FrameHead, ServerFrame};

use super::answer::answer_body;
use super::errors::WireError;
use super::questions::AcceptedQuestion;

/// Makes the frames of one turn.
#[derive(Debug)]
pub struct FrameMaker {
    request_id: String,
    conversation_id: String,
    stream: bool,
    /// The last number given out.
    seq: u64,
    /// Whether the final frame has been made; nothing comes after it.
    ended: bool,
}

impl FrameMaker {
    /// For one accepted question. With `stream` off, `llm_token` and `llm_stream_end` are left out.
    #[must_use]
    pub fn new(question: &AcceptedQuestion) -> Self {
        Self {
            request_id: question.request_id.to_string(),
            conversation_id: question.conversation_id.to_string(),
            stream: question.stream,
            seq: 0,
            ended: false,
        }
    }

    /// The frame for an event; `None` when the client did not ask for it, or the turn has ended.
    pub fn frame(&mut self, event: TurnEvent) -> Option<ServerFrame> {
        if self.ended {
            return None;
        }
        match event {
            TurnEvent::Stage(stage) => Some(ServerFrame::Status {
                head: Some(self.next_head()),
                stage: stage.as_str(),
                message: stage.message(),
                feedback: false,
            }),
            TurnEvent::Sql(sql_query) => Some(ServerFrame::Sql {
                head: self.next_head(),
                sql_query,
            }),
            TurnEvent::Token(token) => (self.stream && !token.is_empty()).then(|| {
                let head = self.next_head();
                ServerFrame::LlmToken { head, token }
            }),
            TurnEvent::ProseEnd(message) => self.stream.then(|| {
                let head = self.next_head();
                ServerFrame::LlmStreamEnd { head, message }
            }),
            TurnEvent::Answered(answer) => {
                self.ended = true;
                let head = self.next_head();
                Some(ServerFrame::ChatResponse {
                    seq: head.seq,
                    answer: Box::new(answer_body(*answer, head.request_id, head.conversation_id)),
                })
            }
            TurnEvent::Failed(error) => self.failure(&WireError::from(&error)),
        }
    }

    /// The final frame for a turn whose events ended without one; `None` if it has had one.
    pub fn failure(&mut self, error: &WireError) -> Option<ServerFrame> {
        if self.ended {
            return None;
        }
        self.ended = true;
        Some(ServerFrame::Failure {
            head: self.next_head(),
            error: error.body(),
        })
    }

    /// Whether the final frame has been made.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The number of the last frame made; 0 before the first.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    fn next_head(&mut self) -> FrameHead {
        self.seq += 1;
        FrameHead {
            request_id: self.request_id.clone(),
            conversation_id: self.conversation_id.clone(),
            seq: self.seq,
        }
    }
}

/// Whether an event says that the turn was stopped from outside.
#[must_use]
pub fn is_cancelled(event: &TurnEvent) -> bool {
    matches!(event, TurnEvent::Failed(TurnError::Cancelled))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::{ConversationId, RequestId};
    use crate::domain::principal::Principal;
    use crate::domain::question::Question;
    use crate::pipeline::event::Stage;

    fn maker(stream: bool) -> FrameMaker {
        FrameMaker::new(&AcceptedQuestion {
            principal: Principal::anonymous(),
            client_address: None,
            request_id: RequestId::parse("r-1").expect("an id"),
            conversation_id: ConversationId::random(),
            question: Question::parse("How many?", 100).expect("a question"),
            stream,
        })
    }

    fn event(kind: u8) -> TurnEvent {
        match kind {
            0 => TurnEvent::Stage(Stage::Executing),
            1 => TurnEvent::Sql("SELECT 1".to_owned()),
            2 => TurnEvent::Token("x".to_owned()),
            3 => TurnEvent::ProseEnd("x".to_owned()),
            4 => TurnEvent::Answered(Box::default()),
            _ => TurnEvent::Failed(TurnError::Cancelled),
        }
    }

    proptest! {
        #[test]
        fn any_events_give_gapless_numbers_and_one_final_frame_at_the_end(
            kinds in proptest::collection::vec(0_u8..6, 0..40),
            stream: bool,
        ) {
            let mut maker = maker(stream);
            let mut frames: Vec<_> =
                kinds.into_iter().filter_map(|kind| maker.frame(event(kind))).collect();
            frames.extend(maker.failure(&WireError::internal()));
            prop_assert!(maker.failure(&WireError::internal()).is_none());

            let json: Vec<_> = frames
                .iter()
                .map(|frame| serde_json::to_value(frame).expect("JSON"))
                .collect();
            for (index, frame) in json.iter().enumerate() {
                prop_assert_eq!(frame["seq"].as_u64(), Some(index as u64 + 1));
                prop_assert_eq!(&frame["request_id"], "r-1");
                let name = frame["type"].as_str().unwrap_or_default();
                let is_final = matches!(name, "chat_response" | "error");
                prop_assert_eq!(is_final, index + 1 == json.len(), "{}", name);
                prop_assert!(stream || !name.starts_with("llm_"));
            }
        }
    }
}
