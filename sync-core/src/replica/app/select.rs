//! Choosing collections: a replica may keep some of a space's collections and leave the others at the server.
//!
//! More collections are loaded beside what is there, as after an expired history. Fewer are removed here, record by
//! record, but never one with an edit that the server has not answered.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use futures_util::FutureExt;

use crate::error::Result;
use crate::replica::Replica;
use crate::replica::app::access::collection_name;
use crate::replica::local::place::Side;
use crate::replica::local::rows::Base;
use crate::replica::local::state::{Reload, State};
use crate::replica::local::txn::Local;
use crate::store::ScanQuery;
use crate::types::{Collection, RecordKey};

/// Records that are removed in one transaction.
const REMOVE_ROWS_MAX: usize = 1000;
/// Their content at most.
const REMOVE_BYTES_MAX: usize = 8 << 20;

impl Replica {
    /// Keeps only these collections here from now on. The choice is remembered, also when the program ends.
    ///
    /// What is not chosen any more is removed at once, except for edits that the server has not answered: these are
    /// sent first. What is chosen newly arrives with the next sync, as a whole; for that the space is loaded again, in as
    /// far as it is chosen. An edit of a collection that is not chosen is sent, and goes when the server has it. Conflicts
    /// are always kept, whatever they are about.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
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
    /// laptop.put("notes", "1", "milk").await?;
    /// laptop.put("photos", "1", "large").await?;
    /// laptop.sync(&server).await?;
    ///
    /// phone.select(&["notes"]).await?;
    /// phone.sync(&server).await?;
    /// assert_eq!(phone.get("notes", "1").await?, Some("milk".to_owned()));
    /// assert_eq!(phone.get::<String>("photos", "1").await?, None, "it is at the server");
    /// # Ok(()) }
    /// ```
    ///
    /// Trees are named by their collections: `$tree:outline`. A tree that is not kept here must not be edited here.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a name that cannot be, and what the store reports.
    pub async fn select(&self, collections: &[&str]) -> Result<()> {
        let name = |name: &&str| match Collection::from_stored(name) {
            Ok(tree) if tree.is_tree() => Ok(tree),
            _ => collection_name(name),
        };
        let names = collections.iter().map(name).collect::<Result<BTreeSet<_>>>()?;
        self.choose(Some(names)).await
    }

    /// Keeps all collections here from now on, those to come included; as it is when nothing was ever chosen.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.select(&["notes"]).await?;
    /// replica.select_all().await?;
    /// assert_eq!(replica.selected().await?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn select_all(&self) -> Result<()> {
        self.choose(None).await
    }

    /// The collections that were chosen with [`select`](Replica::select), by name; `None` for all.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.select(&["notes"]).await?;
    /// assert_eq!(replica.selected().await?.unwrap()[0].as_str(), "notes");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn selected(&self) -> Result<Option<Vec<Collection>>> {
        Ok(self.state().await?.selection.map(|names| names.into_iter().collect()))
    }

    async fn choose(&self, wanted: Option<BTreeSet<Collection>>) -> Result<()> {
        self.write(move |local| async move { local.choose(wanted).await }.boxed()).await?;
        self.wake();
        self.remove_unselected().await
    }

    /// Removes what is here and not chosen, as far as nothing waits to be sent. Goes on where it broke.
    pub(crate) async fn remove_unselected(&self) -> Result<()> {
        let state = self.state().await?;
        if !state.narrowed {
            return Ok(());
        }
        let inner = Arc::clone(&self.0);
        let stats =
            self.in_task(async move { inner.store.stats(inner.place.space(Side::Live)).await }).await?;
        let mut is_all_gone = true;
        for name in stats.collections.into_iter().map(|stats| stats.collection) {
            if state.selects(&name) {
                continue;
            }
            let mut after = None;
            loop {
                let (name, from) = (name.clone(), after.take());
                let (stayed, last) =
                    self.write(|local| async move { local.remove_some(name, from).await }.boxed()).await?;
                is_all_gone &= stayed == 0;
                match last {
                    Some(last) => after = Some(last),
                    None => break,
                }
            }
        }
        if is_all_gone {
            self.write(move |local| async move { local.end_removal(&state).await }.boxed()).await?;
        }
        Ok(())
    }
}

impl Local {
    async fn choose(&mut self, wanted: Option<BTreeSet<Collection>>) -> Result<()> {
        let mut state = self.state().await?;
        let before = std::mem::replace(&mut state.selection, wanted);
        let is_within = |inner: &Option<BTreeSet<Collection>>, outer: &Option<BTreeSet<Collection>>| {
            outer.as_ref().is_none_or(|outer| inner.as_ref().is_some_and(|inner| inner.is_subset(outer)))
        };
        if !is_within(&state.selection, &before) && state.cursor.is_some() {
            state.ask_for_load(Reload::Widened);
        }
        state.narrowed |= !is_within(&before, &state.selection);
        self.save(&state)
    }

    /// Removes records of a collection after a key. Says how many had to stay, and where to go on if there are more.
    pub(crate) async fn remove_some(
        &mut self,
        collection: Collection,
        after: Option<RecordKey>,
    ) -> Result<(usize, Option<RecordKey>)> {
        // It may have been chosen again since.
        if self.state().await?.selects(&collection) {
            return Ok((0, None));
        }
        let (rows_max, bytes_max) = (REMOVE_ROWS_MAX, REMOVE_BYTES_MAX);
        let query = ScanQuery {
            collection: Some(collection),
            after,
            descending: false,
            tombstones: true,
            rows_max,
            bytes_max,
        };
        let page = self.stored(&query).await?;
        let sent: HashSet<RecordKey> = match self.batch().await? {
            Some(batch) => batch.entries.into_iter().map(|entry| entry.base.key).collect(),
            None => HashSet::new(),
        };
        let last = page.records.last().filter(|_| page.more).map(|record| record.key.clone());
        self.load(page.records.iter().map(|record| Base::key_for(&record.key))).await?;
        let mut n_stayed = 0;
        for record in page.records {
            if sent.contains(&record.key) || self.base_of(&record.key).await?.is_some() {
                n_stayed += 1;
            } else {
                self.purge(record.key);
            }
        }
        Ok((n_stayed, last))
    }

    /// Notes that nothing is left to be removed, unless the choice has changed meanwhile.
    async fn end_removal(&mut self, seen: &State) -> Result<()> {
        let mut state = self.state().await?;
        if state.selection == seen.selection {
            state.narrowed = false;
            self.save(&state)?;
        }
        Ok(())
    }
}
