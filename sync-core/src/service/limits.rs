//! What the service allows of everything that could grow.

use std::time::Duration;

/// Limits of a [`Service`](crate::service::Service). The defaults fit a small server; an embedder may set its own.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Mutations in a batch. One statement carries as many.
    pub mutations_max: usize,
    /// Changes in a page, whatever the client asks for.
    pub page_rows_max: usize,
    /// Bytes of content in a page. With the overhead of a thousand rows it stays within what a phone can hold. The pages
    /// that answer the pushes of one commit share this, because they are held in memory together.
    pub page_bytes_max: usize,
    /// Collections named in a pull or snapshot. A filter with more is a mistake.
    pub collections_max: usize,
    /// Pushes that wait for one space; more are turned away.
    pub lane_jobs_max: usize,
    /// Bytes of content that wait for one space; more are turned away.
    pub lane_bytes_max: usize,
    /// Mutations that are folded into one commit. A larger commit makes everyone in it wait longer.
    pub commit_mutations_max: usize,
    /// Bytes of content that one batch may write and have answered, losing sides of conflicts included; a batch that
    /// needs more is refused and can be sent in parts. A single mutation may always be carried out.
    pub batch_effect_bytes_max: usize,
    /// Bytes of content that one commit may write; pushes beyond it are turned away for a moment.
    pub commit_bytes_max: usize,
    /// How often a commit is tried when others are in the way.
    pub attempts_max: u32,
    /// How far ahead of the server's clock a change may be dated.
    pub clock_drift_max: Duration,
    /// How far the clock of an op may be ahead of the latest one of its tree: enough for years of offline work, and far too
    /// little to use up the clocks of everyone else.
    pub op_clock_ahead_max: u64,
    /// Bytes of one op of a tree; more than [`TreeOp::BYTES_MAX`](crate::TreeOp::BYTES_MAX) is no op anywhere.
    pub op_bytes_max: usize,
    /// Bytes of all trees whose states are kept in memory for the next reader, as far as they can be estimated; a larger tree
    /// is made for whoever asks.
    pub tree_cache_bytes_max: usize,
    /// Ops that a tree has got since its last [checkpoint](crate::store::StoreTxn::checkpoint) when it gets another one; in a
    /// large tree at least a quarter of what it had then. Fewer are applied in some hundredths of a second.
    pub checkpoint_ops_min: u64,
    /// How long a pull may wait for a change. Below what proxies cut.
    pub wait_max: Duration,
    /// Pulls that wait at once, in all spaces; more are turned away.
    pub waiters_max: usize,
    /// Subscriptions at once, to all spaces; more are turned away.
    pub subscriptions_max: usize,
    /// How long tombstones and the log are kept at least; longer while a live replica still needs them.
    pub retention: Duration,
    /// How long a replica counts as live after its last push; one that is silent for longer holds nothing back.
    pub lease: Duration,
    /// Tombstones removed in one transaction.
    pub collect_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mutations_max: 1000,
            page_rows_max: 1000,
            page_bytes_max: 8 << 20,
            collections_max: 100,
            lane_jobs_max: 4096,
            lane_bytes_max: 64 << 20,
            commit_mutations_max: 4000,
            batch_effect_bytes_max: 32 << 20,
            commit_bytes_max: 64 << 20,
            attempts_max: 6,
            clock_drift_max: Duration::from_secs(5 * 60),
            op_clock_ahead_max: 1 << 24,
            op_bytes_max: crate::types::TreeOp::BYTES_MAX,
            tree_cache_bytes_max: 128 << 20,
            checkpoint_ops_min: crate::tree::kept::OPS_MIN,
            wait_max: Duration::from_secs(50),
            waiters_max: 10_000,
            subscriptions_max: 200_000,
            retention: Duration::from_secs(30 * 24 * 3600),
            lease: Duration::from_secs(14 * 24 * 3600),
            collect_max: 1000,
        }
    }
}
