//! The log tells what became of letters, and nothing about anyone.

use std::io::{self, Write};
use std::sync::LazyLock;

use tracing::{Dispatch, Level};

use super::smtp_server::{Fault, SmtpServer};
use super::*;
use crate::mail::{LETTERS_MAX, Smtp, SmtpUrl};

/// Listens to everything, for ever, and keeps nothing.
static SOMEBODY: LazyLock<Dispatch> = LazyLock::new(|| {
    Dispatch::new(tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(io::sink).finish())
});

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Logs everything on this thread from now on.
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        // What is logged for the first time while nobody listens anywhere is taken for what nobody wants to hear, also a
        // moment later; and tests begin and end at any time.
        LazyLock::force(&SOMEBODY);
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false);
        tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish())
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn assert_says_nothing_of_anyone(log: &str) {
    for secret in ["ada@", "<ada", "example.org", TOKEN, "link#", "secret", "not served"] {
        assert!(!log.contains(secret), "{secret:?} is in the log: {log}");
    }
}

#[tokio::test]
async fn the_log_has_ids_numbers_and_reasons_only() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let faults = [Fault::Greeting(421), Fault::Recipient(450), Fault::Recipient(550)];
    let server = SmtpServer::start(&faults, false);
    let url = SmtpUrl::parse(&format!("smtp://{}", server.address)).unwrap();
    let office = office(Arc::new(Smtp::new(url, &sender()).unwrap()));
    office.post(letter_to("ada@example.org"));
    until(|| lines.text().contains("a letter was given up")).await;
    office.post(letter_to("ada@example.org"));
    until(|| lines.text().contains("a letter was sent")).await;
    let log = lines.text();
    assert!(log.contains("n_attempts=1 error=the mail server refused it for now with 421"), "{log}");
    assert!(log.contains("n_attempts=3 error=the mail server refused it with 550"), "{log}");
    let id =
        server.arrived()[0].text.split_once("Message-ID: <").unwrap().1.split_once('@').unwrap().0.to_owned();
    assert!(
        log.contains(&format!("letter=\"{id}\" n_attempts=1")),
        "the letter can be found by its id: {log}"
    );
    assert_says_nothing_of_anyone(&log);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_letter_is_told() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let office = office(Told::to((0..10_000).map(|_| Err(MailError::temporary("down")))));
    for _ in 0..=LETTERS_MAX {
        office.post(letter_to("ada@example.org"));
    }
    assert_eq!(lines.text().matches("a letter was dropped: no more are taken").count(), 1);
    office.close().await;
    office.post(letter_to("ada@example.org"));
    assert_eq!(lines.text().matches("a letter was dropped: no more are taken").count(), 2);
    assert_says_nothing_of_anyone(&lines.text());
}
