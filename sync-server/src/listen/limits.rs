//! The numbers connections are held to.

use std::time::Duration;

use super::descriptors;
use crate::client::TrustedProxies;

/// Limits on connections. The defaults are what a server should run with.
#[derive(Clone, Debug)]
pub struct ListenLimits {
    /// Connections in all, upgraded ones included. 16,384: ten thousand idle sockets and room for requests.
    pub connections_max: usize,
    /// Connections from one IPv4 address or one IPv6 /64. 256: an office behind one address.
    pub connections_per_address_max: usize,
    /// Whether loopback peers are free of the limit per address. They are a proxy in front, or the operator.
    pub exempt_loopback: bool,
    /// Proxies that are free of the limit per address, as each brings the connections of many.
    pub proxies: TrustedProxies,
    /// Time for a request head, and for an idle connection to begin one. 5 s: a slow phone needs one or two.
    pub header_timeout: Duration,
    /// How long a peer may take nothing of what it is sent before it is cut off. 30 s: a phone that goes through a tunnel
    /// comes back, and whoever never reads does not keep a connection.
    pub stall_timeout: Duration,
    /// Time for requests in flight after the stop signal. 8 s: orchestrators wait 10 s before they kill, and the
    /// store must be closed by then.
    pub drain_timeout: Duration,
}

impl Default for ListenLimits {
    fn default() -> Self {
        Self {
            connections_max: 16_384,
            connections_per_address_max: 256,
            exempt_loopback: true,
            proxies: TrustedProxies::default(),
            header_timeout: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(8),
        }
    }
}

impl ListenLimits {
    /// The same with no more connections than this process may have descriptors for; that they are fewer is said in the
    /// log. A program that embeds the server and has its own use for descriptors sets fewer still.
    #[must_use]
    pub fn within_descriptors(self) -> Self {
        let connections_max = descriptors::for_connections(descriptors::limit()).min(self.connections_max);
        if connections_max < self.connections_max {
            tracing::warn!(
                connections_max,
                wanted = self.connections_max,
                "there are too few descriptors for all connections: raise the limit (`ulimit -n`, `LimitNOFILE=`)"
            );
        }
        Self { connections_max, ..self }
    }
}
