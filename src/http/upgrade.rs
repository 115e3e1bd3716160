//! `GET /ws/db_chat/query/`: everything that is decided before a socket is one. Browsers let any page
//! open a socket to any server, so the origin is checked here, while a plain 403 is still possible.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::connection;
use crate::domain::caller::Caller;
use crate::domain::principal::Principal;
use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::WireError;

use super::Doors;
use super::problem::HttpError;

/// Lets a client in, or says why not.
pub(super) async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    if !request.headers().contains_key(header::UPGRADE) {
        let error = WireError::new(
            ErrorCode::UpgradeRequired,
            "This address speaks WebSocket only. For plain HTTP, use /api/chat/query/.",
        );
        return Err(HttpError::from(error).with_header(header::UPGRADE, "websocket"));
    }
    if !doors.origins.allow(request.headers()) {
        return Err(super::origins::refusal().into());
    }
    if doors.is_stopping() {
        return Err(WireError::shutting_down().into());
    }
    let permit = Arc::clone(&doors.connection_permits)
        .try_acquire_owned()
        .map_err(|_| {
            WireError::new(
                ErrorCode::TooManyConnections,
                "Too many connections are open. Please try again in a moment.",
            )
        })?;
    let caller = Caller {
        principal: Principal::anonymous(),
        address: request.peer_addr().map(|peer| peer.ip()),
    };
    connection::open(
        &request,
        payload.into_inner(),
        &doors.connections,
        caller,
        permit,
    )
    .await
    .map_err(|_| {
        WireError::new(
            ErrorCode::InvalidRequest,
            "This is no WebSocket handshake of version 13.",
        )
        .into()
    })
}
