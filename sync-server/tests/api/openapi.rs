//! Holds the OpenAPI document against the routes, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use super::world::Answer;

/// Which statuses each operation answered with.
#[derive(Debug, Default)]
pub(crate) struct Ledger(BTreeMap<String, BTreeSet<u16>>);

impl Ledger {
    pub(crate) fn note(&mut self, _ask: &str, _answer: &Answer) {}
}
