//! The trees that an application has at hand: states in memory, brought up to date from what is stored.
//!
//! An op that is stored stays, with three exceptions: the server refused it or does not show it any more, the replica numbers
//! as someone else and gave its unsent ops new ids, or a load left it out. The first two are counted in `$state`, the third
//! shows in the epoch of the local space; a state in memory that was made before is made anew. An id is never used again,
//! whatever became of its op: `$state` knows the latest clock that was used in each tree.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::lock::Mutex as AsyncMutex;

use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::protocol::code;
use crate::replica::local::rows::Base;
use crate::replica::local::txn::Local;
use crate::store::{FeedQuery, ScanQuery, stored_op};
use crate::tree::{Report, Tree};
use crate::types::{Collection, Epoch, OpClock, OpId, PeerId, RecordKey, Seq, TreeOp};

/// Ops that are read at once.
const READ_ROWS_MAX: usize = 1000;
/// Bytes of ops that are read at once.
const READ_BYTES_MAX: usize = 4 << 20;

/// Where the state of a tree is, for all who have it at hand; empty while nobody has asked, or after something went wrong.
pub(crate) type Slot = Arc<AsyncMutex<Option<Kept>>>;

/// The trees that someone has at hand.
#[derive(Debug, Default)]
pub(crate) struct OpenTrees(Mutex<HashMap<Collection, Weak<AsyncMutex<Option<Kept>>>>>);

impl OpenTrees {
    /// The one state of a tree: with two, both would number their ops alike.
    pub(crate) fn slot(&self, tree: &Collection) -> Slot {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, slot| slot.strong_count() > 0);
        if let Some(slot) = open.get(tree).and_then(Weak::upgrade) {
            return slot;
        }
        let slot = Slot::default();
        open.insert(tree.clone(), Arc::downgrade(&slot));
        slot
    }
}

/// The state of a tree.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) tree: Tree,
    pub(crate) mark: Mark,
}

/// What a state was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    ops: Vec<TreeOp>,
    /// Clocks that were used here, also by ops that are gone.
    used: Option<OpClock>,
    /// Whether these are all ops there are, and what was known before does not count.
    is_all: bool,
}

impl Kept {
    /// Takes in what is new; makes the state anew where it must be.
    pub(crate) fn take(kept: Option<Self>, news: News) -> (Self, Report) {
        let News { mark, ops, used, is_all } = news;
        let mut tree = match kept.filter(|_| !is_all) {
            Some(kept) => kept.tree,
            None => Tree::new(mark.peer.clone()),
        };
        let report = tree.apply(ops);
        if let Some(used) = used {
            tree.go_on_after(used);
        }
        (Self { tree, mark }, report)
    }
}

impl Local {
    /// What of a tree is stored since a state was made.
    pub(crate) async fn tree_news(&mut self, tree: Collection, known: Option<Mark>) -> Result<News> {
        let (head, state) = (self.space_head(), self.state().await?);
        let (peer, n_losses) = (state.peer(), state.n_losses);
        let used = tree.tree().and_then(|tree| state.op_clocks.get(&tree).copied());
        let mark = Mark { epoch: head.epoch, peer, n_losses, at: head.head };
        let same_before =
            |known: &Mark| Mark { at: known.at, ..mark.clone() } == *known && known.at <= mark.at;
        let known = known.filter(same_before);
        let mut after = known.as_ref().map_or(Seq::ZERO, |known| known.at);
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
        Ok(News { is_all: known.is_none(), mark, ops, used })
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
