//! Who letters come from.

use lettre::Address;
use lettre::message::Mailbox;

use crate::auth::address::MailAddress;

/// The name and address that letters come from.
///
/// ```
/// use sync_server::mail::Sender;
/// let sender = Sender::new("Our notes <notes@example.org>").unwrap();
/// assert_eq!(sender.address().normal(), "notes@example.org");
/// assert_eq!(Sender::of("https://sync.example:8443").address().normal(), "no-reply@sync.example");
/// ```
#[derive(Clone, Debug)]
pub struct Sender {
    name: Option<String>,
    address: MailAddress,
}

impl Sender {
    /// Reads `address@host` or `Name <address@host>`.
    ///
    /// # Errors
    ///
    /// Text for the person who starts the server, which does not repeat the address.
    pub fn new(text: &str) -> Result<Self, String> {
        let invalid = || "the sender of mail is refused: write Name <address@host>".to_owned();
        if text.chars().any(char::is_control) {
            return Err(invalid());
        }
        let read: Mailbox = text.parse().map_err(|_| invalid())?;
        let address = MailAddress::new(read.email.as_ref()).map_err(|_| invalid())?;
        Ok(Self { name: read.name, address })
    }

    /// The sender of a server that was not given one: `no-reply` at the host of its base URL, or at `localhost` where
    /// that is a number.
    pub fn of(base_url: &str) -> Self {
        let host = url::Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let address = host.and_then(|host| MailAddress::new(&format!("no-reply@{host}")).ok());
        let address = address.unwrap_or_else(|| {
            MailAddress::new("no-reply@localhost").expect("it keeps to every rule of an address")
        });
        Self { name: None, address }
    }

    /// The address, where failures to deliver are told, too.
    pub fn address(&self) -> &MailAddress {
        &self.address
    }

    pub(super) fn mailbox(&self) -> Mailbox {
        mailbox(self.name.clone(), &self.address)
    }
}

/// The address as the library of messages has it.
pub(super) fn mailbox(name: Option<String>, address: &MailAddress) -> Mailbox {
    Mailbox::new(name, smtp_address(address))
}

/// The checks of the library are skipped since ours are narrower: it has its own idea of domains, and must not get to
/// refuse what a request was promised.
pub(super) fn smtp_address(address: &MailAddress) -> Address {
    let (local, domain) = address.parts();
    Address::new_dangerous(local, domain)
}
