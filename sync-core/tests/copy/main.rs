//! Moving a server: everything arrives as it was, damage is noticed where it is, and what broke can be started again.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test that called it")]

mod broken;
mod damage;
mod golden;
mod lossy;
mod whole;
mod world;
