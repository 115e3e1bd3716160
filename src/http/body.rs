//! Reads a request's body: JSON text, bounded in bytes and in time. Knows nothing of its fields.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;

use crate::config::Limits;
use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::WireError;

use super::problem::HttpError;

/// The body as text, within `frame_bytes_max` and `body_timeout_ms`. Compressed bodies are refused: a question is too small to gain from it, and what
/// unpacks to gigabytes cannot come in.
///
/// # Errors
/// 400, 408, 413 or 415, each with what to do.
pub(super) async fn read_json_text(
    request: &HttpRequest,
    payload: web::Payload,
    limits: &Limits,
) -> Result<String, HttpError> {
    let bytes_max = limits.frame_bytes_max;
    let timeout = Duration::from_millis(limits.body_timeout_ms);
    check_type(request)?;
    check_encoding(request)?;
    check_length(request, bytes_max)?;
    let bytes = tokio::time::timeout(timeout, read(payload, bytes_max))
        .await
        .map_err(|_| {
            HttpError::from(WireError::new(
                ErrorCode::RequestTimeout,
                "The body took too long to arrive. Please send it again.",
            ))
            // The rest of the body may still come; it must not be taken for a request.
            .with_header(header::CONNECTION, "close")
        })??;
    String::from_utf8(bytes).map_err(|_| {
        WireError::new(
            ErrorCode::InvalidRequest,
            "The body is not UTF-8. Please send JSON encoded as UTF-8.",
        )
        .into()
    })
}

/// Forms of other sites can post every type but this one without a preflight request.
fn check_type(request: &HttpRequest) -> Result<(), HttpError> {
    let mut types = request.headers().get_all(header::CONTENT_TYPE);
    // Two of them leave it open which one counts.
    let only = types.next().filter(|_| types.next().is_none());
    if only.is_some_and(|value| value.to_str().is_ok_and(is_json)) {
        return Ok(());
    }
    Err(WireError::new(
        ErrorCode::UnsupportedMediaType,
        "Please send the body as JSON with `Content-Type: application/json`.",
    )
    .into())
}

/// `application/json` with any parameters, as long as they name no other encoding.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json")
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                let charset = value.trim_matches('"');
                // The second spelling is no registered one, and common.
                ["utf-8", "utf8"]
                    .iter()
                    .any(|known| charset.eq_ignore_ascii_case(known))
            }
            Some(_) | None => true,
        })
}

fn check_encoding(request: &HttpRequest) -> Result<(), HttpError> {
    let is_plain = request
        .headers()
        .get_all(header::CONTENT_ENCODING)
        .all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_plain {
        return Ok(());
    }
    let error = WireError::new(
        ErrorCode::UnsupportedMediaType,
        "Compressed bodies are not taken. Please send the JSON as it is.",
    );
    Err(HttpError::from(error).with_header(header::ACCEPT_ENCODING, "identity"))
}

fn check_length(request: &HttpRequest, bytes_max: usize) -> Result<(), HttpError> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) if length > bytes_max as u64 => Err(too_large(bytes_max)),
        _ => Ok(()),
    }
}

async fn read(mut payload: web::Payload, bytes_max: usize) -> Result<Vec<u8>, HttpError> {
    let mut bytes = Vec::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| {
            WireError::new(
                ErrorCode::InvalidRequest,
                "The body could not be read to its end.",
            )
        })?;
        if bytes.len() + piece.len() > bytes_max {
            return Err(too_large(bytes_max));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn too_large(bytes_max: usize) -> HttpError {
    WireError::new(
        ErrorCode::RequestTooLarge,
        format!("The body is too large. Please keep it within {bytes_max} bytes."),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_utf_8_is_taken_however_it_is_written() {
        for content_type in [
            "application/json",
            "Application/JSON",
            "application/json;",
            "application/json ; CHARSET=\"UTF-8\"",
            "application/json;charset=utf8",
            "application/json; version=1; charset=utf-8",
        ] {
            assert!(is_json(content_type), "{content_type}");
        }
        for content_type in [
            "",
            "json",
            "text/json",
            "application/jsonp",
            "application/problem+json",
            "application/json, text/plain",
            "application/json; charset=",
            "application/json; charset=latin1",
            "application/json; charset=utf-8; charset=utf-16",
        ] {
            assert!(!is_json(content_type), "{content_type}");
        }
    }
}
