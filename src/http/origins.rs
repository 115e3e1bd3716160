//! Which browser origins may come in: the server's own, and those on the operator's list. Requests
//! without `Origin` do not come from a page and pass.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};

use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::WireError;

use super::Doors;
use super::problem::HttpError;

/// How long browsers may keep the answer to a preflight request, in seconds. Chromium keeps none longer than two hours.
const PREFLIGHT_SECONDS: &str = "7200";

/// Headers of a response that pages of other origins may read beside the body's own.
const READABLE_HEADERS: &str = "x-request-id, retry-after";

/// The operator's list, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigins {
    patterns: Vec<Pattern>,
}

/// An entry of the list that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{pattern:?} is no origin: write scheme and host such as https://app.example.com, \
     or https://*.example.com for all subdomains, without a path"
)]
pub struct OriginPatternError {
    /// The entry as it was given.
    pub pattern: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// Whether any subdomain of the host is meant, instead of the host itself.
    is_wildcard: bool,
    origin: Origin,
}

/// Scheme, host and port (RFC 6454), in lower case; the scheme's own port is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl AllowedOrigins {
    /// Compiles `https://app.example.com` (exactly this one) and `https://*.example.com` (every
    /// subdomain at any depth, not `example.com` itself).
    ///
    /// # Errors
    /// The first entry that cannot be understood.
    pub fn parse(list: &[String]) -> Result<Self, OriginPatternError> {
        let patterns = list
            .iter()
            .map(|entry| {
                parse_pattern(entry.trim()).ok_or_else(|| OriginPatternError {
                    pattern: entry.clone(),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { patterns })
    }

    /// Whether a request with these headers may come in.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN);
        let Some(origin) = origins.next() else {
            return true;
        };
        let Some(origin) = origin.to_str().ok().and_then(Origin::parse) else {
            return false;
        };
        origins.next().is_none() && (self.lists(&origin) || is_same(&origin, headers))
    }

    fn lists(&self, origin: &Origin) -> bool {
        self.patterns.iter().any(|pattern| {
            if !pattern.is_wildcard {
                return pattern.origin == *origin;
            }
            let subdomain = origin
                .host
                .strip_suffix(&pattern.origin.host)
                .and_then(|front| front.strip_suffix('.'));
            pattern.origin.scheme == origin.scheme
                && pattern.origin.port == origin.port
                && subdomain.is_some_and(|name| !name.is_empty())
        })
    }
}

/// `Host` is one of the server's own names: `hosts` was asked before. The scheme is not compared: behind a proxy that ends TLS, the server does not know its own.
fn is_same(origin: &Origin, headers: &HeaderMap) -> bool {
    headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .and_then(|host| Origin::parse(&format!("{}://{host}", origin.scheme)))
        .is_some_and(|own| own == *origin)
}

fn parse_pattern(entry: &str) -> Option<Pattern> {
    let (scheme, rest) = entry.split_once("://")?;
    let (is_wildcard, rest) = match rest.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let origin = Origin::parse(&format!("{scheme}://{rest}"))?;
    (!origin.host.contains('*')).then_some(Pattern {
        is_wildcard,
        origin,
    })
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (scheme, authority) = text.split_once("://")?;
        let own_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        // A host in brackets is an IPv6 address with colons of its own.
        let port_at = authority
            .rfind(':')
            .filter(|colon| authority.rfind(']').is_none_or(|bracket| bracket < *colon));
        let (host, port) = match port_at {
            Some(colon) => {
                let port: u16 = authority.get(colon + 1..)?.parse().ok()?;
                (authority.get(..colon)?, Some(port))
            }
            None => (authority, None),
        };
        let is_host = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._*[]:".contains(&byte));
        is_host.then(|| Self {
            scheme: scheme.to_owned(),
            host: host.to_owned(),
            port: port.filter(|port| *port != own_port),
        })
    }
}

/// What a page of another origin is told.
pub(super) fn refusal() -> WireError {
    WireError::new(
        ErrorCode::OriginNotAllowed,
        "Pages of this origin may not use this server. The operator can allow it in DB_CHAT_ALLOWED_ORIGINS.",
    )
}

