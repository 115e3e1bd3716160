//! The body of `POST /api/chat/feedback/`.

use serde::Deserialize;

/// What a person thinks of an answer. Unknown fields are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FeedbackBody {
    /// The answer's reference.
    pub request_id: String,
    /// The conversation that it belongs to.
    pub conversation_id: String,
    /// Whether it helped.
    pub rating: RatingBody,
    /// What the person wrote with it.
    #[serde(default)]
    pub comment: Option<String>,
}

/// Whether an answer helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RatingBody {
    /// It did.
    Up,
    /// It did not.
    Down,
}
