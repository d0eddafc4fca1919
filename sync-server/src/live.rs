//! Live connections: changes as they happen, over a WebSocket for many spaces, or as events of one.
//!
//! ```text
//! socket ─▶ line ─▶ connection ─▶ asks: subscribe, push, ops, presence …
//!        ◀─ line ◀─            ◀─ following: one stream for each space, which ends when access does
//! ```
//! - `upgrade`: from a request to a socket
//! - `line`: messages in and out, and who does not take them; `unpack` and `pack` the frames they come in
//! - `connection`: what happens in which order; `backlog` what a client sent, `asks` what it wants, `beat` what happens by itself
//! - `following`: one space for one reader, with their right to it
//! - `end`: why a connection ends, as the number that clients see
//! - `events`: the same for who asks without a WebSocket
//!
//! Nothing is queued for a reader: what they are told is read when they take it.

mod asks;
mod backlog;
mod beat;
mod connection;
mod end;
pub(crate) mod events;
mod following;
mod line;
mod pace;
mod pack;
mod refused;
mod unpack;
pub(crate) mod upgrade;

pub(crate) use connection::Opening;

use std::time::Duration;

/// How often something is heard from the server. 20 s: below what routers forget, and little for a phone.
const BEAT: Duration = Duration::from_secs(20);

/// How often a connection looks at its clocks. 5 s: a quarter of a beat.
const TICK: Duration = Duration::from_secs(5);

/// Bytes of a message of a client. 64 KiB: a push of a person's edits. Larger ones go by HTTP.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Spaces of one connection. 256: all of a person's.
const SPACES_MAX: usize = 256;
