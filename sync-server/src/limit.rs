//! How often something may be done: token buckets in bounded memory, asked before any work is done.
//!
//! There is one bucket for each rule and each whom it is counted by: an address, an account, or both together. It holds the
//! burst its rule allows, and refills evenly. Rules that count misses take a token first and give it back after a success:
//! a thousand guesses at the same time are held to the same number as a thousand in a row, and one that was cut off on the
//! way counts. Why it is not a library: decision 0020.
//!
//! ```
//! # use std::sync::Arc;
//! use sync_core::ManualClock;
//! use sync_server::limit::{Limiter, Rule};
//! let limiter = Limiter::new(Arc::new(ManualClock::default()), [7; 16]);
//! let bucket = limiter.bucket(Rule::Login, ("ada", "192.0.2.1"));
//! for _ in 0..100 {
//!     limiter.attempt(&[bucket])?.forgive(); // the right password
//! }
//! for _ in 0..10 {
//!     limiter.attempt(&[bucket])?; // a wrong one
//! }
//! assert!(limiter.attempt(&[bucket]).is_err());
//! # Ok::<(), sync_server::problem::Problem>(())
//! ```

mod rule;
mod table;

pub use rule::Rule;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::Clock;

use crate::client::ClientAddress;
use crate::problem::{Code, Problem};
use table::Table;

/// Counts what is done, for all requests of this process. It knows nobody by name: keys are hashes under a secret of its
/// own, so that nobody can choose to share a bucket with someone else.
#[derive(Debug, Default)]
pub struct Limiter(Option<Counting>);

#[derive(Debug)]
struct Counting {
    clock: Arc<dyn Clock>,
    secret: [u8; 16],
    table: Mutex<Table>,
}

/// Whom a rule is counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    rule: Rule,
    /// `None` for who is not counted.
    key: Option<u64>,
}

/// Something that was begun, and counts unless it is forgiven.
#[derive(Debug)]
pub struct Attempt<'l> {
    limiter: &'l Limiter,
    buckets: Vec<Bucket>,
}

impl Limiter {
    /// A limiter whose buckets are full. `secret` is random.
    pub fn new(clock: Arc<dyn Clock>, secret: [u8; 16]) -> Self {
        let table = Mutex::new(Table::new(clock.now()));
        Self(Some(Counting { clock, secret, table }))
    }

    /// One that allows everything, for benchmarks and for servers behind something that limits; the default.
    pub fn off() -> Self {
        Self::default()
    }

    /// The bucket of `rule` for `who`: anything that can be hashed, such as a pair of an account and an address.
    pub fn bucket(&self, rule: Rule, who: impl Hash) -> Bucket {
        let key = self.0.as_ref().map(|counting| {
            let mut hasher = DefaultHasher::new();
            // The secret first: what is hashed after it cannot be chosen to collide.
            (counting.secret, rule, who).hash(&mut hasher);
            hasher.finish()
        });
        Bucket { rule, key }
    }

    /// The bucket of `rule` for an address. Rules that [spare](Rule::spares_loopback) this machine do not count it.
    pub fn client(&self, rule: Rule, client: ClientAddress) -> Bucket {
        if rule.spares_loopback() && client.is_loopback() {
            return Bucket { rule, key: None };
        }
        self.bucket(rule, client.counted())
    }

    /// Takes one token from each bucket, or none when one of them is empty.
    ///
    /// # Errors
    ///
    /// `rate_limited`, with the time after which all of them will have a token.
    pub fn attempt(&self, buckets: &[Bucket]) -> Result<Attempt<'_>, Problem> {
        let counted: Vec<Bucket> = buckets.iter().filter(|bucket| bucket.key.is_some()).copied().collect();
        if let Some(mut table) = self.table() {
            let waits = counted.iter().map(|bucket| table.wait(*bucket));
            let wait = waits.max().unwrap_or_default();
            if !wait.is_zero() {
                return Err(refused(wait));
            }
            counted.iter().for_each(|bucket| table.take(*bucket));
        }
        Ok(Attempt { limiter: self, buckets: counted })
    }

    /// Takes a token for something that counts however it ends.
    ///
    /// # Errors
    ///
    /// As [`Limiter::attempt`].
    pub fn check(&self, bucket: Bucket) -> Result<(), Problem> {
        self.attempt(&[bucket]).map(drop)
    }

    /// Takes a token and says whether there was one, where nobody may be told that there was none.
    pub fn allow(&self, bucket: Bucket) -> bool {
        self.check(bucket).is_ok()
    }

    /// The table, at the time it is now.
    fn table(&self) -> Option<MutexGuard<'_, Table>> {
        let counting = self.0.as_ref()?;
        // It is whole after every statement, so a panic elsewhere does not spoil it.
        let mut table = counting.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.advance(counting.clock.now());
        Some(table)
    }
}

impl Attempt<'_> {
    /// Gives the tokens back: it was no miss.
    pub fn forgive(self) {
        if let Some(mut table) = self.limiter.table() {
            self.buckets.iter().for_each(|bucket| table.give_back(*bucket));
        }
    }
}

fn refused(wait: Duration) -> Problem {
    let whole_s = wait.as_micros().div_ceil(1_000_000);
    let seconds = u32::try_from(whole_s).unwrap_or(u32::MAX).max(1);
    Problem::new(Code::RateLimited).detail(format!("try again in {seconds} s")).retry_after(seconds)
}

#[cfg(test)]
mod tests;
