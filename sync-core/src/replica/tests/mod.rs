//! Replicas against the real service, and against a network that misbehaves.

mod faults;
mod flow;
mod groups;
mod idle;
mod laws;
mod moved;
mod pairs;
mod resync;
mod select;
mod switch;
mod world;
