//! Convergence: random edits on several replicas over a line that loses and repeats messages. Once quiet, all are
//! equal, and every edit is accounted for: visible, in a conflict, or set aside.
//!
//! Every edit writes a token of its own, so that "accounted for" can be looked up.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::world::*;
use crate::conflict::Resolution;
use crate::merge::{Clash, CollectionPolicy, DeletePolicy, PathRule, UpdatePolicy};
use crate::mutation::Op;
use crate::policies::Policies;
use crate::replica::{Query, Replica, ShownConflict};
use crate::service::Limits;
use crate::store::MemoryStore;
use crate::types::Collection;

/// Numbers that follow from a seed.
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

impl FateSource for Dice {
    fn next(&mut self) -> Fate {
        match self.roll(8) {
            0 => Fate::DropRequest,
            1 | 2 => Fate::DropReply,
            3 => Fate::Repeat,
            _ => Fate::Deliver,
        }
    }
}

/// The seeds to try: `n` of them, or the one in `SYNC_SEED`, or as many as `SYNC_SEEDS` says.
pub(super) fn seeds(n: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match (number("SYNC_SEED"), number("SYNC_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, n_wanted) => 0..n_wanted.unwrap_or(n),
    }
}

const IDS: u64 = 6;

/// Which tokens were written, and which of them someone replaced who saw them: their end was intended.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    written: BTreeSet<String>,
    replaced: BTreeSet<String>,
}

impl Tokens {
    /// Notes that someone who saw `before` made it `after`.
    pub(super) fn note(&mut self, before: Option<&Value>, after: Option<&Value>) {
        let (before, after) = (tokens_of(before), tokens_of(after));
        self.replaced.extend(before.difference(&after).cloned());
        self.written.extend(after);
    }

    /// Those that must still be somewhere.
    pub(super) fn owed(&self) -> impl Iterator<Item = &String> {
        self.written.difference(&self.replaced)
    }
}

