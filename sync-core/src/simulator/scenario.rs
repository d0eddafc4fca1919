//! The scenario: how large a world is, and what may go wrong in it.

use std::time::Duration;

use crate::merge::{Clash, CollectionPolicy, DeletePolicy, PathRule, Pointer, UpdatePolicy};
use crate::policies::Policies;
use crate::service::Limits;
use crate::simulator::{Dice, Hooks};
use crate::types::Collection;

/// A kind of thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// Messages are late, lost, repeated and cut, devices and servers are cut off.
    Network,
    /// A portal answers in place of the server, or a server with another space.
    Lies,
    /// Servers are overloaded, and credentials expire.
    Refusals,
    /// Calls to disks fail, or their answers are lost.
    Disks,
    /// Servers die.
    ServerCrashes,
    /// Replicas die.
    ReplicaCrashes,
    /// Clocks jump.
    Clocks,
    /// Tombstones are collected while replicas are away.
    Collections,
    /// Disks of replicas are copied, and both copies go on.
    Clones,
    /// A backup of the server is restored.
    Restores,
    /// A copy of the server serves some of the devices for a while.
    Forks,
    /// A device may not use its space any more.
    Revocations,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Network,
        Self::Lies,
        Self::Refusals,
        Self::Disks,
        Self::ServerCrashes,
        Self::ReplicaCrashes,
        Self::Clocks,
        Self::Collections,
        Self::Clones,
        Self::Restores,
        Self::Forks,
        Self::Revocations,
    ];
}

/// What a simulation consists of. The seed decides the rest.
///
/// ```
/// use sync_core::simulator::{FaultKind, Scenario};
/// let scenario = Scenario { n_servers: 1, ..Scenario::small() }.without(FaultKind::Clocks);
/// assert!(!scenario.faults.contains(&FaultKind::Clocks));
/// ```
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Server processes over one disk.
    pub n_servers: usize,
    /// Replicas of the first space.
    pub n_replicas: usize,
    /// Replicas of a second space on the same servers.
    pub n_strangers: usize,
    /// Events of the script; between two of them some hundred milliseconds pass, in which apps edit.
    pub n_steps: usize,
    /// What may go wrong. Each seed leaves some of it out, so that faults do not always come together.
    pub faults: Vec<FaultKind>,
    /// What the servers allow. Small, so that pages, batches and retention come to their ends.
    pub limits: Limits,
    /// Whether two records that are written in one local transaction must stay together, and be seen together. Each
    /// device writes pairs of its own then: of two who write the same one, the one that loses sees the other's in parts.
    pub pairs_stay_together: bool,
    /// Whether replicas [run](crate::replica::Replica::run) and follow by themselves. Otherwise they are synced every
    /// other second, and conflicts are decided in between.
    pub replicas_run: bool,
    /// What is put in between.
    pub hooks: Hooks,
}

/// Ops between two checkpoints of a tree. Few, so that states begin with one.
pub(crate) const CHECKPOINT_OPS_MIN: u64 = 5;

/// How long after the last fault all must be in sync.
pub(crate) const QUIET_MAX: Duration = Duration::from_secs(30);

impl Scenario {
    /// A world of two servers and three replicas, with everything that goes wrong while the server keeps its data.
    ///
    /// One seed takes a fraction of a second in a debug build.
    pub fn small() -> Self {
        let not_yet = [FaultKind::Restores, FaultKind::Forks];
        Self {
            n_servers: 2,
            n_replicas: 3,
            n_strangers: 1,
            n_steps: 60,
            faults: FaultKind::ALL.into_iter().filter(|kind| !not_yet.contains(kind)).collect(),
            limits: Limits {
                mutations_max: 8,
                page_rows_max: 4,
                commit_mutations_max: 12,
                lane_jobs_max: 3,
                collect_max: 3,
                checkpoint_ops_min: CHECKPOINT_OPS_MIN,
                retention: Duration::from_secs(3),
                lease: Duration::from_secs(4),
                ..Limits::default()
            },
            pairs_stay_together: false,
            replicas_run: false,
            hooks: Hooks::default(),
        }
    }

    /// The same world, whose server is restored from backups and splits in two.
    pub fn restored() -> Self {
        Self { faults: FaultKind::ALL.to_vec(), ..Self::small() }
    }

    /// The same world, in which nothing goes wrong.
    pub fn calm() -> Self {
        Self { faults: Vec::new(), ..Self::small() }
    }

    /// The same without one kind of fault.
    #[must_use]
    pub fn without(mut self, kind: FaultKind) -> Self {
        self.faults.retain(|fault| *fault != kind);
        self
    }

    /// The same with fronts put in between.
    #[must_use]
    pub fn with_hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// The faults of one seed: what may go wrong, without a part of it.
    pub(crate) fn draw(&self, dice: &Dice) -> Vec<FaultKind> {
        self.faults.iter().copied().filter(|_| dice.chance(700)).collect()
    }
}

/// Collections in which anyone edits anything, each with another policy.
pub(crate) const SHARED: [(&str, UpdatePolicy, DeletePolicy); 6] = [
    ("notes", UpdatePolicy::Fields(Clash::Manual), DeletePolicy::UpdateWins),
    ("tasks", UpdatePolicy::Fields(Clash::LastWriteWins), DeletePolicy::DeleteWins),
    ("pages", UpdatePolicy::Whole(Clash::Manual), DeletePolicy::Manual),
    ("prefs", UpdatePolicy::Whole(Clash::LastWriteWins), DeletePolicy::UpdateWins),
    ("plans", UpdatePolicy::Fields(Clash::ServerWins), DeletePolicy::DeleteWins),
    ("drafts", UpdatePolicy::Whole(Clash::ClientWins), DeletePolicy::Manual),
];
/// Each record has a number that everyone counts up.
pub(crate) const COUNTERS: &str = "counters";
/// Each device edits only what is its own.
pub(crate) const OWN: &str = "own";
/// Two records at a time are written together.
pub(crate) const PAIRS: &str = "pairs";

/// The tree that everyone edits.
pub(crate) const OUTLINE: &str = "outline";

/// Where a counter keeps its number.
pub(crate) const COUNTER_MEMBER: &str = "n";

/// The policies of servers and replicas.
pub(crate) fn policies() -> Policies {
    let name = |text| Collection::new(text).expect("plain words are names of collections");
    let mut policies = Policies::default();
    for (collection, update, delete) in SHARED {
        let policy = CollectionPolicy::default().with_update(update).with_delete(delete);
        policies = policies.with(name(collection), policy);
    }
    let number: Pointer = format!("/{COUNTER_MEMBER}").parse().expect("a slash and a word are a pointer");
    policies.with(name(COUNTERS), CollectionPolicy::default().with_rule(number, PathRule::Counter))
}

/// Whether a delete wins over everything else in a collection.
pub(crate) fn deletes_win(collection: &str) -> bool {
    SHARED.iter().any(|(name, _, delete)| *name == collection && *delete == DeletePolicy::DeleteWins)
}
