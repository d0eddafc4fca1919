use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::Uri;
use sha2::{Digest, Sha256};

use super::*;

const PAGES: [fn() -> Response; 3] = [link_page, invite_page, pair_page];

async fn html(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// What stands between `<name>` and `</name>`, each time.
fn elements<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let parts = html.split(&open).skip(1);
    parts.map(|part| part.split_once('>').unwrap().1.split_once(&close).unwrap().0).collect()
}

fn directive(response: &Response, name: &str) -> String {
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    let found = policy.split("; ").find_map(|part| part.strip_prefix(name)).unwrap_or_default();
    found.trim().to_owned()
}

#[test]
fn the_pages_say_what_a_browser_may_do_with_them() {
    for page in PAGES {
        let response = page();
        assert_eq!(response.status(), 200);
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("x-robots-tag", "noindex"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        for (name, value) in [
            ("default-src", "'none'"),
            ("connect-src", "'self'"),
            ("base-uri", "'none'"),
            ("form-action", "'none'"),
            ("frame-ancestors", "'none'"),
        ] {
            assert_eq!(directive(&response, name), value, "{name}");
        }
    }
}

#[tokio::test]
async fn the_policy_names_exactly_the_script_and_the_style_that_are_there() {
    for page in PAGES {
        let (scripts, styles) = (directive(&page(), "script-src"), directive(&page(), "style-src"));
        let html = html(page()).await;
        for (name, allowed) in [("script", scripts), ("style", styles)] {
            let [content] = elements(&html, name)[..] else { panic!("more than one {name}") };
            assert_eq!(allowed, format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content))));
        }
    }
}

#[tokio::test]
async fn the_pages_load_nothing_and_have_no_inline_handlers() {
    for page in PAGES {
        let html = html(page()).await;
        for forbidden in ["src=", "href=", "://", "@import", "url(", "style=", "innerHTML", "eval(", "{main}"]
        {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        let attributes = html.split(['<', '>']).flat_map(str::split_whitespace);
        let handlers: Vec<_> =
            attributes.filter(|word| word.starts_with("on") && word.contains("=\"")).collect();
        assert!(handlers.is_empty(), "{handlers:?}");
    }
}

#[tokio::test]
async fn the_pages_can_be_read_by_everyone() {
    for page in PAGES {
        let html = html(page()).await;
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"));
        assert_eq!((elements(&html, "h1").len(), elements(&html, "title").len()), (1, 1));
        assert!(html.contains("<label for=\"code\">") && html.contains("<input id=\"code\""));
        assert!(html.contains("<noscript>"), "there is a way without a script");
    }
    let link = html(link_page()).await;
    assert!(link.contains("role=\"status\""), "what became of it is read out");
    assert!(link.contains("<button id=\"go\">"), "nothing is sent before someone wants it");
}

#[test]
fn the_token_is_in_no_part_of_the_address_that_is_sent() {
    for base in ["https://sync.example", "http://127.0.0.1:8080", "https://[::1]:8443"] {
        let link = magic_link(base, "t0ken-_");
        let (sent, kept) = link.split_once('#').unwrap();
        assert_eq!(kept, "t0ken-_");
        let sent: Uri = sent.parse().unwrap();
        assert_eq!((sent.path(), sent.query()), (LINK_PATH, None));
    }
}
