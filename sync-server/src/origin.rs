//! An origin of the web: scheme, host and port, written exactly as browsers write it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use hyper::Uri;
use hyper::header::HeaderValue;

/// `https://app.example` or `http://localhost:3000`: what may call this server, and where this server itself is reached.
///
/// Two origins are equal when a browser would call them so: the port that belongs to the scheme is left out.
///
/// ```
/// use sync_server::origin::Origin;
/// let origin: Origin = "https://sync.example:443".parse()?;
/// assert_eq!((origin.as_str(), origin.host()), ("https://sync.example", "sync.example"));
/// assert!("https://sync.example/path".parse::<Origin>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
    host: String,
}

impl Origin {
    /// The origin under which a listener at `address` is reached from this machine, for a server that was not told its
    /// name.
    pub fn of_listener(address: SocketAddr, is_https: bool) -> Self {
        let address = SocketAddr::new(reachable(address.ip()), address.port());
        let scheme = if is_https { "https" } else { "http" };
        format!("{scheme}://{address}").parse().expect("an address is a host and a port")
    }

    /// The text a browser sends as `Origin`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host alone, without a port; an IPv6 address has its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether what is sent there is encrypted.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Whether a header names this origin.
    pub fn is(&self, header: &HeaderValue) -> bool {
        header.as_bytes() == self.text.as_bytes()
    }
}

/// A wildcard address is reached on loopback.
pub fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| format!("`{text}` is not an origin such as https://app.example"))
    }
}

fn parse(text: &str) -> Option<Origin> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    let authority = uri.authority()?.as_str();
    let is_exact = text == format!("{scheme}://{authority}") && text == text.to_lowercase();
    let host = uri.host().filter(|host| is_exact && !authority.contains('@') && !host.is_empty())?;
    // What follows the host is a colon and a port, or else it was not understood.
    let port = match authority.strip_prefix(host)? {
        "" => None,
        port => Some(port.strip_prefix(':')?.parse::<u16>().ok()?),
    };
    let own_port = if scheme == "https" { 443 } else { 80 };
    let text = match port.filter(|port| *port != own_port) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    };
    Some(Origin { text, host: host.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (text, expected, host) in [
            ("https://app.example", "https://app.example", "app.example"),
            ("https://app.example:443", "https://app.example", "app.example"),
            ("http://app.example:443", "http://app.example:443", "app.example"),
            ("http://localhost:3000", "http://localhost:3000", "localhost"),
            ("http://[::1]:80", "http://[::1]", "[::1]"),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!((origin.as_str(), origin.host()), (expected, host), "{text}");
            assert_eq!(origin.is_https(), text.starts_with("https"));
        }
    }

    #[test]
    fn what_is_not_an_origin_is_refused() {
        for wrong in [
            "app.example",
            "https://a/",
            "https://a?b",
            "ftp://a",
            "https://u@a",
            "HTTPS://a",
            "https://A",
            "https://a:",
            "https://a:70000",
            "https://",
            "null",
            "*",
            "",
            "a b",
        ] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_same_text_is_the_same_origin() {
        let origin: Origin = "https://good.example".parse().unwrap();
        for (header, expected) in [
            ("https://good.example", true),
            ("https://good.example.evil", false),
            ("http://good.example", false),
            ("https://good.example:444", false),
            ("HTTPS://GOOD.EXAMPLE", false),
            ("null", false),
        ] {
            assert_eq!(origin.is(&HeaderValue::from_static(header)), expected, "{header}");
        }
    }

    #[test]
    fn a_listener_without_a_name_is_reached_by_its_address() {
        for (address, is_https, expected) in [
            ("127.0.0.1:8080", false, "http://127.0.0.1:8080"),
            ("0.0.0.0:443", true, "https://127.0.0.1"),
            ("[::]:8443", true, "https://[::1]:8443"),
        ] {
            assert_eq!(Origin::of_listener(address.parse().unwrap(), is_https).as_str(), expected);
        }
    }
}
