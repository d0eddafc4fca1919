//! What a pairing code says: where the server is, and the one-time token with which a device joins it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::{Error, Result};

/// Bytes of a code: what still makes a picture that a phone reads at arm's length. Ordinary ones have 80.
const BYTES_MAX: usize = 271;

/// Characters of a token: 22 are 128 bits, fewer could be guessed; 86 are 512 bits, more than anyone issues.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 22..=86;

/// The text of a pairing code, as it is shown in a QR code or pasted: `https://host:port/pair#token`.
///
/// It is a URL, so that the camera of a phone can do something with it, and the token is behind the `#`, which a browser
/// keeps to itself: a code opened by mistake is neither sent nor used up. A device that redeems it sends the token
/// in the body of a request to [`server`](Self::server), and to nobody else.
///
/// A code from elsewhere may name any server. Show [`server`](Self::server) to the person before redeeming, and ask
/// for a second look where the way there is not [encrypted](Self::is_encrypted).
///
/// ```
/// use sync_core::PairingCode;
/// let code = PairingCode::new("https://sync.example:8443", "c2l4dGVlbiBieXRlcyBvaw")?;
/// let text = code.to_url(); // what the QR code shows
/// assert_eq!(text, "https://sync.example:8443/pair#c2l4dGVlbiBieXRlcyBvaw");
///
/// let scanned = PairingCode::parse(&text)?;
/// assert_eq!((scanned.server(), scanned.token()), ("https://sync.example:8443", "c2l4dGVlbiBieXRlcyBvaw"));
/// assert!(scanned.is_encrypted());
/// assert_eq!(format!("{scanned:?}"), r#"PairingCode { server: "https://sync.example:8443", .. }"#);
/// # Ok::<(), sync_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PairingCode {
    server: String,
    token: String,
}

impl PairingCode {
    /// The path of the page that a browser shows when it opens a code.
    pub const PATH: &str = "/pair";

    /// The code for `token` at `server`, an origin such as `https://host:port`.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid), code `invalid_pairing`, when `server` is not the origin of an http or https
    /// URL, when `token` is not 22 to 86 characters of `A-Z a-z 0-9 - _`, or when both together have more than 271 bytes.
    /// The token is not repeated.
    pub fn new(server: &str, token: &str) -> Result<Self> {
        let server = server.to_ascii_lowercase();
        check_origin(&server)?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !TOKEN_CHARS.contains(&token.len()) || !token.bytes().all(plain) {
            return Err(invalid("its token is not complete"));
        }
        let code = Self { server, token: token.to_owned() };
        if code.to_url().len() > BYTES_MAX {
            return Err(invalid("it is too long"));
        }
        Ok(code)
    }

    /// Reads what was scanned or pasted; space around it does not matter.
    ///
    /// Nothing is guessed: user names, queries, other paths and numbers dressed up as hosts are refused, since they are
    /// how a link is made to look like another.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.len() > BYTES_MAX {
            return Err(invalid("it is too long"));
        }
        let (address, token) = text.split_once('#').ok_or_else(|| invalid("it has no token"))?;
        let server = address.strip_suffix(Self::PATH).ok_or_else(|| invalid("it leads elsewhere"))?;
        Self::new(server, token)
    }

    /// The server's origin, `https://host:port`, in lower case.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The one-time token. Whoever has it can join the account until it is used or expires.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Whether nobody on the way can read the token.
    pub fn is_encrypted(&self) -> bool {
        self.server.starts_with("https://")
    }

    /// The code as text, for a QR code or to paste. It has the token in it: do not log it.
    pub fn to_url(&self) -> String {
        format!("{}{}#{}", self.server, Self::PATH, self.token)
    }
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairingCode").field("server", &self.server).finish_non_exhaustive()
    }
}

fn invalid(why: &str) -> Error {
    Error::invalid("invalid_pairing", format!("cannot use the pairing code: {why}"))
}

