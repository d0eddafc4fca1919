//! Waiting until what was edited here has arrived at the server.

use futures_util::{FutureExt, StreamExt};

use crate::error::Result;
use crate::replica::Replica;
use crate::replica::local::row::{Row, parse};
use crate::replica::local::rows::Base;
use crate::replica::local::txn::Local;
use crate::store::ScanQuery;
use crate::types::{Collection, Cursor, CursorToken, Seq, SpaceId};

/// Edits that are looked at at once, until one is found that is waited for.
const LOOK_ROWS_MAX: usize = 100;

impl Replica {
    /// Waits until the server has answered everything that was edited here before the call, whatever the answer: what it
    /// refuses is [set aside](Replica::set_aside), what clashes is a [conflict](Replica::conflicts). What the server made
    /// of it was taken in then, so that [`position`](Replica::position) is behind it.
    ///
    /// It only waits: something must sync, [`run`](Replica::run) or [`sync`](Replica::sync). While the server cannot be
    /// reached, or takes no edits, it goes on waiting.
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
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), space, options).await?;
    /// # let running = replica.clone();
    /// tokio::spawn(async move { running.run(&server).await });
    /// replica.put("notes", "1", "milk").await?;
    /// replica.wait_until_sent().await?;
    /// assert!(replica.unsent().await?.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn wait_until_sent(&self) -> Result<()> {
        // Before the first look, or a step between the look and this would be slept through.
        let mut steps = self.0.signals.steps.follow_news();
        let until = self.read(|local| std::future::ready(Ok(local.space_head().head)).boxed()).await?;
        loop {
            let space = self.space().clone();
            if self.read(move |local| async move { local.is_answered(until, &space).await }.boxed()).await? {
                return Ok(());
            }
            steps.next().await;
        }
    }
}

impl Local {
    /// Whether every edit that was begun before this local position was answered, and the answers taken in.
    async fn is_answered(&mut self, until: Seq, space: &SpaceId) -> Result<bool> {
        let state = self.state().await?;
        let taken_in = state.cursor.and_then(|cursor| Cursor::decode(&cursor, space).ok());
        if state.confirmed > taken_in.map_or(Seq::ZERO, |cursor| cursor.seq) {
            return Ok(false);
        }
        let batch = self.batch().await?;
        if batch.is_some_and(|batch| batch.entries.iter().any(|entry| entry.base.since < until)) {
            return Ok(false);
        }
        let collection = Some(Collection::system(Base::COLLECTION));
        let (rows_max, bytes_max) = (LOOK_ROWS_MAX, usize::MAX);
        let mut query =
            ScanQuery { collection, after: None, descending: false, tombstones: false, rows_max, bytes_max };
        loop {
            let page = self.stored(&query).await?;
            for row in &page.records {
                if parse::<Base>(row)?.since < until {
                    return Ok(false);
                }
            }
            query.after = page.records.into_iter().next_back().map(|record| record.key);
            if !page.more {
                return Ok(true);
            }
        }
    }

    /// Notes how far in the server's history the answers to own edits lie, and what stands for that history.
    pub(crate) async fn note_answered(
        &mut self,
        newest: Option<Seq>,
        receipt: Option<CursorToken>,
    ) -> Result<()> {
        let mut state = self.state().await?;
        state.confirmed = state.confirmed.max(newest.unwrap_or_default());
        state.receipt = receipt.or(state.receipt);
        self.save(&state)
    }
}
