//! Trees in a SQLite file: what ops cost beside records, and the first look at a tree after a start.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sync_core::protocol::{PushReply, PushRequest};
use sync_core::service::{Actor, Limits, Service};
use sync_core::store::{Store, StoreExt};
use sync_core::{ActorId, Collection, Mutation, RecordKey, Role, SpaceId, TokioRuntime, TreeId, TreeOp};
use sync_store_sqlite::SqliteStore;

use super::BATCH;
use super::streams::{self, Order, Shape};
use crate::report::{Report, rate, start};

fn space() -> SpaceId {
    SpaceId::new("bench").expect("a plain word")
}

fn tree() -> TreeId {
    TreeId::new("outline").expect("a plain word")
}

fn ada() -> Actor {
    Actor::new(ActorId::new("ada").expect("a plain word"), Role::Owner)
}

async fn open(folder: &Path) -> Arc<dyn Store> {
    Arc::new(SqliteStore::open_file(folder.join("trees.db")).await.expect("the folder can be written"))
}

/// A server that has just started. It writes a checkpoint after so many ops.
fn started(store: &Arc<dyn Store>, checkpoint_ops_min: u64) -> Service {
    let builder = Service::builder(Arc::clone(store), Arc::new(TokioRuntime));
    builder.limits(Limits { checkpoint_ops_min, ..Limits::default() }).build()
}

/// Pushes ops, or the same contents as records of a collection, in batches; yields how many a second.
async fn push(service: &Service, ops: &[TreeOp], collection: &Collection) -> f64 {
    let put = |op: &TreeOp| {
        Mutation::put(RecordKey::new(collection.clone(), op.id.record_id()), op.content())
            .based_on(sync_core::Version::ZERO)
    };
    let batches: Vec<Vec<Mutation>> =
        ops.chunks(BATCH).map(|batch| batch.iter().map(put).collect()).collect();
    let started = start();
    for mutations in batches {
        let push = PushRequest { batch: None, mutations, after: None, receipt: None };
        let reply = service.push(&ada(), &space(), push).await.expect("the store can be written");
        assert!(matches!(reply, PushReply::Done(_)), "{reply:?}");
    }
    rate(ops.len(), started.elapsed())
}

/// A new file with these ops, or records; what it holds, and how many a second.
async fn written(ops: &[TreeOp], collection: &Collection) -> (f64, u64) {
    let folder = tempfile::tempdir().expect("there is room for files");
    let store = open(folder.path()).await;
    let service = started(&store, u64::MAX);
    service.create_space(&space()).await.expect("it is new");
    let rate = push(&service, ops, collection).await;
    drop((service, store));
    // The last one who closes the file puts everything into it.
    while folder.path().join("trees.db-wal").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let size = |name: &str| folder.path().join(name).metadata().map_or(0, |file| file.len());
    (rate, size("trees.db"))
}

/// Ops beside records with the same content.
pub(super) async fn written_beside_records(report: &mut Report, n_ops: usize) {
    let ops = streams::ops(Shape::Doc, Order::Straight, n_ops);
    let records = Collection::new("records").expect("a plain word");
    let (mut pairs, mut sizes) = (Vec::new(), (0, 0));
    for _ in 0..report.rounds() {
        let as_ops = written(&ops, &Collection::of_tree(&tree())).await;
        let as_records = written(&ops, &records).await;
        pairs.push((as_ops.0, as_records.0));
        sizes = (as_ops.1, as_records.1);
    }
    report.add("ops written, SQLite, batches of 1,000", "as records of a collection", &pairs, None);
    report.note(&format!("{n_ops} ops take {} bytes in the file, as records {}", sizes.0, sizes.1));
}

/// How long the first answer about a tree takes.
async fn first_look(service: &Service) -> Duration {
    let started = start();
    service.tree(&ada(), &space(), &tree(), None, Some(1)).await.expect("the store can be read");
    started.elapsed()
}

/// The first look at a tree of a server that has just started.
pub(super) async fn looked_at_after_a_start(report: &mut Report, n_ops: usize) {
    let folder = tempfile::tempdir().expect("there is room for files");
    let store = open(folder.path()).await;
    let service = started(&store, u64::MAX);
    service.create_space(&space()).await.expect("it is new");
    let ops = streams::ops(Shape::Doc, Order::Straight, n_ops);
    push(&service, &ops, &Collection::of_tree(&tree())).await;
    let mut from_ops = Vec::new();
    for _ in 0..report.rounds() {
        from_ops.push(rate(n_ops, first_look(&started(&store, u64::MAX)).await));
    }
    first_look(&started(&store, 1)).await;
    let mut n_bytes = 0;
    while n_bytes == 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut txn = store.read(&space()).await.expect("the space is there");
        n_bytes = txn.checkpoint(&tree()).await.expect("it can be read").map_or(0, |body| body.len());
    }
    let mut pairs = Vec::new();
    for from_ops in from_ops {
        pairs.push((rate(n_ops, first_look(&started(&store, u64::MAX)).await), from_ops));
    }
    report.add("first look after a start, SQLite, from a checkpoint (ops)", "from the ops", &pairs, None);
    report.note(&format!("the checkpoint of {n_ops} ops takes {n_bytes} bytes in the file"));
}
