//! What the tests of mail share.

mod log;
mod office;
mod settings;
mod smtp;
mod smtp_server;
mod writing;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sync_core::{ManualClock, SeededIds, Timestamp};

use super::post_office::Patience;
use super::{Letter, Mail, MailError, Mailer, PostOffice, Sender};
use crate::auth::address::MailAddress;

const BASE: &str = "https://sync.example";
const TOKEN: &str = "Zm9vYmFyLWZvb2Jhci1mb29iYXItZm9vYmFyLWZvbw_";
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// 2023-11-14, 22:13:20 UTC.
fn start() -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).unwrap()
}

fn letter_to(address: &str) -> Letter {
    Letter::magic_link(MailAddress::new(address).unwrap(), BASE, TOKEN, TEN_MINUTES)
}

fn sender() -> Sender {
    Sender::new("Sync <sync@sync.example>").unwrap()
}

/// An office that hurries, at a clock that stands still.
fn office(mailer: Arc<dyn Mailer>) -> PostOffice {
    let patience = Patience {
        attempt: Duration::from_secs(2),
        wait_first: Duration::from_millis(1),
        wait_max: Duration::from_millis(4),
    };
    let clock = Arc::new(ManualClock::at(start()));
    PostOffice::with_patience(mailer, sender(), clock, Arc::new(SeededIds::new(1)), patience)
}

/// Waits until `met`, for at most ten seconds.
async fn until(met: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if met() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen within ten seconds");
}

/// A mailer that does as it is told, and keeps what it was asked to send.
#[derive(Debug, Default)]
struct Told {
    answers: Mutex<Vec<Result<(), MailError>>>,
    asked: Mutex<Vec<Mail>>,
}

impl Told {
    /// Answers these, first to last, and then takes everything.
    fn to(answers: impl IntoIterator<Item = Result<(), MailError>>) -> Arc<Self> {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Arc::new(Self { answers: Mutex::new(answers), asked: Mutex::default() })
    }

    fn n_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Mailer for Told {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.asked.lock().unwrap().push(mail.clone());
        self.answers.lock().unwrap().pop().unwrap_or(Ok(()))
    }
}
