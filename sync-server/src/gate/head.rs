//! The checks that need only the head of a request.

use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
};
use hyper::{Request, Version};

use crate::problem::{Code, Problem};

/// Characters of path and query. 8 KiB: the longest real one is a cursor and a list of collections.
pub(super) const URI_BYTES_MAX: usize = 8 << 10;

/// Names and values of all headers. 64 KiB: what proxies in front of us let through.
pub(super) const HEADERS_BYTES_MAX: usize = 64 << 10;

/// Headers whose second copy two readers could understand differently.
const SINGLE: [HeaderName; 5] = [AUTHORIZATION, HOST, CONTENT_TYPE, CONTENT_ENCODING, ORIGIN];

/// Paths that end with a slash: the root, and the one that clients of Engine.IO are built to ask.
const SLASHED: [&str; 2] = ["/", "/socket.io/"];

pub(super) fn check<B>(request: &Request<B>, has_body: bool) -> Result<(), Problem> {
    let headers = request.headers();
    path(request.uri().path())?;
    sizes(request)?;
    single(headers)?;
    host(headers, request.version())?;
    if has_body {
        coding(headers)?;
        media_type(headers)?;
    }
    Ok(())
}

/// warp ignores a slash at the end; here a resource has one address, for caches and limits that go by it.
fn path(path: &str) -> Result<(), Problem> {
    if path.contains("//") || (path.ends_with('/') && !SLASHED.contains(&path)) {
        return Err(Code::NotFound.into());
    }
    Ok(())
}

fn sizes<B>(request: &Request<B>) -> Result<(), Problem> {
    let uri = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if uri > URI_BYTES_MAX {
        return Err(Problem::new(Code::UriTooLong).limit(URI_BYTES_MAX as u64));
    }
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > HEADERS_BYTES_MAX {
        return Err(Problem::new(Code::HeadersTooLarge).limit(HEADERS_BYTES_MAX as u64));
    }
    Ok(())
}

fn single(headers: &HeaderMap) -> Result<(), Problem> {
    match SINGLE.iter().find(|name| headers.get_all(*name).iter().count() > 1) {
        Some(name) => {
            Err(Problem::new(Code::DuplicateHeader).detail(format!("`{name}` may appear only once")))
        }
        None => Ok(()),
    }
}

/// HTTP/1.0 knows no `Host`; what uses the name of this server takes it from the configuration anyway.
fn host(headers: &HeaderMap, version: Version) -> Result<(), Problem> {
    match headers.get(HOST) {
        Some(value) if is_host(value) => Ok(()),
        None if version < Version::HTTP_11 => Ok(()),
        _ => Err(Code::InvalidHost.into()),
    }
}

fn is_host(value: &HeaderValue) -> bool {
    let is_host_byte = |b: &u8| b.is_ascii_alphanumeric() || b"-._:[]%".contains(b);
    !value.is_empty() && value.as_bytes().iter().all(is_host_byte)
}

/// Compressed bodies are not supported, so that a small body can never become a large one.
fn coding(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(CONTENT_ENCODING) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Err(Problem::new(Code::UnsupportedMediaType).detail("a body may not be compressed"))
        }
        _ => Ok(()),
    }
}

/// A body must say it is JSON. A browser cannot say so for another site without asking first.
fn media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if value.is_some_and(is_json) {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType).detail("a body must be `application/json` in UTF-8"))
}

fn is_json(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}
