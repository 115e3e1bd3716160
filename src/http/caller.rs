//! Who calls: credentials out of a request, and the middleware that puts a [`Caller`] beside every request of the API.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, web};
use secrecy::SecretString;

use crate::auth::{AuthError, Credential, Identity};
use crate::domain::caller::Caller;
use crate::domain::principal::Principal;
use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::WireError;

use super::Doors;
use super::client_address::client_address;
use super::problem::HttpError;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What `WWW-Authenticate` says (RFC 6750, section 3) to those who showed nothing, and to those who showed something else.
const CHALLENGE: &str = "Bearer realm=\"db-chat\"";
const CHALLENGE_INVALID: &str = "Bearer realm=\"db-chat\", error=\"invalid_token\"";

/// A ticket that was taken out of the request's address before anything could log it.
pub(super) struct Ticket(pub(super) SecretString);

/// Lets nobody in without having found out who they are; handlers take the result as `ReqData<Caller>`.
pub(super) async fn identify(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(doors) = request.app_data::<web::Data<Doors>>().cloned() else {
        return Ok(request.error_response(HttpError::from(WireError::internal())));
    };
    match caller(request.request(), &doors).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(error) => Ok(request.error_response(error)),
    }
}

/// Whoever sent a request, by the credential in its headers.
///
/// # Errors
/// 401: credentials are needed, and there are none or others. 403: they are of no tenant, and one is needed. 503: they cannot be checked.
pub(super) async fn caller(request: &HttpRequest, doors: &Doors) -> Result<Caller, HttpError> {
    let identity = if doors.authenticator.is_required() {
        let credential = credential(request.headers())?;
        doors
            .authenticator
            .authenticate(&credential)
            .await
            .map_err(|error| refusal(&error))?
    } else {
        Identity {
            principal: Principal::anonymous(),
            expires_at: None,
        }
    };
    Ok(with_address(identity, request, doors))
}

/// Whoever opens a socket: by a ticket if there is one, else as everywhere.
///
/// # Errors
/// As [`caller`].
pub(super) async fn socket_caller(
    request: &HttpRequest,
    doors: &Doors,
) -> Result<Caller, HttpError> {
    let ticket = request.extensions_mut().remove::<Ticket>();
    match ticket {
        Some(Ticket(ticket)) if doors.authenticator.is_required() => {
            let redeemed = doors.tickets.redeem(&ticket).await;
            let identity = redeemed.map_err(|error| ticket_refusal(&error))?;
            let identity = identity.ok_or_else(|| {
                unauthorized(
                    ErrorCode::InvalidCredentials,
                    "The ticket is not valid: each is good once, for 30 seconds. Please get a new one.",
                )
            })?;
            Ok(with_address(identity, request, doors))
        }
        Some(_) | None => caller(request, doors).await,
    }
}

/// What a ticket that cannot be kept or looked up means.
pub(super) fn ticket_refusal(error: &dyn std::error::Error) -> HttpError {
    tracing::warn!(error = %crate::wire::errors::chain(error), "tickets cannot be used");
    WireError::new(
        ErrorCode::AuthenticationUnavailable,
        "Tickets cannot be given out or checked right now. Please try again in a moment.",
    )
    .into()
}

fn with_address(identity: Identity, request: &HttpRequest, doors: &Doors) -> Caller {
    let address = client_address(
        request.peer_addr(),
        request.headers(),
        &doors.trusted_proxies,
    );
    Caller {
        principal: identity.principal,
        address,
        expires_at: identity.expires_at,
    }
}

/// The one credential of a request. Two would leave open whose request it is.
fn credential(headers: &HeaderMap) -> Result<Credential, HttpError> {
    let mut shown = headers
        .get_all(header::AUTHORIZATION)
        .map(|value| bearer(value).map(Credential::Bearer))
        .chain(
            headers
                .get_all(API_KEY)
                .map(|value| Some(Credential::ApiKey(value.to_str().ok()?.trim().into()))),
        );
    match (shown.next(), shown.next()) {
        (Some(Some(credential)), None) => Ok(credential),
        (None, _) => Err(unauthorized(
            ErrorCode::AuthenticationRequired,
            "Please sign in: send a key or a token in `Authorization: Bearer …`, or a key in `X-API-Key`.",
        )),
        (Some(_), _) => Err(unauthorized(
            ErrorCode::InvalidCredentials,
            "Please send exactly one key or token, in `Authorization: Bearer …` or `X-API-Key`.",
        )),
    }
}

/// The token of an `Authorization` header; `None` where it holds something else.
pub(super) fn bearer(value: &HeaderValue) -> Option<SecretString> {
    let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| token.trim().into())
}

/// One answer for all that is not valid: what exactly failed would help to forge.
fn refusal(error: &AuthError) -> HttpError {
    match error {
        AuthError::Invalid { reason } => {
            tracing::debug!(reason, "refused a credential");
            unauthorized(
                ErrorCode::InvalidCredentials,
                "The key or token is not valid here.",
            )
        }
        AuthError::Expired => unauthorized(
            ErrorCode::TokenExpired,
            "The token has expired. Please get a new one.",
        ),
        AuthError::NoTenant => WireError::new(
            ErrorCode::TenantMissing,
            "This login belongs to no tenant, so there is nothing that it may see. Please tell the operator.",
        )
        .into(),
        AuthError::KeysUnavailable { source: _ } => WireError::new(
            ErrorCode::AuthenticationUnavailable,
            "Tokens cannot be checked right now. Please try again in a moment.",
        )
        .into(),
    }
}

/// A 401 with its challenge.
pub(super) fn unauthorized(code: ErrorCode, message: &'static str) -> HttpError {
    let shown_nothing = matches!(
        code,
        ErrorCode::AuthenticationRequired | ErrorCode::LoginRequired
    );
    let challenge = if shown_nothing {
        CHALLENGE
    } else {
        CHALLENGE_INVALID
    };
    HttpError::from(WireError::new(code, message)).with_header(header::WWW_AUTHENTICATE, challenge)
}
