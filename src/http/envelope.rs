//! What every response has, whatever made it: `X-Request-Id`, the headers of good behaviour, and, if it
//! is an error, a JSON body. Also turns away requests whose head is too large.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest};

use crate::domain::ids::RequestId;
use crate::protocol::error_code::ErrorCode;
use crate::protocol::http_body::HttpErrorBody;
use crate::wire::errors::WireError;

use super::problem::HttpError;
use super::ticket;
use super::unread_body::HeldBody;

/// Bytes of path, header names and header values together. What other servers commonly take; a browser
/// with many cookies stays below it. The HTTP parser itself gives up at 128 KiB.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Carries a request's id, in both directions.
pub(super) const REQUEST_ID_HEADER: &str = "x-request-id";

/// The outermost middleware.
///
/// # Errors
/// None: what went wrong inside has become a response.
pub async fn envelop(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    ticket::take(&mut request);
    let held_body = HeldBody::of(&mut request);
    let id = request
        .headers()
        .get(REQUEST_ID_HEADER)
        .and_then(|value| RequestId::parse(value.to_str().ok()?))
        .unwrap_or_else(RequestId::random);
    request.extensions_mut().insert(id.clone());
    let mut response = if head_bytes(&request) > HEAD_BYTES_MAX {
        let error = WireError::new(
            ErrorCode::HeadersTooLarge,
            "The address and headers of the request are too large.",
        );
        request
            .error_response(HttpError::from(error))
            .map_into_boxed_body()
    } else {
        // A middleware that fails leaves no request to answer to; ours never do.
        next.call(request).await?.map_into_boxed_body()
    };
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    if is_error && !is_json(&response) {
        response = write_error(response, &id);
    }
    if let Some(body) = held_body {
        response = response.map_body(|_, response| body.within(response));
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(HeaderName::from_static(REQUEST_ID_HEADER), value);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// The id of the request being answered.
pub(super) fn request_id(request: &HttpRequest) -> RequestId {
    request
        .extensions()
        .get::<RequestId>()
        .cloned()
        .unwrap_or_else(RequestId::random)
}

fn head_bytes(request: &ServiceRequest) -> usize {
    let headers: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    uri_bytes(request.uri()) + headers
}

fn uri_bytes(uri: &Uri) -> usize {
    uri.path_and_query().map_or(0, |path| path.as_str().len())
}

/// Whether the handler has written a document of its own, as readiness does.
fn is_json(response: &ServiceResponse<BoxBody>) -> bool {
    response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes() == b"application/json")
}

/// Replaces an error's body: with what a handler said, or with what the status says where the
/// framework answered by itself.
fn write_error(response: ServiceResponse<BoxBody>, id: &RequestId) -> ServiceResponse<BoxBody> {
    let said = response
        .response()
        .error()
        .and_then(|error| error.as_error::<HttpError>())
        .map(|error| error.wire().clone());
    let error = said.unwrap_or_else(|| unsaid(response.status()));
    let body = HttpErrorBody {
        error: error.message.into_owned(),
        code: error.code,
        retry_after_ms: error.retry_after_ms,
        request_id: id.to_string(),
    };
    let text = serde_json::to_string(&body).unwrap_or_default();
    let mut response = response.map_body(|_, _| BoxBody::new(text));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// What the framework's own errors mean.
fn unsaid(status: StatusCode) -> WireError {
    match status.as_u16() {
        404 => WireError::new(ErrorCode::NotFound, "There is nothing at this address."),
        405 => WireError::new(
            ErrorCode::MethodNotAllowed,
            "This address does not take this method.",
        ),
        408 => WireError::new(
            ErrorCode::RequestTimeout,
            "The request took too long to arrive.",
        ),
        413 => WireError::new(ErrorCode::RequestTooLarge, "The request is too large."),
        400..=499 => WireError::new(
            ErrorCode::InvalidRequest,
            "The request is not one that this address takes.",
        ),
        _ => WireError::internal(),
    }
}
