//! A [`QueryFrame`] to an [`AcceptedQuestion`]: every check that a question passes at the door,
//! the same for the socket and for REST.

use std::net::IpAddr;

use crate::domain::caller::Caller;
use crate::domain::ids::{ConversationId, REQUEST_ID_BYTES_MAX, RequestId};
use crate::domain::principal::Principal;
use crate::domain::question::{Question, QuestionFault};
use crate::protocol::client_frame::QueryFrame;
use crate::protocol::error_code::ErrorCode;

use super::errors::WireError;

/// A question that may be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedQuestion {
    /// Who asks.
    pub principal: Principal,
    /// Where the question came from; `None` where there is no address.
    pub client_address: Option<IpAddr>,
    /// The client's reference, or a new one.
    pub request_id: RequestId,
    /// The conversation named by the client, or a new one.
    pub conversation_id: ConversationId,
    /// What is asked.
    pub question: Question,
    /// Whether the client wants the prose piece by piece.
    pub stream: bool,
}

/// Checks a question of `caller`. `request_id` stands in where the frame names none.
///
/// # Errors
/// The first fault found, as the client is to read it.
pub fn accept(
    frame: QueryFrame,
    caller: &Caller,
    request_id: impl FnOnce() -> RequestId,
    question_chars_max: usize,
) -> Result<AcceptedQuestion, WireError> {
    let request_id = match frame.request_id {
        Some(text) => parse_request_id(&text)?,
        None => request_id(),
    };
    let conversation_id = match frame.conversation_id {
        Some(text) => parse_conversation_id(&text)?,
        None => ConversationId::random(),
    };
    let text = frame.query.ok_or(QuestionFault::Blank)?;
    let question = Question::parse(&text, question_chars_max)?;
    Ok(AcceptedQuestion {
        principal: caller.principal.clone(),
        client_address: caller.address,
        request_id,
        conversation_id,
        question,
        stream: frame.stream,
    })
}

/// Reads a client's `request_id`.
///
/// # Errors
/// It is empty, too long or not visible ASCII.
pub fn parse_request_id(text: &str) -> Result<RequestId, WireError> {
    RequestId::parse(text).ok_or_else(|| {
        WireError::new(
            ErrorCode::InvalidRequestId,
            format!("`request_id` must be 1 to {REQUEST_ID_BYTES_MAX} visible ASCII characters."),
        )
    })
}

/// Reads a client's `conversation_id`.
///
/// # Errors
/// It is no UUID in the hyphenated form.
pub fn parse_conversation_id(text: &str) -> Result<ConversationId, WireError> {
    ConversationId::parse(text).ok_or_else(|| {
        WireError::new(
            ErrorCode::InvalidConversationId,
            "`conversation_id` must be a UUID such as 3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b, as an earlier answer gave it.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<AcceptedQuestion, ErrorCode> {
        let frame = QueryFrame::parse(body).expect("a readable frame");
        accept(frame, &Caller::local(), RequestId::random, 20).map_err(|error| error.code)
    }

    #[test]
    fn a_question_needs_nothing_but_its_text() {
        let accepted = check(r#"{"query":" How many? "}"#).expect("accepted");
        assert_eq!(accepted.question.as_str(), "How many?");
        assert!(accepted.stream);
    }

    #[test]
    fn each_fault_has_its_code() {
        for (body, code) in [
            ("{}", ErrorCode::QuestionMissing),
            (r#"{"query":" \n"}"#, ErrorCode::QuestionMissing),
            (r#"{"query":"a\u0000b"}"#, ErrorCode::QuestionInvalid),
            (
                r#"{"query":"one character too many"}"#,
                ErrorCode::QuestionTooLong,
            ),
            (
                r#"{"query":"a","conversation_id":"*"}"#,
                ErrorCode::InvalidConversationId,
            ),
            (
                r#"{"query":"a","request_id":"a b"}"#,
                ErrorCode::InvalidRequestId,
            ),
        ] {
            assert_eq!(check(body), Err(code), "{body}");
        }
    }
}
