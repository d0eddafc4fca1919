//! Faults at every call of the store: an import that broke is started again, an export that broke has no end.

use std::sync::Arc;

use sync_core::ErrorKind;
use sync_core::copy::{export, import};
use sync_core::store::{Fault, FaultyStore, MemoryStore};

use crate::world::{everything, exported, imported, server};

const FAULTS: [Fault; 3] =
    [Fault::Error(ErrorKind::Unavailable), Fault::Error(ErrorKind::StorageFull), Fault::AnswerLost];

#[tokio::test]
async fn an_import_that_broke_anywhere_can_be_started_again() {
    for seed in 0..6 {
        let old = server(seed).await;
        let (wanted, text) = (everything(&old).await, exported(&old).await);
        let n_calls = {
            let new = MemoryStore::default();
            let front = FaultyStore::new(Arc::new(new.clone()));
            import(&front, &new, &mut text.as_slice(), &mut |_| {}).await.unwrap();
            front.n_calls()
        };
        for (fault, n) in FAULTS.into_iter().flat_map(|fault| (1..=n_calls).map(move |n| (fault, n))) {
            let new = MemoryStore::default();
            let front = FaultyStore::new(Arc::new(new.clone()));
            front.fail_at(n, fault);
            let what = format!("seed {seed}, {fault:?} at call {n}");
            let broken = import(&front, &new, &mut text.as_slice(), &mut |_| {}).await;
            // The answer of a call that found nothing is the same when it is lost.
            assert!(broken.is_err() || fault == Fault::AnswerLost, "{what} was not told");
            imported(&new, &text).await.unwrap_or_else(|error| panic!("{what}, then again: {error}"));
            assert_eq!(everything(&new).await, wanted, "{what}");
        }
    }
}

#[tokio::test]
async fn an_export_that_broke_anywhere_is_not_taken_for_whole() {
    let old = server(3).await;
    let n_calls = {
        let front = FaultyStore::new(Arc::new(old.clone()));
        export(&front, &old, &mut Vec::new(), &mut |_| {}).await.unwrap();
        front.n_calls()
    };
    for n in 1..=n_calls {
        let front = FaultyStore::new(Arc::new(old.clone()));
        front.fail_at(n, Fault::Error(ErrorKind::Unavailable));
        let mut text = Vec::new();
        let broken = export(&front, &old, &mut text, &mut |_| {}).await.unwrap_err();
        assert_eq!(broken.kind(), ErrorKind::Unavailable, "call {n}: {broken}");
        assert!(imported(&MemoryStore::default(), &text).await.is_err(), "call {n}");
    }
}
