//! Closing a replica, and opening the space again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::world::*;
use crate::error::ErrorKind;
use crate::replica::Replica;
use crate::store::MemoryStore;
use crate::transport::Transport;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_space_can_be_opened_again_at_once_after_it_was_closed() {
    let world = World::new().await;
    let store: Arc<MemoryStore> = Arc::default();
    for n in 0..50 {
        let one = Replica::open(store.clone(), space(), world.options()).await.unwrap();
        let writing = one.clone();
        let id = n.to_string();
        // Somebody whose future is dropped, while the write goes on.
        let _ = writing.put("notes", &id, &n).now_or_never();
        one.close().await;
        assert_eq!(writing.get::<i32>("notes", &id).await.unwrap_err().kind(), ErrorKind::Incompatible);
    }
    let last = Replica::open(store.clone(), space(), world.options()).await.unwrap();
    assert_eq!(value(&last, "0").await, Some(0.into()), "what was begun was finished");
    let twice = Replica::open(store, space(), world.options()).await.unwrap_err();
    assert!(twice.to_string().contains("`close`"), "{twice}");
}

#[tokio::test]
async fn a_clone_of_a_closed_replica_says_so_and_takes_nothing_from_who_opened_it_again() {
    let world = World::new().await;
    let store: Arc<MemoryStore> = Arc::default();
    let one = Replica::open(store.clone(), space(), world.options()).await.unwrap();
    let clone = one.clone();
    one.close().await;
    let again = Replica::open(store.clone(), space(), world.options()).await.unwrap();
    let refused = clone.put("notes", "a", &1).await.unwrap_err();
    assert!(refused.to_string().contains("was closed"), "{refused}");
    assert_eq!(clone.sync(&world.loopback()).await.unwrap_err().kind(), ErrorKind::Incompatible);
    clone.clone().close().await;
    drop(clone);
    assert!(Replica::open(store, space(), world.options()).await.is_err(), "it is open");
    assert!(again.put("notes", "a", &1).await.unwrap());
}

#[tokio::test]
async fn closing_ends_a_replica_that_runs_and_those_who_wait_whatever_the_server_does() {
    let world = World::new().await;
    let servers: [Arc<dyn Transport>; 2] = [Arc::new(world.loopback()), Arc::new(Hanging)];
    for server in servers {
        let one = world.fresh().await;
        one.put("notes", "a", &1).await.unwrap();
        let (running, waiting) = (one.clone(), one.clone());
        let run = tokio::spawn(async move { running.run(&server).await });
        one.put("notes", "b", &1).await.unwrap();
        let wait = tokio::spawn(async move {
            loop {
                if let Err(error) = waiting.wait_until_sent().await {
                    return error;
                }
                tokio::task::yield_now().await;
            }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        one.close().await;
        for ended in [run, wait] {
            let error = tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap().unwrap();
            assert!(error.to_string().contains("was closed"), "{error}");
        }
    }
}
