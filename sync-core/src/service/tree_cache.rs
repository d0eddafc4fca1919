//! The states of trees: made from their ops when someone asks, and kept for those who ask next.
//!
//! What is kept is always good for the past it was made from, so it is brought up to date from the feed, as a replica would
//! be: its cursor tells when the history it knows is not the store's any more, and it is made anew. It can be thrown away at
//! any time.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::error::Result;
use crate::service::rules::View;
use crate::service::{Actor, Inner, cursors, scoped};
use crate::store::{FeedQuery, Mode, StoreTxn, stored_op};
use crate::tree::TreeState;
use crate::types::{Collection, Cursor, Seq, SpaceId, TreeId};

/// The states that are kept, the one that was asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct TreeCache {
    slots: Mutex<Vec<Slot>>,
    /// Held by whoever makes a state from the beginning: only one at a time takes memory that is not counted yet.
    making: Arc<AsyncMutex<()>>,
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

/// What a kept tree takes besides its ops.
const SLOT_BYTES: usize = 4 << 10;
/// What an op takes besides its content: its place in the log, its id, and names that are new with it.
const OP_BYTES: usize = 400;

/// A tree as it is now, as an actor may see it.
///
/// Where a [scope](crate::service::rules::Scope) decides who may read what, everyone may have a tree of their own: it is made
/// for the one who asks and not kept.
pub(super) async fn read(inner: &Inner, actor: &Actor, space: &SpaceId, tree: &TreeId) -> Result<TreeRead> {
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
    let before = match kept.take() {
        Some(old) => still_good(old, view, txn.as_mut()).await?,
        None => None,
    };
    let mut now = before.unwrap_or(Kept { state: TreeState::new(), cursor: None, n_bytes: 0 });
    catch_up(&mut now, view, &collection, inner, txn.as_mut()).await?;
    if is_shared {
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
