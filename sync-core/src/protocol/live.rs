//! Live: what travels over a connection that tells of changes as they happen.
//!
//! - `frame`: the next piece of the feed, written once for everyone who gets it
//! - `ask`: what clients send
//! - `tell`: what servers send; `wire` how it is written and read

mod ask;
mod frame;
mod tell;
#[cfg(test)]
mod tests;
mod wire;

pub use ask::{Ask, Asked, STATE_BYTES_MAX, Subscribe};
pub use frame::LiveFrame;
pub use tell::{Heads, Presence, Present, Refusal, Tell};
