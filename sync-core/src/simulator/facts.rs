//! What the simulation knows and nobody in it does: all that was decided, told, written and given up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Result;
use crate::mutation::Outcome;
use crate::protocol::{PullPage, PushDone, PushReply, PushRequest, SnapshotItem};
use crate::simulator::journal::Journal;
use crate::simulator::network::{Branch, Caller, Ledger};
use crate::simulator::token::Tokens;
use crate::simulator::{Invariant, network};
use crate::types::{Cursor, CursorToken, RecordKey, SpaceId};

/// Shared by everything that checks.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) journal: Arc<Journal>,
    pub(crate) tokens: Tokens,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Every life the server's data has had; the last one is the present one, unless forks are among them.
    branches: Vec<Arc<Branch>>,
    /// How often the data went back or split.
    n_restores: usize,
    n_clones: usize,
    /// What was answered to which batch.
    decided: BTreeSet<String>,
    refused: BTreeSet<String>,
    /// What a device has deleted where deletes win, until the server carries it out.
    deleting: BTreeMap<(usize, RecordKey), BTreeSet<String>>,
    /// Who asked how often in which second.
    requests: BTreeMap<usize, (u64, u32)>,
    /// Who tried again of late, and when.
    tries: Vec<(usize, Duration)>,
    counters: BTreeMap<(usize, String), Count>,
    /// Records about which someone has decided.
    decided_about: BTreeSet<(usize, RecordKey)>,
    /// Names under which copies of a replica share records that were to be its own.
    shared_names: BTreeSet<String>,
}

/// The steps of a counter: between the two numbers it must end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) n_sure: i64,
    /// Those that may have been counted besides, or once more.
    pub(crate) n_maybe: i64,
}

impl Facts {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self { journal, tokens: Tokens::default(), known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The data lives on in this branch, or in this one too.
    pub(crate) fn add_branch(&self, branch: Arc<Branch>) {
        self.known().branches.push(branch);
    }

    /// The data went back, or split.
    pub(crate) fn was_restored(&self) {
        self.known().n_restores += 1;
    }

    /// What any server kept of edits that a policy overruled. It may have been collected since.
    pub(crate) fn settled(&self) -> BTreeSet<String> {
        self.known().branches.iter().flat_map(|branch| branch.history.settled()).collect()
    }

    /// What was written to lives of the data that are over, and not to the one that lives.
    pub(crate) fn lost_with_a_life(&self, living: &Branch, space: &SpaceId) -> BTreeSet<String> {
        let lives = living.history.written(space);
        let known = self.known();
        let ever = known.branches.iter().flat_map(|branch| branch.history.written(space));
        ever.filter(|token| !lives.contains(token)).collect()
    }

    pub(crate) fn n_restores(&self) -> usize {
        self.known().n_restores
    }

    /// A replica's disk was copied, and what it calls its own is not its own any more.
    pub(crate) fn was_cloned(&self, own_name: String) {
        let mut known = self.known();
        known.n_clones += 1;
        known.shared_names.insert(own_name);
    }

    /// Someone decided a conflict about a record, or tried to.
    pub(crate) fn was_decided(&self, space: usize, key: &RecordKey) {
        self.known().decided_about.insert((space, key.clone()));
    }

    pub(crate) fn is_decided(&self, space: usize, key: &RecordKey) -> bool {
        self.known().decided_about.contains(&(space, key.clone()))
    }

    pub(crate) fn is_shared(&self, own_name: &str) -> bool {
        self.known().shared_names.contains(own_name)
    }

