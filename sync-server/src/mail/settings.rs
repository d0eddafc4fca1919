//! How letters leave, from the settings of the server.

use std::path::Path;
use std::sync::Arc;

use sync_core::{Clock, IdSource};

use super::directory::MailDir;
use super::mailer::Mailer;
use super::post_office::PostOffice;
use super::sender::Sender;
use super::smtp::Smtp;
use super::smtp_url::SmtpUrl;

/// What the person who starts the server said about mail.
#[derive(Clone, Copy, Default)]
pub struct MailSettings<'a> {
    /// The mail server, see [`SmtpUrl`]. It may hold a password.
    pub smtp_url: Option<&'a str>,
    /// A folder that gets the mail instead, see [`MailDir`].
    pub mail_dir: Option<&'a Path>,
    /// Who letters come from, see [`Sender::new`]; unless said, [`Sender::of`] the base URL.
    pub mail_from: Option<&'a str>,
    /// Where people reach this server.
    pub base_url: &'a str,
}

impl MailSettings<'_> {
    /// The post office these settings ask for; `None` when they name no way for letters to leave. Nothing is sent yet, and
    /// whether a mail server can be reached is not tried.
    ///
    /// # Errors
    ///
    /// Text for the person who starts the server, without the URL of the mail server.
    pub fn open(&self, clock: Arc<dyn Clock>, ids: Arc<dyn IdSource>) -> Result<Option<PostOffice>, String> {
        let sender = self.mail_from.map_or_else(|| Ok(Sender::of(self.base_url)), Sender::new)?;
        let mailer: Arc<dyn Mailer> = match (self.smtp_url, self.mail_dir) {
            (None, None) => return Ok(None),
            (Some(url), None) => Arc::new(Smtp::new(SmtpUrl::parse(url)?, &sender)?),
            (None, Some(folder)) => Arc::new(MailDir::open(folder)?),
            (Some(_), Some(_)) => {
                return Err("mail goes to a mail server or into a folder, not both".to_owned());
            }
        };
        Ok(Some(PostOffice::new(mailer, sender, clock, ids)))
    }
}
