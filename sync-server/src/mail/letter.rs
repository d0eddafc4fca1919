//! What a letter says, to whom, and until when it is worth sending.

use std::fmt;
use std::time::Duration;

use crate::auth::address::MailAddress;
use crate::pages::{invite_link, magic_link};

/// A letter to one person. `Debug` shows nothing of it.
///
/// Its only recipient is a [`MailAddress`] and its subject is text of this program, so that nothing a request brought can
/// become a header or a second recipient. What else a request brought stands in the body alone.
#[derive(Clone)]
pub struct Letter {
    pub(super) to: MailAddress,
    pub(super) subject: &'static str,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) worth: Duration,
}

impl Letter {
    /// The letter with a magic link, which expires when `lifetime` is over.
    ///
    /// `base_url` and `token` are as for [`magic_link`]. The token is in the letter once more as a code, for apps, and
    /// for the page when the link lost it on the way.
    pub fn magic_link(to: MailAddress, base_url: &str, token: &str, lifetime: Duration) -> Self {
        let words =
            words(base_url, magic_link(base_url, token), token, ("{minutes}", lifetime.as_secs() / 60));
        Self {
            to,
            subject: "Your link to sign in",
            text: filled(include_str!("magic_link.txt"), &words, str::to_owned),
            html: filled(include_str!("magic_link.html"), &words, escaped),
            worth: lifetime,
        }
    }

    /// The letter with an invite, which expires when `lifetime` is over. It says nothing about the space, nor about who
    /// invites.
    pub fn invite(to: MailAddress, base_url: &str, token: &str, lifetime: Duration) -> Self {
        let n_days = lifetime.as_secs() / (24 * 3600);
        let words = words(base_url, invite_link(base_url, token), token, ("{days}", n_days));
        Self {
            to,
            subject: "You are invited",
            text: filled(include_str!("invite.txt"), &words, str::to_owned),
            html: filled(include_str!("invite.html"), &words, escaped),
            worth: lifetime,
        }
    }
}

/// What letters have blanks for.
fn words(
    base_url: &str,
    link: String,
    code: &str,
    (unit, n): (&'static str, u64),
) -> [(&'static str, String); 4] {
    let server = base_url.split_once("://").map_or(base_url, |(_, host)| host);
    [("{link}", link), ("{code}", code.to_owned()), ("{server}", server.to_owned()), (unit, n.to_string())]
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Letter(***)")
    }
}

fn filled(template: &str, words: &[(&str, String)], escape: fn(&str) -> String) -> String {
    words.iter().fold(template.to_owned(), |text, (name, word)| text.replace(name, &escape(word)))
}

/// The text as it stands in HTML, in an element or in a quoted attribute.
fn escaped(text: &str) -> String {
    let signs = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;")];
    signs.iter().fold(text.to_owned(), |text, (sign, name)| text.replace(*sign, name))
}
