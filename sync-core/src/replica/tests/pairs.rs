//! Two records that are only ever written together are never seen apart at the server: random transactions by several
//! replicas over a line that loses and repeats, with restarts and histories that expire.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::{Value, json};

use super::laws::{Dice, Tokens, everything_kept, policy, seeds};
use super::world::*;
use crate::conflict::Resolution;
use crate::error::Result;
use crate::merge::{Clash, DeletePolicy, UpdatePolicy};
use crate::protocol::{PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest};
use crate::replica::Replica;
use crate::service::Limits;
use crate::store::{MemoryStore, StoreExt};
use crate::transport::Transport;
use crate::types::SpaceId;

const PAIRS: u64 = 4;

fn halves(pair: u64) -> [String; 2] {
    [format!("p{pair}-left"), format!("p{pair}-right")]
}

/// What both halves of a pair share: `t` of the value, or that there is none.
fn shared(value: Option<&Value>) -> Option<&Value> {
    value.map(|value| &value["t"])
}

/// A line that looks at the server after each push: what a commit leaves is what everyone may see.
#[derive(Debug)]
struct Watched<'a> {
    world: &'a WorldStore,
    line: Line,
    seed: u64,
}

#[derive(Debug)]
struct WorldStore(MemoryStore);

impl WorldStore {
    async fn assert_pairs_are_whole(&self, seed: u64) {
        let mut txn = self.0.read(&space()).await.unwrap();
        for pair in 0..PAIRS {
            let keys = halves(pair).map(|id| crate::conformance::key("notes", &id));
            let records = txn.records(&keys).await.unwrap();
            let data = |record: &Option<crate::Record>| {
                record.as_ref().and_then(|record| record.data.as_ref()).map(crate::json::Json::to_value)
            };
            let [left, right] = [data(&records[0]), data(&records[1])];
            assert_eq!(
                shared(left.as_ref()),
                shared(right.as_ref()),
                "SYNC_SEED={seed}, pair {pair} is torn"
            );
        }
    }
}

#[async_trait]
impl Transport for Watched<'_> {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let reply = self.line.push(space, push).await;
        self.world.assert_pairs_are_whole(self.seed).await;
        reply
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.line.pull(space, pull).await
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.line.snapshot(space, request)
    }
}

/// Writes one or two pairs, both halves alike, or deletes them.
///
/// The answer to a push tells how one half stands at the server, and the other one follows with the next pull. Who sees
/// a pair between the two, and deletes it, deletes the half that is there; so this waits until it is whole.
async fn transact(replica: &Replica, dice: &mut Dice, step: u64, tokens: &mut Tokens) {
    let pairs = [dice.roll(PAIRS), dice.roll(PAIRS)];
    let (n_pairs, is_delete) = (1 + usize::from(dice.roll(3) == 0), dice.roll(6) == 0);
    let ids: Vec<String> = pairs[..n_pairs].iter().flat_map(|pair| halves(*pair)).collect();
    let mut changes = Vec::new();
    let work = replica.transaction(async |t| {
        for pair in pairs {
            let [left, right] = halves(pair);
            let (left, right): (Option<Value>, Option<Value>) =
                (t.get("notes", &left).await?, t.get("notes", &right).await?);
            if shared(left.as_ref()) != shared(right.as_ref()) {
                return Ok(());
            }
        }
        for id in &ids {
            let before: Option<Value> = t.get("notes", id).await?;
            let after = (!is_delete).then(|| {
                let mut value = before.clone().unwrap_or(json!({}));
                value["t"] = json!(step);
                value["token"] = json!(format!("{id}-{step}"));
                value
            });
            match &after {
                Some(value) => t.put("notes", id, value).await?,
                None => t.delete("notes", id).await?,
            };
            changes.push((before, after));
        }
        Ok(())
    });
    work.await.unwrap();
    for (before, after) in &changes {
        tokens.note(before.as_ref(), after.as_ref());
    }
}

/// Edits a member of one half that both need not share.
async fn edit_one(replica: &Replica, dice: &mut Dice, step: u64, tokens: &mut Tokens) {
    let id = &halves(dice.roll(PAIRS))[usize::try_from(dice.roll(2)).unwrap()];
    let Some(before) = value(replica, id).await else { return };
    let mut after = before.clone();
    after[format!("own{}", dice.roll(2))] = json!(format!("{id}-own-{step}"));
    replica.put("notes", id, &after).await.unwrap();
    tokens.note(Some(&before), Some(&after));
}

async fn run(seed: u64) {
    println!("SYNC_SEED={seed}");
    let mut dice = Dice(seed);
    let update = if seed.is_multiple_of(2) { UpdatePolicy::Fields } else { UpdatePolicy::Whole };
    // With a policy that picks a winner per record, halves may differ because they were told to.
    let policies = policy(update(Clash::Manual), DeletePolicy::Manual);
    let retention = Duration::from_micros(if seed.is_multiple_of(3) { 500 } else { 1_000_000_000 });
    let limits = Limits { page_rows_max: 3, retention, lease: retention, ..Limits::default() };
    let world = World::with(policies, limits).await;
    let store = WorldStore(world.store.clone());
    let disks: Vec<MemoryStore> = (0..3).map(|_| MemoryStore::default()).collect();
    let mut replicas = Vec::new();
    for disk in &disks {
        replicas.push(world.replica(disk).await);
    }
    let mut tokens = Tokens::default();
    for step in 0..80 {
        let who = usize::try_from(dice.roll(3)).unwrap();
        world.clock.advance(Duration::from_micros(dice.roll(1000)));
        match dice.roll(12) {
            0..=4 => transact(&replicas[who], &mut dice, step, &mut tokens).await,
            5 => edit_one(&replicas[who], &mut dice, step, &mut tokens).await,
            6 => replicas[who] = world.replica(&disks[who]).await,
            7 => {
                world.service.collect(&space(), false).await.unwrap();
            }
            8 => {
                // To take one's own side of one record would tear a pair on purpose.
                if let Some(conflict) = replicas[who].conflicts(1).await.unwrap().first() {
                    tokens.note(conflict.body.mine.as_ref(), None);
                    replicas[who].resolve(conflict, Resolution::TakeTheirs).await.unwrap();
                }
            }
            _ => {
                let line = Line::of(world.loopback(), dice.clone());
                let _ = dice.roll(2);
                match replicas[who].sync(&Watched { world: &store, line, seed }).await {
                    Ok(report) => assert_eq!(report.parted, 0),
                    Err(error) => assert!(error.is_retryable(), "seed {seed}: {error:?}"),
                }
            }
        }
    }
    let all: Vec<&Replica> = replicas.iter().collect();
    world.settle(&all).await;
    store.assert_pairs_are_whole(seed).await;
    world.assert_converged(&all).await;
    let kept = everything_kept(&all).await;
    for token in tokens.owed() {
        assert!(kept.contains(&format!("\"{token}\"")), "seed {seed}: {token} is nowhere\n{kept}");
    }
}

#[tokio::test]
async fn pairs_that_are_written_together_are_never_torn_at_the_server() {
    for seed in seeds(60) {
        run(seed).await;
    }
}
