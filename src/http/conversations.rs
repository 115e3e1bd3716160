//! `/api/chat/conversations/{id}/`: a conversation's history, and forgetting it.

use actix_web::{HttpResponse, web};

use crate::domain::conversation::Conversation;
use crate::domain::ids::ConversationId;
use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::WireError;
use crate::wire::history::conversation_body;
use crate::wire::questions::parse_conversation_id;

use super::Doors;
use super::problem::HttpError;

/// `GET`: what was asked and answered, oldest first.
pub(super) async fn history(
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    let id = parse_conversation_id(&id)?;
    let conversation = find(&doors, id).await?;
    Ok(HttpResponse::Ok().json(conversation_body(conversation)))
}

/// `DELETE`: forgets it; 204.
pub(super) async fn forget(
    id: web::Path<String>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    let id = parse_conversation_id(&id)?;
    let was_there = doors
        .store
        .forget(id)
        .await
        .map_err(|error| WireError::from(&error))?;
    if !was_there {
        return Err(unknown().into());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// A conversation that is there.
pub(super) async fn find(doors: &Doors, id: ConversationId) -> Result<Conversation, WireError> {
    doors
        .store
        .load(id)
        .await
        .map_err(|error| WireError::from(&error))?
        .ok_or_else(unknown)
}

fn unknown() -> WireError {
    WireError::new(
        ErrorCode::ConversationNotFound,
        "There is no such conversation. It may have been forgotten after a time without use.",
    )
}
