//! How long the office tries, and how much it takes, with time that is not waited for.

use sync_core::Clock;

use super::*;
use crate::mail::{ATTEMPTS_MAX, LETTERS_MAX};

/// The time of tokio, which passes by itself when everyone waits.
#[derive(Debug)]
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        start().saturating_add(self.0.elapsed())
    }
}

/// A mailer that never comes back.
#[derive(Debug, Default)]
struct Silent(Told);

#[async_trait]
impl Mailer for Silent {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.0.send(mail).await?;
        std::future::pending().await
    }
}

/// An office as it is in earnest.
fn patient(mailer: Arc<dyn Mailer>) -> PostOffice {
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    PostOffice::new(mailer, sender(), clock, Arc::new(SeededIds::new(1)))
}

fn down() -> Result<(), MailError> {
    Err(MailError::temporary("cannot reach the mail server"))
}

#[tokio::test(start_paused = true)]
async fn a_letter_is_sent_once() {
    let mailer = Told::to([]);
    patient(mailer.clone()).post(letter_to("ada@example.org"));
    tokio::time::sleep(TEN_MINUTES).await;
    assert_eq!(mailer.n_asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_pass_is_tried_again_with_the_same_mail() {
    let mailer = Told::to([down(), down(), Ok(())]);
    patient(mailer.clone()).post(letter_to("ada@example.org"));
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(mailer.n_asked(), 1, "not at once");
    tokio::time::sleep(TEN_MINUTES).await;
    let asked = mailer.asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    assert!(asked.iter().all(|mail| mail.bytes() == asked[0].bytes()), "a second copy can be told by its id");
}

#[tokio::test(start_paused = true)]
async fn a_failure_for_good_is_not_tried_again() {
    let mailer = Told::to([Err(MailError::permanent("no such mailbox"))]);
    patient(mailer.clone()).post(letter_to("ada@example.org"));
    tokio::time::sleep(TEN_MINUTES).await;
    assert_eq!(mailer.n_asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_bounded_and_end_before_the_link_does() {
    let mailer = Told::to((0..100).map(|_| down()));
    patient(mailer.clone()).post(letter_to("ada@example.org"));
    tokio::time::sleep(TEN_MINUTES * 10).await;
    assert_eq!(mailer.n_asked(), ATTEMPTS_MAX as usize);

    let brief = Told::to((0..100).map(|_| down()));
    let (to, worth) = (MailAddress::new("ada@example.org").unwrap(), Duration::from_secs(60));
    patient(brief.clone()).post(Letter::magic_link(to, BASE, TOKEN, worth));
    tokio::time::sleep(TEN_MINUTES).await;
    assert_eq!(brief.n_asked(), 4, "after 0, 5, 15 and 35 s; at 75 s the link is dead");
}

#[tokio::test(start_paused = true)]
async fn a_mailer_that_never_answers_holds_up_neither_its_letter_nor_the_others_for_ever() {
    let silent = Arc::new(Silent::default());
    let office = patient(silent.clone());
    for n in 0..8 {
        office.post(letter_to(&format!("ada{n}@example.org")));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(silent.0.n_asked(), 4, "four at a time");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(silent.0.n_asked(), 8, "then the next four");
    tokio::time::sleep(TEN_MINUTES).await;
    assert!(silent.0.n_asked() > 8, "and all of them again");
}

#[tokio::test(start_paused = true)]
async fn a_letter_whose_turn_comes_too_late_is_not_sent() {
    let silent = Arc::new(Silent::default());
    let office = patient(silent.clone());
    for _ in 0..4 {
        office.post(letter_to("ada@example.org"));
    }
    let to = MailAddress::new("late@example.org").unwrap();
    office.post(Letter::magic_link(to, BASE, TOKEN, Duration::from_secs(10)));
    tokio::time::sleep(TEN_MINUTES).await;
    let asked = silent.0.asked.lock().unwrap();
    assert!(asked.iter().all(|mail| mail.recipient().normal() == "ada@example.org"));
}

#[tokio::test(start_paused = true)]
async fn a_full_office_drops_what_comes_and_takes_more_when_there_is_room() {
    let silent = Arc::new(Silent::default());
    let office = patient(silent.clone());
    for _ in 0..LETTERS_MAX + 50 {
        office.post(letter_to("ada@example.org"));
    }
    tokio::time::sleep(TEN_MINUTES * 10).await;
    let ids = |told: &Told| -> std::collections::HashSet<String> {
        told.asked.lock().unwrap().iter().map(|mail| mail.id().to_owned()).collect()
    };
    assert!(ids(&silent.0).len() <= LETTERS_MAX);
    let before = silent.0.n_asked();
    office.post(letter_to("ada@example.org"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(silent.0.n_asked(), before + 1, "those that were given up have left");
}

#[tokio::test(start_paused = true)]
async fn closing_waits_a_moment_for_what_is_being_sent_and_takes_nothing_more() {
    #[derive(Debug, Default)]
    struct Slow(Told);
    #[async_trait]
    impl Mailer for Slow {
        async fn send(&self, mail: &Mail) -> Result<(), MailError> {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.0.send(mail).await
        }
    }
    let slow = Arc::new(Slow::default());
    let office = patient(slow.clone());
    office.post(letter_to("ada@example.org"));
    tokio::task::yield_now().await;
    office.close().await;
    assert_eq!(slow.0.n_asked(), 1, "it was let finish");
    office.post(letter_to("ada@example.org"));
    tokio::time::sleep(TEN_MINUTES).await;
    assert_eq!(slow.0.n_asked(), 1);

    let silent = Arc::new(Silent::default());
    let office = patient(silent.clone());
    office.post(letter_to("ada@example.org"));
    let before = tokio::time::Instant::now();
    office.close().await;
    assert_eq!(before.elapsed(), Duration::from_secs(1), "but not for ever");
}
