//! Positions in the server's history that are waited for, and what became of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::types::CursorToken;

/// Positions that are waited for.
#[derive(Debug, Default)]
pub(crate) struct Waits(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    n_ever: u64,
    by_number: BTreeMap<u64, Wait>,
}

#[derive(Clone, Debug)]
struct Wait {
    token: CursorToken,
    verdict: Verdict,
}

/// What became of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was not reached yet.
    Waiting,
    /// It was reached, and lay in the server's history at that moment. Earlier than that nothing is certain: the server
    /// may go back to a time before it, which a replica that has not come so far does not notice.
    Reached,
    /// It does not lie in the server's history, and never will.
    Gone,
}

/// A place among those who wait; dropping it gives it back.
pub(crate) struct Place<'a> {
    waits: &'a Waits,
    number: u64,
}

impl Waits {
    /// Waits for a position until the place is dropped.
    pub(crate) fn enter(&self, token: CursorToken) -> Place<'_> {
        let mut waiting = self.lock();
        waiting.n_ever += 1;
        let number = waiting.n_ever;
        waiting.by_number.insert(number, Wait { token, verdict: Verdict::Waiting });
        Place { waits: self, number }
    }

    /// Whether any position is waited for.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().by_number.is_empty()
    }

    /// The positions that were not reached yet, each once.
    pub(crate) fn tokens(&self) -> Vec<CursorToken> {
        let waiting = self.lock();
        let open = waiting.by_number.values().filter(|wait| wait.verdict == Verdict::Waiting);
        let mut tokens: Vec<CursorToken> = open.map(|wait| wait.token.clone()).collect();
        tokens.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        tokens.dedup();
        tokens
    }

    /// Says what became of a position.
    pub(crate) fn set(&self, token: &CursorToken, verdict: Verdict) {
        for wait in self.lock().by_number.values_mut().filter(|wait| wait.token == *token) {
            wait.verdict = verdict;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// What became of it so far.
    pub(crate) fn verdict(&self) -> Verdict {
        self.waits.lock().by_number.get(&self.number).map_or(Verdict::Waiting, |wait| wait.verdict)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waits.lock().by_number.remove(&self.number);
    }
}
