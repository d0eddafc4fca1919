//! How bad the network is, and who cannot use it at all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often what happens to a message, in a thousand.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    /// The longest delay of a message.
    pub(crate) delay_max: Duration,
    pub(crate) loses_request: u32,
    pub(crate) loses_answer: u32,
    /// Delivers a request again, soon or much later.
    pub(crate) repeats: u32,
    /// Cuts a body somewhere.
    pub(crate) cuts: u32,
    /// Answers with something else: a portal's page, another space's, an old one.
    pub(crate) lies: u32,
}

impl Weather {
    /// Nothing goes wrong, and everything takes a little time.
    pub(crate) fn fine() -> Self {
        Self {
            delay_max: Duration::from_millis(40),
            loses_request: 0,
            loses_answer: 0,
            repeats: 0,
            cuts: 0,
            lies: 0,
        }
    }
}

/// Who cannot reach a server, or is turned away there, until when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closures {
    /// Devices without a network.
    pub(crate) offline: BTreeMap<usize, Duration>,
    /// Servers that nobody reaches, or which reach nobody.
    pub(crate) cut_off: BTreeMap<usize, Duration>,
    /// Devices whose credentials have expired.
    pub(crate) signed_out: BTreeMap<usize, Duration>,
    /// Devices that may not use the space any more, for good.
    pub(crate) revoked: BTreeSet<usize>,
    /// All servers have too much to do.
    pub(crate) overloaded: Duration,
}

impl Closures {
    /// Ends all that ends by itself one day.
    pub(crate) fn end(&mut self) {
        *self = Self { revoked: std::mem::take(&mut self.revoked), ..Self::default() };
    }
}
