//! The states of trees: made from their ops when someone asks, and kept for those who ask next.
//!
//! What is kept is always good for the past it was made from, so it is brought up to date from the feed, as a replica would
//! be: its cursor tells when the history it knows is not the store's any more, and it is made anew. It can be thrown away at
//! any time.
//!
//! Of large trees the store keeps a checkpoint as well, with its cursor: where nothing is at hand, a state begins with that.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::{Mutex as AsyncMutex, OwnedMutexGuard};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::service::rules::View;
use crate::service::{Actor, Inner, cursors, scoped};
use crate::store::{CommitWrite, FeedQuery, Mode, StoreTxn, TreeCheckpoint, stored_op};
use crate::tree::{TreeState, kept};
use crate::types::{Collection, Cursor, CursorToken, Epoch, Seq, SpaceId, TreeId};

/// The states that are kept, the one that was asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct TreeCache {
    slots: Mutex<Vec<Slot>>,
    /// Held by whoever makes a state from the beginning: only one at a time takes memory that is not counted yet.
    making: Arc<AsyncMutex<()>>,
    /// Ops in the last checkpoint of trees, whatever became of it, those of late at the end.
    n_kept: Mutex<VecDeque<(Epoch, TreeId, u64)>>,
    /// Held by whoever writes a checkpoint: only one at a time takes memory.
    keeping: Arc<AsyncMutex<()>>,
}

#[derive(Debug)]
struct Slot {
    space: SpaceId,
    tree: Collection,
    n_bytes: usize,
    kept: Arc<AsyncMutex<Option<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    state: TreeState,
    /// Up to here.
    cursor: Option<Cursor>,
    /// What it takes in memory, at most.
    n_bytes: usize,
}

/// What the state in a checkpoint was made from.
#[derive(Deserialize, Serialize)]
struct MadeFrom {
    cursor: CursorToken,
    n_bytes: usize,
}

/// A tree as a transaction sees it.
pub(super) struct TreeRead {
    txn: Box<dyn StoreTxn>,
    kept: OwnedMutexGuard<Option<Kept>>,
}

impl TreeRead {
    /// The state of the tree.
    pub(super) fn state(&self) -> &TreeState {
        &self.kept.as_ref().expect("it was brought up to date").state
    }

    /// Where the space stands.
    pub(super) fn head(&self) -> Seq {
        self.txn.head().head
    }

    /// The transaction, to read more of the same moment. Others may have the tree from now on.
    pub(super) fn into_txn(self) -> Box<dyn StoreTxn> {
        self.txn
    }
}

impl TreeCache {
    /// Ops in the last checkpoint of a tree, as far as that is remembered.
    fn n_kept(&self, space: Epoch, tree: &TreeId) -> u64 {
        let n_kept = self.n_kept.lock().unwrap_or_else(PoisonError::into_inner);
        n_kept.iter().find(|(of, named, _)| *of == space && named == tree).map_or(0, |(.., n_ops)| *n_ops)
    }

    /// A tree has, or was to have, a checkpoint with so many ops.
    fn note_kept(&self, space: Epoch, tree: &TreeId, n_ops: u64) {
        let mut n_kept = self.n_kept.lock().unwrap_or_else(PoisonError::into_inner);
        n_kept.retain(|(of, named, _)| *of != space || named != tree);
        n_kept.push_back((space, tree.clone(), n_ops));
        if n_kept.len() > REMEMBERED_MAX {
            n_kept.pop_front();
        }
    }

