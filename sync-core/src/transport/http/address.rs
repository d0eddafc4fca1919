//! Where the server is, and how paths and queries are written.

use std::fmt;

use hyper::Uri;

use crate::error::{Error, Result};
use crate::types::Collection;

/// The part of every URL that is the same: `http://host:port/prefix`, without a slash at the end.
#[derive(Clone, Debug)]
pub(super) struct Address(String);

impl Address {
    pub(super) fn parse(base: &str) -> Result<Self> {
        let invalid = |why: &str| Error::invalid("invalid_url", format!("cannot sync with {base:?}: {why}"));
        let uri: Uri = base.parse().map_err(|_| invalid("it is not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(invalid("only http:// is spoken"));
        }
        let host = uri.authority().filter(|authority| !authority.host().is_empty());
        let host = host.ok_or_else(|| invalid("it names no host"))?;
        if host.as_str().contains('@') || uri.query().is_some() {
            return Err(invalid("it must not carry credentials or a query"));
        }
        Ok(Self(format!("http://{host}{}", uri.path().trim_end_matches('/'))))
    }

    pub(super) fn uri(&self, path: &str) -> Result<Uri> {
        let uri = format!("{}{path}", self.0);
        uri.parse().map_err(|error: hyper::http::uri::InvalidUri| {
            Error::invalid("invalid_url", "the request does not fit into a URL").with_source(error)
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A query string, built up.
#[derive(Debug, Default)]
pub(super) struct Query(String);

impl Query {
    /// Adds a parameter, unless there is no value for it.
    pub(super) fn add(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        self.0.push(if self.0.is_empty() { '?' } else { '&' });
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~,".contains(&byte) {
                self.0.push(char::from(byte));
            } else {
                self.0.push_str(&format!("%{byte:02X}"));
            }
        }
    }

    /// Adds the collections that are asked for, unless it is all of them.
    pub(super) fn add_collections(&mut self, collections: Option<&[Collection]>) {
        let names =
            collections.map(|names| names.iter().map(Collection::as_str).collect::<Vec<_>>().join(","));
        self.add("collections", names.as_deref());
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_urls_without_secrets_are_taken() {
        for base in ["http://a", "http://a:80/", "http://[::1]:8080", "http://a/sync/", "http://127.0.0.1:1"]
        {
            assert!(Address::parse(base).is_ok(), "{base}");
        }
        for base in ["", "a", "https://a", "ftp://a", "http://", "http://u:p@a", "http://a/?x=1", "/v1"] {
            assert!(Address::parse(base).is_err(), "{base}");
        }
        let address = Address::parse("http://a/sync/").unwrap();
        assert_eq!(address.uri("/v1/x").unwrap().to_string(), "http://a/sync/v1/x");
    }

    #[test]
    fn values_of_a_query_are_escaped() {
        let mut query = Query::default();
        query.add("after", None);
        query.add("a", Some("x&y=ü %"));
        query.add("b", Some("1.2_3-4,5"));
        assert_eq!(query.to_string(), "?a=x%26y%3D%C3%BC%20%25&b=1.2_3-4,5");
    }
}
