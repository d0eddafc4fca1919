//! Three replicas each edit, delete or re-create the same record: all choices, whether each had seen what came before
//! or not, under every policy for deletes. They converge, nothing is lost without a trace, and what was deleted stays so.

use serde_json::json;

use super::laws::{Tokens, everything_kept, policy};
use super::world::*;
use crate::merge::{Clash, DeletePolicy, UpdatePolicy};
use crate::replica::Replica;
use crate::service::Limits;
use crate::store::StoreExt;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    /// The record is replaced as a whole.
    Put,
    /// A member is added; if there is no record, it is created.
    Patch,
    Delete,
    /// Deleted, synced, and written again.
    Recreate,
}

const OPS: [Op; 4] = [Op::Put, Op::Patch, Op::Delete, Op::Recreate];

/// What one replica does. It arrives after what those before it did.
#[derive(Clone, Copy, Debug)]
struct Part {
    op: Op,
    /// Whether it had synced just before.
    has_seen: bool,
}

struct Run {
    world: World,
    replicas: Vec<Replica>,
    tokens: Tokens,
    /// Whether the record was a tombstone at the server when the replica last synced.
    knows_deleted: Vec<bool>,
    delete: DeletePolicy,
}

impl Run {
    async fn new(delete: DeletePolicy, is_there: bool) -> Self {
        let policies = policy(UpdatePolicy::Fields(Clash::Manual), delete);
        let world = World::with(policies, Limits::default()).await;
        let replicas = vec![world.fresh().await, world.fresh().await, world.fresh().await];
        if is_there {
            replicas[0].put("notes", "r", &json!({"base": "base"})).await.unwrap();
        }
        world.settle(&replicas.iter().collect::<Vec<_>>()).await;
        Self { world, replicas, tokens: Tokens::default(), knows_deleted: vec![false; 3], delete }
    }

    /// `None` if there never was a record, else whether it is live.
    async fn is_live_at_server(&self) -> Option<bool> {
        let mut txn = self.world.store.read(&space()).await.unwrap();
        let record = txn.records(&[crate::conformance::key("notes", "r")]).await.unwrap().remove(0);
        record.map(|record| !record.is_deleted())
    }

    async fn sync(&mut self, who: usize) {
        let before = self.is_live_at_server().await;
        self.replicas[who].sync(&self.world.loopback()).await.unwrap();
        let after = self.is_live_at_server().await;
        if before == Some(false) && after == Some(true) && self.delete != DeletePolicy::UpdateWins {
            assert!(
                self.knows_deleted[who],
                "it was brought back by someone who had not seen that it was deleted"
            );
        }
        self.knows_deleted[who] = after == Some(false);
    }

    async fn write(&mut self, who: usize, op: Op) {
        let replica = &self.replicas[who];
        let token = format!("{op:?}-of-{who}");
        let before = value(replica, "r").await;
        let after = match op {
            Op::Delete => None,
            Op::Patch if before.is_some() => {
                let mut value = before.clone().unwrap();
                value[format!("f{who}")] = json!(token);
                Some(value)
            }
            Op::Put | Op::Patch | Op::Recreate => Some(json!({format!("f{who}"): token})),
        };
        match &after {
            Some(value) => replica.put("notes", "r", value).await.unwrap(),
            None => replica.delete("notes", "r").await.unwrap(),
        };
        self.tokens.note(before.as_ref(), after.as_ref());
    }

    async fn act(&mut self, who: usize, op: Op) {
        if op == Op::Recreate {
            self.write(who, Op::Delete).await;
            self.sync(who).await;
        }
        self.write(who, op).await;
    }

    async fn check(self) {
        let all: Vec<&Replica> = self.replicas.iter().collect();
        self.world.settle(&all).await;
        self.world.assert_converged(&all).await;
        let kept = everything_kept(&all).await;
        for token in self.tokens.owed() {
            assert!(kept.contains(&format!("\"{token}\"")), "{token} is nowhere\n{kept}");
        }
    }
}

async fn run(parts: [Part; 3], delete: DeletePolicy, is_there: bool) {
    println!("{parts:?} {delete:?}, there {is_there}");
    let mut run = Run::new(delete, is_there).await;
    for (who, part) in parts.iter().enumerate().filter(|(_, part)| !part.has_seen) {
        run.act(who, part.op).await;
    }
    for (who, part) in parts.iter().enumerate() {
        if part.has_seen {
            run.sync(who).await;
            run.act(who, part.op).await;
        }
        run.sync(who).await;
    }
    run.check().await;
}

/// Every choice of three operations, with the second and the third replica having seen what came before, or not.
async fn run_all(delete: DeletePolicy) {
    for n in 0..OPS.len().pow(3) {
        let ops = [OPS[n % 4], OPS[n / 4 % 4], OPS[n / 16]];
        for seen in 0..4 {
            let part = |who: usize| Part { op: ops[who], has_seen: seen << 1 >> who & 1 == 1 };
            for is_there in [true, false] {
                run([part(0), part(1), part(2)], delete, is_there).await;
            }
        }
    }
}

#[tokio::test]
async fn any_three_operations_converge_without_loss_where_the_update_wins() {
    run_all(DeletePolicy::UpdateWins).await;
}

#[tokio::test]
async fn any_three_operations_converge_without_loss_or_resurrection_where_the_delete_wins() {
    run_all(DeletePolicy::DeleteWins).await;
}

#[tokio::test]
async fn any_three_operations_converge_without_loss_or_resurrection_where_a_person_decides() {
    run_all(DeletePolicy::Manual).await;
}
