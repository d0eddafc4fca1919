//! What the tests of the whole program share: the real binary, clients that keep a log, and the checker of both.
//!
//! Everything blocks and every client is a thread: what is tested is another process, over a socket.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod check;
pub(crate) mod crowd;
pub(crate) mod dump;
pub(crate) mod http;
pub(crate) mod in_flight;
pub(crate) mod reader;
pub(crate) mod refusal;
pub(crate) mod rig;
pub(crate) mod rng;
pub(crate) mod server;
pub(crate) mod view;
pub(crate) mod writer;
