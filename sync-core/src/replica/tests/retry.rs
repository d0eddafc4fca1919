//! What was refused: tried again, and whose the record is that shows in its place.

use serde_json::{Value, json};

use super::world::*;
use crate::error::ErrorKind;
use crate::replica::{Replica, SetAside};
use crate::types::RecordMeta;

/// A transaction on `a` and `b` that was refused because someone else had changed `a`.
struct Refused {
    world: World,
    one: Replica,
    two: Replica,
}

impl Refused {
    async fn new() -> Self {
        let world = World::new().await;
        let (one, two) = (world.fresh().await, world.fresh().await);
        two.put("notes", "a", &json!({"x": 0})).await.unwrap();
        two.put("notes", "b", &json!({"x": 0, "y": 0})).await.unwrap();
        world.settle(&[&two, &one]).await;
        world.clock.advance(std::time::Duration::from_secs(60));
        two.patch("notes", "a", &json!({"x": 1})).await.unwrap();
        two.sync(&world.loopback()).await.unwrap();
        one.transaction(async |t| {
            t.patch("notes", "a", &json!({"x": 2})).await?;
            t.patch("notes", "b", &json!({"x": 2})).await
        })
        .await
        .unwrap();
        world.settle(&[&one, &two]).await;
        Self { world, one, two }
    }

    async fn aside(&self) -> SetAside {
        let all = self.one.set_aside(10).await.unwrap();
        all.into_iter().find(|edit| edit.mutation.key.id.as_str() == "b").unwrap()
    }

    async fn settle(&self) {
        self.world.settle(&[&self.one, &self.two]).await;
        self.world.assert_converged(&[&self.one, &self.two]).await;
    }
}

async fn meta(replica: &Replica, id: &str) -> RecordMeta {
    let meta = replica.record("notes", id).await.unwrap().unwrap().meta;
    RecordMeta { version: meta.upstream, ..meta }
}

#[tokio::test]
async fn an_edit_that_was_refused_can_be_tried_again_on_what_others_made_of_the_record() {
    let refused = Refused::new().await;
    refused.two.patch("notes", "b", &json!({"y": 5})).await.unwrap();
    refused.settle().await;
    let aside = refused.aside().await;
    assert!(refused.one.retry(&aside.id).await.unwrap());
    assert_eq!(value(&refused.one, "b").await, Some(json!({"x": 2, "y": 5})), "at once");
    assert_eq!(refused.one.set_aside(10).await.unwrap(), []);
    assert!(!refused.one.retry(&aside.id).await.unwrap(), "it is not there any more");
    refused.settle().await;
    assert_eq!(value(&refused.two, "b").await, Some(json!({"x": 2, "y": 5})));
}

#[tokio::test]
async fn an_edit_that_is_tried_again_overwrites_nothing_that_others_did_meanwhile() {
    let refused = Refused::new().await;
    refused.two.patch("notes", "b", &json!({"x": 7})).await.unwrap();
    refused.settle().await;
    assert!(refused.one.retry(&refused.aside().await.id).await.unwrap());
    refused.settle().await;
    assert_eq!(value(&refused.one, "b").await, Some(json!({"x": 7, "y": 0})));
    let conflicts = refused.two.conflicts(10).await.unwrap();
    let about_b = conflicts.iter().find(|conflict| conflict.body.key.id.as_str() == "b").unwrap();
    assert_eq!(about_b.body.mine, Some(json!({"x": 2, "y": 0})));
    // What is gone cannot be patched, and the edit stays where it is.
    let refused = Refused::new().await;
    refused.two.delete("notes", "b").await.unwrap();
    refused.settle().await;
    let aside = refused.aside().await;
    assert_eq!(refused.one.retry(&aside.id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(refused.aside().await, aside);
}

#[tokio::test]
async fn two_devices_show_the_same_author_and_date_for_the_same_state_after_a_refusal() {
    let refused = Refused::new().await;
    for id in ["a", "b"] {
        assert_eq!(value(&refused.one, id).await, value(&refused.two, id).await);
        assert_eq!(meta(&refused.one, id).await, meta(&refused.two, id).await, "{id}");
    }
    let two = refused.two.client_id().await.unwrap();
    assert_eq!(meta(&refused.one, "b").await.client, Some(two));
}

#[tokio::test]
async fn two_devices_show_the_same_author_and_date_after_an_edit_was_taken_back() {
    let refused = Refused::new().await;
    refused.one.patch("notes", "b", &json!({"y": 9})).await.unwrap();
    refused.one.patch("notes", "b", &json!({"y": 0})).await.unwrap();
    assert!(refused.one.unsent().await.unwrap().is_empty());
    assert_eq!(meta(&refused.one, "b").await, meta(&refused.two, "b").await);
}

#[tokio::test]
async fn edits_of_a_transaction_may_fail_with_an_error_of_the_application() {
    #[derive(Debug, PartialEq)]
    enum Refusal {
        TooPoor,
        Store,
    }
    impl From<crate::Error> for Refusal {
        fn from(_: crate::Error) -> Self {
            Self::Store
        }
    }
    let one = World::new().await.fresh().await;
    let spend = async |n: i64| -> Result<i64, Refusal> {
        one.try_transaction(async |t| {
            let left = t.get::<i64>("notes", "purse").await?.unwrap_or(0) - n;
            t.put("notes", "purse", &left).await?;
            if left < 0 { Err(Refusal::TooPoor) } else { Ok(left) }
        })
        .await
    };
    one.put("notes", "purse", &3).await.unwrap();
    assert_eq!((spend(2).await, spend(2).await), (Ok(1), Err(Refusal::TooPoor)));
    assert_eq!(value(&one, "purse").await, Some(Value::from(1)));
    let unnamed = one.try_transaction(async |t| Ok(t.put("", "a", &1).await?));
    assert_eq!(unnamed.await, Err(Refusal::Store));
}

#[tokio::test]
async fn an_edit_through_the_replica_inside_its_own_transaction_is_refused_and_does_not_hang() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.transaction(async |t| {
        t.put("notes", "a", &1).await?;
        let refused = one.put("notes", "b", &1).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{refused}");
        assert_eq!(value(&one, "a").await, None, "reading is no trouble");
        two.transaction(async |t| {
            assert!(one.put("notes", "b", &1).await.is_err(), "further in, too");
            t.put("notes", "a", &2).await
        })
        .await
    })
    .await
    .unwrap();
    assert_eq!((value(&one, "a").await, value(&two, "a").await), (Some(1.into()), Some(2.into())));
    assert!(one.put("notes", "b", &1).await.unwrap());
}
