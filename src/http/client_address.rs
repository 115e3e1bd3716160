//! Where a request comes from. The peer of the connection, unless that is a trusted proxy: then the address that the proxy
//! saw, which it has put at the right end of `X-Forwarded-For`. Whatever stands further left was written by somebody who is
//! not trusted.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address; `None` for this machine itself: a peer on loopback that forwards for nobody. One that does, and is
/// not trusted, stays an address like any other, so that a proxy which nobody has told us of is limited and not let through.
pub(super) fn client_address(
    peer: Option<SocketAddr>,
    headers: &HeaderMap,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let peer = peer?.ip().to_canonical();
    if peer.is_loopback() && !headers.contains_key(FORWARDED_FOR) {
        return None;
    }
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer;
    let values: Vec<_> = headers.get_all(FORWARDED_FOR).collect();
    // Several headers are one list (RFC 9110, section 5.3).
    let mut hops = values
        .iter()
        .rev()
        .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    while is_trusted(client) {
        // What cannot be read ends the list: the last hop that is known counts.
        let Some(hop) = hops.next().and_then(parse_hop) else {
            break;
        };
        client = hop;
    }
    Some(client)
}

/// An address with or without a port, as the proxies of the field write it.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse().ok().or_else(|| {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        match bare {
            Some(bare) => bare.parse().ok().map(IpAddr::V6),
            None => text.parse().ok().map(|address: SocketAddr| address.ip()),
        }
    });
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded: &[&str], expected: &str) {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"]
            .map(|network| network.parse().unwrap())
            .to_vec();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let peer = Some(SocketAddr::new(peer.parse().unwrap(), 1));
        let found = client_address(peer, &headers, &trusted);
        let found = found.map_or_else(|| "here".to_owned(), |address| address.to_string());
        assert_eq!(found, expected, "{forwarded:?}");
    }

    #[test]
    fn only_trusted_proxies_are_believed_and_only_about_their_own_peer() {
        check("203.0.113.1", &[], "203.0.113.1");
        check("203.0.113.1", &["198.51.100.9"], "203.0.113.1");
        check("10.0.0.1", &["198.51.100.9"], "198.51.100.9");
        check("10.0.0.1", &["1.1.1.1, 198.51.100.9"], "198.51.100.9");
        check(
            "10.0.0.1",
            &["1.1.1.1, 198.51.100.9, 10.2.3.4"],
            "198.51.100.9",
        );
        check(
            "10.0.0.1",
            &["1.1.1.1", "198.51.100.9", "10.2.3.4"],
            "198.51.100.9",
        );
        check("10.0.0.1", &["10.9.9.9, 10.2.3.4"], "10.9.9.9");
        check("::ffff:10.0.0.1", &["::ffff:198.51.100.9"], "198.51.100.9");
        check("fd00::1", &["[2001:db8::7]:443"], "2001:db8::7");
        check("fd00::1", &["[2001:db8::7]"], "2001:db8::7");
        check("10.0.0.1", &["198.51.100.9:5555"], "198.51.100.9");
    }

    #[test]
    fn nothing_that_a_client_writes_moves_it() {
        let real = "198.51.100.9";
        for forged in [
            "127.0.0.1",
            "::1",
            "10.9.9.9",
            "::ffff:10.9.9.9",
            "1.1.1.1, 10.9.9.9, ::1",
            "unknown, \"",
            "for=1.1.1.1",
        ] {
            check("10.0.0.1", &[&format!("{forged}, {real}")], real);
            check("10.0.0.1", &[forged, real], real);
            check("10.0.0.1", &[forged, &format!("{real}, 10.2.3.4")], real);
        }
        let long = format!("{}{real}", "1.1.1.1, ".repeat(10_000));
        check("10.0.0.1", &[&long], real);
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (hop, expected) in [
            ("198.51.100.9", "198.51.100.9"),
            ("  198.51.100.9\t", "198.51.100.9"),
            ("198.51.100.9:65535", "198.51.100.9"),
            ("::ffff:198.51.100.9", "198.51.100.9"),
            ("[::ffff:198.51.100.9]:1", "198.51.100.9"),
            ("::ffff:c633:6409", "198.51.100.9"),
            ("2001:DB8::7", "2001:db8::7"),
            ("[2001:db8::7]:443", "2001:db8::7"),
            // Rubbish stays at the proxy.
            ("198.51.100.9:65536", "10.0.0.1"),
            ("198.51.100.9:", "10.0.0.1"),
            ("198.51.100.009", "10.0.0.1"),
            ("0x7f.0.0.1", "10.0.0.1"),
            ("2130706433", "10.0.0.1"),
            ("[198.51.100.9]", "10.0.0.1"),
            ("[2001:db8::7", "10.0.0.1"),
            ("2001:db8::7]", "10.0.0.1"),
            ("fe80::1%eth0", "10.0.0.1"),
            ("\"198.51.100.9\"", "10.0.0.1"),
            ("198.51.100.9 198.51.100.8", "10.0.0.1"),
        ] {
            check("10.0.0.1", &[hop], expected);
        }
        let mut headers = HeaderMap::new();
        let unreadable = actix_web::http::header::HeaderValue::from_bytes(b"198.51.100.9\xff");
        headers.insert(FORWARDED_FOR, unreadable.unwrap());
        let peer: SocketAddr = "10.0.0.1:1".parse().unwrap();
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let found = client_address(Some(peer), &headers, &trusted);
        assert_eq!(found, Some(peer.ip()));
    }

    #[test]
    fn what_cannot_be_read_is_not_believed() {
        check("10.0.0.1", &[], "10.0.0.1");
        for rubbish in [
            "",
            "unknown",
            "1.1.1.1,",
            "1.1.1.1, evil",
            "_hidden",
            "1.1.1",
        ] {
            check("10.0.0.1", &[rubbish], "10.0.0.1");
        }
    }

    #[test]
    fn this_machine_is_no_address_unless_it_forwards() {
        check("127.0.0.1", &[], "here");
        check("::1", &[], "here");
        check("127.0.0.1", &["198.51.100.9"], "198.51.100.9");
        check("127.0.0.2", &["198.51.100.9"], "127.0.0.2");
    }
}
