//! Receiving a snapshot: a stream of records in the order of their keys, cut into parts that are stored one by one.

use std::collections::BTreeSet;

use futures_util::{FutureExt, StreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{SnapshotItem, SnapshotRequest, SnapshotToken};
use crate::replica::Replica;
use crate::replica::load::Part;
use crate::replica::local::place::Side;
use crate::replica::local::state::{Loading, State};
use crate::replica::sync::Run;
use crate::replica::tell::progress::Phase;
use crate::types::{Collection, Cursor, CursorToken, Record, RecordKey, SpaceId};

/// Records in a part: one local transaction, as many keys as one statement carries.
const PART_ROWS_MAX: usize = 1000;
/// Content in a part: what is held in memory while it is received.
const PART_BYTES_MAX: usize = 8 << 20;

/// A snapshot that is being received.
#[derive(Default)]
struct Stream {
    selection: Option<BTreeSet<Collection>>,
    /// What is stored with the next part.
    loading: Loading,
    n_received: u64,
    /// The last record that was received.
    last: Option<RecordKey>,
    records: Vec<Record>,
    n_bytes: usize,
    has_begun: bool,
}

impl Replica {
    /// Begins an attempt to load a side, from where that side is: from now on parts of others are not taken any more.
    async fn begin_stream(&self, side: Side) -> Result<Loading> {
        self.write_at(side, |local| {
            async move {
                let mut state = local.state().await?;
                state.loading.stream = state.loading.stream.wrapping_add(1);
                local.save(&state)?;
                Ok(state.loading)
            }
            .boxed()
        })
        .await
    }
}

impl Run<'_> {
    /// Receives a snapshot into a side, from where that side is.
    pub(crate) async fn receive(&mut self, side: Side, state: State) -> Result<()> {
        let space = self.replica.space().clone();
        let collections = state.wanted();
        let selection = state.selection.clone();
        let loading = self.replica.begin_stream(side).await?;
        let request = SnapshotRequest { collections, from: loading.resume.clone() };
        let mut items = self.transport.snapshot(&space, &request);
        let (n_received, has_begun) = (loading.n_done, loading.resume.is_some());
        let mut stream = Stream { selection, loading, n_received, has_begun, ..Stream::default() };
        while let Some(item) = items.next().await {
            match item? {
                SnapshotItem::Begin { cursor, n_records } => stream.begin(&cursor, n_records, &space)?,
                SnapshotItem::Record(record) => {
                    stream.push(*record)?;
                    if stream.is_full() {
                        self.store(side, &mut stream, None, None).await?;
                    }
                }
                SnapshotItem::Resume(token) => self.store(side, &mut stream, Some(token), None).await?,
                SnapshotItem::End { cursor } => {
                    stream.expect_begun()?;
                    of_space(&cursor, &space)?;
                    return self.store(side, &mut stream, None, Some(cursor)).await;
                }
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the snapshot was cut"))
    }

    /// Stores what was received, and where to go on.
    async fn store(
        &mut self,
        side: Side,
        stream: &mut Stream,
        resume: Option<SnapshotToken>,
        end: Option<CursorToken>,
    ) -> Result<()> {
        stream.expect_begun()?;
        let part = stream.take(resume, end);
        let (n_done, n_total) = (stream.n_received, stream.loading.n_total);
        let report = self.replica.write_at(side, move |local| local.load_part(part).boxed()).await?;
        self.report.add(report);
        self.tell(Phase::Loading, n_done, Some(n_total.max(n_done)));
        Ok(())
    }
}

impl Stream {
    fn begin(&mut self, cursor: &CursorToken, n_total: u64, space: &SpaceId) -> Result<()> {
        of_space(cursor, space)?;
        if self.has_begun {
            return Err(distrusted("begins twice"));
        }
        (self.loading.n_total, self.has_begun) = (n_total, true);
        Ok(())
    }

    fn push(&mut self, record: Record) -> Result<()> {
        self.expect_begun()?;
        if self.last.as_ref().is_some_and(|last| *last >= record.key) {
            return Err(distrusted("is not in order"));
        }
        self.last = Some(record.key.clone());
        self.n_received += 1;
        self.n_bytes += record.data_len();
        self.records.push(record);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.records.len() >= PART_ROWS_MAX || self.n_bytes >= PART_BYTES_MAX
    }

    fn expect_begun(&self) -> Result<()> {
        if self.has_begun { Ok(()) } else { Err(distrusted("has no beginning")) }
    }

    /// What was received since the last part. Without a place to go on from it will be received again if the stream
    /// breaks, and is not counted yet.
    fn take(&mut self, resume: Option<SnapshotToken>, end: Option<CursorToken>) -> Part {
        self.n_bytes = 0;
        if resume.is_some() {
            (self.loading.resume, self.loading.n_done) = (resume, self.n_received);
        }
        self.loading.is_stray = self.loading.resume.is_none();
        Part {
            selection: self.selection.clone(),
            records: std::mem::take(&mut self.records),
            loading: self.loading.clone(),
            end,
        }
    }
}

fn of_space(cursor: &CursorToken, space: &SpaceId) -> Result<()> {
    Cursor::decode(cursor, space).map(|_| ()).map_err(|_| distrusted("carries another space's cursor"))
}

fn distrusted(why: &str) -> Error {
    Error::new(ErrorKind::Distrusted, format!("the snapshot {why}"))
}
