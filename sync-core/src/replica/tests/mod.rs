//! Replicas against the real service, and against a network that misbehaves.

mod faults;
mod flow;
mod idle;
mod laws;
mod moved;
mod query;
mod resync;
mod select;
mod slow;
mod switch;
mod watch;
mod world;
