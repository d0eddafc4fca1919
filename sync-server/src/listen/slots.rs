//! How many connections there may be, in all and from one address.

use std::sync::Arc;

use super::ListenLimits;
use crate::client::{ClientAddress, Holding, Tally};

/// Counts connections.
#[derive(Debug)]
pub(super) struct Slots {
    limits: ListenLimits,
    open: Arc<Tally>,
}

impl Slots {
    pub(super) fn new(limits: ListenLimits) -> Self {
        let open = Arc::new(Tally::new(limits.connections_max, limits.connections_per_address_max));
        Self { limits, open }
    }

    /// A slot for a connection from `peer`, unless a cap is reached. Dropping it gives it back.
    pub(super) fn take(&self, peer: ClientAddress) -> Option<Holding> {
        let address = Some(peer).filter(|peer| !self.is_exempt(*peer)).map(|peer| peer.counted());
        let mut slot = self.open.hold(address);
        slot.take(1).then_some(slot)
    }

    /// A trusted proxy brings the connections of many.
    fn is_exempt(&self, peer: ClientAddress) -> bool {
        (self.limits.exempt_loopback && peer.is_loopback()) || self.limits.proxies.trusts(peer.ip())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::client::TrustedProxies;

    fn slots(connections_max: usize, connections_per_address_max: usize) -> Slots {
        Slots::new(ListenLimits { connections_max, connections_per_address_max, ..ListenLimits::default() })
    }

    fn take(slots: &Slots, ip: &str) -> Option<Holding> {
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
        let slots = Slots::new(limits);
        let _many: Vec<_> = (0..9).map(|_| take(&slots, "::ffff:10.0.0.1").unwrap()).collect();
        let _one = take(&slots, "11.0.0.1").unwrap();
        assert!(take(&slots, "11.0.0.1").is_none());
    }

    #[test]
    fn a_dropped_slot_is_free_again() {
        let slots = slots(1, 1);
        drop(take(&slots, "192.0.2.1").unwrap());
        assert!(take(&slots, "192.0.2.1").is_some());
    }
}
