//! Loading a snapshot, part by part. What is dirty is merged, what the server does not have any more goes.
//!
//! ```text
//! server   a b   d e │ f g h │ i    sends keys in order, with a place to resume after each part
//! local    a   c d   │ f   h │      a part says everything about its range of keys: c is gone
//! ```

use futures_util::{FutureExt, StreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{SnapshotItem, SnapshotToken};
use crate::replica::load::Part;
use crate::replica::report::Phase;
use crate::replica::rows::Loading;
use crate::replica::sync::Run;
use crate::types::{Cursor, CursorToken, Record, RecordKey, SpaceId};

/// Records in a part: one local transaction, as many keys as one statement carries.
const PART_ROWS_MAX: usize = 1000;
/// Content in a part: what is held in memory while it is received.
const PART_BYTES_MAX: usize = 8 << 20;

/// A snapshot that is being received.
struct Stream {
    loading: Loading,
    /// The last record that was received.
    last: Option<RecordKey>,
    part: Part,
    n_bytes: usize,
    has_begun: bool,
}

impl Run<'_> {
    /// Loads the space if the replica has no cursor. Goes on where an earlier attempt broke, as long as attempts lead
    /// further.
    pub(super) async fn load(&mut self) -> Result<()> {
        loop {
            let state = self.replica.state().await?;
            if state.cursor.is_some() {
                return Ok(());
            }
            let before = state.loading.clone();
            let Err(error) = self.receive(state.loading).await else { return Ok(()) };
            let has_moved = self.replica.state().await?.loading.resume != before.resume;
            match error.kind() {
                ErrorKind::Invalid if before.resume.is_some() => self.start_over(before.replace).await?,
                ErrorKind::Unavailable if has_moved => {}
                _ => return Err(error),
            }
        }
    }

    /// The place to resume from is of no use any more.
    async fn start_over(&mut self, replace: bool) -> Result<()> {
        self.replica
            .write(move |local| {
                async move {
                    let mut state = local.state().await?;
                    state.loading = Loading { replace, ..Loading::default() };
                    local.save(&state)
                }
                .boxed()
            })
            .await
    }

    async fn receive(&mut self, loading: Loading) -> Result<()> {
        let space = self.replica.space().clone();
        let mut items = self.transport.snapshot(&space, loading.resume.as_ref());
        let part = Part { after: loading.last.clone(), ..Part::default() };
        let has_begun = loading.resume.is_some();
        let mut stream = Stream { last: loading.last.clone(), loading, part, n_bytes: 0, has_begun };
        while let Some(item) = items.next().await {
            match item? {
                SnapshotItem::Begin { cursor, n_records } => stream.begin(&cursor, n_records, &space)?,
                SnapshotItem::Record(record) => {
                    stream.push(*record)?;
                    if stream.is_full() {
                        self.store(&mut stream, None, None).await?;
                    }
                }
                SnapshotItem::Resume(token) => self.store(&mut stream, Some(token), None).await?,
                SnapshotItem::End { cursor } => {
                    stream.expect_begun()?;
                    of_space(&cursor, &space)?;
                    return self.store(&mut stream, None, Some(cursor)).await;
                }
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the snapshot was cut"))
    }

    /// Stores what was received, and where to go on.
    async fn store(
        &mut self,
        stream: &mut Stream,
        resume: Option<SnapshotToken>,
        end: Option<CursorToken>,
    ) -> Result<()> {
        stream.expect_begun()?;
        let part = stream.take(resume, end);
        let (n_done, n_total) = (stream.loading.n_done, stream.loading.n_total);
        let report = self.replica.write(move |local| local.load_part(part).boxed()).await?;
        self.report.add(report);
        self.tell(Phase::Loading, n_done, Some(n_total.max(n_done)));
        Ok(())
    }
}

impl Stream {
    fn begin(&mut self, cursor: &CursorToken, n_total: u64, space: &SpaceId) -> Result<()> {
        of_space(cursor, space)?;
        let replace = self.loading.replace;
        *self = Self {
            loading: Loading { n_total, replace, ..Loading::default() },
            last: None,
            part: Part::default(),
            n_bytes: 0,
            has_begun: true,
        };
        Ok(())
    }

    fn push(&mut self, record: Record) -> Result<()> {
        self.expect_begun()?;
        if self.last.as_ref().is_some_and(|last| *last >= record.key) {
            return Err(distrusted("is not in order"));
        }
        self.last = Some(record.key.clone());
        self.n_bytes += record.data_len();
        self.part.records.push(record);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.part.records.len() >= PART_ROWS_MAX || self.n_bytes >= PART_BYTES_MAX
    }

    fn expect_begun(&self) -> Result<()> {
        if self.has_begun { Ok(()) } else { Err(distrusted("has no beginning")) }
    }

    /// What was received since the last part.
    fn take(&mut self, resume: Option<SnapshotToken>, end: Option<CursorToken>) -> Part {
        self.n_bytes = 0;
        self.loading.n_done += u64::try_from(self.part.records.len()).unwrap_or(u64::MAX);
        if resume.is_some() {
            (self.loading.resume, self.loading.last) = (resume, self.last.clone());
        }
        let next = Part { after: self.last.clone(), ..Part::default() };
        let part = std::mem::replace(&mut self.part, next);
        Part { upto: self.last.clone(), loading: self.loading.clone(), end, ..part }
    }
}

fn of_space(cursor: &CursorToken, space: &SpaceId) -> Result<()> {
    Cursor::decode(cursor, space).map(|_| ()).map_err(|_| distrusted("carries another space's cursor"))
}

fn distrusted(why: &str) -> Error {
    Error::new(ErrorKind::Distrusted, format!("the snapshot {why}"))
}
