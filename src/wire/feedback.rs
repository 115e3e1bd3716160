//! A rating's body to a [`FeedbackEntry`], checked against the answer that it is about: only answers that
//! exist can be rated, so nobody can fill the table with anything else.

use crate::domain::conversation::Conversation;
use crate::domain::ids::{ConversationId, RequestId};
use crate::protocol::error_code::ErrorCode;
use crate::protocol::feedback::{FeedbackBody, RatingBody};
use crate::state::feedback::{FeedbackEntry, Rating};

use super::errors::WireError;
use super::questions::{parse_conversation_id, parse_request_id};

/// A rating whose ids can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedFeedback {
    /// The conversation that the answer belongs to.
    pub conversation_id: ConversationId,
    request_id: RequestId,
    rating: Rating,
    comment: Option<String>,
}

/// Reads a rating. A comment is bounded like a question, and a blank one is none.
///
/// # Errors
/// The body is no rating, an id is malformed, or the comment is too long.
pub fn accept(text: &str, comment_chars_max: usize) -> Result<AcceptedFeedback, WireError> {
    let body: FeedbackBody = serde_json::from_str(text).map_err(|_| {
        WireError::new(
            ErrorCode::InvalidRequest,
            "A rating is a JSON object with `request_id`, `conversation_id`, `rating` (\"up\" or \"down\") and, if you like, `comment`.",
        )
    })?;
    let comment = body.comment.map(|comment| comment.trim().to_owned());
    if let Some(comment) = &comment
        && comment.chars().count() > comment_chars_max
    {
        return Err(WireError::new(
            ErrorCode::InvalidRequest,
            format!(
                "The comment is too long. Please keep it within {comment_chars_max} characters."
            ),
        ));
    }
    Ok(AcceptedFeedback {
        conversation_id: parse_conversation_id(&body.conversation_id)?,
        request_id: parse_request_id(&body.request_id)?,
        rating: match body.rating {
            RatingBody::Up => Rating::Up,
            RatingBody::Down => Rating::Down,
        },
        comment: comment.filter(|comment| !comment.is_empty()),
    })
}

impl AcceptedFeedback {
    /// Finds the answer in its conversation.
    ///
    /// # Errors
    /// The conversation has no such answer.
    pub fn about(self, conversation: Conversation) -> Result<FeedbackEntry, WireError> {
        let turn = conversation
            .turns
            .into_iter()
            .find(|turn| turn.request_id == self.request_id)
            .ok_or_else(|| {
                WireError::new(
                    ErrorCode::RequestNotFound,
                    "This conversation has no such answer.",
                )
            })?;
        Ok(FeedbackEntry {
            conversation_id: self.conversation_id,
            request_id: self.request_id,
            rating: self.rating,
            comment: self.comment,
            question: turn.question,
            sql: turn.sql,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rest: &str) -> Result<Option<String>, ErrorCode> {
        let ids = r#""request_id":"q-1","conversation_id":"3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b""#;
        accept(&format!("{{{ids},{rest}}}"), 10)
            .map(|feedback| feedback.comment)
            .map_err(|error| error.code)
    }

    #[test]
    fn a_rating_is_up_or_down_and_may_have_a_bounded_comment() {
        let invalid = Err(ErrorCode::InvalidRequest);
        assert_eq!(check(r#""rating":"up""#), Ok(None));
        assert_eq!(check(r#""rating":"down","comment":" \n""#), Ok(None));
        let comment = r#""rating":"down","comment":" too few ""#;
        assert_eq!(check(comment), Ok(Some("too few".to_owned())));
        assert_eq!(check(r#""rating":"sideways""#), invalid);
        assert_eq!(check(r#""comment":"no rating""#), invalid);
        assert_eq!(check(r#""rating":"up","comment":"far too many""#), invalid);
    }

    #[test]
    fn ids_are_checked_like_those_of_questions() {
        for (body, code) in [
            (
                r#"{"request_id":"q-1","conversation_id":"*","rating":"up"}"#,
                ErrorCode::InvalidConversationId,
            ),
            (
                r#"{"request_id":"a b","conversation_id":"3f2b8c1e-6d4a-4f0e-9a57-0c1d2e3f4a5b","rating":"up"}"#,
                ErrorCode::InvalidRequestId,
            ),
        ] {
            assert_eq!(accept(body, 10).map_err(|error| error.code), Err(code));
        }
    }
}
