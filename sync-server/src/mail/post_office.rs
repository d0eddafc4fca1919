//! Letters on their way: sent in the background, tried again for a while, given up in time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::{Clock, IdSource, Timestamp};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::letter::Letter;
use super::mailer::{MailError, Mailer};
use super::message::Mail;
use super::sender::Sender;

/// Letters on their way at most, those that wait for another attempt among them. 256 are what a mail server that is down
/// for ten minutes leaves waiting on a busy day, in 2 MiB.
pub const LETTERS_MAX: usize = 256;

/// Attempts for one letter. With the waits between them 8 take 6.5 minutes; a link lives for ten.
pub const ATTEMPTS_MAX: u32 = 8;

/// Letters handed over at the same time, so that one stalled connection does not hold up everyone. Mail servers take few
/// more from one address.
const SENDING_MAX: usize = 4;

/// How long [`PostOffice::close`] waits for letters on their way. 1 s: a healthy mail server needs less.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// How long to try, and how long to wait before trying again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// One attempt.
    pub(super) attempt: Duration,
    /// The wait after the first failure; it doubles with each further one.
    pub(super) wait_first: Duration,
    /// The longest wait.
    pub(super) wait_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // A mail server that lets strangers wait on purpose answers within ten.
            attempt: Duration::from_secs(20),
            // Mostly it was one connection.
            wait_first: Duration::from_secs(5),
            // Several attempts must fit into the life of a link.
            wait_max: Duration::from_secs(120),
        }
    }
}

impl Patience {
    fn wait_after(&self, n_attempts: u32) -> Duration {
        self.wait_first.saturating_mul(1 << (n_attempts - 1).min(16)).min(self.wait_max)
    }
}

/// Where letters are posted. Clones are the same office.
///
/// Letters are held in memory: those still waiting when the process ends are lost, and their readers ask again.
#[derive(Clone, Debug)]
pub struct PostOffice(Arc<Office>);

#[derive(Debug)]
struct Office {
    mailer: Arc<dyn Mailer>,
    sender: Sender,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    patience: Patience,
    sending: Semaphore,
    /// `None` once the office is closed.
    on_their_way: Mutex<Option<JoinSet<()>>>,
}

impl PostOffice {
    /// An office whose letters come from `sender` and leave by `mailer`.
    pub fn new(
        mailer: Arc<dyn Mailer>,
        sender: Sender,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        Self::with_patience(mailer, sender, clock, ids, Patience::default())
    }

    pub(super) fn with_patience(
        mailer: Arc<dyn Mailer>,
        sender: Sender,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        patience: Patience,
    ) -> Self {
        let (sending, on_their_way) = (Semaphore::new(SENDING_MAX), Mutex::new(Some(JoinSet::new())));
        Self(Arc::new(Office { mailer, sender, clock, ids, patience, sending, on_their_way }))
    }

    /// Takes a letter and returns at once, whether a mail server can be reached or not.
    ///
    /// What becomes of it is in the log, under the letter's id. With [`LETTERS_MAX`] on their way, and after
    /// [`close`](Self::close), it is dropped, and the log says so: the answer to a request must not depend on it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn post(&self, letter: Letter) {
        let (id, at) = (self.0.ids.new_hex_id(), self.0.clock.now());
        let mut on_their_way = self.0.on_their_way();
        let Some(letters) = on_their_way.as_mut().and_then(with_room) else {
            warn!(letter = id, "a letter was dropped: no more are taken");
            return;
        };
        let until = at.saturating_add(letter.worth);
        let mail = Mail::write(&letter, &self.0.sender, id, at);
        letters.spawn(Arc::clone(&self.0).deliver(mail, until));
    }

    /// Takes no more letters, waits a moment for those on their way, and drops the rest.
    pub async fn close(&self) {
        let Some(mut rest) = self.0.on_their_way().take() else { return };
        let all = timeout(CLOSE_MAX, async { while rest.join_next().await.is_some() {} }).await;
        if all.is_err() {
            warn!(n_letters = rest.len(), "letters were dropped: the server stops");
        }
    }
}

/// Forgets the letters that have left; `None` when too many are still there.
fn with_room(letters: &mut JoinSet<()>) -> Option<&mut JoinSet<()>> {
    while letters.try_join_next().is_some() {}
    (letters.len() < LETTERS_MAX).then_some(letters)
}

impl Office {
    fn on_their_way(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.on_their_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(self: Arc<Self>, mail: Mail, until: Timestamp) {
        for n_attempts in 1.. {
            let Err(error) = self.attempt(&mail, until).await else {
                info!(letter = mail.id(), n_attempts, "a letter was sent");
                return;
            };
            if !error.is_temporary() || n_attempts == ATTEMPTS_MAX {
                warn!(letter = mail.id(), n_attempts, %error, "a letter was given up");
                return;
            }
            warn!(letter = mail.id(), n_attempts, %error, "a letter could not be sent yet");
            sleep(self.patience.wait_after(n_attempts)).await;
        }
    }

    async fn attempt(&self, mail: &Mail, until: Timestamp) -> Result<(), MailError> {
        let _turn = self.sending.acquire().await.expect("it is never closed");
        if self.clock.now() >= until {
            return Err(MailError::permanent("nobody can use it any more"));
        }
        let sent = timeout(self.patience.attempt, self.mailer.send(mail)).await;
        sent.unwrap_or_else(|_| Err(MailError::temporary("it took too long")))
    }
}
