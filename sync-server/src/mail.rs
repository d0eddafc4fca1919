//! Letters to people: what they say, and how they leave.
//!
//! ```text
//! Letter ──► PostOffice ──────────────► Mailer
//! to, text   puts date and id on it,    Smtp · MailDir · yours
//!            keeps trying for a while
//! ```
//!
//! Nothing about a letter is logged but its id, which says nothing to anyone: no address, no link, no answer of a mail
//! server, which may repeat both.

mod directory;
mod letter;
mod mailer;
mod message;
mod post_office;
mod sender;
mod settings;
mod smtp;
mod smtp_url;

pub use directory::MailDir;
pub use letter::Letter;
pub use mailer::{MailError, Mailer};
pub use message::Mail;
pub use post_office::{ATTEMPTS_MAX, LETTERS_MAX, PostOffice};
pub use sender::Sender;
pub use settings::MailSettings;
pub use smtp::Smtp;
pub use smtp_url::SmtpUrl;

#[cfg(test)]
mod tests;
