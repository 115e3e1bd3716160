//! Under which names the server may be called. A page of another site cannot read answers of this server, unless its own
//! name is made to lead here (DNS rebinding): then it is of the same origin, and only `Host` still tells where it came from.
//!
//! An address instead of a name always passes: there is nothing about it that could be made to lead elsewhere.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap};

use crate::protocol::error_code::ErrorCode;
use crate::wire::errors::WireError;

/// The operator's list, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AllowedHosts {
    names: Vec<String>,
    /// With the dot in front.
    suffixes: Vec<String>,
    any: bool,
}

impl AllowedHosts {
    /// `chat.example.com` is this name, `.example.com` this one and every subdomain, `*` any, as in Django; with any port.
    /// The host of `bind` is always among them.
    pub(super) fn new(list: &[String], bind: &str) -> Self {
        let mut allowed = Self {
            names: vec![host_of(bind).to_ascii_lowercase()],
            suffixes: vec![".localhost".to_owned()],
            any: false,
        };
        for entry in list {
            let entry = entry.to_ascii_lowercase();
            if entry == "*" {
                allowed.any = true;
            } else if entry.starts_with('.') {
                allowed.suffixes.push(entry);
            } else {
                allowed.names.push(entry);
            }
        }
        allowed
    }

    /// Whether a request with these headers may come in. One without `Host` is from no browser.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST);
        let Some(host) = hosts.next() else {
            return true;
        };
        if hosts.next().is_some() {
            return false;
        }
        host.to_str().is_ok_and(|host| self.any || self.knows(host))
    }

    fn knows(&self, host: &str) -> bool {
        let host = host_of(host).to_ascii_lowercase();
        // A dot at the end names the same host.
        let host = host.strip_suffix('.').unwrap_or(&host);
        let address = host.trim_start_matches('[').trim_end_matches(']');
        address.parse::<IpAddr>().is_ok()
            || self.names.iter().any(|name| name == host)
            || self.suffixes.iter().any(|suffix| {
                host.ends_with(suffix.as_str()) || suffix.strip_prefix('.') == Some(host)
            })
    }
}

/// What a page under another name is told.
pub(super) fn refusal() -> WireError {
    WireError::new(
        ErrorCode::HostNotAllowed,
        "This server is not known under the name in `Host`. The operator can allow it in DB_CHAT_ALLOWED_HOSTS.",
    )
}

/// Without the port; an IPv6 address keeps its brackets.
fn host_of(authority: &str) -> &str {
    let port_at = authority
        .rfind(':')
        .filter(|colon| authority.rfind(']').is_none_or(|bracket| bracket < *colon));
    port_at.map_or(authority, |colon| &authority[..colon])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &[&str], host: &str, expected: bool) {
        let list: Vec<_> = list.iter().map(|&entry| entry.to_owned()).collect();
        let allowed = AllowedHosts::new(&list, "chat.internal:8080");
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        assert_eq!(allowed.allow(&headers), expected, "{host}");
    }

    #[test]
    fn this_machine_its_bind_address_and_addresses_pass() {
        for host in [
            "localhost",
            "LocalHost:8080",
            "localhost.:8080",
            "app.localhost:3000",
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.0.2.7",
            "chat.internal",
        ] {
            check(&[], host, true);
        }
    }

    #[test]
    fn other_names_pass_only_when_the_list_says_so() {
        for host in [
            "evil.test",
            "evil.test:8080",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "evillocalhost",
            "",
            "[evil",
            "[::1]evil.test",
            "localhost@evil.test",
            "2130706433",
            "0x7f.1",
            "chat.internal.evil.test",
        ] {
            check(&[], host, false);
            check(&["*"], host, true);
        }
        let list = ["chat.example.com", ".widgets.test"];
        for (host, expected) in [
            ("chat.example.com:443", true),
            ("CHAT.example.com", true),
            ("x.chat.example.com", false),
            ("widgets.test", true),
            ("a.b.widgets.test", true),
            ("evilwidgets.test", false),
        ] {
            check(&list, host, expected);
        }
    }

    #[test]
    fn a_request_with_two_hosts_is_refused_and_one_without_is_no_browsers() {
        let allowed = AllowedHosts::new(&[], "127.0.0.1:0");
        let mut headers = HeaderMap::new();
        assert!(allowed.allow(&headers));
        for host in ["localhost", "localhost"] {
            headers.append(header::HOST, host.parse().unwrap());
        }
        assert!(!allowed.allow(&headers));
    }
}