    /// Where the state of a tree is kept, or will be.
    fn slot(&self, space: &SpaceId, tree: &Collection) -> Arc<AsyncMutex<Option<Kept>>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match slots.iter().position(|slot| slot.space == *space && slot.tree == *tree) {
            Some(idx) => slots.remove(idx),
            None => Slot { space: space.clone(), tree: tree.clone(), n_bytes: 0, kept: Arc::default() },
        };
        let kept = Arc::clone(&slot.kept);
        slots.push(slot);
        kept
    }

    /// Notes what a tree takes, and lets go of those that were not asked for longest until the rest fits; of the tree itself
    /// where it alone is too much.
    fn settle(&self, space: &SpaceId, tree: &Collection, n_bytes: usize, bytes_max: usize) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |slot: &Slot| slot.space == *space && slot.tree == *tree;
        if n_bytes.saturating_add(SLOT_BYTES) > bytes_max {
            return slots.retain(|slot| !is_it(slot));
        }
        if let Some(slot) = slots.iter_mut().find(|slot| is_it(slot)) {
            slot.n_bytes = n_bytes;
        }
        let mut n_left = bytes_max;
        let fits = |slot: &&Slot| {
            let n = slot.n_bytes.saturating_add(SLOT_BYTES);
            let fits = n <= n_left;
            n_left = n_left.saturating_sub(n);
            fits
        };
        let n_fit = slots.iter().rev().take_while(fits).count();
        let n_gone = slots.len() - n_fit;
        slots.drain(..n_gone);
    }
}

/// Trees of which it is remembered when they had a checkpoint last. Of others one too many may be written.
const REMEMBERED_MAX: usize = 1_000;
/// What a kept tree takes besides its ops.
const SLOT_BYTES: usize = 4 << 10;
/// What an op takes besides its content: its place in the log, its id, and names that are new with it.
const OP_BYTES: usize = 400;

/// A tree as it is now, as an actor may see it.
///
/// Where a [scope](crate::service::rules::Scope) decides who may read what, everyone may have a tree of their own: it is made
/// for the one who asks and not kept.
pub(super) async fn read(
    inner: &Arc<Inner>,
    actor: &Actor,
    space: &SpaceId,
    tree: &TreeId,
) -> Result<TreeRead> {
    let (view, collection) = (inner.rules.view(actor), Collection::of_tree(tree));
    let is_shared = view.is_whole();
    let slot = if is_shared { inner.trees.slot(space, &collection) } else { Arc::default() };
    let mut kept = slot.lock_owned().await;
    let _making = match &*kept {
        Some(_) => None,
        None => Some(inner.trees.making.lock().await),
    };
    let mut txn = inner.store.begin(space, Mode::Read).await?;
    // Taken out: what fails half way is made anew.
    let mut before = match kept.take() {
        Some(old) => still_good(old, view, txn.as_mut()).await?,
        None => None,
    };
    if before.is_none() && is_shared {
        (before, txn) = stored(inner, view, space, tree, txn).await?;
    }
    let mut now = before.unwrap_or(Kept { state: TreeState::new(), cursor: None, n_bytes: 0 });
    catch_up(&mut now, view, &collection, inner, txn.as_mut()).await?;
    if is_shared {
        keep(inner, space, tree, &now);
        inner.trees.settle(space, &collection, now.n_bytes, inner.limits.tree_cache_bytes_max);
    }
    *kept = Some(now);
    Ok(TreeRead { txn, kept })
}

async fn still_good(kept: Kept, view: View<'_>, txn: &mut dyn StoreTxn) -> Result<Option<Kept>> {
    let Some(cursor) = &kept.cursor else { return Ok(None) };
    let judged = cursors::judge(cursor, view.mark(), txn).await?;
    Ok(judged.is_ok().then_some(kept))
}

