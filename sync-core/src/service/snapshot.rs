//! Snapshot: the first load of a space, page by page in key order.
//!
//! No transaction spans the pages. The position at which the snapshot began goes with it; what changed while it was
//! sent arrives again in the pull from there, deletions as tombstones.

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{SnapshotPage, SnapshotToken};
use crate::service::{Service, cursors};
use crate::store::{Mode, ScanQuery};
use crate::types::{CursorToken, RecordKey, SpaceId};

impl Service {
    /// The first page of a snapshot, or the one that `from` stands for.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) with code `invalid_cursor` for a token that is not of this space or whose
    /// beginning lies in a history that is gone: begin anew. [`NotFound`](ErrorKind::NotFound) for a space that is not
    /// there, and what the store reports.
    pub async fn snapshot(&self, space: &SpaceId, from: Option<&SnapshotToken>) -> Result<SnapshotPage> {
        match from {
            None => self.first_page(space).await,
            Some(token) => {
                let (cursor, last) = token.parts()?;
                self.next_page(space, cursor, Some(last), None).await
            }
        }
    }

    async fn first_page(&self, space: &SpaceId) -> Result<SnapshotPage> {
        let name = space.clone();
        let (cursor, n_records) = self
            .run(move |inner| async move {
                let mut txn = inner.store.begin(&name, Mode::Read).await?;
                let head = txn.head().head;
                let cursor = cursors::at(head, txn.as_mut()).await?;
                drop(txn);
                let stats = inner.store.stats(&name).await?;
                let n_records = stats.collections.iter().map(|collection| collection.n_records).sum();
                Ok((cursor.encode(&name), n_records))
            })
            .await?;
        self.next_page(space, cursor, None, Some(n_records)).await
    }

    async fn next_page(
        &self,
        space: &SpaceId,
        cursor: CursorToken,
        after: Option<RecordKey>,
        n_records: Option<u64>,
    ) -> Result<SnapshotPage> {
        let began = cursors::read(&cursor, space)?;
        let space = space.clone();
        self.run(move |inner| async move {
            let mut txn = inner.store.begin(&space, Mode::Read).await?;
            if cursors::judge(&began, txn.as_mut()).await?.is_err() {
                let gone = Error::new(
                    ErrorKind::Invalid,
                    "the history in which this snapshot began is gone: begin anew",
                );
                return Err(gone.with_code(crate::protocol::code::INVALID_CURSOR));
            }
            let query = ScanQuery {
                collection: None,
                after,
                tombstones: false,
                rows_max: inner.limits.page_rows_max,
                bytes_max: inner.limits.page_bytes_max,
            };
            let page = txn.scan(&query).await?;
            let last = page.records.last().filter(|_| page.more);
            let next = last.map(|record| SnapshotToken::after(&cursor, &record.key));
            Ok(SnapshotPage { cursor, n_records, records: page.records, next })
        })
        .await
    }
}
