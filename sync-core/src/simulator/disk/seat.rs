//! The place of a store in a simulation: whose it is, how slow it is, and what goes wrong at which call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::History;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::Runtime;
use crate::simulator::executor::{Gate, InFlight};
use crate::simulator::journal::Journal;
use crate::simulator::{Dice, Process};
use crate::store::Call;

/// The longest that a disk takes before a call, so that calls of different tasks mix.
const PAUSE_MAX: Duration = Duration::from_millis(2);

/// What goes wrong at a call to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskFault {
    /// It does nothing and reports this.
    Error(ErrorKind),
    /// It does what it should and reports that it is not known.
    AnswerLost,
    /// The process dies before it.
    CrashBefore,
    /// The process dies when it is done.
    CrashAfter,
}

/// Where one process meets one disk.
pub(crate) struct Seat {
    pub(crate) process: Process,
    pub(crate) journal: Arc<Journal>,
    pub(crate) gate: Gate,
    /// Kept for disks of servers only.
    pub(crate) history: Option<Arc<History>>,
    pub(crate) name: String,
    dice: Dice,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    n: u64,
    n_faults: u64,
    planted: BTreeMap<u64, DiskFault>,
}

impl Seat {
    pub(crate) fn new(
        name: String,
        process: Process,
        dice: Dice,
        journal: Arc<Journal>,
        gate: Gate,
        history: Option<Arc<History>>,
    ) -> Self {
        Self { process, journal, gate, history, name, dice, calls: Mutex::default() }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plants a fault at the call after the next `n`.
    pub(crate) fn plant(&self, n: u64, fault: DiskFault) {
        let mut calls = self.calls();
        let at = calls.n + n + 1;
        calls.planted.insert(at, fault);
    }

    /// From now on nothing goes wrong.
    pub(crate) fn heal(&self) {
        self.calls().planted.clear();
    }

    /// How many calls went wrong so far.
    pub(crate) fn n_faults(&self) -> u64 {
        self.calls().n_faults
    }

    /// Carries out a call: late, and not at all if something goes wrong before.
    pub(super) async fn call<T>(
        &self,
        call: Call,
        gate: Option<&Gate>,
        work: impl Future<Output = Result<T>> + Unpin,
    ) -> Result<T> {
        self.pause().await;
        let fault = self.next_fault();
        let Some(fault) = fault else { return InFlight::new(&self.process, gate, work).await };
        self.journal.count("faults of disks");
        self.journal.note(&self.name, format_args!("{fault:?} at {call:?}"));
        let planted = |kind| Error::new(kind, format!("a fault was planted in {call:?}"));
        match fault {
            DiskFault::Error(kind) => return Err(planted(kind)),
            DiskFault::CrashBefore => return self.crash().await,
            DiskFault::AnswerLost | DiskFault::CrashAfter => {}
        }
        let result = InFlight::new(&self.process, gate, work).await;
        match fault {
            DiskFault::CrashAfter => self.crash().await,
            _ => result.and_then(|_| Err(planted(ErrorKind::Unavailable))),
        }
    }

    fn next_fault(&self) -> Option<DiskFault> {
        let mut calls = self.calls();
        calls.n += 1;
        let n = calls.n;
        let fault = calls.planted.remove(&n);
        calls.n_faults += u64::from(fault.is_some());
        fault
    }

    async fn pause(&self) {
        match self.dice.below(16) {
            0..=10 => {}
            11..=13 => self.process.yield_now().await,
            _ => self.process.sleep(self.dice.delay(PAUSE_MAX)).await,
        }
    }

    async fn crash<T>(&self) -> T {
        self.process.kill();
        std::future::pending().await
    }
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("name", &self.name).finish_non_exhaustive()
    }
}
