//! What must hold for the lines of one space together. Pure: neither a store nor a text.

use crate::copy::line::{Row, SpaceEnd, SpaceLine};
use crate::state_hash::StateHasher;
use crate::store::{ClientState, CommitInfo, LogEntry, SpaceHead};
use crate::types::{ClientId, Record, RecordKey, Seq};

/// Whether a line may stand where it does; text for people when it may not.
pub(super) type Checked = Result<(), &'static str>;

/// The kinds of lines in a space, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Commits,
    Clients,
    Log,
    Records,
}

/// Follows the lines of a space, and counts them.
#[derive(Debug)]
pub(super) struct SpaceCheck {
    head: SpaceHead,
    part: Part,
    commit: Option<CommitInfo>,
    client: Option<ClientId>,
    entry: Option<i64>,
    record: Option<RecordKey>,
    n_commits: u64,
    n_clients: u64,
    n_log: u64,
    n_records: u64,
    hasher: StateHasher,
}

impl SpaceCheck {
    pub(super) fn new(space: &SpaceLine) -> Result<Self, &'static str> {
        let head = space.head();
        if head.log_head < 0 {
            return Err("its log has a negative number");
        }
        Ok(Self {
            head,
            part: Part::Commits,
            commit: None,
            client: None,
            entry: None,
            record: None,
            n_commits: 0,
            n_clients: 0,
            n_log: 0,
            n_records: 0,
            hasher: StateHasher::default(),
        })
    }

    /// Whether `row` may come next.
    pub(super) fn row(&mut self, row: &Row) -> Checked {
        match row {
            Row::Commit(commit) => self.commit(commit),
            Row::Client(state) => self.client(state),
            Row::Log(entry) => self.log(entry),
            Row::Record(record) => self.record(record),
        }
    }

    /// Commits come ascending, none of them wholly below the floor. That the last is the head is seen at their end.
    fn commit(&mut self, commit: &CommitInfo) -> Checked {
        self.enter(Part::Commits)?;
        let after = self.commit.map_or(Seq::ZERO, |before| before.last);
        if commit.first <= after || commit.last < commit.first {
            return Err("its commits are not ascending");
        }
        if commit.last < self.head.floor {
            return Err("a commit lies below the floor");
        }
        self.commit = Some(*commit);
        self.n_commits += 1;
        Ok(())
    }

    /// Replicas come ascending by name.
    fn client(&mut self, state: &ClientState) -> Checked {
        self.enter(Part::Clients)?;
        if self.client.as_ref().is_some_and(|before| *before >= state.client) {
            return Err("its replicas are not ascending");
        }
        self.client = Some(state.client.clone());
        self.n_clients += 1;
        Ok(())
    }

    /// Log entries come ascending without a gap.
    fn log(&mut self, entry: &LogEntry) -> Checked {
        self.enter(Part::Log)?;
        let is_next = self.entry.map_or(entry.entry > 0, |before| before.checked_add(1) == Some(entry.entry));
        if !is_next || entry.entry > self.head.log_head {
            return Err("its log entries are not ascending, or pass the newest number");
        }
        self.entry = Some(entry.entry);
        self.n_log += 1;
        Ok(())
    }

    /// Records come ascending by key, after everything else.
    fn record(&mut self, record: &Record) -> Checked {
        self.enter(Part::Records)?;
        if self.record.as_ref().is_some_and(|before| *before >= record.key) {
            return Err("its records are not ascending");
        }
        if record.meta.version == Seq::ZERO || record.meta.version > self.head.head {
            return Err("a record lies past the head");
        }
        self.record = Some(record.key.clone());
        self.n_records += 1;
        self.hasher.add(record, record.meta.version);
        Ok(())
    }

    /// How many records there were.
    pub(super) fn n_records(&self) -> u64 {
        self.n_records
    }

    /// Ends all that comes before the records, and says what a collection took of the newest; `None` when it has ended
    /// before.
    pub(super) fn history(&mut self) -> Result<Option<Collected>, &'static str> {
        let SpaceHead { head, tag, floor, log_head, .. } = self.head;
        if std::mem::replace(&mut self.part, Part::Records) == Part::Records {
            return Ok(None);
        }
        let newest = CommitInfo { first: head, last: head, tag };
        let commit = match self.commit {
            Some(commit) if (commit.last, commit.tag) == (head, tag) => None,
            // All commits that end below the floor are gone, and this one may be among them.
            None if head > Seq::ZERO && floor > head => Some(newest),
            None if head == Seq::ZERO => None,
            _ => return Err("its newest commit is not the head"),
        };
        match self.entry {
            Some(entry) if entry != log_head => Err("its newest log entry is missing"),
            Some(_) => Ok(Some(Collected { commit, entry: None })),
            None => Ok(Some(Collected { commit, entry: Some(log_head).filter(|entry| *entry > 0) })),
        }
    }

    /// All that the end of a space says of it.
    pub(super) fn end(&self) -> SpaceEnd {
        let Self { n_commits, n_clients, n_log, n_records, .. } = *self;
        SpaceEnd { n_commits, n_clients, n_log, n_records, state_hash: self.hasher.finish() }
    }

    fn enter(&mut self, part: Part) -> Checked {
        if part < self.part {
            return Err("the parts of the space are in another order");
        }
        self.part = part;
        Ok(())
    }
}

/// The newest commit and the number of the newest log entry, where a collection took them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Collected {
    pub(super) commit: Option<CommitInfo>,
    pub(super) entry: Option<i64>,
}
