//! The edge over real sockets: what a client sees for each broken or hostile request.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken_edge;
mod connections;
mod limited;
mod requests;
mod session;
mod world;
