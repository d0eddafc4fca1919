//! Snapshot: the first load of a space, or of some of its collections, page by page in key order.
//!
//! No transaction spans the pages. The position at which the snapshot began goes with it; what changed while it was
//! sent arrives again in the pull from there, deletions as tombstones.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::protocol::{SnapshotPage, SnapshotRequest, SnapshotToken, code};
use crate::service::rules::View;
use crate::service::{Actor, Limits, Service, cursors, scoped, selection};
use crate::store::{Mode, Page, ScanQuery, StoreTxn};
use crate::types::{Collection, CursorToken, Record, RecordKey, SpaceId};

impl Service {
    /// The first page of a snapshot, or the one that `from` of the request stands for.
    ///
    /// # Errors
    ///
    /// [`Invalid`][invalid] with code `invalid_cursor` for a token that is not of this space and these
    /// collections, or whose beginning lies in a history that is gone: begin anew. [`Invalid`][invalid] too
    /// for too many collections, or one that is not [delivered](Collection::is_delivered). [`NotFound`][not found]
    /// for a space that is not there, and what the store reports.
    ///
    /// [invalid]: crate::ErrorKind::Invalid
    /// [not found]: crate::ErrorKind::NotFound
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::protocol::SnapshotRequest;
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, Collection, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (space, me) = (SpaceId::new("family")?, Actor::new(ActorId::new("ada")?, Role::Viewer));
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # service.create_space(&space).await?;
    /// let notes = SnapshotRequest { collections: Some(vec![Collection::new("notes")?]), from: None };
    /// let page = service.snapshot(&me, &space, &notes).await?;
    /// assert_eq!((page.n_records, page.next), (Some(0), None));
    /// # Ok(()) }
    /// ```
    pub async fn snapshot(
        &self,
        actor: &Actor,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> Result<SnapshotPage> {
        let collections = request.collections.as_deref();
        selection::check(collections, &self.0.limits)?;
        let Some(token) = &request.from else { return self.first_page(actor, space, collections).await };
        let (cursor, last) = token.parts(collections)?;
        self.next_page(actor, space, collections, cursor, Some(last)).await
    }

    async fn first_page(
        &self,
        actor: &Actor,
        space: &SpaceId,
        collections: Option<&[Collection]>,
    ) -> Result<SnapshotPage> {
        let (who, name) = (actor.clone(), space.clone());
        let (cursor, counts) = self
            .run(move |inner| async move {
                let view = inner.rules.view(&who);
                let mut txn = inner.store.begin(&name, Mode::Read).await?;
                let head = txn.head().head;
                let cursor = cursors::at(head, view.mark(), txn.as_mut()).await?.encode(&name);
                if !view.is_whole() {
                    return Ok((cursor, scoped::survey(view, txn.as_mut()).await?.0));
                }
                drop(txn);
                Ok((cursor, inner.store.stats(&name).await?.collections))
            })
            .await?;
        let is_asked_for = |name: &Collection| name.is_delivered() && selection::has(collections, name);
        let counted = counts.iter().filter(|counted| is_asked_for(&counted.collection));
        let n_records = Some(counted.map(|counted| counted.n_records).sum());
        let page = self.next_page(actor, space, collections, cursor, None).await?;
        Ok(SnapshotPage { n_records, ..page })
    }

    async fn next_page(
        &self,
        actor: &Actor,
        space: &SpaceId,
        collections: Option<&[Collection]>,
        cursor: CursorToken,
        after: Option<RecordKey>,
    ) -> Result<SnapshotPage> {
        let began = cursors::read(&cursor, space)?;
        let (actor, space, collections) = (actor.clone(), space.clone(), collections.map(<[_]>::to_vec));
        self.run(move |inner| async move {
            let view = inner.rules.view(&actor);
            let mut txn = inner.store.begin(&space, Mode::Read).await?;
            if cursors::judge(&began, view.mark(), txn.as_mut()).await?.is_err() {
                let gone = "the history in which this snapshot began is gone: begin anew";
                return Err(Error::invalid(code::INVALID_CURSOR, gone));
            }
            // It still stands where it began, and is bound to all that was seen since.
            let cursor = cursors::at(began.seq, view.mark(), txn.as_mut()).await?.encode(&space);
            let page = scan(view, txn.as_mut(), collections.as_deref(), after, &inner.limits).await?;
            let last = page.records.last().filter(|_| page.more);
            let next = last.map(|last| SnapshotToken::after(&cursor, &last.key, collections.as_deref()));
            let records = selection::delivered(page.records);
            Ok(SnapshotPage { cursor, n_records: None, records, next })
        })
        .await
    }
}

/// The next records by key: of all collections in one scan, of some in one scan for each.
async fn scan(
    view: View<'_>,
    txn: &mut dyn StoreTxn,
    collections: Option<&[Collection]>,
    after: Option<RecordKey>,
    limits: &Limits,
) -> Result<Page> {
    let mut bytes_left = limits.page_bytes_max;
    let mut found = Page::default();
    for collection in in_order(collections, after.as_ref()) {
        let rows_left = limits.page_rows_max - found.records.len();
        if rows_left == 0 || bytes_left == 0 {
            found.more = true;
            break;
        }
        let after = after.clone();
        let query = ScanQuery {
            collection,
            after,
            descending: false,
            tombstones: false,
            rows_max: rows_left,
            bytes_max: bytes_left,
        };
        let page = scoped::scan(view, txn, &query).await?;
        bytes_left = bytes_left.saturating_sub(page.records.iter().map(Record::data_len).sum());
        found.records.extend(page.records);
        found.more = page.more;
        if page.more {
            break;
        }
    }
    Ok(found)
}

/// What to scan one after the other, so that keys ascend: everything at once, or these collections without those that
/// lie before the place.
fn in_order(collections: Option<&[Collection]>, after: Option<&RecordKey>) -> Vec<Option<Collection>> {
    let Some(collections) = collections else { return vec![None] };
    let is_left = |name: &&Collection| after.is_none_or(|after| **name >= after.collection);
    let left: BTreeSet<&Collection> = collections.iter().filter(is_left).collect();
    left.into_iter().cloned().map(Some).collect()
}
