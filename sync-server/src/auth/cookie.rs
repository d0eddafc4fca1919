//! The cookie that holds a session of a browser: reading it strictly, setting it, and removing it.

use hyper::header::{COOKIE, HeaderMap, HeaderValue};

use crate::problem::{Code, Problem};

/// The name of the cookie. The prefix makes browsers refuse one that another host of the domain planted, or that came
/// without encryption.
pub const NAME: &str = "__Host-session";

/// The name where cookies may travel without encryption, which the prefix rules out.
pub const INSECURE_NAME: &str = "session";

/// Bytes of a token in a cookie. 256: ours have 43, and what is longer is not worth hashing.
const TOKEN_BYTES_MAX: usize = 256;

/// The session cookie of a server.
///
/// ```
/// use sync_server::auth::cookie::SessionCookie;
/// let set = SessionCookie::default().set("abc", 3600);
/// assert_eq!(set, "__Host-session=abc; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCookie {
    is_insecure: bool,
}

impl SessionCookie {
    /// The cookie that may travel without encryption, for development over http; [`Default`] is the one that may not.
    pub fn insecure() -> Self {
        Self { is_insecure: true }
    }

    /// Its name. The other one is never read.
    pub fn name(self) -> &'static str {
        if self.is_insecure { INSECURE_NAME } else { NAME }
    }

    /// Whether a request carries it, in whatever state.
    pub fn is_sent(self, headers: &HeaderMap) -> bool {
        self.values(headers).next().is_some()
    }

    /// The token in it, unchecked; `None` when there is no such cookie.
    ///
    /// # Errors
    ///
    /// `duplicate_header` when there are two of them; `invalid_token` for a value that is too long or cannot be a token.
    pub fn token(self, headers: &HeaderMap) -> Result<Option<&str>, Problem> {
        let mut values = self.values(headers);
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Problem::new(Code::DuplicateHeader).detail("there are two session cookies"));
        }
        let is_token_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        let fits = (1..=TOKEN_BYTES_MAX).contains(&value.len()) && value.iter().all(is_token_byte);
        let token = std::str::from_utf8(value).ok().filter(|_| fits).ok_or(Code::InvalidToken)?;
        Ok(Some(token))
    }

    /// The `Set-Cookie` that gives `token` to a browser for `lifetime_s` seconds.
    ///
    /// # Panics
    ///
    /// When `token` is no token of ours: base64 for URLs, and nothing else.
    pub fn set(self, token: &str, lifetime_s: u32) -> HeaderValue {
        let secure = if self.is_insecure { "" } else { "; Secure" };
        let text =
            format!("{}={token}; Path=/; Max-Age={lifetime_s}; HttpOnly; SameSite=Lax{secure}", self.name());
        HeaderValue::try_from(text).expect("base64 for URLs is visible ASCII")
    }

    /// The `Set-Cookie` that takes it away again.
    pub fn removal(self) -> HeaderValue {
        self.set("", 0)
    }

    fn values(self, headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
        let pairs =
            headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        pairs.filter_map(move |pair| {
            pair.trim_ascii().strip_prefix(self.name().as_bytes())?.strip_prefix(b"=")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(cookie: SessionCookie, lines: &[&[u8]]) -> Result<Option<String>, Code> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        assert_eq!(cookie.is_sent(&headers), cookie.token(&headers) != Ok(None));
        cookie.token(&headers).map(|token| token.map(str::to_owned)).map_err(|problem| problem.code())
    }

    #[test]
    fn cookies_get_the_documented_answer() {
        let long = format!("__Host-session={}", "a".repeat(8192));
        let longest = format!("__Host-session={}", "a".repeat(256));
        type Row<'r> = (&'r [&'r [u8]], Result<Option<&'r str>, Code>);
        let rows: &[Row<'_>] = &[
            (&[], Ok(None)),
            (&[b""], Ok(None)),
            (&[b"theme=dark"], Ok(None)),
            (&[b"session=abc"], Ok(None)),
            (&[b"__host-session=abc"], Ok(None)),
            (&[b"x__Host-session=abc"], Ok(None)),
            (&[b"__Host-session2=abc"], Ok(None)),
            (&[b"__Host-session"], Ok(None)),
            (&[b"__Host-session=aB9-_"], Ok(Some("aB9-_"))),
            (&[b"theme=dark;__Host-session=abc ; b=\xc3\xa4"], Ok(Some("abc"))),
            (&[b"a=b", b"__Host-session=abc"], Ok(Some("abc"))),
            (&[longest.as_bytes()], Ok(Some(&longest["__Host-session=".len()..]))),
            (&[b"__Host-session=abc; __Host-session=abc"], Err(Code::DuplicateHeader)),
            (&[b"__Host-session=abc", b"__Host-session=def"], Err(Code::DuplicateHeader)),
            (&[b"__Host-session="], Err(Code::InvalidToken)),
            (&[b"__Host-session=\"abc\""], Err(Code::InvalidToken)),
            (&[b"__Host-session=a b"], Err(Code::InvalidToken)),
            (&[b"__Host-session=a=b"], Err(Code::InvalidToken)),
            (&[b"__Host-session=' OR 1=1--"], Err(Code::InvalidToken)),
            (&[b"__Host-session=\xc3\xa4"], Err(Code::InvalidToken)),
            (&[long.as_bytes()], Err(Code::InvalidToken)),
        ];
        for (lines, expected) in rows {
            let shown = lines.iter().map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>();
            assert_eq!(
                token(SessionCookie::default(), lines),
                expected.map(|token| token.map(str::to_owned)),
                "{shown:?}"
            );
        }
    }

    #[test]
    fn without_encryption_the_cookie_has_another_name() {
        let cookie = SessionCookie::insecure();
        assert_eq!(token(cookie, &[b"session=abc; __Host-session=def"]), Ok(Some("abc".into())));
        assert_eq!(cookie.set("abc", 9), "session=abc; Path=/; Max-Age=9; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn a_removed_cookie_has_the_attributes_it_was_set_with() {
        let removal = SessionCookie::default().removal();
        assert_eq!(removal, "__Host-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure");
    }
}
