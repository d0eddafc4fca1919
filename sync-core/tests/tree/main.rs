//! What a replicated tree promises: the state is a function of the set of ops, and of nothing else.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test that called it")]

mod checkpoints;
mod editing;
mod golden;
mod histories;
mod laws;
mod oracle;
mod shapes;
mod vectors;
mod writes;
