//! Syncing: load if there is nothing yet, push, pull, until quiet.
//!
//! ```text
//!        ┌───────────────────── resync required ─────────────────────┐
//!        ▼                                                           │
//!   [settle batch in flight] ─▶ [snapshot if no cursor] ─▶ [push all] ─▶ [pull all] ─▶ edits left? ─▶ again, or done
//! ```

pub(super) mod barrier;
pub(super) mod incoming;
pub(super) mod outcomes;
pub(super) mod page;
pub(super) mod position;
pub(super) mod pull;
pub(super) mod push;
pub(super) mod renumber;
pub(super) mod report;
pub(super) mod seal;

use std::sync::Arc;

use futures_util::FutureExt;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Resync, ResyncReason, code};
use crate::replica::Replica;
use crate::replica::load::revoked::is_revoked;
use crate::replica::local::place::Side;
use crate::replica::local::state::{Reload, State};
use crate::replica::sync::pull::Pages;
use crate::replica::sync::report::SyncReport;
use crate::replica::sync::seal::BATCH_MUTATIONS_MAX;
use crate::replica::tell::progress::{Phase, Progress};
use crate::replica::tell::states::SyncState;
use crate::transport::Transport;

/// Rounds of one sync. Edits made meanwhile are sent in the next round; after this many they wait for the next sync, so
/// that an application that never stops editing does not keep a sync from ending.
const ROUNDS_MAX: usize = 8;
/// New names in one sync. One is what a copied file needs; a server that refuses several in a row will refuse more.
const RENAMES_MAX: u64 = 3;

/// Where a part of a sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is done.
    Done,
    /// It is done, and the last answer said that there is nothing more to pull.
    UpToDate,
    /// The space must be loaded anew.
    Resync(ResyncReason),
}

/// What a sync came to.
pub(crate) struct Synced {
    pub(crate) report: SyncReport,
    /// Why the server takes no edits. The rest was done.
    pub(crate) refused: Option<Error>,
}

/// A sync under way.
pub(crate) struct Run<'a> {
    pub(crate) replica: &'a Replica,
    pub(crate) transport: &'a dyn Transport,
    pub(crate) report: SyncReport,
    /// Mutations per batch; halved when the server refuses a batch as a whole.
    pub(crate) batch_max: usize,
    /// Edits of this sync, those that were answered included; not known before the first is sent.
    pub(crate) n_to_push: Option<u64>,
    /// Whether the server has answered anything since it last asked for a resync.
    pub(crate) has_progressed: bool,
    /// Pages that were received and not applied yet: they count only together with those that follow.
    pub(crate) pages: Pages,
    /// Whether the batch that is sent may have been carried out already.
    pub(crate) was_sent_before: bool,
    /// Why the server takes nothing from this replica. It may still read.
    pub(crate) refused: Option<Error>,
    progress: &'a mut (dyn FnMut(Progress) + Send),
}

impl Replica {
    /// Exchanges everything with the server: sends the edits, takes in what others did, and says what happened.
    ///
    /// One sync runs at a time; a second one waits for the first. It may be dropped and repeated at any point: what was
    /// recorded stays, and what was under way is asked again.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use serde_json::{Value, json};
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::Resolution;
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::transport::Loopback;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (space, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # service.create_space(&space).await?;
    /// # let server = Loopback::new(service, Actor::new(ada.clone(), Role::Owner));
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada);
    /// # let open = || Replica::open(Arc::new(MemoryStore::default()), space.clone(), options.clone());
    /// # let (phone, laptop) = (open().await?, open().await?);
    /// phone.put("notes", "1", &json!({"text": "milk"})).await?;
    /// assert_eq!(phone.sync(&server).await?.pushed, 1);
    /// assert_eq!(laptop.sync(&server).await?.pulled, 1);
    /// assert_eq!(laptop.get("notes", "1").await?, Some(json!({"text": "milk"})));
    /// assert_eq!(laptop.state_hash().await?, phone.state_hash().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the transport and the store report. Edits stay queued whatever the error is;
    /// [`is_retryable`](Error::is_retryable) says whether a later try can do without help, and an error of kind
    /// [`Unauthorized`](ErrorKind::Unauthorized) asks for a new sign-in.
    pub async fn sync(&self, transport: &dyn Transport) -> Result<SyncReport> {
        self.sync_with_progress(transport, |_| {}).await
    }

    /// [`sync`](Replica::sync), which calls `progress` after each step.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use serde_json::{Value, json};
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::Resolution;
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::transport::Loopback;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (space, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # service.create_space(&space).await?;
    /// # let server = Loopback::new(service, Actor::new(ada.clone(), Role::Owner));
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada);
    /// # let open = || Replica::open(Arc::new(MemoryStore::default()), space.clone(), options.clone());
    /// # let (phone, laptop) = (open().await?, open().await?);
    /// # phone.put("notes", "1", &json!({"text": "milk"})).await?;
    /// # phone.sync(&server).await?;
    /// laptop.sync_with_progress(&server, |progress| println!("{progress:?}")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`sync`](Replica::sync).
    pub async fn sync_with_progress(
        &self,
        transport: &dyn Transport,
        mut progress: impl FnMut(Progress) + Send,
    ) -> Result<SyncReport> {
        let done = self.exchange(transport, &mut progress).await;
        self.0.signals.states.show(match &done {
            Ok(Synced { refused: Some(_), .. }) => SyncState::ReadOnly,
            Ok(_) => SyncState::Idle,
            Err(error) => SyncState::after(error, self.0.signals.contact.next_try()),
        });
        done.and_then(|done| done.refused.map_or(Ok(done.report), Err))
    }

