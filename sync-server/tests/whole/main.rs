//! Whole servers in this process, from their settings to what a client on a real socket sees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken_edge;
mod logs;
mod secrets;
mod tls;
mod world;
