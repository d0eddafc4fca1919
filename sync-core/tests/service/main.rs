//! What the service promises, held against the in-memory store with a clock that stands still and ids from a seed.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test that called it")]

mod audit;
mod broken_scopes;
mod checkpoints;
mod collect;
mod conflicts;
mod cursors;
mod exactly_once;
mod faults;
mod follower;
mod full_sync;
mod groups;
mod lanes;
mod limits;
mod live;
mod live_ends;
mod live_races;
mod live_ring;
mod long_poll;
mod moved;
mod roles;
mod scope;
mod scoped_conflicts;
mod scoped_replicas;
mod snapshot;
mod tree_states;
mod trees;
mod validate;
mod world;
