//! Mail by SMTP, one connection for each.
//!
//! A pool of connections would save a handshake for each of a few letters a minute, and cost certainty: an attempt that is
//! dropped half way leaves a connection whose next answer belongs to the letter before.

use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, commands};
use tokio::time::timeout;

use super::mailer::{MailError, Mailer};
use super::message::Mail;
use super::sender::{Sender, smtp_address};
use super::smtp_url::{Privacy, SmtpUrl};

/// How long to try one address of the mail server before the next: of two, the second must have its turn.
const CONNECT_MAX: Duration = Duration::from_secs(8);

/// How long to take leave. The mail is taken by then; what goes wrong now must not send it again.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// A mail server that takes mail by SMTP.
pub struct Smtp {
    url: SmtpUrl,
    tls: Option<TlsParameters>,
    login: Option<Credentials>,
    hello: ClientId,
}

impl Smtp {
    /// The mail server at `url`, to which this server gives the domain of `sender` as its name. Nothing is connected
    /// yet.
    ///
    /// # Errors
    ///
    /// Text for the person who starts the server, when TLS cannot be set up for that host.
    pub fn new(url: SmtpUrl, sender: &Sender) -> Result<Self, String> {
        let tls = match url.privacy {
            Privacy::None => None,
            Privacy::Tls | Privacy::StartTls => Some(
                TlsParameters::new(url.host.clone())
                    .map_err(|_| format!("cannot set up TLS for the mail server {}", url.host))?,
            ),
        };
        let login = url.login.clone().map(Credentials::from);
        Ok(Self { url, tls, login, hello: ClientId::Domain(sender.address().domain().to_owned()) })
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let (host, port) = (self.url.host.as_str(), self.url.port);
        let at_once = self.tls.clone().filter(|_| self.url.privacy == Privacy::Tls);
        let connecting =
            AsyncSmtpConnection::connect_tokio1((host, port), Some(CONNECT_MAX), &self.hello, at_once, None);
        let mut connection = connecting.await?;
        if let Some(tls) = self.tls.clone().filter(|_| self.url.privacy == Privacy::StartTls) {
            connection.starttls(tls, &self.hello).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(connection)
    }
}

/// Says the four things that send a mail. The library has a function for that, which after a refusal waits for the answer
/// to its farewell, however long.
async fn hand_over(connection: &mut AsyncSmtpConnection, mail: &Mail) -> Result<(), Error> {
    connection.command(commands::Mail::new(Some(smtp_address(mail.sender())), Vec::new())).await?;
    connection.command(commands::Rcpt::new(smtp_address(mail.recipient()), Vec::new())).await?;
    connection.command(commands::Data).await?;
    connection.message(mail.bytes()).await.map(drop)
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let mut connection = self.connect().await.map_err(|error| explained(&error))?;
        hand_over(&mut connection, mail).await.map_err(|error| explained(&error))?;
        timeout(FAREWELL_MAX, connection.abort()).await.ok();
        Ok(())
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What happened, without what the mail server said: refusals repeat addresses.
fn explained(error: &Error) -> MailError {
    match error.status() {
        Some(code) if error.is_permanent() => {
            MailError::permanent(format!("the mail server refused it with {code}"))
        }
        Some(code) => MailError::temporary(format!("the mail server refused it for now with {code}")),
        None if error.is_client() => {
            MailError::permanent("the mail server lacks STARTTLS or a way to sign in that is supported")
        }
        None if error.is_response() => MailError::temporary("the mail server does not make sense"),
        None => unreached(error),
    }
}

/// What the system said, which knows no addresses of people.
fn unreached(error: &Error) -> MailError {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let kind = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).next();
    match kind {
        Some(io::ErrorKind::InvalidData) => {
            MailError::temporary("the mail server does not speak TLS, or its certificate is not valid")
        }
        Some(kind) => MailError::temporary(format!("cannot reach the mail server: {kind}")),
        None => MailError::temporary("cannot reach the mail server"),
    }
}
