//! The trees that an application has at hand: states in memory, brought up to date from what is stored.
//!
//! An op that is stored stays, with three exceptions: the server refused it or does not show it any more, the replica numbers
//! as someone else and gave its unsent ops new ids, or a load left it out. The first two are counted in `$state`, the third
//! shows in the epoch of the local space; a state in memory that was made before is made anew. An id is never used again,
//! whatever became of its op: `$state` knows the latest clock that was used in each tree.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::lock::Mutex as AsyncMutex;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::protocol::code;
use crate::replica::local::rows::Base;
use crate::replica::local::subtrees::Subtrees;
use crate::replica::local::txn::Local;
use crate::store::{FeedQuery, ScanQuery, TreeCheckpoint, stored_op};
use crate::tree::{Report, Tree, TreeState, kept};
use crate::types::{Collection, Epoch, OpClock, OpId, PeerId, RecordKey, Seq, TreeOp};

/// Ops that are read at once.
const READ_ROWS_MAX: usize = 1000;
/// Bytes of ops that are read at once.
const READ_BYTES_MAX: usize = 4 << 20;

/// A tree that someone has at hand.
#[derive(Debug, Default)]
pub(crate) struct OpenTree {
    /// Its state; `None` while nobody has asked, or after something went wrong.
    pub(crate) state: AsyncMutex<Option<Kept>>,
    pub(crate) subtrees: Subtrees,
}

/// A tree, for all who have it at hand.
pub(crate) type Slot = Arc<OpenTree>;

/// The trees that someone has at hand.
#[derive(Debug, Default)]
pub(crate) struct OpenTrees {
    open: Mutex<HashMap<Collection, Weak<OpenTree>>>,
    /// Ops in the last checkpoint of each tree, whatever became of it, and from when on it is none.
    n_kept: Mutex<HashMap<Collection, (Mark, u64)>>,
}

impl OpenTrees {
    /// The one state of a tree: with two, both would number their ops alike.
    pub(crate) fn slot(&self, tree: &Collection) -> Slot {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, slot| slot.strong_count() > 0);
        if let Some(slot) = open.get(tree).and_then(Weak::upgrade) {
            return slot;
        }
        let slot = Slot::default();
        open.insert(tree.clone(), Arc::downgrade(&slot));
        slot
    }

    /// A checkpoint was found that has so many ops.
    pub(crate) fn note_kept(&self, tree: &Collection, mark: &Mark, n_ops: u64) {
        let mut n_kept = self.n_kept.lock().unwrap_or_else(PoisonError::into_inner);
        n_kept.insert(tree.clone(), (mark.clone(), n_ops));
    }

    /// A checkpoint to be stored, if it is time for one. If that fails, the next one comes when the tree has grown again.
    pub(crate) fn due_checkpoint(&self, tree: &Collection, now: &Kept, ops_min: u64) -> Option<String> {
        let n_ops = now.tree.state().n_ops();
        let mut n_kept = self.n_kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |before: &&(Mark, u64)| Mark { at: now.mark.at, ..before.0.clone() } == now.mark;
        let before = n_kept.get(tree).filter(is_same).map_or(0, |(_, n_ops)| *n_ops);
        if !kept::is_due(n_ops, before, ops_min) {
            return None;
        }
        n_kept.insert(tree.clone(), (now.mark.clone(), n_ops));
        drop(n_kept);
        Some(kept::write(&now.mark, now.tree.state()))
    }
}

/// The state of a tree.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) tree: Tree,
    pub(crate) mark: Mark,
}

/// What a state was made from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Mark {
    epoch: Epoch,
    peer: PeerId,
    n_losses: u64,
    /// Up to here.
    at: Seq,
}

/// What a state lacks.
pub(crate) struct News {
    mark: Mark,
    /// A state to begin with, where nothing is known that counts.
    begin: TreeState,
    ops: Vec<TreeOp>,
    /// Clocks that were used here, also by ops that are gone.
    used: Option<OpClock>,
    /// Whether these are all ops there are, and what was known before does not count.
    is_all: bool,
}

impl News {
    /// Ops in the checkpoint that it begins with, if it does.
    pub(crate) fn begun(&self) -> Option<(&Mark, u64)> {
        Some((&self.mark, self.begin.n_ops())).filter(|(_, n_ops)| *n_ops > 0)
    }
}

impl Kept {
    /// Takes in what is new; makes the state anew where it must be, and then cannot say what that has changed.
    pub(crate) fn take(kept: Option<Self>, news: News) -> (Self, Option<Report>) {
        let News { mark, begin, ops, used, is_all } = news;
        let kept = kept.filter(|_| !is_all);
        let is_known = kept.is_some();
        let mut tree = kept.map_or_else(|| Tree::with_state(mark.peer.clone(), begin), |kept| kept.tree);
        let report = tree.apply(ops);
        if let Some(used) = used {
            tree.go_on_after(used);
        }
        (Self { tree, mark }, is_known.then_some(report))
    }
}

