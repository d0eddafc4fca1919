//! Live connections on real sockets: what is told, in which order, to whom, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod conversation;
mod events;
mod handshake;
mod misuse;
mod presence;
mod pressure;
mod raw;
mod replicas;
mod slow;
mod storm;
mod trees;
mod world;
