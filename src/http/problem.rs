//! An error of a handler, on its way to the envelope that writes it as JSON with the request's id.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};

use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::{WireError, http_status};

/// When a client that was turned away for load may come back, in milliseconds, where nothing better is known.
const RETRY_AFTER_MS: u64 = 2_000;

/// What a handler failed with. Its status is that of its code.
#[derive(Debug)]
pub(super) struct HttpError {
    error: WireError,
    headers: Vec<(header::HeaderName, String)>,
}

impl HttpError {
    /// Nothing is at this path.
    pub(super) fn not_found() -> Self {
        WireError::new(ErrorCode::NotFound, "There is nothing at this address.").into()
    }

    /// The path does not take this method; `allowed` goes into `Allow`.
    pub(super) fn method_not_allowed(allowed: &'static str) -> Self {
        let error = WireError::new(
            ErrorCode::MethodNotAllowed,
            format!("This address takes {allowed} only."),
        );
        Self::from(error).with_header(header::ALLOW, allowed)
    }

    /// Adds a header that goes with the error.
    pub(super) fn with_header(mut self, name: header::HeaderName, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// What the client is told.
    pub(super) fn wire(&self) -> &WireError {
        &self.error
    }
}

impl<E: Into<WireError>> From<E> for HttpError {
    fn from(error: E) -> Self {
        let error = error.into();
        let known = error.retry_after_ms;
        let usual = matches!(http_status(error.code), 429 | 503).then_some(RETRY_AFTER_MS);
        let retry_after = known.or(usual).map(|pause_ms| {
            // Rounded up: who comes back a moment too early is turned away again.
            (header::RETRY_AFTER, pause_ms.div_ceil(1_000).to_string())
        });
        let headers = retry_after.into_iter().collect();
        Self { error, headers }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.error.message)
    }
}

impl ResponseError for HttpError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(http_status(self.error.code))
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.as_str()));
        }
        response.finish()
    }
}