/// `http://` or `https://`, a host, perhaps a port, and nothing else.
fn check_origin(origin: &str) -> Result<()> {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let authority = authority.ok_or_else(|| invalid("it is not an http address"))?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if !is_host(host) || !port.is_none_or(is_port) {
        return Err(invalid("it names no server"));
    }
    Ok(())
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|b| b.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port != 0)
}

/// A name in ASCII, an IPv4 address as everyone writes it, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    }
    let is_label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    // `http://2130706433` and `http://0x7f.1` are addresses, too, that nobody recognises.
    let is_number = |label: &str| label.starts_with(|c: char| c.is_ascii_digit());
    host.split('.').all(is_label)
        && (!host.rsplit('.').next().is_some_and(is_number) || host.parse::<Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "Zm9vYmFyLWZvb2Jhci1mb29iYXItZm9vYmFyLWZvbw_";

    #[test]
    fn what_was_written_is_read_back() {
        for server in [
            "https://sync.example",
            "http://192.168.1.7:8080",
            "http://[fe80::1]:8080",
            "https://[::1]",
            "http://localhost:1",
            "https://xn--bcher-kva.example:65535",
            "http://nas",
        ] {
            let code = PairingCode::new(server, TOKEN).unwrap();
            let read = PairingCode::parse(&format!(" {}\n", code.to_url())).unwrap();
            assert_eq!(read, code);
            assert_eq!((read.server(), read.token()), (server, TOKEN));
            assert_eq!(read.is_encrypted(), server.starts_with("https"));
        }
        let shouted = PairingCode::parse(&format!("HTTPS://Sync.Example/pair#{TOKEN}")).unwrap();
        assert_eq!(shouted.server(), "https://sync.example");
    }

    #[test]
    fn a_code_that_was_tampered_with_is_refused() {
        for address in [
            "",
            "sync.example/pair",
            "//sync.example/pair",
            "ftp://sync.example/pair",
            "javascript:alert(1)/pair",
            "https:///pair",
            "https://:443/pair",
            "https://sync.example@evil.example/pair",
            "https://u:p@evil.example/pair",
            "https://sync.example\\@evil.example/pair",
            "https://sync.example/other/pair",
            "https://sync.example/pair/",
            "https://sync.example/PAIR",
            "https://sync.example/pair?next=https://evil.example/pair",
            "https://sync.example?/pair",
            "https://sync.example:0/pair",
            "https://sync.example:65536/pair",
            "https://sync.example:+443/pair",
            "https://sync.example:/pair",
            "https://sync..example/pair",
            "https://-sync.example/pair",
            "https://s\u{443}nc.example/pair",
            "https://sync.example%2eevil/pair",
            "https://sync example/pair",
            "https://sync.example\n/pair",
            "https://sync.example\0/pair",
            "http://2130706433/pair",
            "http://0x7f.1/pair",
            "http://0x7f000001/pair",
            "http://127.0.0.256/pair",
            "http://1.2.3/pair",
            "http://[::1/pair",
            "http://::1/pair",
            "http://[127.0.0.1]/pair",
        ] {
            let error = PairingCode::parse(&format!("{address}#{TOKEN}")).expect_err(address);
            assert_eq!(error.code(), Some("invalid_pairing"), "{address}");
        }
    }

    #[test]
    fn a_token_is_taken_whole_or_not_at_all() {
        let (short, long) = (&TOKEN[..21], "a".repeat(87));
        for token in
            ["", short, &long, &format!("{TOKEN}#"), &format!("{TOKEN}="), &format!("{TOKEN} x"), "ä"]
        {
            let error = PairingCode::new("https://sync.example", token).expect_err(token);
            assert!(token.is_empty() || !error.to_string().contains(token), "it repeats the token");
        }
        assert!(PairingCode::parse("https://sync.example/pair").is_err());
        let (host, endless) = (format!("https://{}example", "a.".repeat(120)), " ".repeat(1 << 20) + "x");
        assert!(PairingCode::new(&host, TOKEN).is_err() && PairingCode::parse(&endless).is_err());
    }
}
