//! Under what a caller is counted.

use std::net::{IpAddr, Ipv6Addr};

use crate::domain::principal::Principal;

/// Bits of an IPv6 address that one subscriber commonly has a single value of (RFC 6177): the other half is theirs to choose.
const IPV6_NETWORK_BITS: u32 = 64;

/// The address that a limit counts: of IPv6 the network.
pub(super) fn counted_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS;
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

/// Whose questions are counted together: those of a principal, or, of nobody in particular, those from one address. `None`
/// where nothing is counted: for whoever sits at this machine and needs no name.
pub(super) fn subject(principal: &Principal, address: Option<IpAddr>) -> Option<Principal> {
    if !principal.is_anonymous() {
        return Some(principal.clone());
    }
    address.map(|address| Principal::proved("address", &counted_address(address).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_is_one_whatever_address_they_choose() {
        let counted = |text: &str| counted_address(text.parse().unwrap()).to_string();
        assert_eq!(counted("203.0.113.7"), "203.0.113.7");
        assert_eq!(counted("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(counted("2001:db8:1:2:a:b:c:d"), "2001:db8:1:2::");
        assert_eq!(counted("2001:db8:1:2::1"), counted("2001:db8:1:2:ffff::"));
        assert_ne!(counted("2001:db8:1:2::1"), counted("2001:db8:1:3::1"));
    }

    #[test]
    fn an_address_is_counted_only_for_nobody_in_particular() {
        let (ada, address) = (Principal::proved("key", "ada"), "192.0.2.1".parse().ok());
        assert_eq!(subject(&ada, address), Some(ada));
        let anonymous = Principal::anonymous();
        assert_eq!(subject(&anonymous, None), None);
        let counted = subject(&anonymous, address).unwrap();
        assert_eq!(counted.as_str(), "address:192.0.2.1");
    }
}
