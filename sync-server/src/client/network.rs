//! Networks whose proxies are believed, and the client's address as they tell it.

use std::net::IpAddr;
use std::str::FromStr;

use hyper::HeaderMap;

use super::ClientAddress;
use super::forwarded::kinds;

/// A range of addresses such as `10.0.0.0/8`, `fd00::/8` or `192.0.2.1`.
///
/// ```
/// use sync_server::client::Network;
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.1.2.3".parse().unwrap()) && !network.contains("11.0.0.1".parse().unwrap()));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The first address. IPv4 addresses lie where IPv6 has a place for them, so that there is one way to compare.
    first: u128,
    /// How many bits at the end are free.
    n_free_bits: u32,
}

impl Network {
    /// Whether `ip` lies in it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.first == start(bits(ip), self.n_free_bits)
    }
}

fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn start(bits: u128, n_free_bits: u32) -> u128 {
    bits & u128::MAX.checked_shl(n_free_bits).unwrap_or(0)
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{text}` is not a network such as 10.0.0.0/8, fd00::/8 or 192.0.2.1");
        let (ip, length) = text.split_once('/').map_or((text, None), |(ip, length)| (ip, Some(length)));
        let ip: IpAddr = ip.parse().map_err(|_| refused())?;
        let n_bits = if ip.is_ipv4() { 32 } else { 128 };
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let length = match length {
            Some(length) => length.parse::<u32>().ok().filter(|_| is_number(&length)).ok_or_else(refused)?,
            None => n_bits,
        };
        let n_free_bits = n_bits.checked_sub(length).ok_or_else(refused)?;
        let network = Self { first: start(bits(ip), n_free_bits), n_free_bits };
        if network.first != bits(ip) {
            return Err(format!("`{text}` has bits set beyond its length: is it a single address?"));
        }
        Ok(network)
    }
}

/// The networks whose proxies are believed; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Trusts every machine of these networks.
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    /// Whether `ip` is a proxy that is believed.
    pub fn trusts(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(ip))
    }

    /// The client's address, for a request with this head that came from `peer`.
    ///
    /// `X-Forwarded-For`, `Forwarded` and `X-Real-IP` are understood. A proxy writes one of them and may let the others
    /// through as the client wrote them, so when two name different clients neither is believed, and the request counts
    /// as the proxy's own. The same when the nearest hop is told as something that is no address.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer.into();
        }
        let told: Vec<IpAddr> =
            kinds(headers).into_iter().flatten().map(|hops| self.furthest(peer, hops)).collect();
        let mut outside = told.iter().filter(|ip| !self.trusts(**ip));
        let client = match outside.next() {
            Some(first) if outside.all(|other| other == first) => *first,
            Some(_) => peer,
            // Everyone is trusted: a client within the networks.
            None => told.first().copied().unwrap_or(peer),
        };
        client.into()
    }

    /// Goes from `peer` on through `hops`, the nearest first, to the first that is not trusted.
    fn furthest(&self, peer: IpAddr, hops: impl IntoIterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut at = peer;
        for hop in hops {
            let Some(ip) = hop.filter(|_| self.trusts(at)) else { break };
            at = ip;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Result<Network, String> {
        text.parse()
    }

    #[test]
    fn networks_hold_their_own_addresses_alone() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.0/31", "::ffff:192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("fd00::/8", "fdff::1", "fe80::1"),
            ("::1", "::1", "::2"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"),
        ] {
            let network = network(text).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text}");
            assert!(!network.contains(outside.parse().unwrap()), "{text}");
        }
        assert!(network("::/0").unwrap().contains("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.1/8",
            "::/129",
            "10.0.0.0/+8",
            "proxy",
            "10.0.0.0/8/8",
        ] {
            assert!(network(text).is_err(), "{text}");
        }
    }
}