fn tokens_of(value: Option<&Value>) -> BTreeSet<String> {
    let members = value.and_then(Value::as_object).into_iter().flat_map(|members| members.values());
    members.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// One random edit.
async fn edit(replica: &Replica, dice: &mut Dice, token: u64, tokens: &mut Tokens) {
    let id = format!("r{}", dice.roll(IDS));
    let (field, text) = (format!("f{}", dice.roll(3)), format!("t{token}"));
    let before = value(replica, &id).await;
    let after = match dice.roll(6) {
        0 => None,
        1 => Some(json!({ field: text })),
        _ => {
            let mut value = before.clone().unwrap_or_else(|| json!({}));
            value[&field] = json!(text);
            Some(value)
        }
    };
    match &after {
        Some(value) => replica.put("notes", &id, value).await.unwrap(),
        None => replica.delete("notes", &id).await.unwrap(),
    };
    tokens.note(before.as_ref(), after.as_ref());
}

async fn run(seed: u64, policies: Policies) {
    println!("SYNC_SEED={seed}");
    let mut dice = Dice(seed);
    let limits = Limits { page_rows_max: 3, mutations_max: 4, ..Limits::default() };
    let world = World::with(policies, limits).await;
    let disks: Vec<MemoryStore> = (0..3).map(|_| MemoryStore::default()).collect();
    let mut replicas = Vec::new();
    for disk in &disks {
        replicas.push(world.replica(disk).await);
    }
    let mut tokens = Tokens::default();
    for step in 0..60 {
        let who = usize::try_from(dice.roll(3)).unwrap();
        world.clock.advance(Duration::from_micros(dice.roll(1000)));
        match dice.roll(10) {
            0..=5 => {
                edit(&replicas[who], &mut dice, step, &mut tokens).await;
            }
            6 => {
                // The program ends and starts again.
                replicas[who] = world.replica(&disks[who]).await;
            }
            7 => {
                let conflicts = replicas[who].conflicts(10).await.unwrap();
                if let Some(conflict) = conflicts.first() {
                    let how = if dice.roll(2) == 0 { Resolution::TakeMine } else { Resolution::TakeTheirs };
                    if let Err(error) = replicas[who].resolve(conflict, how).await {
                        assert_eq!(error.code(), Some("version_conflict"), "seed {seed}: {error:?}");
                    }
                }
            }
            _ => {
                let line = Line::of(world.loopback(), dice.clone());
                let _ = dice.roll(2);
                match replicas[who].sync(&line).await {
                    Ok(_) => {}
                    Err(error) => assert!(error.is_retryable(), "seed {seed}: {error:?}"),
                }
            }
        }
    }
    assert!(!tokens.written.is_empty());
    let all: Vec<&Replica> = replicas.iter().collect();
    world.settle(&all).await;
    world.assert_converged(&all).await;
    let conflicts = world.conflicts().await;
    for replica in &all {
        let here = every_conflict(replica).await.into_iter().map(|conflict| conflict.id);
        assert_eq!(here.collect::<Vec<_>>(), conflicts, "conflicts are the same everywhere");
    }
}

pub(super) fn policy(update: UpdatePolicy, delete: DeletePolicy) -> Policies {
    let policy = CollectionPolicy::default().with_update(update).with_delete(delete);
    Policies::default().with(Collection::new("notes").unwrap(), policy)
}

#[tokio::test]
async fn replicas_converge_over_a_lossy_line() {
    let updates = [
        UpdatePolicy::Fields(Clash::Manual),
        UpdatePolicy::Fields(Clash::LastWriteWins),
        UpdatePolicy::Fields(Clash::ServerWins),
        UpdatePolicy::Whole(Clash::Manual),
        UpdatePolicy::Whole(Clash::ClientWins),
    ];
    let deletes = [DeletePolicy::UpdateWins, DeletePolicy::DeleteWins, DeletePolicy::Manual];
    for seed in seeds(90) {
        let update = updates[usize::try_from(seed).unwrap() % updates.len()];
        let delete = deletes[usize::try_from(seed / 5).unwrap() % deletes.len()];
        run(seed, policy(update, delete)).await;
    }
}

#[tokio::test]
async fn no_edit_is_lost_over_a_lossy_line() {
    let updates = [
        UpdatePolicy::Fields(Clash::Manual),
        UpdatePolicy::Fields(Clash::LastWriteWins),
        UpdatePolicy::Whole(Clash::Manual),
        UpdatePolicy::Whole(Clash::ServerWins),
    ];
    let deletes = [DeletePolicy::UpdateWins, DeletePolicy::DeleteWins, DeletePolicy::Manual];
    for seed in seeds(96) {
        let update = updates[usize::try_from(seed).unwrap() % updates.len()];
        let delete = deletes[usize::try_from(seed / 4).unwrap() % deletes.len()];
        println!("SYNC_SEED={seed}");
        let (mut dice, mut tokens) = (Dice(seed), Tokens::default());
        let limits = Limits { page_rows_max: 3, ..Limits::default() };
        let world = World::with(policy(update, delete), limits).await;
        let replicas = [world.fresh().await, world.fresh().await, world.fresh().await];
        for step in 0..60 {
            let replica = &replicas[usize::try_from(dice.roll(3)).unwrap()];
            world.clock.advance(Duration::from_micros(dice.roll(1000)));
            if dice.roll(3) == 0 {
                let line = Line::of(world.loopback(), dice.clone());
                let _ = (dice.roll(2), replica.sync(&line).await);
            } else {
                edit(replica, &mut dice, step, &mut tokens).await;
            }
        }
        let all: Vec<&Replica> = replicas.iter().collect();
        world.settle(&all).await;
        world.assert_converged(&all).await;
        let kept = everything_kept(&all).await;
        for token in tokens.owed() {
            assert!(kept.contains(&format!("\"{token}\"")), "seed {seed}: {token} is nowhere\n{kept}");
        }
    }
}

/// All that the replicas can show: records, conflicts, and what was set aside.
/// Open and settled ones, by name.
async fn every_conflict(replica: &Replica) -> Vec<ShownConflict> {
    let mut all = replica.conflicts(1000).await.unwrap();
    all.extend(replica.settled_conflicts(1000).await.unwrap());
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

pub(super) async fn everything_kept(replicas: &[&Replica]) -> String {
    let mut kept = String::new();
    for replica in replicas {
        for record in replica.list("notes", &Query::all()).await.unwrap() {
            kept.push_str(record.data.unwrap().as_str());
        }
        for conflict in every_conflict(replica).await {
            kept.push_str(&serde_json::to_string(&conflict.body).unwrap());
        }
        for aside in replica.set_aside(1000).await.unwrap() {
            match aside.mutation.op {
                Op::Put(data) => kept.push_str(data.as_str()),
                Op::Patch(patch) => kept.push_str(&serde_json::to_string(&patch).unwrap()),
                Op::Delete => {}
            }
        }
    }
    kept
}

#[tokio::test]
async fn steps_of_a_counter_are_all_counted_over_a_lossy_line() {
    let policy = CollectionPolicy::default().with_rule("/n".parse().unwrap(), PathRule::Counter);
    for seed in seeds(40) {
        let policies = Policies::default().with(Collection::new("notes").unwrap(), policy.clone());
        let world = World::with(policies, Limits::default()).await;
        let mut dice = Dice(seed);
        let replicas = [world.fresh().await, world.fresh().await, world.fresh().await];
        let all: Vec<&Replica> = replicas.iter().collect();
        replicas[0].put("notes", "n", &json!({"n": 0})).await.unwrap();
        world.settle(&all).await;
        let mut total = 0;
        for _ in 0..40 {
            let replica = &replicas[usize::try_from(dice.roll(3)).unwrap()];
            if dice.roll(3) == 0 {
                let line = Line::of(world.loopback(), dice.clone());
                let _ = replica.sync(&line).await;
            } else {
                let n = value(replica, "n").await.unwrap()["n"].as_i64().unwrap();
                replica.put("notes", "n", &json!({"n": n + 1})).await.unwrap();
                total += 1;
            }
        }
        world.settle(&all).await;
        assert_eq!(value(&replicas[0], "n").await, Some(json!({"n": total})), "seed {seed}");
        world.assert_converged(&all).await;
    }
}

/// History expires under the replicas all the time, so they lose their place and load anew, with edits of their own.
#[tokio::test]
async fn no_edit_is_lost_although_history_expires() {
    for seed in seeds(60) {
        println!("SYNC_SEED={seed}");
        let (mut dice, mut tokens) = (Dice(seed), Tokens::default());
        let (retention, lease) = (Duration::from_micros(500), Duration::from_micros(500));
        let limits = Limits { page_rows_max: 3, retention, lease, ..Limits::default() };
        let world =
            World::with(policy(UpdatePolicy::Fields(Clash::Manual), DeletePolicy::Manual), limits).await;
        let replicas = [world.fresh().await, world.fresh().await, world.fresh().await];
        let mut n_resyncs = 0;
        for step in 0..80 {
            let replica = &replicas[usize::try_from(dice.roll(3)).unwrap()];
            world.clock.advance(Duration::from_micros(dice.roll(1000)));
            match dice.roll(6) {
                0 | 1 => {
                    let line = Line::of(world.loopback(), dice.clone());
                    let report = replica.sync(&line).await;
                    n_resyncs += u64::from(report.is_ok_and(|report| report.resynced.is_some()));
                }
                2 => {
                    world.service.collect(&space(), false).await.unwrap();
                }
                _ => edit(replica, &mut dice, step, &mut tokens).await,
            }
        }
        let all: Vec<&Replica> = replicas.iter().collect();
        world.settle(&all).await;
        world.assert_converged(&all).await;
        let kept = everything_kept(&all).await;
        for token in tokens.owed() {
            assert!(kept.contains(&format!("\"{token}\"")), "{token} is nowhere\n{kept}");
        }
        println!("{n_resyncs} resyncs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_of_many_tasks_arrive_while_others_sync() {
    let world = std::sync::Arc::new(World::new().await);
    let (one, two) = (world.fresh().await, world.fresh().await);
    let mut tasks = Vec::new();
    for n in 0..8 {
        let (one, world) = (one.clone(), std::sync::Arc::clone(&world));
        tasks.push(tokio::spawn(async move {
            for m in 0..20 {
                one.put("notes", &format!("r{n}"), &json!({ "n": m })).await.unwrap();
                if m % 5 == n % 5 {
                    one.sync(&world.loopback()).await.unwrap();
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let all = [&one, &two];
    world.settle(&all).await;
    for n in 0..8 {
        assert_eq!(value(&two, &format!("r{n}")).await, Some(json!({"n": 19})));
    }
    assert!(two.conflicts(10).await.unwrap().is_empty(), "no one was in conflict with oneself");
    world.assert_converged(&all).await;
}
