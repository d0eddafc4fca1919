//! Telling those who wait, within this process: what changed, and how the replica stands.

pub(super) mod hub;
pub(super) mod latest;
pub(super) mod progress;
pub(super) mod signals;
pub(super) mod states;
pub(super) mod status;
pub(super) mod waits;
pub(super) mod watch;
