//! Checkpoints of trees. A store need not keep them; what it answers is the last one, or none.

use crate::conformance::{
    Subject, Verdict, commit, commit_write, contents, epoch, fresh_space, move_op, put, space_id,
};
use crate::error::Result;
use crate::store::{CommitWrite, Store, StoreExt, TreeCheckpoint};
use crate::types::{SpaceId, TreeId};

fn tree(name: &str) -> TreeId {
    TreeId::new(name).expect("the names of the tests are valid")
}

fn of(name: &str, body: &str) -> CommitWrite {
    let checkpoints = vec![TreeCheckpoint { tree: tree(name), body: body.to_owned() }];
    CommitWrite { checkpoints, ..CommitWrite::default() }
}

/// What is kept of a tree must be this, or nothing.
async fn assert_at_most(store: &dyn Store, space: &SpaceId, name: &str, body: Option<&str>) -> Result<()> {
    let found = store.read(space).await?.checkpoint(&tree(name)).await?;
    assert!(found.is_none() || found.as_deref() == body, "{name}: {found:?}, and it should be {body:?}");
    Ok(())
}

/// A checkpoint is the one that was written last for that tree, and a reader has that of its moment.
pub async fn a_checkpoint_is_the_last_of_its_tree_or_none(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    assert_at_most(&*store, &space, "t", None).await?;
    commit_write(&*store, &space, &of("t", "first of t")).await?;
    commit_write(&*store, &space, &of("u", r#"{"a":"'%_\\"} of u="#)).await?;
    assert_at_most(&*store, &space, "t", Some("first of t")).await?;
    assert_at_most(&*store, &space, "u", Some(r#"{"a":"'%_\\"} of u="#)).await?;
    assert_at_most(&*store, &space, "T", None).await?;
    let mut before = store.read(&space).await?;
    // Reading is what fixes its moment in some databases.
    before.checkpoint(&tree("t")).await?;
    commit_write(&*store, &space, &of("t", "second of t")).await?;
    let seen = before.checkpoint(&tree("t")).await?;
    assert!(seen.is_none() || seen.as_deref() == Some("first of t"), "{seen:?}");
    drop(before);
    assert_at_most(&*store, &space, "t", Some("second of t")).await?;
    assert_at_most(&*store, &space, "u", Some(r#"{"a":"'%_\\"} of u="#)).await.map_err(Into::into)
}

/// Writing one moves nothing: head, feed, scans, counts and commits are as they were.
pub async fn a_checkpoint_moves_nothing(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1"), move_op("t", "1@a", "v", None)]).await?;
    let before = contents(&*store, &space).await?;
    commit_write(&*store, &space, &of("t", "a state")).await?;
    assert_eq!(contents(&*store, &space).await?, before);
    // Together with records as well.
    let changes = CommitWrite { checkpoints: of("t", "another").checkpoints, ..CommitWrite::default() };
    let mut txn = store.write(&space).await?;
    txn.apply(&changes).await?;
    assert_eq!(txn.head(), before.head);
    txn.commit().await?;
    assert_eq!(contents(&*store, &space).await?, before);
    assert_at_most(&*store, &space, "t", Some("another")).await.map_err(Into::into)
}

/// What a transaction wrote that was dropped is not kept, nor what was in a space that was deleted; spaces never meet.
pub async fn a_checkpoint_goes_with_its_transaction_and_its_space(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut txn = store.write(&space).await?;
    txn.apply(&of("t", "never")).await?;
    drop(txn);
    assert_at_most(&*store, &space, "t", None).await?;
    let other = space_id("other");
    store.create_space(&other, epoch(2)).await?;
    commit_write(&*store, &space, &of("t", "here")).await?;
    commit_write(&*store, &other, &of("t", "there")).await?;
    assert_at_most(&*store, &space, "t", Some("here")).await?;
    assert_at_most(&*store, &other, "t", Some("there")).await?;
    store.delete_space(&space).await?;
    store.create_space(&space, epoch(3)).await?;
    assert_at_most(&*store, &space, "t", None).await?;
    assert_at_most(&*store, &other, "t", Some("there")).await.map_err(Into::into)
}

/// A large one is kept whole, or not at all.
pub async fn a_large_checkpoint_is_kept_whole(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let body: String = (0..1_000_000).map(|n| format!("{n:06x}+")).collect();
    commit_write(&*store, &space, &of("t", &body)).await?;
    assert_at_most(&*store, &space, "t", Some(&body)).await?;
    commit_write(&*store, &space, &of("t", "small again")).await?;
    assert_at_most(&*store, &space, "t", Some("small again")).await.map_err(Into::into)
}