    /// Takes down what a server has said to a batch.
    pub(crate) fn answered(
        &self,
        branch: &Branch,
        caller: &Caller,
        push: &PushRequest,
        reply: &Result<PushReply>,
    ) {
        let who = format!("server for r{}", caller.device);
        match (reply, &push.batch) {
            (Ok(PushReply::Done(done)), Some(batch)) => {
                let done = push.mutations.iter().zip(&done.outcomes);
                let words: Vec<String> = done
                    .map(|(asked, outcome)| format!("{} {} {}", asked.op.as_str(), asked.key, word(outcome)))
                    .collect();
                self.journal.note(&who, format_args!("{}@{} {words:?}", batch.client, batch.first));
            }
            (Ok(other), Some(batch)) => {
                self.journal.note(&who, format_args!("{}@{} {other:?}", batch.client, batch.first));
            }
            (Err(error), _) => self.journal.note(&who, format_args!("{error}")),
            _ => {}
        }
        let refusals = network::refusals(push, reply);
        let Branch { history, ledger, .. } = branch;
        let done = ledger.answered(&self.journal, history, &caller.space, push, reply);
        let mut known = self.known();
        known.refused.extend(refusals);
        let Some(done) = done else { return };
        known.decided.insert(decision(push, done.outcomes));
        for key in network::deleted(&done) {
            if let Some(tokens) = known.deleting.remove(&(caller.device, key.clone())) {
                self.tokens.are_dead(tokens);
            }
        }
    }

    /// Whether a server refused this, as it is set aside.
    pub(crate) fn was_refused(&self, refusal: &str) -> bool {
        self.known().refused.contains(refusal)
    }

    /// Whether a server refused anything at all.
    pub(crate) fn was_anything_refused(&self) -> bool {
        !self.known().refused.is_empty()
    }

    /// A device deleted a record with these tokens, or has made it anew since.
    pub(crate) fn deletes(&self, device: usize, key: &RecordKey, tokens: Option<BTreeSet<String>>) {
        let mut known = self.known();
        let name = (device, key.clone());
        match tokens {
            Some(tokens) => known.deleting.entry(name).or_default().extend(tokens),
            None => drop(known.deleting.remove(&name)),
        }
    }

    pub(crate) fn count(&self, space: usize, id: &str, change: impl FnOnce(&mut Count)) {
        change(self.known().counters.entry((space, id.to_owned())).or_default());
    }

    pub(crate) fn counters(&self, space: usize) -> BTreeMap<String, Count> {
        let known = self.known();
        let of_space = known.counters.iter().filter(|((of, _), _)| *of == space);
        of_space.map(|((_, id), count)| (id.clone(), *count)).collect()
    }
}

/// Requests of one replica in a second: it pushes in small batches, and each takes a while. Who asks more often does not
/// wait between tries.
const REQUESTS_PER_SECOND_MAX: u32 = 1000;

/// Replicas that may try again at about the same time. Two meet by chance; more wait for the same thing, and forget to
/// wait a little longer or shorter than the others.
const AT_ONCE_MAX: usize = 3;
/// About the same time: of many that spread over the first wait after a failure, few come within it.
const AT_ONCE: Duration = Duration::from_millis(5);

/// What a replica asks and is told.
impl Facts {
    /// A replica that runs by itself tries again after a failure.
    pub(crate) fn tries_again(&self, device: usize, now: Duration) {
        let mut known = self.known();
        known.tries.retain(|(_, at)| *at + AT_ONCE > now);
        known.tries.push((device, now));
        let devices: BTreeSet<usize> = known.tries.iter().map(|(device, _)| *device).collect();
        self.journal.expect(devices.len() <= AT_ONCE_MAX, Invariant::Bounded, || {
            format!("{devices:?} try again within {AT_ONCE:?}")
        });
    }

    pub(crate) fn asks(&self, device: usize, now: Duration) {
        let second = now.as_secs();
        let mut known = self.known();
        let (in_second, n) = known.requests.entry(device).or_default();
        (*in_second, *n) = if *in_second == second { (second, *n + 1) } else { (second, 1) };
        let n = *n;
        self.journal.expect(n <= REQUESTS_PER_SECOND_MAX, Invariant::Bounded, || {
            format!("r{device} sent {n} requests within a second")
        });
    }

