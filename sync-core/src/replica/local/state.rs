//! Where a replica stands with its server: its name, its cursor, and how far a load is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id_source::IdSource;
use crate::protocol::{ResyncReason, SnapshotToken};
use crate::replica::local::row::{Row, is_false, is_zero, row_key};
use crate::replica::local::rows::Batch;
use crate::replica::local::trail::Trail;
use crate::replica::local::txn::Local;
use crate::types::{
    ClientId, Collection, CursorToken, MutationNumber, OpClock, PeerId, RecordId, RecordKey, Seq, TreeId,
    chosen_collections,
};

/// Where the replica stands with its server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) client: ClientId,
    pub(crate) next: MutationNumber,
    /// Everything up to here was applied. Without it, a snapshot is loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<CursorToken>,
    /// Where it has been.
    #[serde(default)]
    pub(crate) trail: Trail,
    /// How far a snapshot was loaded into this side.
    #[serde(default)]
    pub(crate) loading: Loading,
    /// Every row of `$base` has a local version after this: what lies before was sealed or settled.
    #[serde(default)]
    pub(crate) edits_after: Seq,
    /// Transactions that the server receives in parts, since an answer was last recorded.
    #[serde(default)]
    pub(crate) n_parted: u64,
    /// The newest version that an answer to own edits told; what lies before is in the cursor's past soon.
    #[serde(default)]
    pub(crate) confirmed: Seq,
    /// How many sides were live before this one.
    #[serde(default)]
    pub(crate) generation: u64,
    /// This side is being loaded; the application does not see it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) standby: bool,
    /// Why what is here must be loaded anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reload: Option<Reload>,
    /// The collections that are wanted; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "chosen_collections")]
    pub(crate) selection: Option<BTreeSet<Collection>>,
    /// What stands for the newest answer to own edits, until the cursor does. It goes along with every request, so that a
    /// server that has lost that answer says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<CursorToken>,
    /// Collections that are not wanted any more have records here that are to go.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) narrowed: bool,
    /// As whom it numbers ops of trees, where that does not follow from its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) peer: Option<PeerId>,
    /// The latest clock of an op that was made here, by tree. It counts also when the op is here no more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) op_clocks: BTreeMap<TreeId, OpClock>,
    /// How often ops of trees were removed from here, which the feed does not tell.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) n_losses: u64,
}

/// Why a space is loaded again. Later ones are stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reload {
    /// More collections are wanted than were loaded.
    Widened,
    /// What happened since the cursor cannot be told any more.
    Expired,
    /// The server went back in time: what it has counts, although its versions are older.
    WentBack,
}

impl From<ResyncReason> for Reload {
    fn from(reason: ResyncReason) -> Self {
        if reason == ResyncReason::Horizon { Self::Expired } else { Self::WentBack }
    }
}

/// How far a snapshot was loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Loading {
    /// Where to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resume: Option<SnapshotToken>,
    /// Records were stored, and there is no place yet to go on from after them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) is_stray: bool,
    /// Which attempt it is that loads; parts of earlier ones may still be on their way.
    #[serde(default)]
    pub(crate) stream: u64,
    /// Records that were loaded before that place.
    pub(crate) n_done: u64,
    /// Records in the whole of it.
    pub(crate) n_total: u64,
}

impl State {
    pub(crate) fn new(ids: &dyn IdSource) -> Self {
        Self {
            client: new_client(ids),
            next: MutationNumber::FIRST,
            cursor: None,
            trail: Trail::default(),
            loading: Loading::default(),
            edits_after: Seq::ZERO,
            confirmed: Seq::ZERO,
            n_parted: 0,
            generation: 0,
            standby: false,
            reload: None,
            selection: None,
            receipt: None,
            narrowed: false,
            peer: None,
            op_clocks: BTreeMap::new(),
            n_losses: 0,
        }
    }

    /// The state of a standby that is to take the place of this one.
    pub(crate) fn of_standby(&self) -> Self {
        Self {
            cursor: None,
            loading: Loading::default(),
            edits_after: Seq::ZERO,
            confirmed: Seq::ZERO,
            generation: self.generation + 1,
            standby: true,
            reload: None,
            narrowed: false,
            ..self.clone()
        }
    }

