//! A letter as it travels: one RFC 5322 message.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Message, MultiPart, SinglePart};
use sync_core::Timestamp;

use super::letter::Letter;
use super::sender::{Sender, mailbox};
use crate::auth::address::MailAddress;

/// Asks programs that answer mail by themselves not to (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// Bytes of a line that a mail server must take (RFC 5322, 2.1.1).
const LINE_BYTES_MAX: usize = 998;

/// One message, from one sender to one recipient. `Debug` shows its id alone.
#[derive(Clone)]
pub struct Mail {
    id: String,
    at: Timestamp,
    sender: MailAddress,
    recipient: MailAddress,
    bytes: Vec<u8>,
}

impl Mail {
    /// Writes `letter` down. `id` is of letters and digits, random and new: it tells letters apart, and the two halves
    /// of this one.
    pub(super) fn write(letter: &Letter, sender: &Sender, id: String, at: Timestamp) -> Self {
        let part = |kind, text: &str| SinglePart::builder().header(kind).body(body(text));
        let halves = MultiPart::alternative()
            .boundary(&id)
            .singlepart(part(ContentType::TEXT_PLAIN, &letter.text))
            .singlepart(part(ContentType::TEXT_HTML, &letter.html));
        let message = Message::builder()
            .from(sender.mailbox())
            .to(mailbox(None, &letter.to))
            .subject(letter.subject)
            .date(UNIX_EPOCH + Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0)))
            .message_id(Some(format!("<{id}@{}>", sender.address().domain())))
            .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
            .multipart(halves)
            .expect("it has one sender and one recipient");
        let (sender, recipient) = (sender.address().clone(), letter.to.clone());
        Self { id, at, sender, recipient, bytes: message.formatted() }
    }

    /// What it is called in the log; the first half of its `Message-ID`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was posted.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Who answers for it, and is told when it cannot be delivered.
    pub fn sender(&self) -> &MailAddress {
        &self.sender
    }

    /// The one person it is for.
    pub fn recipient(&self) -> &MailAddress {
        &self.recipient
    }

    /// The message, headers first, lines ended by CR LF.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Plain text stays as it is, also where a line is longer than the 76 characters from which encoding is advised: a link
/// in two pieces is of no use to whoever reads the raw text.
fn body(text: &str) -> Body {
    if text.is_ascii() && text.lines().all(|line| line.len() <= LINE_BYTES_MAX) {
        let lines = text.lines().collect::<Vec<_>>().join("\r\n");
        return Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::SevenBit);
    }
    Body::new(text.to_owned())
}
