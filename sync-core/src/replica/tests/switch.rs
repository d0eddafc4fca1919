//! Loading beside what the application sees: whatever breaks, and wherever, costs no edit and shows no half state.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;

use super::world::*;
use crate::error::ErrorKind;
use crate::replica::load::Part;
use crate::replica::local::place::Side;
use crate::replica::{Query, Replica, ReplicaOptions};
use crate::service::Limits;
use crate::store::{Fault, FaultyStore, MemoryStore, Store};

const N_NOTES: usize = 12;

/// A replica whose history at the server has expired, with edits of every kind that it has not sent.
struct Behind {
    world: World,
    disk: MemoryStore,
    other: Replica,
}

impl Behind {
    async fn new() -> Self {
        let limits = Limits {
            page_rows_max: 3,
            retention: Duration::from_secs(10),
            lease: Duration::from_secs(5),
            ..Limits::default()
        };
        let world = World::with(Default::default(), limits).await;
        let disk = MemoryStore::default();
        let (one, other) = (world.replica(&disk).await, world.fresh().await);
        for n in 0..N_NOTES {
            one.put("notes", &format!("{n:02}"), &json!({"x": 0, "y": 0})).await.unwrap();
        }
        world.settle(&[&one, &other]).await;
        for n in 0..N_NOTES {
            other.patch("notes", &format!("{n:02}"), &json!({"x": 1})).await.unwrap();
        }
        other.delete("notes", "11").await.unwrap();
        other.sync(&world.loopback()).await.unwrap();
        one.patch("notes", "03", &json!({"y": 1})).await.unwrap();
        one.delete("notes", "04").await.unwrap();
        one.put("notes", "new", &json!({"y": 1})).await.unwrap();
        world.clock.advance(Duration::from_secs(3600));
        world.service.collect(&space(), false).await.unwrap();
        Self { world, disk, other }
    }

    async fn open(&self, store: Arc<dyn Store>) -> Replica {
        let options: ReplicaOptions = self.world.options();
        Replica::open(store, space(), options).await.unwrap()
    }

    /// The values of `x` that show: the old state has zeros, the new one has ones.
    async fn shown(&self, replica: &Replica) -> Vec<i64> {
        let notes = replica.list("notes", &Query::all()).await.unwrap();
        let values = notes.iter().map(|note| note.data.as_ref().unwrap().to_value());
        let mut shown: Vec<i64> = values.filter_map(|value| value.get("x")?.as_i64()).collect();
        shown.dedup();
        shown
    }

    async fn assert_whole(&self, replica: &Replica) {
        self.world.settle(&[replica, &self.other]).await;
        assert_eq!(value(replica, "03").await, Some(json!({"x": 1, "y": 1})));
        assert_eq!(value(replica, "new").await, Some(json!({"y": 1})));
        assert_eq!(value(replica, "11").await, None);
        // An update and a delete of the same record: the update wins, the delete is kept where it can be seen.
        assert_eq!(value(replica, "04").await, Some(json!({"x": 1, "y": 0})));
        assert!(!replica.settled_conflicts(10).await.unwrap().is_empty());
        self.world.assert_converged(&[replica, &self.other]).await;
    }
}

/// The calls of the whole thing without a fault.
async fn n_calls() -> u64 {
    let behind = Behind::new().await;
    let store = FaultyStore::new(Arc::new(behind.disk.clone()));
    let replica = behind.open(Arc::new(store.clone())).await;
    assert!(replica.sync(&behind.world.loopback()).await.unwrap().resynced.is_some());
    store.n_calls()
}

/// Plants a fault at one call, and goes on afterwards: with the same program, or with another on the same disk.
async fn load_with_a_fault(fault: Fault, n: u64, is_the_same_program: bool) {
    let behind = Behind::new().await;
    let store = FaultyStore::new(Arc::new(behind.disk.clone()));
    store.fail_at(n, fault);
    // Opening may be what fails.
    let opened = Replica::open(Arc::new(store), space(), behind.world.options()).await.ok();
    if let Some(replica) = &opened {
        let _ = replica.sync(&behind.world.loopback()).await;
        assert_eq!(behind.shown(replica).await.len(), 1, "{fault:?} at call {n}: two states at once");
        replica.put("notes", "after", &json!({"y": 9})).await.unwrap();
    }
    let after = opened.as_ref().map(|_| json!({"y": 9}));
    let replica = match opened.filter(|_| is_the_same_program) {
        Some(replica) => replica,
        None => behind.open(Arc::new(behind.disk.clone())).await,
    };
    assert_eq!(behind.shown(&replica).await.len(), 1, "{fault:?} at call {n}: two states at once");
    assert_eq!(
        value(&replica, "after").await,
        after,
        "{fault:?} at call {n}: an edit went to the wrong side"
    );
    behind.assert_whole(&replica).await;
}

#[tokio::test]
async fn a_load_that_fails_at_any_call_of_the_store_shows_one_state_or_the_other_and_loses_nothing() {
    for fault in [Fault::Error(ErrorKind::StorageFull), Fault::AnswerLost] {
        for n in 1..=n_calls().await {
            load_with_a_fault(fault, n, true).await;
            load_with_a_fault(fault, n, false).await;
        }
    }
}

#[tokio::test]
async fn edits_made_while_a_load_is_under_way_are_carried_over() {
    let behind = Behind::new().await;
    let replica = behind.open(Arc::new(behind.disk.clone())).await;
    let line = Line::with(behind.world.loopback(), [Fate::Deliver, Fate::DropReply, Fate::DropRequest]);
    replica.sync(&line).await.unwrap_err();
    replica.put("notes", "05", &json!({"x": 0, "y": 7})).await.unwrap();
    replica.put("notes", "during", &json!({"y": 7})).await.unwrap();
    behind.world.settle(&[&replica, &behind.other]).await;
    assert_eq!(value(&behind.other, "05").await, Some(json!({"x": 1, "y": 7})));
    assert_eq!(value(&behind.other, "during").await, Some(json!({"y": 7})));
    behind.assert_whole(&replica).await;
}

#[tokio::test]
async fn what_was_replaced_is_removed() {
    let behind = Behind::new().await;
    let replica = behind.open(Arc::new(behind.disk.clone())).await;
    replica.sync(&behind.world.loopback()).await.unwrap();
    assert_eq!(behind.disk.spaces(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_part_of_a_snapshot_that_nobody_receives_any_more_is_dropped() {
    let behind = Behind::new().await;
    let replica = behind.open(Arc::new(behind.disk.clone())).await;
    let line = Line::with(behind.world.loopback(), [Fate::Deliver, Fate::DropReply, Fate::DropRequest]);
    replica.sync(&line).await.unwrap_err();
    let before = replica.state_at(Side::Standby).await.unwrap();
    let late = Part { end: Some(crate::types::CursorToken::new("late")), ..Part::default() };
    assert_ne!(late.loading.stream, before.loading.stream);
    replica.write_at(Side::Standby, |local| local.load_part(late).boxed()).await.unwrap();
    assert_eq!(replica.state_at(Side::Standby).await.unwrap(), before);
    behind.assert_whole(&replica).await;
}