/// The middleware of the API (CORS, Fetch Standard, section 3.2): refuses other origins, answers
/// preflight requests, and lets allowed pages read the responses. Credentials are never allowed.
pub(super) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let headers = request.headers();
    let doors = request.app_data::<web::Data<Doors>>();
    if !doors.is_some_and(|doors| doors.hosts.allow(headers)) {
        return Ok(request.error_response(HttpError::from(super::hosts::refusal())));
    }
    if !doors.is_some_and(|doors| doors.origins.allow(headers)) {
        return Ok(request.error_response(HttpError::from(refusal())));
    }
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        let response = HttpResponse::NoContent()
            .insert_header((
                header::ACCESS_CONTROL_ALLOW_METHODS,
                "GET, POST, PATCH, DELETE, OPTIONS",
            ))
            .insert_header((
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "accept, authorization, content-type, x-api-key, x-request-id",
            ))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS))
            .finish();
        request.into_response(response)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(READABLE_HEADERS),
        );
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &[&str], origin: &str, host: &str, expected: bool) {
        let list: Vec<_> = list.iter().map(|&entry| entry.to_owned()).collect();
        let allowed = AllowedOrigins::parse(&list).expect("a list");
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        headers.insert(header::HOST, host.parse().expect("a header"));
        assert_eq!(allowed.allow(&headers), expected, "{origin} at {host}");
    }

    #[test]
    fn a_page_of_the_server_itself_may_come_in() {
        check(&[], "http://chat.example", "chat.example", true);
        check(&[], "https://Chat.Example", "chat.example:443", true);
        check(&[], "http://127.0.0.1:8080", "127.0.0.1:8080", true);
        check(&[], "http://[::1]:8080", "[::1]:8080", true);
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        for origin in [
            "https://evil.test",
            "http://chat.example:8080",
            "http://chat.example.evil.test",
            "null",
            "file://",
            "",
        ] {
            check(&[], origin, "chat.example", false);
        }
    }

    #[test]
    fn the_list_lets_in_exactly_what_it_says() {
        let list = ["https://app.example.com", "https://*.widgets.test:8443"];
        for (origin, expected) in [
            ("https://app.example.com", true),
            ("http://app.example.com", false),
            ("https://x.app.example.com", false),
            ("https://a.widgets.test:8443", true),
            ("https://a.b.widgets.test:8443", true),
            ("https://widgets.test:8443", false),
            ("https://evilwidgets.test:8443", false),
            ("https://a.widgets.test", false),
            ("HTTPS://APP.EXAMPLE.COM", true),
            ("https://app.example.com:443", true),
            ("https://app.example.com:80", false),
            ("https://app.example.com:", false),
            ("https://app.example.com.", false),
            ("https://app.example.com/", false),
            ("https://evil-app.example.com", false),
            ("https://app.example.com.evil.test", false),
            ("https://app.example.com@evil.test", false),
            ("https://evil.test@app.example.com", false),
            ("https://evil.test#app.example.com", false),
            ("https://evil.test\\.widgets.test:8443", false),
            ("https://evil.test/.widgets.test:8443", false),
            ("https://.widgets.test:8443", false),
            ("https://evil-widgets.test:8443", false),
            ("wss://app.example.com", false),
            ("app.example.com", false),
            ("*", false),
            ("https://app.example.com https://evil.test", false),
            ("https://app.example.com, https://evil.test", false),
        ] {
            check(&list, origin, "chat.example", expected);
        }
    }

    #[test]
    fn of_two_origins_none_counts() {
        let allowed = AllowedOrigins::parse(&["https://app.example.com".to_owned()]).unwrap();
        let mut headers = HeaderMap::new();
        for _ in 0..2 {
            headers.append(
                header::ORIGIN,
                HeaderValue::from_static("https://app.example.com"),
            );
        }
        assert!(!allowed.allow(&headers));
    }

    #[test]
    fn entries_that_are_no_origins_are_refused() {
        for entry in [
            "",
            "*",
            "example.com",
            "https://a.test/path",
            "https://a.*.test",
            "https://*",
            "https://user@a.test",
            "https://a.test?b",
            "null",
        ] {
            assert!(
                AllowedOrigins::parse(&[entry.to_owned()]).is_err(),
                "{entry}"
            );
        }
    }
}
