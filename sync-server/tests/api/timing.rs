//! What takes as long as what: no answer tells by its time what it does not tell by its words.
//!
//! Pairs are asked in turns, so that whatever else the machine does falls on both, and medians are compared. The bands are
//! wide: what they are to notice, such as a hash or a commit that only one of the two costs, differs by a multiple.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::json;

use super::world::World;

/// Pairs of requests.
const PAIRS: usize = 200;

/// How often it is measured.
const TRIES: usize = 4;

/// How much longer one may seem to take than the other.
const BAND: RangeInclusive<f64> = 0.6..=1.67;

struct Timed {
    world: World,
    token: String,
}

impl Timed {
    /// On SQLite, where looking something up and writing something down take their time.
    async fn start() -> Self {
        let world = World::sqlite().await;
        let mut timed = Self { world, token: String::new() };
        timed.token = timed.register("ada").await.0;
        timed
    }

    /// A token and a space.
    async fn register(&self, name: &str) -> (String, String) {
        let body = json!({"username": name, "password": "correct horse"}).to_string();
        let answer = self.world.ask("POST /v1/auth/register", None, Some(&body)).await;
        (answer.member("access_token"), answer.member("space"))
    }

    #[expect(clippy::disallowed_methods, reason = "what is tested is the time it takes")]
    async fn took(&self, ask: &str, body: Option<&str>) -> Duration {
        let begun = std::time::Instant::now();
        let token = ask.contains("/spaces/").then_some(self.token.as_str());
        let answer = self.world.ask(ask, token, body).await;
        let took = begun.elapsed();
        assert!([202, 400, 404].contains(&answer.status), "{ask}: {answer:?}");
        took
    }

    /// The median of one, divided by the median of the other; measured again where that is out of the band, as a machine
    /// that is busy with something else lies now and then, and an answer that tells does so each time.
    async fn ratio(
        &self,
        one: impl AsyncFn(usize) -> (String, Option<String>),
        other: impl AsyncFn(usize) -> (String, Option<String>),
    ) -> f64 {
        for _ in 1..TRIES {
            let ratio = self.measured(&one, &other).await;
            if BAND.contains(&ratio) {
                return ratio;
            }
        }
        self.measured(&one, &other).await
    }

    async fn measured(
        &self,
        one: &impl AsyncFn(usize) -> (String, Option<String>),
        other: &impl AsyncFn(usize) -> (String, Option<String>),
    ) -> f64 {
        let (mut ones, mut others) = (Vec::new(), Vec::new());
        for n in 0..PAIRS {
            let ((one, body_of_one), (other, body_of_other)) = (one(n).await, other(n).await);
            // Which of the two comes first must not matter either.
            if n.is_multiple_of(2) {
                ones.push(self.took(&one, body_of_one.as_deref()).await);
                others.push(self.took(&other, body_of_other.as_deref()).await);
            } else {
                others.push(self.took(&other, body_of_other.as_deref()).await);
                ones.push(self.took(&one, body_of_one.as_deref()).await);
            }
        }
        median(&mut ones) / median(&mut others)
    }
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

#[tokio::test]
async fn a_foreign_space_takes_as_long_as_one_that_is_not_there() {
    let timed = Timed::start().await;
    let (_, foreign) = timed.register("bob").await;
    let foreign = format!("GET /v1/spaces/{foreign}/changes");
    let foreign = async |_| (foreign.clone(), None);
    let unknown = async |n| (format!("GET /v1/spaces/{n:032x}/changes"), None);
    let ratio = timed.ratio(foreign, unknown).await;
    assert!(BAND.contains(&ratio), "a foreign space takes {ratio} times as long as none");
}

#[tokio::test]
async fn a_link_for_a_user_takes_as_long_to_ask_for_as_one_for_nobody() {
    let timed = Timed::start().await;
    let body = |address: String| Some(json!({"address": address}).to_string());
    let ask = || "POST /v1/auth/link".to_owned();
    timed.took(&ask(), body("ada@example.org".into()).as_deref()).await;
    let letter = timed.world.letter("ada@example.org").await;
    let redeem = json!({"token": letter}).to_string();
    assert_eq!(timed.world.ask("POST /v1/auth/link/redeem", None, Some(&redeem)).await.status, 200);
    let known = async |_| (ask(), body("ada@example.org".into()));
    let unknown = async |n| (ask(), body(format!("nobody-{n}@example.org")));
    let ratio = timed.ratio(known, unknown).await;
    assert!(BAND.contains(&ratio), "a link for a user takes {ratio} times as long as one for nobody");
}

/// The guess is counted, which is a commit; whoever guesses does not wait for it.
#[tokio::test]
async fn a_guess_at_a_pairing_takes_as_long_as_a_code_that_never_was() {
    let timed = Timed::start().await;
    let ask = || "POST /v1/pairings/redeem".to_owned();
    let body = |token: String| Some(json!({"token": token, "device_name": "thief"}).to_string());
    let secret = "A".repeat(43);
    let open = RefCell::new(Vec::<String>::new());
    let guess = async |n: usize| {
        // Each code bears a few guesses, and a user a few codes.
        if n.is_multiple_of(4) {
            let over: Vec<_> = open.borrow_mut().drain(..).collect();
            for pairing in over {
                let cancel = format!("DELETE /v1/pairings/{pairing}");
                timed.world.ask(&cancel, Some(&timed.token), None).await;
            }
            let offered = timed.world.ask("POST /v1/pairings", Some(&timed.token), Some("{}")).await;
            open.borrow_mut().push(offered.member("pairing"));
        }
        let pairing = open.borrow_mut()[0].clone();
        (ask(), body(format!("sp_{pairing}_{secret}")))
    };
    let unknown = async |n| (ask(), body(format!("sp_{n:032x}_{secret}")));
    let ratio = timed.ratio(guess, unknown).await;
    assert!(BAND.contains(&ratio), "a guess takes {ratio} times as long as a code that never was");
}
