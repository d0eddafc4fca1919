//! How many connections there may be, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ListenLimits;
use crate::client::ClientAddress;

/// Counts connections. Its memory is bounded by the connections that are open.
#[derive(Debug)]
pub(super) struct Slots {
    limits: ListenLimits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one open connection; dropping it gives the right back.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    address: Option<IpAddr>,
}

impl Slots {
    pub(super) fn new(limits: ListenLimits) -> Self {
        Self { limits, open: Mutex::default() }
    }

    /// A slot for a connection from `peer`, unless a cap is reached.
    pub(super) fn take(self: &Arc<Self>, peer: ClientAddress) -> Option<Slot> {
        let address = Some(peer).filter(|peer| !self.is_exempt(*peer)).map(|peer| peer.counted());
        let mut open = self.lock();
        let from_here = address.and_then(|address| open.by_address.get(&address)).copied().unwrap_or(0);
        if open.total >= self.limits.connections_max || from_here >= self.limits.connections_per_address_max {
            return None;
        }
        open.total += 1;
        if let Some(address) = address {
            open.by_address.insert(address, from_here + 1);
        }
        Some(Slot { slots: Arc::clone(self), address })
    }

    /// A trusted proxy brings the connections of many.
    fn is_exempt(&self, peer: ClientAddress) -> bool {
        (self.limits.exempt_loopback && peer.is_loopback()) || self.limits.proxies.trusts(peer.ip())
    }

    /// The counters are whole after every statement, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.lock();
        open.total -= 1;
        let Some(address) = self.address else { return };
        let left = open.by_address.get(&address).map_or(0, |n| n - 1);
        if left == 0 {
            open.by_address.remove(&address);
        } else {
            open.by_address.insert(address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::TrustedProxies;

    fn slots(connections_max: usize, connections_per_address_max: usize) -> Arc<Slots> {
        let limits = ListenLimits { connections_max, connections_per_address_max, ..ListenLimits::default() };
        Arc::new(Slots::new(limits))
    }

    fn take(slots: &Arc<Slots>, ip: &str) -> Option<Slot> {
        slots.take(ip.parse::<IpAddr>().unwrap().into())
    }

    #[test]
    fn one_address_cannot_take_everything() {
        let slots = slots(10, 1);
        let first = take(&slots, "192.0.2.1");
        assert!(first.is_some());
        assert!(take(&slots, "192.0.2.1").is_none());
        assert!(take(&slots, "::ffff:192.0.2.1").is_none());
        assert!(take(&slots, "192.0.2.2").is_some());
    }

    #[test]
    fn addresses_of_one_64_count_together() {
        let slots = slots(10, 1);
        let _first = take(&slots, "2001:db8::1").unwrap();
        assert!(take(&slots, "2001:db8::ffff:1").is_none());
        assert!(take(&slots, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn loopback_counts_only_in_all() {
        let slots = slots(2, 1);
        let _both = (take(&slots, "127.0.0.1").unwrap(), take(&slots, "::1").unwrap());
        assert!(take(&slots, "127.0.0.1").is_none());
    }

    #[test]
    fn a_trusted_proxy_counts_only_in_all() {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let limits = ListenLimits { connections_per_address_max: 1, proxies, ..ListenLimits::default() };
        let slots = Arc::new(Slots::new(limits));
        let _many: Vec<_> = (0..9).map(|_| take(&slots, "::ffff:10.0.0.1").unwrap()).collect();
        let _one = take(&slots, "11.0.0.1").unwrap();
        assert!(take(&slots, "11.0.0.1").is_none());
    }

    #[test]
    fn a_dropped_slot_is_free_again_and_forgotten() {
        let slots = slots(1, 1);
        drop(take(&slots, "192.0.2.1").unwrap());
        assert!(take(&slots, "192.0.2.1").is_some());
        assert!(slots.lock().by_address.is_empty());
    }
}
