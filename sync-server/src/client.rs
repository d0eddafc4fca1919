//! Who is at the other end: the address a request really comes from, also behind proxies.
//!
//! A proxy that is trusted adds a line to the head that says from where it got the request. Everyone else can write such
//! lines, too, so they are read from the right, from the nearest hop on, and only as far as trusted hops reach: the first
//! address that is not trusted is the client's. What stands to the left of it the client may have made up.

mod forwarded;
mod network;
mod tally;

pub use network::{Network, TrustedProxies};
pub use tally::Holding;
pub(crate) use tally::Tally;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address a request comes from. `Debug` does not show it: it tells where someone is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// This machine, for requests that came through no socket.
    pub const LOCAL: Self = Self(IpAddr::V4(Ipv4Addr::LOCALHOST));

    /// The address itself. An IPv4 address that was written as IPv6 is an IPv4 address.
    pub fn ip(&self) -> IpAddr {
        self.0
    }

    /// The address by which things are counted: an IPv4 address, or the /64 of an IPv6 address, as one subscriber usually
    /// has all of it.
    pub fn counted(&self) -> IpAddr {
        match self.0 {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            ip => ip,
        }
    }

    /// Whether it is this machine: the operator, a test, or a proxy that is not trusted.
    pub fn is_loopback(&self) -> bool {
        self.0.is_loopback()
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(ip: IpAddr) -> Self {
        Self(ip.to_canonical())
    }
}

impl std::fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientAddress(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(ip: &str) -> String {
        ClientAddress::from(ip.parse::<IpAddr>().unwrap()).counted().to_string()
    }

    #[test]
    fn a_subscriber_counts_as_one() {
        for (ip, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::"),
            ("2001:db8::ffff:0:0:1", "2001:db8::"),
            ("2001:db8:0:1::1", "2001:db8:0:1::"),
            ("::1", "::1"),
        ] {
            assert_eq!(counted(ip), expected, "{ip}");
        }
    }

    #[test]
    fn an_address_is_not_shown() {
        assert!(!format!("{:?}", ClientAddress::LOCAL).contains("127"));
    }
}
