//! `/api/chat/conversations/`: the caller's conversations, one's history, its title, and forgetting it. The store looks at
//! who owns what; here that somebody else's is told apart from none by nothing.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::caller::Caller;
use crate::domain::conversation::Conversation;
use crate::domain::ids::ConversationId;
use crate::domain::principal::Principal;
use crate::protocol::error_code::ErrorCode;
use crate::protocol::history::ConversationTitleBody;
use crate::wire::errors::WireError;
use crate::wire::history::{conversation_body, list_body, parse_title};
use crate::wire::questions::parse_conversation_id;

use super::caller::unauthorized;
use super::problem::HttpError;
use super::{Doors, body};

/// `GET` without an id: the caller's conversations, the one used last on top.
pub(super) async fn list(
    caller: web::ReqData<Caller>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    if caller.principal.is_anonymous() {
        return Err(unauthorized(
            ErrorCode::LoginRequired,
            "A list of conversations needs a login, and this server lets everybody in unnamed. The operator can set up keys or tokens.",
        ));
    }
    let summaries = doors
        .store
        .list(&caller.principal)
        .await
        .map_err(|error| WireError::from(&error))?;
    Ok(HttpResponse::Ok().json(list_body(summaries)))
}

/// `GET`: what was asked and answered, oldest first.
pub(super) async fn history(
    id: web::Path<String>,
    caller: web::ReqData<Caller>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    let id = parse_conversation_id(&id)?;
    let conversation = find(&doors, &caller.principal, id).await?;
    Ok(HttpResponse::Ok().json(conversation_body(conversation)))
}

/// `PATCH`: gives it another title.
pub(super) async fn rename(
    request: HttpRequest,
    payload: web::Payload,
    id: web::Path<String>,
    caller: web::ReqData<Caller>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    let id = parse_conversation_id(&id)?;
    let text = body::read_json_text(&request, payload, doors.limits()).await?;
    let title = parse_title(&text)?;
    let was_there = doors
        .store
        .rename(&caller.principal, id, &title)
        .await
        .map_err(|error| WireError::from(&error))?;
    if !was_there {
        return Err(WireError::conversation_not_found().into());
    }
    Ok(HttpResponse::Ok().json(ConversationTitleBody {
        title: title.as_str().to_owned(),
    }))
}

/// `DELETE`: forgets it; 204.
pub(super) async fn forget(
    id: web::Path<String>,
    caller: web::ReqData<Caller>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    let id = parse_conversation_id(&id)?;
    let was_there = doors
        .store
        .forget(&caller.principal, id)
        .await
        .map_err(|error| WireError::from(&error))?;
    if !was_there {
        return Err(WireError::conversation_not_found().into());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// A conversation that is there, and the principal's own.
pub(super) async fn find(
    doors: &Doors,
    principal: &Principal,
    id: ConversationId,
) -> Result<Conversation, WireError> {
    doors
        .store
        .load(principal, id)
        .await
        .map_err(|error| WireError::from(&error))?
        .ok_or_else(WireError::conversation_not_found)
}
