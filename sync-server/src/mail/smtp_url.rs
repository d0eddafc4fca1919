//! The URL of a mail server.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// How a connection to a mail server becomes private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privacy {
    /// It begins with TLS.
    Tls,
    /// It is upgraded before anything is said, or not used.
    StartTls,
    /// It is not. The mail server is on this machine.
    None,
}

/// Where a mail server is, how to talk to it, and as whom. `Debug` shows no password.
///
/// | URL | port | |
/// |---|---|---|
/// | `smtps://user:password@host` | 465 | TLS from the first byte |
/// | `smtp://user:password@host` | 587 | STARTTLS, without which nothing is sent |
/// | `smtp://localhost` | 25 | plain, to this machine alone; with `?tls=required` as above |
///
/// What is special in a URL stands in user and password as `%` and two digits.
///
/// ```
/// use sync_server::mail::SmtpUrl;
/// assert!(SmtpUrl::parse("smtp://ada:p%40ss@mail.example").is_ok());
/// assert!(SmtpUrl::parse("smtp://mail.example?tls=none").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) privacy: Privacy,
    pub(super) login: Option<(String, String)>,
}

impl SmtpUrl {
    /// Reads a URL.
    ///
    /// # Errors
    ///
    /// Text for the person who starts the server, which repeats nothing: there is a password in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("the URL of the mail server is refused: {why}");
        let url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
        let host = url.host().as_ref().map(plain_host).filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| refused("it names no host"))?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(refused("nothing may follow the port but ?tls=…"));
        }
        let privacy = privacy(&url, is_loopback(&host)).map_err(refused)?;
        let port = url.port().unwrap_or(match privacy {
            Privacy::Tls => 465,
            Privacy::StartTls => 587,
            Privacy::None => 25,
        });
        Ok(Self { host, port, privacy, login: login(&url).map_err(refused)? })
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, privacy, login: _ } = self;
        let mut shown = f.debug_struct("SmtpUrl");
        shown.field("host", host).field("port", port).field("privacy", privacy).finish_non_exhaustive()
    }
}

/// The host as a socket wants it: IPv6 without brackets.
fn plain_host(host: &Host<&str>) -> String {
    match host {
        Host::Domain(name) => (*name).to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn privacy(url: &Url, is_loopback: bool) -> Result<Privacy, &'static str> {
    match (url.scheme(), url.query()) {
        ("smtps", None) => Ok(Privacy::Tls),
        ("smtp", None | Some("tls=none")) if is_loopback => Ok(Privacy::None),
        ("smtp", None | Some("tls=required")) => Ok(Privacy::StartTls),
        ("smtp", Some("tls=none")) => Err("without TLS mail goes to this machine only"),
        ("smtp" | "smtps", _) => {
            Err("nothing may follow the port but ?tls=required or ?tls=none with smtp://")
        }
        _ => Err("it must begin with smtp:// or smtps://"),
    }
}

fn login(url: &Url) -> Result<Option<(String, String)>, &'static str> {
    let decoded = |text| percent_decode_str(text).decode_utf8().map(String::from);
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err("it has a user or a password, and needs both"),
        (user, Some(password)) => {
            let both = decoded(user).and_then(|user| Ok((user, decoded(password)?)));
            both.map(Some).map_err(|_| "user or password are not UTF-8")
        }
    }
}
