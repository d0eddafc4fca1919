//! The trees that an application has at hand: states in memory, brought up to date from what is stored.
//!
//! An op that is stored stays, with three exceptions: the server refused it, the replica took another name and gave its
//! unsent ops new ids, or a load left it out. The first is counted in `$state`, the second shows in the name, the third in the
//! epoch of the local space; a state in memory that was made before is made anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures_util::lock::Mutex as AsyncMutex;

use crate::error::{Error, ErrorKind, Result};
use crate::replica::local::row::{Row, parse};
use crate::replica::local::rows::Base;
use crate::replica::local::txn::Local;
use crate::store::{FeedQuery, ScanQuery};
use crate::tree::{Report, Tree};
use crate::types::{ClientId, Collection, Epoch, OpId, PeerId, Record, RecordKey, Seq, TreeOp};

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
    pub(crate) client: ClientId,
    n_losses: u64,
    /// Up to here.
    at: Seq,
}

/// What a state lacks.
pub(crate) struct News {
    mark: Mark,
    ops: Vec<TreeOp>,
    /// Whether these are all ops there are, and what was known before does not count.
    is_all: bool,
}

impl Kept {
    /// Takes in what is new; makes the state anew where it must be.
    pub(crate) fn take(kept: Option<Self>, news: News) -> (Self, Report) {
        let News { mark, ops, is_all } = news;
        let mut tree = match kept.filter(|_| !is_all) {
            Some(kept) => kept.tree,
            None => Tree::new(peer_of(&mark.client)),
        };
        let report = tree.apply(ops);
        (Self { tree, mark }, report)
    }
}

/// As whom a replica numbers ops: it follows from its name, so that one that was copied does not number like the other.
pub(crate) fn peer_of(client: &ClientId) -> PeerId {
    let hash = blake3::hash(client.as_str().as_bytes()).to_hex();
    PeerId::new(&hash[..32]).expect("hexadecimal digits are fit for a peer id")
}

impl Local {
    /// What of a tree is stored since a state was made.
    pub(crate) async fn tree_news(&mut self, tree: Collection, known: Option<Mark>) -> Result<News> {
        let (head, state) = (self.space_head(), self.state().await?);
        let mark = Mark { epoch: head.epoch, client: state.client, n_losses: state.n_losses, at: head.head };
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
                ops.push(op_of(record)?);
                after = record.meta.version;
            }
            if !page.more {
                break;
            }
        }
        Ok(News { is_all: known.is_none(), mark, ops })
    }

    /// Stores ops that were made here, to be sent.
    pub(crate) async fn add_ops(&mut self, made_by: &Mark, tree: &Collection, ops: &[TreeOp]) -> Result<()> {
        if self.state().await?.client != made_by.client {
            let error = "the replica took another name meanwhile; make the edit again";
            return Err(Error::new(ErrorKind::Contended, error));
        }
        let key = |op: &TreeOp| RecordKey::new(tree.clone(), op.id.record_id());
        self.load(ops.iter().flat_map(|op| [key(op), Base::key_for(&key(op))])).await?;
        for op in ops {
            self.edit(&key(op), Some(op.content())).await?;
        }
        Ok(())
    }

    /// Counts that ops were removed.
    pub(crate) async fn note_lost_ops(&mut self) -> Result<()> {
        let mut state = self.state().await?;
        state.n_losses += 1;
        self.save(&state)
    }

    /// Gives new ids to the ops that wait and were numbered as `before`: someone else does that, too.
    ///
    /// The clocks stay, so that their order among each other does. Nobody else has seen the old ids.
    pub(crate) async fn renumber_ops(&mut self, before: &PeerId, now: &PeerId) -> Result<()> {
        let mut after = None;
        loop {
            let query = ScanQuery {
                collection: Some(Collection::system(Base::COLLECTION)),
                after: after.take(),
                descending: false,
                tombstones: false,
                rows_max: READ_ROWS_MAX,
                bytes_max: READ_BYTES_MAX,
            };
            let (rows, next) = self.listed(&query).await?;
            for row in rows {
                let base: Base = parse(&row)?;
                self.renumber(&base.key, before, now).await?;
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn renumber(&mut self, key: &RecordKey, before: &PeerId, now: &PeerId) -> Result<()> {
        let is_old = |id: &OpId| key.collection.is_tree() && id.peer == *before;
        let Some(id) = OpId::from_record_id(&key.id).ok().filter(is_old) else { return Ok(()) };
        let Some(record) = self.get(key).await? else { return Ok(()) };
        let new = OpId::new(id.clock, now.clone()).record_id();
        self.purge(key.clone());
        self.purge(Base::key_for(key));
        self.edit(&RecordKey::new(key.collection.clone(), new), record.data).await.map(|_| ())
    }
}

fn op_of(record: &Record) -> Result<TreeOp> {
    let content = record.data.as_ref().map_or("", |data| data.as_str());
    TreeOp::from_record(&record.key.id, content)
        .map_err(|error| Error::new(ErrorKind::Corrupt, "a record of a tree is not an op").with_source(error))
}
