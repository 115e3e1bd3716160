//! `POST /api/chat/feedback/`: keeps what a person thinks of an answer. Refused here: ratings of answers
//! that are not theirs to see, and all of them where there is no database to keep them in.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::caller::Caller;
use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::WireError;
use crate::wire::feedback;

use super::problem::HttpError;
use super::{Doors, body, conversations};

/// Keeps a rating; 204. Rating again replaces it.
pub(super) async fn rate(
    request: HttpRequest,
    payload: web::Payload,
    caller: web::ReqData<Caller>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    let log = doors.feedback.as_ref().ok_or_else(|| {
        WireError::new(
            ErrorCode::FeedbackOff,
            "Ratings are not kept here. The operator can set DB_CHAT_STATE_URL to keep them.",
        )
    })?;
    let limits = doors.limits();
    let text = body::read_json_text(&request, payload, limits).await?;
    let feedback = feedback::accept(&text, limits.question_chars_max)?;
    let conversation =
        conversations::find(&doors, &caller.principal, feedback.conversation_id).await?;
    let entry = feedback.about(conversation)?;
    log.record(&entry)
        .await
        .map_err(|error| WireError::from(&error))?;
    Ok(HttpResponse::NoContent().finish())
}
