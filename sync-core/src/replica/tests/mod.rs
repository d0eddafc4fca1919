//! Replicas against the real service, and against a network that misbehaves.

mod barrier;
mod cost;
mod faults;
mod flow;
mod groups;
mod in_flight;
mod laws;
mod moved;
mod orders;
mod outbox;
mod pairs;
mod policies;
mod query;
mod resolving;
mod resync;
mod run;
mod save;
mod select;
mod slow;
mod states;
mod status;
mod switch;
mod typed;
mod watch;
mod weather;
mod world;
