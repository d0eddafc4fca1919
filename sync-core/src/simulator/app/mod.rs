//! The app on a device: it edits, decides conflicts, looks at what it has, and never waits for the network.

mod decide;
mod edit;
mod look;
mod outline;

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::replica::Replica;
use crate::runtime::Runtime;
use crate::simulator::device::{Device, Running};
use crate::simulator::facts::Facts;
use crate::simulator::journal::Journal;
use crate::simulator::{Dice, Invariant};

pub(crate) use edit::make_counters;
pub(crate) use look::{Shown, everything};
pub(crate) use outline::fault_of;

/// The longest pause between two things that an app does.
const PAUSE_MAX: Duration = Duration::from_millis(600);

/// An app under way.
pub(crate) struct App {
    pub(crate) device: Arc<Device>,
    pub(crate) running: Running,
    pub(crate) facts: Arc<Facts>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) dice: Dice,
    /// Whether two records that are written together must be seen together.
    pub(crate) pairs_stay_together: bool,
    /// Whether it decides conflicts: only where it can tell that nothing comes in between.
    pub(crate) decides: bool,
}

impl App {
    /// Does one thing after another until the device comes to its end.
    pub(crate) async fn run(self) {
        while !self.device.is_ending() {
            self.running.process.sleep(self.dice.delay(PAUSE_MAX)).await;
            let n_faults = self.running.seat.n_faults();
            let did = self.something().await;
            self.journal.count("edits and looks");
            let Err(error) = did else { continue };
            self.journal.note(&self.device, format_args!("failed: {error}"));
            // With a fault in between anything may fail; without one only what has no record to work on.
            let may_fail = self.running.seat.n_faults() > n_faults || is_expected(&error);
            self.journal.expect(may_fail, Invariant::RefusedCleanly, || {
                format!("{} fails without a reason: {error:?}", self.device)
            });
        }
    }

    async fn something(&self) -> Result<()> {
        match self.dice.below(20) {
            0..=6 => self.edit().await,
            7..=9 => self.edit_own().await,
            10..=11 => self.count_up().await,
            12 => self.write_pair().await,
            13 => self.edit_some_at_once().await,
            14..=15 if self.decides => self.decide().await,
            16 => self.dismiss().await,
            17 => self.look().await,
            18 => self.edit_outline().await,
            _ => self.edit_own().await,
        }
    }

    fn replica(&self) -> &Replica {
        &self.running.replica
    }

    /// A text that nobody ever wrote.
    fn token(&self) -> String {
        self.facts.tokens.fresh(self.device.space_number, self.device.number)
    }
}

/// What an app has to reckon with when it decides about something that may be gone.
fn is_expected(error: &Error) -> bool {
    error.code() == Some(crate::protocol::code::VERSION_CONFLICT)
        || error.kind() == crate::error::ErrorKind::NotFound
}
