//! `GET /ws/db_chat/query/`: everything that is decided before a socket is one. Browsers let any page
//! open a socket to any server, so name, origin and credentials are checked here, while a plain error is still possible.

use actix_web::http::Version;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::connection;
use crate::limits::TooManyConnections;
use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::WireError;

use super::Doors;
use super::caller::socket_caller;
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
    if speaks_another_version(request.headers()) {
        let error = WireError::new(
            ErrorCode::UpgradeRequired,
            "This server speaks version 13 of WebSocket only.",
        );
        return Err(HttpError::from(error)
            .with_header(header::UPGRADE, "websocket")
            .with_header(header::SEC_WEBSOCKET_VERSION, "13"));
    }
    if request.version() < Version::HTTP_11 || !is_well_formed(request.headers()) {
        return Err(no_handshake().into());
    }
    if !doors.hosts.allow(request.uri(), request.headers()) {
        return Err(super::hosts::refusal().into());
    }
    if !doors.origins.allow(request.headers()) {
        return Err(super::origins::refusal().into());
    }
    if doors.is_stopping() {
        return Err(WireError::shutting_down().into());
    }
    let caller = socket_caller(&request, &doors).await?;
    let permit = doors.connection_counts.enter(&caller).map_err(too_many)?;
    connection::open(
        &request,
        payload.into_inner(),
        &doors.connections,
        caller,
        permit,
    )
    .await
    .map_err(|_| no_handshake().into())
}

fn no_handshake() -> WireError {
    WireError::new(
        ErrorCode::InvalidRequest,
        "This is no WebSocket handshake of version 13.",
    )
}

/// What actix-ws does not look at: the key and the version stand there once (RFC 6455, sections 11.3.1 and 11.3.5), the protocol's name
/// is there as a word and not as a part of one, and nothing follows that a proxy could have taken for a body.
fn is_well_formed(headers: &HeaderMap) -> bool {
    let stands_once = |name| headers.get_all(name).count() == 1;
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0");
    stands_once(header::SEC_WEBSOCKET_KEY)
        && stands_once(header::SEC_WEBSOCKET_VERSION)
        && lists(headers, header::CONNECTION, "upgrade")
        && lists(headers, header::UPGRADE, "websocket")
        && !has_body
}

/// Whether a header that holds a list, in one line or in several, has this word in it.
fn lists(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(word))
}

/// RFC 6455, section 4.4: such a client is told which version there is.
fn speaks_another_version(headers: &HeaderMap) -> bool {
    headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_some_and(|version| version != "13")
}

fn too_many(limit: TooManyConnections) -> WireError {
    match limit {
        TooManyConnections::InAll => WireError::new(
            ErrorCode::TooManyConnections,
            "Too many connections are open. Please try again in a moment.",
        ),
        TooManyConnections::OfPrincipal => WireError::new(
            ErrorCode::ConnectionLimit,
            "You have too many connections open. Please close one, or try again in a moment.",
        ),
        TooManyConnections::FromAddress => WireError::new(
            ErrorCode::ConnectionLimit,
            "Too many connections are open from your address. Please close one, or try again in a moment.",
        ),
    }
}
