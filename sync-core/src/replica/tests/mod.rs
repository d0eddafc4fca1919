//! Replicas against the real service, and against a network that misbehaves.

mod cost;
mod faults;
mod flow;
mod laws;
mod moved;
mod query;
mod resync;
mod select;
mod slow;
mod switch;
mod typed;
mod watch;
mod world;
