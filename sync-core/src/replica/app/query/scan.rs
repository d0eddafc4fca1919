//! Answering a query: one pass over the collection, holding no more than is needed.

use std::cmp::Ordering;

use serde_json::Value;

use super::Query;
use super::order::compare;
use crate::error::{Error, Result};
use crate::json::Json;
use crate::protocol::code;
use crate::replica::local::txn::Local;
use crate::store::ScanQuery;
use crate::types::{Collection, Record, RecordKey};

/// Records that are looked at at once.
const SCAN_ROWS_MAX: usize = 1000;
/// Their content at most.
const SCAN_BYTES_MAX: usize = 4 << 20;
/// Content of an answer at most: what a small device can hold. A limit of 64 always fits.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A record that may belong to the answer, and what it is ordered by.
struct Candidate {
    place: Option<Value>,
    record: Record,
}

/// The best candidates so far.
struct Answer {
    query: Query,
    limit: usize,
    held: Vec<Candidate>,
    n_bytes: usize,
}

impl Local {
    /// Answers a query over what this transaction sees.
    pub(crate) async fn list(&mut self, collection: Collection, query: Query) -> Result<Vec<Record>> {
        let after = query.check()?;
        let (from, until) = if query.is_descending { (None, after) } else { (after, None) };
        let mut next = from.map(|id| RecordKey::new(collection.clone(), id));
        let mut answer = Answer::new(query);
        while !answer.is_complete() {
            let (records, go_on) = self
                .listed(&ScanQuery {
                    collection: Some(collection.clone()),
                    after: next.take(),
                    descending: false,
                    tombstones: false,
                    rows_max: answer.rows_wanted(),
                    bytes_max: SCAN_BYTES_MAX,
                })
                .await?;
            next = go_on;
            let is_before_end = |record: &Record| until.as_ref().is_none_or(|until| record.key.id < *until);
            let is_inside = records.last().is_none_or(is_before_end);
            for record in records.into_iter().filter(is_before_end) {
                answer.offer(record)?;
            }
            if next.is_none() || !is_inside {
                break;
            }
        }
        answer.finish()
    }
}

impl Answer {
    fn new(query: Query) -> Self {
        let limit = query.limit.unwrap_or(usize::MAX);
        Self { query, limit, held: Vec::new(), n_bytes: 0 }
    }

    /// Whether records arrive in the order of the answer.
    fn is_in_order(&self) -> bool {
        self.query.order.is_none() && !self.query.is_descending
    }

    /// Whether nothing that is yet to come can belong to it.
    fn is_complete(&self) -> bool {
        self.limit == 0 || (self.is_in_order() && self.held.len() >= self.limit)
    }

    /// How many records to look at next: no more than are missing, where each of them will do.
    fn rows_wanted(&self) -> usize {
        let all_will_do = self.is_in_order() && self.query.filters.is_empty();
        let n_missing = if all_will_do { self.limit - self.held.len() } else { usize::MAX };
        n_missing.min(SCAN_ROWS_MAX)
    }

    fn offer(&mut self, record: Record) -> Result<()> {
        if self.is_complete() {
            return Ok(());
        }
        let needs_value = !self.query.filters.is_empty() || self.query.order.is_some();
        let value = record.data.as_ref().filter(|_| needs_value).map(Json::to_value);
        if value.as_ref().is_some_and(|value| !self.query.matches_value(value)) {
            return Ok(());
        }
        let place =
            self.query.order.as_ref().and_then(|order| value?.pointer_mut(order.as_str()).map(Value::take));
        self.n_bytes = self.n_bytes.saturating_add(record.data_len());
        self.held.push(Candidate { place, record });
        // Twice the limit, so that sorting now and then costs little.
        if self.held.len() >= self.limit.saturating_mul(2) || self.n_bytes > ANSWER_BYTES_MAX {
            self.settle();
        }
        if self.n_bytes > ANSWER_BYTES_MAX {
            let message = "the answer to a query is too large: ask for less at once with a limit";
            let limit = u64::try_from(ANSWER_BYTES_MAX).unwrap_or(u64::MAX);
            return Err(Error::invalid(code::VALIDATION_FAILED, message).with_limit(limit));
        }
        Ok(())
    }

    /// Puts what is held in order and lets go of what is too much.
    fn settle(&mut self) {
        let is_descending = self.query.is_descending;
        self.held.sort_unstable_by(|a, b| {
            let ordering = a.compare(b);
            if is_descending { ordering.reverse() } else { ordering }
        });
        self.held.truncate(self.limit);
        self.n_bytes = self.held.iter().map(|candidate| candidate.record.data_len()).sum();
    }

    fn finish(mut self) -> Result<Vec<Record>> {
        self.settle();
        Ok(self.held.into_iter().map(|candidate| candidate.record).collect())
    }
}

impl Candidate {
    fn compare(&self, other: &Self) -> Ordering {
        compare(self.place.as_ref(), other.place.as_ref())
            .then_with(|| self.record.key.id.cmp(&other.record.key.id))
    }
}
