//! A transaction, between the tasks that use it and the threads that work on it.
//!
//! Each call moves the view of the space to a blocking thread and takes it back if it succeeded. So a call that failed
//! and a call whose future was dropped end alike: the view is gone, redb undoes what it wrote, the next writer has its
//! turn, and there is nothing left that could be committed.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sync_core::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, HintHub, Page, ScanQuery,
    SpaceHead, StoreTxn,
};
use sync_core::{Error, ErrorKind, Record, RecordKey, Result, Seq};

use crate::blocking::{blocking, drop_blocking};
use crate::error::{Job, unknown_outcome};
use crate::view::View;
use crate::{collect, pages, read, write};

pub(crate) struct RedbTxn {
    head: SpaceHead,
    hub: HintHub,
    /// `None` while a call has it, and after one that did not succeed.
    view: Option<View>,
}

impl RedbTxn {
    pub(crate) fn new(view: View, hub: HintHub) -> Self {
        Self { head: view.head, hub, view: Some(view) }
    }

    fn take(&mut self) -> Result<View> {
        self.view.take().ok_or_else(|| Error::new(ErrorKind::Internal, "this transaction has failed"))
    }

    async fn call<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut View) -> Job<T> + Send + 'static,
    ) -> Result<T> {
        let mut view = self.take()?;
        let (view, answer) = blocking(move || job(&mut view).map(|answer| (view, answer))).await?;
        self.view = Some(view);
        Ok(answer)
    }
}

#[async_trait]
impl StoreTxn for RedbTxn {
    fn head(&self) -> SpaceHead {
        self.head
    }

    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        let keys = keys.to_vec();
        self.call(move |view| read::records(view, &keys)).await
    }

    async fn feed(&mut self, query: &FeedQuery) -> Result<Page> {
        let query = query.clone();
        self.call(move |view| pages::feed(view, &query)).await
    }

    async fn scan(&mut self, query: &ScanQuery) -> Result<Page> {
        let query = query.clone();
        self.call(move |view| pages::scan(view, &query)).await
    }

    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        match query {
            ClientQuery::Named(names) => {
                let names: BTreeSet<_> = names.iter().cloned().collect();
                self.call(move |view| read::named_clients(view, names)).await
            }
            ClientQuery::After(after, limit) => {
                let after = after.cloned();
                self.call(move |view| read::clients_after(view, after.as_ref(), limit)).await
            }
        }
    }

    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>> {
        self.call(move |view| read::commits(view, from, limit)).await
    }

    async fn apply(&mut self, write: &CommitWrite) -> Result<()> {
        let write = write.clone();
        self.call(move |view| write::apply(view, &write)).await
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        self.call(move |view| collect::collect(view, floor, limit)).await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        let (view, hub, before) = (self.take()?, self.hub.clone(), self.head.head);
        let job = move || {
            let (space, head) = (view.space.clone(), view.head.head);
            view.commit()?;
            // Here and not after the await: the caller may be gone, and the commit has happened all the same.
            if head > before {
                hub.publish(&space, head);
            }
            Ok(())
        };
        blocking(job).await.map_err(unknown_outcome)
    }
}

impl Drop for RedbTxn {
    /// Undoing writes to the disk, perhaps.
    fn drop(&mut self) {
        if let Some(view) = self.view.take() {
            drop_blocking(view);
        }
    }
}
