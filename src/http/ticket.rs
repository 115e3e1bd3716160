//! `POST /api/chat/ticket/`: a one-time ticket for a socket, and taking one out of a socket's address.

use actix_web::dev::ServiceRequest;
use actix_web::http::uri::{PathAndQuery, Uri};
use actix_web::{HttpMessage, HttpResponse, web};
use secrecy::ExposeSecret;

use crate::auth::{Identity, TICKET_SECONDS};
use crate::domain::caller::Caller;
use crate::limits::RateError;
use crate::protocol::error_code::ErrorCode;
use crate::protocol::http_body::TicketBody;
use crate::wire::errors::WireError;

use super::Doors;
use super::caller::{Ticket, ticket_refusal};
use super::problem::HttpError;

const PARAMETER: &str = "ticket=";

/// A ticket for the caller.
pub(super) async fn issue(
    caller: web::ReqData<Caller>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    let caller = caller.into_inner();
    doors
        .ticket_rate
        .admit(&caller.principal, caller.address)
        .await
        .map_err(|error| refusal(&error))?;
    let identity = Identity {
        principal: caller.principal,
        expires_at: caller.expires_at,
    };
    let ticket = doors
        .tickets
        .issue(&identity)
        .await
        .map_err(|error| ticket_refusal(&error))?;
    Ok(HttpResponse::Ok().json(TicketBody {
        ticket: ticket.expose_secret().to_owned(),
        expires_in: TICKET_SECONDS,
    }))
}

fn refusal(error: &RateError) -> HttpError {
    match error {
        RateError::Exceeded { retry_after } => WireError::new(
            ErrorCode::RateLimited,
            "Those were too many tickets in a minute. Please wait a moment before the next one.",
        )
        .with_retry_after(*retry_after)
        .into(),
        RateError::Unavailable { .. } => ticket_refusal(error),
    }
}

/// Takes a ticket out of the request's address, so that no log or trace of what comes after can hold it.
pub(super) fn take(request: &mut ServiceRequest) {
    let Some(query) = request
        .uri()
        .query()
        .filter(|query| query.contains(PARAMETER))
    else {
        return;
    };
    let is_ticket = |pair: &&str| pair.starts_with(PARAMETER);
    let ticket = query.split('&').find(is_ticket);
    let ticket = ticket.map(|pair| Ticket(pair[PARAMETER.len()..].into()));
    let rest: Vec<&str> = query.split('&').filter(|pair| !is_ticket(pair)).collect();
    let path = match rest.is_empty() {
        true => request.uri().path().to_owned(),
        false => format!("{}?{}", request.uri().path(), rest.join("&")),
    };
    let mut parts = request.uri().clone().into_parts();
    // What is left of a valid address is one.
    parts.path_and_query = path.parse::<PathAndQuery>().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        request.head_mut().uri = uri;
    }
    if let Some(ticket) = ticket {
        request.extensions_mut().insert(ticket);
    }
}
