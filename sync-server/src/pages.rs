//! The pages people see in a browser: where a magic link, an invite and a pairing code lead.
//!
//! The token is behind the `#` of the link. A browser keeps that part to itself: it is in no request, and so in no log of a
//! server or proxy, in no `Referer`, and a scanner that opens every link in a mail (GET, HEAD) sends nothing that could
//! use it up. The page sends it by `POST`, once its reader has pressed the button. Some mail programs cut the `#` off;
//! the letter therefore has the token as a code, too, and the page asks for it when it came without.
//!
//! The pages are static, load nothing, and are bound by a policy that names their script and style by their hashes.

mod page;

use std::sync::LazyLock;

use crate::reply::Response;
use page::Page;

/// The path of the page that a magic link opens.
pub const LINK_PATH: &str = "/link";

static LINK: LazyLock<Page> =
    LazyLock::new(|| Page::new("Sign in", include_str!("pages/link.html"), include_str!("pages/link.js")));

static PAIR: LazyLock<Page> = LazyLock::new(|| {
    Page::new("Pair a device", include_str!("pages/pair.html"), include_str!("pages/pair.js"))
});

static INVITE: LazyLock<Page> = LazyLock::new(|| {
    Page::new("You are invited", include_str!("pages/invite.html"), include_str!("pages/invite.js"))
});

/// The path of the page that an invite opens.
pub const INVITE_PATH: &str = "/invite";

/// The address at which an invite is shown, in a letter or to be handed over: `https://host/invite#token`.
///
/// What is said of [`magic_link`] holds for it, too.
pub fn invite_link(base_url: &str, token: &str) -> String {
    format!("{base_url}{INVITE_PATH}#{token}")
}

/// The page at [`INVITE_PATH`]: it shows the code to paste in the app. It sends nothing.
pub fn invite_page() -> Response {
    INVITE.answer()
}

/// The link that a letter carries: `https://host/link#token`.
///
/// `base_url` is the configured origin of the server without a slash at the end, never what a request named as its
/// host. `token` is of `A-Z a-z 0-9 - _`.
///
/// ```
/// use sync_server::pages::magic_link;
/// assert_eq!(magic_link("https://sync.example", "Zm9v"), "https://sync.example/link#Zm9v");
/// ```
pub fn magic_link(base_url: &str, token: &str) -> String {
    format!("{base_url}{LINK_PATH}#{token}")
}

/// The page at [`LINK_PATH`]: it asks, and then posts `{"token": …}` to `/v1/auth/link/redeem`.
///
/// The same for everyone, whatever the request: it knows no token. Without JavaScript it says how to go on.
pub fn link_page() -> Response {
    LINK.answer()
}

/// The page at [`PairingCode::PATH`](sync_core::PairingCode::PATH), for a pairing code opened by a camera and not by the app:
/// it says so and shows the text to paste. It sends nothing.
pub fn pair_page() -> Response {
    PAIR.answer()
}

#[cfg(test)]
mod tests;
