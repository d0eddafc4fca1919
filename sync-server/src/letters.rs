//! The letters of accounts, handed to the post office.

use std::time::Duration;

use crate::auth::address::MailAddress;
use crate::identity::Post;
use crate::mail::{Letter, PostOffice};

/// Writes letters with addresses of this server in them.
#[derive(Debug)]
pub(crate) struct Letters {
    office: PostOffice,
    /// Where people reach the server; never what a request said.
    base_url: String,
}

impl Letters {
    /// Letters that leave by `office`.
    pub(crate) fn new(office: PostOffice, base_url: String) -> Self {
        Self { office, base_url }
    }
}

impl Post for Letters {
    fn sign_in_link(&self, to: &MailAddress, token: &str, lifetime: Duration) {
        self.office.post(Letter::magic_link(to.clone(), &self.base_url, token, lifetime));
    }

    fn invite(&self, to: &MailAddress, token: &str, lifetime: Duration) {
        self.office.post(Letter::invite(to.clone(), &self.base_url, token, lifetime));
    }
}
