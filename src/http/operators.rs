//! Who may see how the server fares: `/metrics`, and the details of `/readyz`. Whoever has the token of the settings; without
//! one in the settings, whoever comes from this machine itself.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};
use ring::digest;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::protocol::error_code::ErrorCode;

use super::Doors;
use super::caller::{bearer, unauthorized};
use super::client_address::client_address;
use super::problem::HttpError;

/// What proxies put into what they pass on, whichever of it they are set up to. A request with one of these comes from
/// somebody else, though the proxy be on this machine.
const FORWARDED: [HeaderName; 6] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// Tells operators from others.
pub(super) struct Operators {
    /// The token's hash: equally long whatever is compared with it.
    token: Option<[u8; 32]>,
}

impl Operators {
    pub(super) fn new(token: Option<&SecretString>) -> Self {
        Self {
            token: token.map(hash),
        }
    }

    /// Lets an operator pass.
    ///
    /// # Errors
    /// 401: it is somebody else.
    pub(super) fn admit(&self, request: &HttpRequest, doors: &Doors) -> Result<(), HttpError> {
        let Some(expected) = &self.token else {
            return match is_from_here(request, doors) {
                true => Ok(()),
                false => Err(unauthorized(
                    ErrorCode::AuthenticationRequired,
                    "This is for the machine that the server runs on, or for whoever has the token in DB_CHAT_METRICS_TOKEN.",
                )),
            };
        };
        let shown: Vec<_> = request
            .headers()
            .get_all(header::AUTHORIZATION)
            .map(bearer)
            .collect();
        match shown.as_slice() {
            [] => Err(unauthorized(
                ErrorCode::AuthenticationRequired,
                "This needs the token in DB_CHAT_METRICS_TOKEN as `Authorization: Bearer …`.",
            )),
            [Some(token)] if bool::from(hash(token).ct_eq(expected)) => Ok(()),
            _ => Err(unauthorized(
                ErrorCode::InvalidCredentials,
                "This is not the token in DB_CHAT_METRICS_TOKEN.",
            )),
        }
    }
}

/// Over loopback, for nobody else, and under a name of this server: a page whose own name was made to lead here (DNS
/// rebinding) also comes over loopback.
fn is_from_here(request: &HttpRequest, doors: &Doors) -> bool {
    let headers = request.headers();
    let address = client_address(request.peer_addr(), headers, &doors.trusted_proxies);
    address.is_none()
        && request.peer_addr().is_some()
        && !is_forwarded(headers)
        && doors.hosts.allow(headers)
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(name))
}

fn hash(token: &SecretString) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, token.expose_secret().as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(digest.as_ref());
    hash
}
