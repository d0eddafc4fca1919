//! One static page: its HTML put together, and the headers that bind it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY, X_FRAME_OPTIONS,
};
use sha2::{Digest, Sha256};

use crate::reply::{Response, finish};

const STYLE: &str = include_str!("page.css");

/// A page that is ready to be sent as often as wanted.
pub(super) struct Page {
    html: Bytes,
    policy: HeaderValue,
}

impl Page {
    /// A page of `title`, what is in its `<main>`, and one script.
    pub(super) fn new(title: &str, main: &str, script: &str) -> Self {
        let html = include_str!("page.html")
            .replace("{title}", title)
            .replace("{style}", STYLE)
            .replace("{main}", main)
            .replace("{script}", script);
        Self { html: html.into(), policy: policy(script) }
    }

    /// The page as an answer. It is not cached: what it shows must not outlive its server.
    pub(super) fn answer(&self) -> Response {
        let mut response = Response::new(self.html.clone().into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        headers.insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        for (name, value) in FIXED {
            headers.insert(name, HeaderValue::from_static(value));
        }
        finish(response)
    }
}

/// Nothing of the page's address goes to others; nobody frames it, indexes it, or holds a window of it.
const FIXED: [(HeaderName, &str); 4] = [
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The one script and the one style by their hashes, requests to the server itself, and nothing else. `form-action` is
/// closed, too: where the script does not run, a form must not put its fields into an address.
fn policy(script: &str) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(script),
        hash(STYLE),
    );
    HeaderValue::try_from(policy).expect("hashes in base64 are visible ASCII")
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}
