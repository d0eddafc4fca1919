//! The same thing done to two stores: a random script has the same effects, whole, on the store under test as on the
//! memory store.
//!
//! The other functions of the suite know what they look for; these do not. What they do follows from a seed, which a
//! failure names. Two variables of the environment change that:
//!
//! * `DIFFERENTIAL_SEED=7` runs the script of this seed instead of the usual ones: what a failure asks for.
//! * `DIFFERENTIAL_STEPS=1000000` makes each script so long: what a new backend should stand over a night. A longer
//!   script begins with the shorter one.

mod content;
mod known;
mod request;
mod script;
mod session;
mod step;
mod wishes;
mod writes;

use std::fmt::Debug;
use std::sync::Arc;

use crate::clock::ManualClock;
use crate::conformance::{Subject, Verdict, in_time};
use crate::store::MemoryStore;
use script::Script;
use session::Session;
use step::Player;

/// The scripts that are run unless `DIFFERENTIAL_SEED` names another: few, so that each is long enough for a history.
const SEEDS: [u64; 2] = [1, 2];
/// Steps of each script on a store: with SQLite in a debug build each takes about a second.
const STEPS: u64 = 500;
/// Requests of each script to a service.
const REQUESTS: u64 = 700;

/// Whatever is done to spaces through the contract, each call yields what it yields on the memory store: values,
/// pages, positions, counts, and errors by kind and code.
pub async fn random_scripts_have_the_same_effect_as_on_the_memory_store(subject: &dyn Subject) -> Verdict {
    for seed in seeds() {
        let memory = MemoryStore::default();
        let (script, n_steps) = (Script::new(seed, memory.clone()), steps(STEPS));
        let (mut memory, mut tested) = (Player::new(Arc::new(memory)), Player::new(subject.store()));
        let mut end = Script::end();
        for n in 1.. {
            let next = if n <= n_steps { Some(script.next().await?) } else { end.next() };
            let Some(step) = next else { break };
            let wanted = memory.play(&step).await;
            let found = in_time(subject, "a step of a script", tested.play(&step)).await;
            assert_same((seed, n.min(n_steps)), &step, &wanted, &found);
        }
    }
    Ok(())
}

/// Whatever clients ask of a service, they are told what a service over the memory store tells them: outcomes, changes to
/// the last byte, cursors, conflicts, counts and the hash of all records.
pub async fn random_pushes_have_the_same_outcomes_as_on_the_memory_store(subject: &dyn Subject) -> Verdict {
    for seed in seeds() {
        let clock = Arc::new(ManualClock::default());
        let service = |store| request::service(seed, store, subject.runtime(), clock.clone());
        let (memory, tested) = (service(Arc::new(MemoryStore::default())), service(subject.store()));
        let (mut session, n_steps) = (Session::new(seed, clock.clone()), steps(REQUESTS));
        let mut end = Session::end();
        for n in 1.. {
            let next = if n <= n_steps { Some(session.next()) } else { end.next() };
            let Some((space, request)) = next else { break };
            let wanted = request.ask(&memory, &space).await;
            let found = in_time(subject, "a request of a session", request.ask(&tested, &space)).await;
            assert_same((seed, n.min(n_steps)), &(&space, &request), &wanted, &found);
            session.learn(&space, &request, &wanted);
        }
    }
    Ok(())
}

fn seeds() -> Vec<u64> {
    number("DIFFERENTIAL_SEED").map_or(SEEDS.to_vec(), |seed| vec![seed])
}

fn steps(default: u64) -> u64 {
    number("DIFFERENTIAL_STEPS").unwrap_or(default)
}

/// A number in the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

/// How much of a step and of two answers is shown: contents of records may be a megabyte.
const SHOWN: usize = 600;

/// Panics where two answers differ, with the place at which they begin to. The script of this seed shows it with so many
/// steps.
fn assert_same<A: Debug + PartialEq>((seed, n): (u64, u64), step: &impl Debug, wanted: &A, found: &A) {
    if wanted == found {
        return;
    }
    let (wanted, found) = (format!("{wanted:?}"), format!("{found:?}"));
    let same = wanted.bytes().zip(found.bytes()).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(SHOWN / 4);
    panic!(
        "two stores differ (DIFFERENTIAL_SEED={seed} DIFFERENTIAL_STEPS={n} does it again)\n\
         at the step: {}\non the memory store, from byte {from}: {}\non the store under test: {}",
        excerpt(&format!("{step:?}"), 0),
        excerpt(&wanted, from),
        excerpt(&found, from),
    );
}

fn excerpt(text: &str, from: usize) -> &str {
    let (from, to) = (text.floor_char_boundary(from), text.floor_char_boundary(from.saturating_add(SHOWN)));
    &text[from..to]
}

#[cfg(test)]
mod tests;