/// The state in the checkpoint of a tree, if there is one of this history, and the transaction to go on with: another one where
/// the checkpoint could not be read.
async fn stored(
    inner: &Inner,
    view: View<'_>,
    space: &SpaceId,
    tree: &TreeId,
    mut txn: Box<dyn StoreTxn>,
) -> Result<(Option<Kept>, Box<dyn StoreTxn>)> {
    let text = match txn.checkpoint(tree).await {
        Ok(Some(text)) => text,
        Ok(None) => return Ok((None, txn)),
        Err(error) => {
            tracing::warn!(%error, %space, "the checkpoint of a tree could not be read, and is done without");
            drop(txn);
            return Ok((None, inner.store.begin(space, Mode::Read).await?));
        }
    };
    let cursor_of = |from: &MadeFrom| Cursor::decode(&from.cursor, space).ok();
    let read = kept::read(&text, |from: &MadeFrom| cursor_of(from).is_some());
    let Some((from, state)) = read else { return Ok((None, txn)) };
    let (n_ops, cursor) = (state.n_ops(), cursor_of(&from));
    let kept = still_good(Kept { state, cursor, n_bytes: from.n_bytes }, view, txn.as_mut()).await?;
    if let (Some(_), Some(cursor)) = (&kept, cursor) {
        inner.trees.note_kept(cursor.epoch, tree, n_ops);
    }
    Ok((kept, txn))
}

/// Has a checkpoint written, by and by, of a tree that is due for one. If that fails, the next one comes when the tree has
/// grown again.
fn keep(inner: &Arc<Inner>, space: &SpaceId, tree: &TreeId, now: &Kept) {
    let (n_ops, ops_min) = (now.state.n_ops(), inner.limits.checkpoint_ops_min);
    let is_due = |cursor: &Cursor| kept::is_due(n_ops, inner.trees.n_kept(cursor.epoch, tree), ops_min);
    let Some(cursor) = now.cursor.filter(is_due) else { return };
    let Some(alone) = inner.trees.keeping.try_lock_owned() else { return };
    inner.trees.note_kept(cursor.epoch, tree, n_ops);
    let made_from = MadeFrom { cursor: cursor.encode(space), n_bytes: now.n_bytes };
    let checkpoint = TreeCheckpoint { tree: tree.clone(), body: kept::write(&made_from, &now.state) };
    let write = CommitWrite { checkpoints: vec![checkpoint], ..CommitWrite::default() };
    let (inner, space) = (Arc::clone(inner), space.clone());
    let runtime = Arc::clone(&inner.runtime);
    runtime.spawn(Box::pin(async move {
        let written = inner.retried(|| write_down(&inner, &space, cursor, &write)).await;
        drop(alone);
        if let Err(error) = written {
            tracing::warn!(%error, %space, "a checkpoint of a tree could not be written");
        }
    }));
}

/// Writes a checkpoint into the life of the space it is of.
async fn write_down(inner: &Inner, space: &SpaceId, cursor: Cursor, write: &CommitWrite) -> Result<()> {
    let mut txn = inner.store.begin(space, Mode::Write).await?;
    if txn.head().epoch != cursor.epoch {
        return Ok(());
    }
    txn.apply(write).await?;
    txn.commit().await
}

async fn catch_up(
    kept: &mut Kept,
    view: View<'_>,
    collection: &Collection,
    inner: &Inner,
    txn: &mut dyn StoreTxn,
) -> Result<()> {
    let head = txn.head().head;
    let mut after = kept.cursor.map_or(Seq::ZERO, |cursor| cursor.seq);
    while after < head {
        let query = FeedQuery {
            after,
            up_to: head,
            collections: Some(vec![collection.clone()]),
            rows_max: inner.limits.page_rows_max,
            bytes_max: inner.limits.page_bytes_max,
        };
        let page = scoped::feed(view, txn, &query, usize::MAX).await?;
        let ops = page.records.iter().filter(|record| !record.is_deleted());
        let ops = ops.map(stored_op).collect::<Result<Vec<_>>>()?;
        let n_bytes: usize = page.records.iter().map(|record| record.data_len() + OP_BYTES).sum();
        kept.n_bytes = kept.n_bytes.saturating_add(n_bytes);
        kept.state.apply(ops);
        after = page.end;
    }
    kept.cursor = Some(cursors::at(head, view.mark(), txn).await?);
    Ok(())
}
