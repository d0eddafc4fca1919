//! The contract of whatever takes mail away.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;

use super::message::Mail;

/// Takes mail away: to a mail server, to a folder, to a test.
///
/// It is asked again by the [`PostOffice`](super::PostOffice) with the same mail, under the same id, when it said that
/// this can help, and dropped in the middle when it takes longer than 20 s. It neither waits between attempts nor logs.
#[async_trait]
pub trait Mailer: Send + Sync + fmt::Debug {
    /// Hands one mail over. `Ok` means that someone else answers for it now.
    ///
    /// # Errors
    ///
    /// What kept it from being taken, and whether trying again can help.
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}

/// Why a mail was not taken. It is logged: no address, and nothing a mail server said but its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailError {
    what: Cow<'static, str>,
    is_temporary: bool,
}

impl MailError {
    /// A failure that may pass: try again later.
    pub fn temporary(what: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), is_temporary: true }
    }

    /// A failure that the same mail will meet again.
    pub fn permanent(what: impl Into<Cow<'static, str>>) -> Self {
        Self { what: what.into(), is_temporary: false }
    }

    /// Whether the same mail may be taken later.
    pub fn is_temporary(&self) -> bool {
        self.is_temporary
    }
}

impl fmt::Display for MailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for MailError {}