    /// Whether `standby` is being loaded to take the place of this one.
    pub(crate) fn is_prepared_by(&self, standby: &Self) -> bool {
        standby.standby && standby.generation == self.generation + 1 && standby.selection == self.selection
    }

    pub(crate) fn key() -> RecordKey {
        row_key(Self::COLLECTION, "replica")
    }

    /// As whom it numbers ops of trees.
    pub(crate) fn peer(&self) -> PeerId {
        let of_name = || {
            let hash = blake3::hash(self.client.as_str().as_bytes()).to_hex();
            PeerId::new(&hash[..32]).expect("hexadecimal digits are fit for a peer id")
        };
        self.peer.clone().unwrap_or_else(of_name)
    }

    /// Numbers ops as someone from now on whom nobody can know before they see an op: the name it had is taken.
    pub(crate) fn take_new_peer(&mut self, ids: &dyn IdSource) {
        let peer = PeerId::new(ids.new_hex_id()).expect("hexadecimal digits are fit for a peer id");
        self.peer = Some(peer);
    }

    /// Takes a new name, under which nothing was sent yet, and numbers ops as someone else.
    pub(crate) fn rename(&mut self, ids: &dyn IdSource) {
        self.peer = None;
        (self.client, self.next) = (new_client(ids), MutationNumber::FIRST);
    }

    /// Stands at a cursor from now on.
    pub(crate) fn move_to(&mut self, cursor: CursorToken, now: Timestamp) {
        self.trail.add(cursor.clone(), now);
        self.cursor = Some(cursor);
    }

    /// Whether a snapshot is to be loaded before anything else is taken in.
    pub(crate) fn needs_load(&self) -> bool {
        self.cursor.is_none() || self.reload.is_some()
    }

    /// Asks for a load. A stronger reason that was given before stays.
    pub(crate) fn ask_for_load(&mut self, why: Reload) {
        self.reload = self.reload.max(Some(why));
        if why != Reload::Widened {
            self.cursor = None;
        }
        if why == Reload::WentBack {
            self.receipt = None;
        }
    }

    /// Notes that a server has shown to have what a receipt stands for, and that the cursor does so from now on.
    pub(crate) fn settle_receipt(&mut self, shown: Option<&CursorToken>) -> bool {
        let is_settled = shown.is_some() && self.receipt.as_ref() == shown;
        if is_settled {
            self.receipt = None;
        }
        is_settled
    }

    /// Whether records of this collection are kept here.
    pub(crate) fn selects(&self, collection: &Collection) -> bool {
        let is_selected = |wanted: &BTreeSet<Collection>| wanted.contains(collection);
        collection.is_system() || self.selection.as_ref().is_none_or(is_selected)
    }

    /// The collections to ask the server for; conflicts always belong to them.
    pub(crate) fn wanted(&self) -> Option<Vec<Collection>> {
        let conflicts = Collection::system(Collection::CONFLICTS);
        self.selection.as_ref().map(|wanted| [conflicts].into_iter().chain(wanted.iter().cloned()).collect())
    }
}

impl Row for State {
    const COLLECTION: &'static str = "$state";

    fn id(&self) -> RecordId {
        Self::key().id
    }
}

fn new_client(ids: &dyn IdSource) -> ClientId {
    ClientId::new(ids.new_id()).expect("22 characters of base64url are a client id")
}

impl Local {
    /// The state of the replica, which is there since it was opened.
    pub(crate) async fn state(&mut self) -> Result<State> {
        let state = self.row(&State::key()).await?;
        state.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the replica has lost its state"))
    }

    /// The state if there is nothing to do but to ask what others did. Most syncs find that, so it is one look.
    pub(crate) async fn quiet_state(&mut self) -> Result<Option<State>> {
        self.load([State::key(), Batch::key()]).await?;
        let state = self.state().await?;
        let is_settled = !state.needs_load() && !state.narrowed && self.batch().await?.is_none();
        Ok(if is_settled && !self.has_edits().await? { Some(state) } else { None })
    }
}