    /// A replica believes that this became of its batch.
    pub(crate) fn told_push(&self, device: usize, space: &SpaceId, push: &PushRequest, reply: &PushReply) {
        match reply {
            PushReply::Done(done) => self.told_done(device, space, push, done),
            PushReply::ClientForked | PushReply::MutationGap { .. } => {
                let known = self.known();
                let may_be = known.n_clones > 0 || known.n_restores > 0;
                self.journal.expect(may_be, Invariant::ExactlyOnce, || {
                    format!("r{device} is told {reply:?}, and nobody was copied or restored")
                });
            }
            PushReply::ResyncRequired(resync) => self.told_resync(device, resync.reason),
        }
    }

    fn told_done(&self, device: usize, space: &SpaceId, push: &PushRequest, done: &PushDone) {
        let decision = decision(push, &done.outcomes);
        self.journal.expect(self.known().decided.contains(&decision), Invariant::Outbox, || {
            format!("r{device} is told {decision}, which no server has decided")
        });
        if let (Some(after), Some(page)) = (&push.after, &done.page) {
            self.told_page(device, space, after, page);
        }
    }

    /// A replica gets what comes after a cursor: both must lie in one history.
    pub(crate) fn told_page(&self, device: usize, space: &SpaceId, after: &CursorToken, page: &PullPage) {
        let read = |token| Cursor::decode(token, space);
        let (Ok(from), Ok(to)) = (read(after), read(&page.cursor)) else { return };
        let known = self.known();
        let has_both = |branch: &Arc<Branch>| {
            branch.history.contains(space, &from) && branch.history.contains(space, &to)
        };
        self.journal.expect(known.branches.iter().any(has_both), Invariant::RestoreNoticed, || {
            format!(
                "r{device} is given what comes after {from:?} up to {to:?}, which are of different histories"
            )
        });
    }

    /// A replica receives a part of a snapshot.
    pub(crate) fn told_item(&self, device: usize, space: &SpaceId, item: &Result<SnapshotItem>) {
        let seq = |token| Cursor::decode(token, space).map(|cursor| cursor.seq);
        let who = format_args!("r{device}");
        match item {
            Ok(SnapshotItem::Begin { cursor, .. }) => {
                self.journal.note(&who, format_args!("a snapshot begins at {:?}", seq(cursor)));
            }
            Ok(SnapshotItem::End { cursor }) => {
                self.journal.note(&who, format_args!("a snapshot that began at {:?} ends", seq(cursor)));
            }
            Ok(_) => {}
            Err(error) => self.journal.note(&who, format_args!("a snapshot breaks: {error}")),
        }
    }

    pub(crate) fn told_resync(&self, device: usize, reason: crate::protocol::ResyncReason) {
        self.journal.count("resyncs");
        self.journal.note(&format_args!("r{device}"), format_args!("told to resync: {}", reason.as_str()));
        let may_be = reason == crate::protocol::ResyncReason::Horizon || self.n_restores() > 0;
        self.journal.expect(may_be, Invariant::RestoreNoticed, || {
            format!("r{device} is told {}, and the server was not restored", reason.as_str())
        });
    }
}

/// An outcome in a word or two.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Rejected { code, .. } => format!("rejected as {code}"),
        other => format!("{}@{}", other.as_str(), other.version().unwrap_or_default()),
    }
}

/// What was decided about a batch, in a form that can be compared.
fn decision(push: &PushRequest, outcomes: &[Outcome]) -> String {
    let name = push.batch.as_ref().map(|batch| (batch.client.as_str(), batch.first.get()));
    format!("{name:?} {}", serde_json::to_string(outcomes).unwrap_or_default())
}

/// The acknowledged versions of the branch that lives.
pub(crate) fn acked(branch: &Branch) -> BTreeMap<(SpaceId, RecordKey), crate::types::Version> {
    let ledger: &Ledger = &branch.ledger;
    ledger.acked()
}