    /// Syncs, and shows how far it is. Where it leads is shown by the caller, right after.
    pub(crate) async fn exchange(
        &self,
        transport: &dyn Transport,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Synced> {
        let _alone = self.0.syncing.lock().await;
        let shown = self.0.signals.states.begin();
        self.know_place().await?;
        let mut run = Run {
            replica: self,
            transport,
            report: SyncReport::default(),
            batch_max: BATCH_MUTATIONS_MAX,
            n_to_push: None,
            has_progressed: true,
            pages: Pages::default(),
            was_sent_before: false,
            refused: None,
            progress: &mut |now| {
                shown.progress(now);
                progress(now);
            },
        };
        let done = match run.all_rounds().await {
            Err(error) if is_revoked(&error) => self.give_up_copy().await.and(Err(error)),
            Err(error) => Err(error),
            Ok(()) => Ok(Synced { refused: run.refused.take(), report: run.report }),
        };
        let contact = &self.0.signals.contact;
        if done.is_ok() {
            contact.heard(self.0.options.clock.now());
        }
        contact.failed(done.as_ref().map_or_else(Some, |synced| synced.refused.as_ref()));
        shown.end();
        done
    }

    async fn has_edits(&self) -> Result<bool> {
        self.read(|local| local.has_edits().boxed()).await
    }

    pub(crate) async fn state(&self) -> Result<State> {
        self.read(|local| local.state().boxed()).await
    }
}

impl Run<'_> {
    async fn all_rounds(&mut self) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            match self.round().await? {
                Step::Resync(reason) => self.resync(reason).await?,
                Step::Done | Step::UpToDate
                    if self.refused.is_some() || !self.replica.has_edits().await? =>
                {
                    break;
                }
                Step::Done | Step::UpToDate => {}
            }
        }
        self.judge_waits().await
    }

    async fn round(&mut self) -> Result<Step> {
        if let Some((state, is_untidy)) = self.replica.read(|local| local.quiet_and_tidy().boxed()).await? {
            let last = self.pull_from(Side::Live, state).await?;
            if is_untidy && last == Step::UpToDate {
                self.replica.tidy_up().await?;
            }
            return Ok(last);
        }
        // What is in flight must be settled before anything else of the server is taken in.
        if let Step::Resync(reason) = self.push_in_flight().await? {
            return Ok(Step::Resync(reason));
        }
        let loaded = self.load().await?;
        if let Step::Resync(_) = loaded {
            return Ok(loaded);
        }
        let mut last = self.push_all(loaded).await?;
        if last == Step::Done {
            last = self.pull_all().await?;
        }
        self.replica.remove_unselected().await?;
        Ok(last)
    }

    /// Prepares for loading the space anew. What was in flight was not carried out; it waits like every other edit.
    async fn resync(&mut self, reason: ResyncReason) -> Result<()> {
        if !std::mem::take(&mut self.has_progressed) {
            let message = "the server asks to load the space anew, and right after that again";
            return Err(Error::new(ErrorKind::Distrusted, message).with_code(code::RESYNC_REQUIRED));
        }
        self.report.resynced = Some(reason);
        self.pages = Pages::default();
        let why = Reload::from(reason);
        self.replica
            .write(move |local| {
                async move {
                    local.unseal().await?;
                    let mut state = local.state().await?;
                    state.ask_for_load(why);
                    if why == Reload::WentBack {
                        let ids = Arc::clone(&local.options.ids);
                        state.rename(&*ids);
                    }
                    local.save(&state)
                }
                .boxed()
            })
            .await
    }

    /// Takes a new name for this replica. What was in flight was not carried out, and gets new numbers.
    pub(crate) async fn rename(&mut self) -> Result<()> {
        self.report.renamed += 1;
        if self.report.renamed > RENAMES_MAX {
            let message = format!("the server refused this replica under {RENAMES_MAX} new names");
            return Err(Error::new(ErrorKind::Distrusted, message).with_code(code::CLIENT_FORKED));
        }
        self.replica
            .write(|local| {
                async move {
                    local.unseal().await?;
                    let mut state = local.state().await?;
                    let (ids, before) = (Arc::clone(&local.options.ids), state.peer());
                    state.rename(&*ids);
                    local.save(&state)?;
                    local.renumber_ops(&before).await
                }
                .boxed()
            })
            .await
    }

    pub(crate) fn tell(&mut self, phase: Phase, n_done: u64, n_total: Option<u64>) {
        (self.progress)(Progress { phase, n_done, n_total });
    }
}

/// What a request for changes that the server refused as a whole means, if it means the cursor.
pub(crate) fn lost_cursor(error: &Error) -> Option<ResyncReason> {
    (error.code() == Some(code::INVALID_CURSOR)).then_some(ResyncReason::Horizon)
}

impl From<Resync> for Step {
    fn from(resync: Resync) -> Self {
        Self::Resync(resync.reason)
    }
}
