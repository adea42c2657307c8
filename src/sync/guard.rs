//! Which addresses may be reached: nothing on this machine or inside the network, unless allowed.
//!
//! A record names where its reply goes, and a name can point anywhere. So every host is resolved
//! first, and only addresses that passed are connected to (the resolver itself is the check, so
//! that nothing can change in between).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// The environment variable that lists hosts which may be private: names or addresses with commas
/// between, `*` for all.
pub const PRIVATE_HOSTS: &str = "OVERRULE_PRIVATE_HOSTS";

/// An address that must not be reached.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{host} is at {address}, inside the network; {PRIVATE_HOSTS} or `private` allows it")]
pub struct Forbidden {
    pub host: String,
    pub address: IpAddr,
}

/// Hosts that may be private.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    all: bool,
    hosts: Vec<String>,
}

impl Allowed {
    /// From the text of [`PRIVATE_HOSTS`].
    pub fn read(list: &str) -> Self {
        let hosts: Vec<String> = list
            .split(',')
            .map(|h| h.trim().trim_start_matches('[').trim_end_matches(']').to_lowercase())
            .filter(|h| !h.is_empty())
            .collect();
        Self { all: hosts.iter().any(|h| h == "*"), hosts }
    }

    /// May this host (as it stands in an address) be private?
    pub fn has(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.all || self.hosts.iter().any(|h| h.eq_ignore_ascii_case(host))
    }
}

/// Every address, or the first that must not be reached.
pub fn check(host: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Result<(), Forbidden> {
    match addresses.into_iter().find(|a| !is_public(*a)) {
        Some(address) => Err(Forbidden { host: host.to_owned(), address }),
        None => Ok(()),
    }
}

/// Is the address out in the world? (IANA's special-purpose registries: what is there is not.)
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_documentation()
        || v4.is_multicast()
        || a == 0
        || a >= 240                                // reserved and broadcast
        || (a == 100 && (64..128).contains(&b))    // shared by carriers
        || (a == 192 && b == 0 && c == 0)          // protocol assignments
        || (a == 198 && (b == 18 || b == 19)); // benchmarks
    !special
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    // Addresses that carry an IPv4 one lead there.
    let carried = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            carried(high, low)
        }
        [0x2002, high, low, ..] => carried(high, low),
        // Only 2000::/3 is global; Teredo, documentation and benchmarks inside it are not.
        [first, second, ..] => {
            first & 0xe000 == 0x2000
                && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
                && first != 0x3fff
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_world_is_public() {
        let inside = [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.3.4",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "192.0.2.1",
            "192.0.0.8",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
            "fec0::1",
        ];
        for address in inside {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        let outside = [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ];
        for address in outside {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn one_address_inside_is_enough() {
        let addresses = ["1.1.1.1", "10.0.0.7"].map(|a| a.parse().unwrap());
        let why = check("rebind.example", addresses).unwrap_err();
        assert_eq!(why.address, "10.0.0.7".parse::<IpAddr>().unwrap());
        assert!(why.to_string().starts_with("rebind.example is at 10.0.0.7, inside the network"));
    }

    #[test]
    fn hosts_are_allowed_by_name() {
        let allowed = Allowed::read("hooks.internal, [::1] ,127.0.0.1");
        assert!(allowed.has("HOOKS.internal") && allowed.has("[::1]") && allowed.has("127.0.0.1"));
        assert!(!allowed.has("other.internal") && !allowed.has("127.0.0.2"));
        assert!(Allowed::read("*").has("anything"));
        assert!(!Allowed::read("").has(""));
    }
}