impl Local {
    /// What of a tree is stored since a state was made.
    /// With `stored`, the [checkpoint](Self::stored_state), where nothing is known.
    pub(crate) async fn tree_news(
        &mut self,
        tree: Collection,
        known: Option<Mark>,
        stored: Option<(Mark, TreeState)>,
    ) -> Result<News> {
        let (head, state) = (self.space_head(), self.state().await?);
        let (peer, n_losses) = (state.peer(), state.n_losses);
        let used = tree.tree().and_then(|tree| state.op_clocks.get(&tree).copied());
        let mark = Mark { epoch: head.epoch, peer, n_losses, at: head.head };
        let same_before =
            |known: &Mark| Mark { at: known.at, ..mark.clone() } == *known && known.at <= mark.at;
        let known = known.filter(same_before);
        let stored = stored.filter(|(stored, _)| known.is_none() && same_before(stored));
        let (begin_at, begin) = stored.map_or_else(Default::default, |(stored, state)| (stored.at, state));
        let mut after = known.as_ref().map_or(begin_at, |known| known.at);
        let mut ops = Vec::new();
        while after < mark.at {
            let (collections, up_to) = (Some(vec![tree.clone()]), mark.at);
            let (rows_max, bytes_max) = (READ_ROWS_MAX, READ_BYTES_MAX);
            let page = self.stored_feed(FeedQuery { after, up_to, collections, rows_max, bytes_max }).await?;
            for record in &page.records {
                ops.push(stored_op(record)?);
                after = record.meta.version;
            }
            if !page.more {
                break;
            }
        }
        Ok(News { is_all: known.is_none(), mark, begin, ops, used })
    }

    /// The state in the checkpoint of a tree, and what it was made from. Not with anything else in one transaction, which
    /// would be spoiled where that cannot be read.
    pub(crate) async fn stored_state(&mut self, tree: &Collection) -> Result<Option<(Mark, TreeState)>> {
        let Some(tree) = tree.tree() else { return Ok(None) };
        Ok(self.checkpoint(&tree).await?.and_then(|text| kept::read(&text, |_: &Mark| true)))
    }

    /// Stores a checkpoint, unless what it was made from is not what counts any more.
    pub(crate) async fn keep_checkpoint(
        &mut self,
        mark: &Mark,
        tree: &Collection,
        body: String,
    ) -> Result<()> {
        let (epoch, state) = (self.space_head().epoch, self.state().await?);
        let now = Mark { epoch, peer: state.peer(), n_losses: state.n_losses, at: mark.at };
        match tree.tree().filter(|_| now == *mark) {
            Some(tree) => self.set_checkpoint(TreeCheckpoint { tree, body }).await,
            None => Ok(()),
        }
    }

    /// Stores ops that were made here, to be sent.
    pub(crate) async fn add_ops(&mut self, made_by: &Mark, tree: &Collection, ops: &[TreeOp]) -> Result<()> {
        for op in ops {
            op.check().map_err(|error| Error::invalid(code::VALIDATION_FAILED, error.to_string()))?;
        }
        let key = |op: &TreeOp| RecordKey::new(tree.clone(), op.id.record_id());
        self.load(ops.iter().flat_map(|op| [key(op), Base::key_for(&key(op))])).await?;
        let mut state = self.state().await?;
        let mut is_free = state.peer() == made_by.peer;
        for op in ops {
            is_free &= self.get(&key(op)).await?.is_none();
        }
        if !is_free {
            let error = "the tree was edited here in another way at this moment; make the edit again";
            return Err(Error::new(ErrorKind::Contended, error));
        }
        if let (Some(tree), Some(last)) = (tree.tree(), ops.iter().map(|op| op.id.clock).max()) {
            let used = state.op_clocks.entry(tree).or_insert(last);
            *used = last.max(*used);
            self.save(&state)?;
        }
        for op in ops {
            self.edit(&key(op), Some(op.content())).await?;
        }
        Ok(())
    }

    /// Stores an op that was made here earlier, and is nowhere, as if it were made now.
    pub(crate) async fn make_again(&mut self, tree: &Collection, content: &Json) -> Result<()> {
        let state = self.state().await?;
        let newest = ScanQuery {
            collection: Some(tree.clone()),
            after: None,
            descending: true,
            tombstones: false,
            rows_max: 1,
            bytes_max: 0,
        };
        let newest = self.stored(&newest).await?.records.pop();
        let newest = newest.map(|record| stored_op(&record)).transpose()?.map(|op| op.id.clock);
        let used = tree.tree().and_then(|tree| state.op_clocks.get(&tree).copied()).max(newest);
        let exhausted = || Error::invalid(code::VERSION_EXHAUSTED, "the clock of the tree is at its end");
        let clock = used.map_or(Some(OpClock::FIRST), OpClock::next).ok_or_else(exhausted)?;
        let id = OpId::new(clock, state.peer());
        let op = TreeOp::from_record(&id.record_id(), content.as_str())
            .map_err(|error| Error::invalid(code::VALIDATION_FAILED, error.to_string()))?;
        let head = self.space_head();
        let mark = Mark { epoch: head.epoch, peer: id.peer, n_losses: state.n_losses, at: head.head };
        self.add_ops(&mark, tree, &[op]).await
    }

    /// Counts that ops were removed.
    pub(crate) async fn note_lost_ops(&mut self) -> Result<()> {
        let mut state = self.state().await?;
        state.n_losses += 1;
        self.save(&state)
    }
}
