//! A part of a collection as a local transaction sees it: what is stored, overlaid with what the transaction wrote.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::replica::local::txn::Local;
use crate::store::ScanQuery;
use crate::types::{Record, RecordId, RecordKey};

impl Local {
    /// Live records of a collection after a place, ascending by id, and the place to go on from if there are more. The
    /// query names the collection; with what was written here, there may be more records than it asks for.
    pub(crate) async fn listed(&mut self, query: &ScanQuery) -> Result<(Vec<Record>, Option<RecordKey>)> {
        let page = self.stored(query).await?;
        // A page that is cut says nothing of what comes after its last record.
        let upto = page.records.last().filter(|_| page.more).map(|record| record.key.clone());
        let mut written = self.written().filter(|(key, _)| is_inside(key, query, upto.as_ref())).peekable();
        if written.peek().is_none() {
            drop(written);
            return Ok((page.records, upto));
        }
        let mut seen: BTreeMap<RecordId, Record> =
            page.records.into_iter().map(|record| (record.key.id.clone(), record)).collect();
        for (key, record) in written {
            match record.filter(|record| !record.is_deleted()) {
                Some(record) => seen.insert(key.id.clone(), record.clone()),
                None => seen.remove(&key.id),
            };
        }
        Ok((seen.into_values().collect(), upto))
    }
}

fn is_inside(key: &RecordKey, query: &ScanQuery, upto: Option<&RecordKey>) -> bool {
    query.collection.as_ref() == Some(&key.collection)
        && query.after.as_ref().is_none_or(|after| key.id > after.id)
        && upto.is_none_or(|upto| key.id <= upto.id)
}
