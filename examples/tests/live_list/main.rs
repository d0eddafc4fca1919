//! The page of `examples/live-list` in real browsers: two of them, a real server, and lines between that can be cut.
#![allow(clippy::unwrap_used, reason = "a test")]

mod apart;
mod chromium;
mod copies;
mod devtools;
mod line;
mod page;
mod random;
mod restored;
mod sign_in;
mod together;
mod world;
