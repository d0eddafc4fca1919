//! How much of something is in use, in all and by one address, so that one address cannot keep the others out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts what is held. Its memory is bounded by what is held.
#[derive(Debug)]
pub(crate) struct Tally {
    max: usize,
    per_address_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to as much as was taken; dropping it gives that back.
#[derive(Debug)]
pub struct Holding {
    tally: Arc<Tally>,
    address: Option<IpAddr>,
    n: usize,
}

impl Tally {
    /// Lends `max` in all, and `per_address_max` of it to one address.
    pub(crate) fn new(max: usize, per_address_max: usize) -> Self {
        Self { max, per_address_max, held: Mutex::default() }
    }

    /// Nothing yet, for who counts by `address`; without one they are held to the limit in all alone.
    pub(crate) fn hold(self: &Arc<Self>, address: Option<IpAddr>) -> Holding {
        Holding { tally: Arc::clone(self), address, n: 0 }
    }

    /// The counters are whole after every statement, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holding {
    /// Takes `n` more, or nothing: whether they were to be had.
    #[must_use]
    pub(crate) fn take(&mut self, n: usize) -> bool {
        let tally = &self.tally;
        let mut held = tally.lock();
        let from_here = self.address.and_then(|address| held.by_address.get(&address)).copied().unwrap_or(0);
        if n > tally.max.saturating_sub(held.total)
            || (self.address.is_some() && n > tally.per_address_max.saturating_sub(from_here))
        {
            return false;
        }
        held.total += n;
        if let Some(address) = self.address.filter(|_| n > 0) {
            held.by_address.insert(address, from_here + n);
        }
        self.n += n;
        true
    }

    /// Gives `n` back, at most what is held.
    pub(crate) fn give_back(&mut self, n: usize) {
        let n = n.min(self.n);
        self.n -= n;
        let mut held = self.tally.lock();
        held.total -= n;
        let Some(address) = self.address else { return };
        let left = held.by_address.get(&address).map_or(0, |held| held - n);
        if left == 0 {
            held.by_address.remove(&address);
        } else {
            held.by_address.insert(address, left);
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.give_back(self.n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(tally: &Arc<Tally>, ip: &str, n: usize) -> Option<Holding> {
        let mut holding = tally.hold(Some(ip.parse().unwrap()));
        holding.take(n).then_some(holding)
    }

    #[test]
    fn one_address_has_its_part_and_all_have_no_more_than_there_is() {
        let tally = Arc::new(Tally::new(10, 4));
        let _first = held(&tally, "192.0.2.1", 4).unwrap();
        assert!(held(&tally, "192.0.2.1", 1).is_none());
        let _second = held(&tally, "192.0.2.2", 4).unwrap();
        assert!(held(&tally, "192.0.2.3", 3).is_none());
        assert!(held(&tally, "192.0.2.3", 2).is_some());
        assert!(held(&tally, "192.0.2.3", usize::MAX).is_none());
    }

    #[test]
    fn who_does_not_count_by_address_may_have_all_there_is() {
        let tally = Arc::new(Tally::new(10, 4));
        let mut free = tally.hold(None);
        assert!(free.take(10) && !free.take(1));
    }

    #[test]
    fn what_is_given_back_is_there_again_and_forgotten() {
        let tally = Arc::new(Tally::new(4, 4));
        let mut holding = held(&tally, "192.0.2.1", 4).unwrap();
        holding.give_back(3);
        assert!(held(&tally, "192.0.2.1", 3).is_some() && holding.take(3));
        drop(holding);
        assert!(held(&tally, "192.0.2.1", 4).is_some());
        assert!(tally.lock().by_address.is_empty() && tally.lock().total == 0);
    }
}
