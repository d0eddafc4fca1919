//! Whose an op is, and what becomes of those that a replica cannot or need not send.

use futures_util::FutureExt;

use super::trees::{create, outline, sync_all, vertex};
use super::world::{World, space};
use crate::accounts::Role;
use crate::error::ErrorKind;
use crate::replica::local::trees::Mark;
use crate::replica::{LOST_IN_RESTORE, Replica};
use crate::service::Actor;
use crate::store::MemoryStore;
use crate::transport::Loopback;
use crate::types::{ActorId, Collection, TreeId, TreeOp};

async fn names(replica: &Replica) -> Vec<String> {
    let mut names: Vec<String> = outline(replica)
        .read(|tree| tree.state().vertices().map(|(name, _)| name.as_str().to_owned()).collect())
        .await
        .unwrap();
    names.sort();
    names
}

#[tokio::test]
async fn what_a_restored_server_lost_of_others_is_set_aside_until_they_send_it_again() {
    let mut world = World::new().await;
    let desk = world.fresh().await;
    let mut options = world.options();
    options.actor = ActorId::new("bob").unwrap();
    let bobs = Replica::open(std::sync::Arc::new(MemoryStore::default()), space(), options).await.unwrap();
    let bob = Actor::new(ActorId::new("bob").unwrap(), Role::Editor);
    create(&desk, "root", None).await;
    desk.sync(&world.loopback()).await.unwrap();
    let backup = world.store.fork();
    create(&desk, "lost", Some("root")).await;
    desk.sync(&world.loopback()).await.unwrap();
    bobs.sync(&Loopback::new(world.service.clone(), bob.clone())).await.unwrap();
    create(&bobs, "bobs", Some("lost")).await;
    bobs.sync(&Loopback::new(world.service.clone(), bob.clone())).await.unwrap();
    assert_eq!(names(&bobs).await, ["bobs", "lost", "root"]);
    world.restore(backup);
    bobs.sync(&Loopback::new(world.service.clone(), bob.clone())).await.unwrap();
    let aside = bobs.set_aside(10).await.unwrap();
    assert_eq!(aside.iter().map(|edit| edit.code.as_str()).collect::<Vec<_>>(), [LOST_IN_RESTORE]);
    assert_eq!(aside[0].mutation.key.id.as_str().split('@').next(), Some("0000000000000002"));
    // What was built on it waits, and is the server's already.
    assert_eq!(names(&bobs).await, ["root"]);
    desk.sync(&world.loopback()).await.unwrap();
    bobs.sync(&Loopback::new(world.service.clone(), bob)).await.unwrap();
    for replica in [&desk, &bobs] {
        assert_eq!(names(replica).await, ["bobs", "lost", "root"]);
    }
}

#[tokio::test]
async fn ops_are_stored_only_for_who_numbers_like_that_and_under_free_ids() {
    let world = World::new().await;
    let replica = world.fresh().await;
    create(&replica, "root", None).await;
    let state = replica.state().await.unwrap();
    let tree = Collection::of_tree(&TreeId::new("outline").unwrap());
    let add = async |peer: &str, op: TreeOp| {
        let (peer, tree) = (peer.to_owned(), tree.clone());
        let mark = serde_json::json!({"epoch": "0".repeat(32), "peer": peer, "n_losses": 0, "at": 0});
        let mark: Mark = serde_json::from_value(mark).unwrap();
        let stored =
            replica.write(move |local| async move { local.add_ops(&mark, &tree, &[op]).await }.boxed()).await;
        stored.map_err(|error| error.kind())
    };
    let op = |id: &str, name: &str| TreeOp::moving(id.parse().unwrap(), vertex(name), None);
    let peer = state.peer();
    assert_eq!(add("abc", op("2@abc", "x")).await, Err(ErrorKind::Contended), "it has another name by now");
    let taken = format!("1@{peer}");
    assert_eq!(add(peer.as_str(), op(&taken, "x")).await, Err(ErrorKind::Contended), "there is such an op");
    assert_eq!(names(&replica).await, ["root"]);
    assert_eq!(add(peer.as_str(), op(&format!("2@{peer}"), "x")).await, Ok(()));
    assert_eq!(names(&replica).await, ["root", "x"]);
}

#[tokio::test]
async fn an_edit_that_nobody_waits_for_is_stored_whole_or_not_at_all() {
    let world = World::new().await;
    let replica = world.fresh().await;
    create(&replica, "root", None).await;
    for n in 0..20 {
        let tree = outline(&replica);
        let (one, two) = (vertex(&format!("{n:02}a")), vertex(&format!("{n:02}b")));
        let edit = tree.edit(|edit| {
            edit.create(one, Some(&vertex("root")), None)?;
            edit.create(two, Some(&vertex("root")), None).map(drop)
        });
        let mut edit = Box::pin(edit);
        // A little further each time.
        for _ in 0..n {
            if edit.as_mut().now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(edit);
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let shown = names(&replica).await;
        let of_this = shown.iter().filter(|name| name.starts_with(&format!("{n:02}"))).count();
        assert!(of_this == 0 || of_this == 2, "{shown:?}");
    }
    let before = names(&replica).await;
    assert!(before.len() > 1 && before.len() < 41, "some were stored and some were not: {before:?}");
    create(&replica, "last", Some("root")).await;
    sync_all(&world, &[&replica]).await;
    assert_eq!(names(&replica).await.len(), before.len() + 1);
    assert!(replica.set_aside(10).await.unwrap().is_empty());
}
