//! Calls that another thread will finish: while there are any, time waits for them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::core::Shared;
use super::process::Process;

/// Where writers take turns: a database. Who waits for a turn waits for a task of the simulation, which may be asleep, and
/// must not keep time from moving.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    shared: Arc<Shared>,
    idx: usize,
}

/// Who is at a gate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AtGate {
    pub(super) n_inside: usize,
    pub(super) n_waiting: usize,
}

impl Gate {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        let mut core = shared.core();
        core.gates.push(AtGate::default());
        let idx = core.gates.len() - 1;
        drop(core);
        Self { shared: Arc::clone(shared), idx }
    }

    /// Counts someone who has got their turn, until what is returned is dropped.
    pub(crate) fn enter(&self) -> Inside {
        self.change(|at| at.n_inside += 1);
        Inside(self.clone())
    }

    fn change(&self, change: impl FnOnce(&mut AtGate)) {
        if let Some(at) = self.shared.core().gates.get_mut(self.idx) {
            change(at);
        }
    }
}

/// A turn at a gate.
#[derive(Debug)]
pub(crate) struct Inside(Gate);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.change(|at| at.n_inside = at.n_inside.saturating_sub(1));
    }
}

/// A call to a store, counted as in flight from the first poll that did not finish it until its end.
pub(crate) struct InFlight<F> {
    call: F,
    shared: Arc<Shared>,
    /// Where it waits for its turn, if it does.
    gate: Option<usize>,
    is_counted: bool,
}

impl<F> InFlight<F> {
    pub(crate) fn new(process: &Process, gate: Option<&Gate>, call: F) -> Self {
        let gate = gate.map(|gate| gate.idx);
        Self { call, shared: Arc::clone(process.shared()), gate, is_counted: false }
    }

    fn count(&mut self, counted: bool) {
        if self.is_counted == counted {
            return;
        }
        self.is_counted = counted;
        let core = &mut *self.shared.core();
        let waiting = self.gate.and_then(|gate| core.gates.get_mut(gate)).map(|at| &mut at.n_waiting);
        let count = waiting.unwrap_or(&mut core.n_in_flight);
        *count = if counted { *count + 1 } else { count.saturating_sub(1) };
    }
}

impl<F: Future + Unpin> Future for InFlight<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = Pin::new(&mut self.call).poll(cx);
        self.count(polled.is_pending());
        polled
    }
}

impl<F> Drop for InFlight<F> {
    fn drop(&mut self) {
        self.count(false);
    }
}
