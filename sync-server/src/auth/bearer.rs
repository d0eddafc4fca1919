//! Takes the bearer token out of a request.

use hyper::header::{AUTHORIZATION, HeaderMap};

use crate::problem::{Code, Problem};

/// The token of `Authorization: Bearer <token>`, unchecked.
///
/// # Errors
///
/// `missing_credentials` when there is no header, another scheme, or no token after it; `invalid_token` when
/// what follows is not one token; `duplicate_header` when there are two headers.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Code::MissingCredentials)?;
    if values.next().is_some() {
        return Err(Code::DuplicateHeader.into());
    }
    let value = value.to_str().map_err(|_| Code::InvalidToken)?.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim_start();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Code::MissingCredentials.into());
    }
    if !token.bytes().all(is_token_byte) {
        return Err(Code::InvalidToken.into());
    }
    Ok(token)
}

/// The alphabet of RFC 6750.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn headers_get_the_documented_answer() {
        type Row<'r> = (&'r [&'r [u8]], Result<&'r str, Code>);
        let rows: &[Row<'_>] = &[
            (&[], Err(Code::MissingCredentials)),
            (&[b""], Err(Code::MissingCredentials)),
            (&[b"Basic YTpi"], Err(Code::MissingCredentials)),
            (&[b"Bearer"], Err(Code::MissingCredentials)),
            (&[b"Bearer  "], Err(Code::MissingCredentials)),
            (&[b"abc"], Err(Code::MissingCredentials)),
            (&[b"Bearer abc"], Ok("abc")),
            (&[b"bearer  abc"], Ok("abc")),
            (&[b"Bearer abc def"], Err(Code::InvalidToken)),
            (&[b"Bearer abc,def"], Err(Code::InvalidToken)),
            (&[b"Bearer abc, Bearer def"], Err(Code::InvalidToken)),
            (&[b"Bearer \xc3\xa4"], Err(Code::InvalidToken)),
            (&[b"Bearer a", b"Bearer b"], Err(Code::DuplicateHeader)),
        ];
        for (values, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in *values {
                headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            }
            assert_eq!(bearer(&headers).map_err(|problem| problem.code()), *expected, "{values:?}");
        }
    }
}
