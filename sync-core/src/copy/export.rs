//! Writing everything in a store.

use crate::accounts::{Accounts, Holder, SPACE_INFOS_MAX};
use crate::copy::check::SpaceCheck;
use crate::copy::line::{End, HeaderLine, Line, MemberLine, Row, SpaceLine};
use crate::copy::people;
use crate::copy::write::LineWriter;
use crate::copy::{FORMAT, OnProgress, PAGE_BYTES, PAGE_ROWS, Progress, Sink, Totals};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{CLIENTS_PAGE, ClientQuery, ScanQuery, Store, StoreExt, StoreTxn};
use crate::types::{ActorId, CredentialId, SpaceId};

/// Writes all spaces with their names, users, members, devices and invites of a store to `sink`.
///
/// Each space is read in one transaction, so what is written of it belongs together; different spaces come from different
/// moments. For a move nobody may write to the store from here on: what is written after a space was read is not in the
/// export. A space that is deleted before it is read is left out. In memory it holds a page of rows, and the names of all
/// spaces (some 50 bytes each).
///
/// # Errors
///
/// What the store reports; [`Corrupt`](ErrorKind::Corrupt) when what it says of a space does not fit together;
/// [`Contended`](ErrorKind::Contended) when a log was collected while it was read, so try again;
/// [`StorageFull`](ErrorKind::StorageFull) and [`Unavailable`](ErrorKind::Unavailable) when the sink fails. What was
/// written up to then has no end and will not be imported.
pub async fn export(
    store: &dyn Store,
    accounts: &dyn Accounts,
    sink: &mut dyn Sink,
    on_progress: OnProgress<'_>,
) -> Result<Totals> {
    let mut names = all_names(store).await?;
    let n_spaces = u64::try_from(names.len()).unwrap_or(u64::MAX);
    let progress = Progress { n_spaces_total: n_spaces, ..Progress::default() };
    let mut export = Export { out: LineWriter::new(sink), on_progress, progress, totals: Totals::default() };
    export.out.line(&Line::SyncExport(HeaderLine { format: FORMAT, n_spaces })).await?;
    let mut n_left_out = Vec::new();
    for (idx, name) in names.iter().enumerate() {
        if !export.space(store, name).await? {
            n_left_out.push(idx);
        }
    }
    n_left_out.into_iter().rev().for_each(|idx| drop(names.remove(idx)));
    export.users(accounts).await?;
    for names in names.chunks(SPACE_INFOS_MAX) {
        export.people_of(accounts, names).await?;
    }
    export.credentials(accounts, &Holder::Server).await?;
    export.end().await
}

async fn all_names(store: &dyn Store) -> Result<Vec<SpaceId>> {
    let mut names: Vec<SpaceId> = Vec::new();
    loop {
        let page = store.spaces(names.last(), PAGE_ROWS).await?;
        let is_last = page.len() < PAGE_ROWS;
        names.extend(page);
        if is_last {
            return Ok(names);
        }
    }
}

struct Export<'a> {
    out: LineWriter<'a>,
    on_progress: OnProgress<'a>,
    progress: Progress,
    totals: Totals,
}

impl Export<'_> {
    /// Writes a space; `false` when it is gone.
    async fn space(&mut self, store: &dyn Store, name: &SpaceId) -> Result<bool> {
        let mut txn = match store.read(name).await {
            Ok(txn) => txn,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let counts = store.stats(name).await?.collections;
        let n_records = counts.iter().map(|of| of.n_records + of.n_tombstones).sum();
        (self.progress.n_records, self.progress.n_records_total) = (0, n_records);
        let line = SpaceLine::new(name, txn.head(), n_records);
        let mut check = SpaceCheck::new(&line).map_err(|why| unsound(name, why))?;
        self.out.line(&Line::Space(line)).await?;
        self.commits(name, &mut *txn, &mut check).await?;
        self.clients(name, &mut *txn, &mut check).await?;
        self.log(store, name, txn.head().log_head, &mut check).await?;
        check.history().map_err(|why| unsound(name, why))?;
        self.records(name, &mut *txn, &mut check).await?;
        self.out.line(&Line::SpaceEnd(check.end())).await?;
        self.totals.n_spaces += 1;
        self.totals.n_records += check.n_records();
        self.progress.n_spaces += 1;
        (self.on_progress)(self.progress);
        Ok(true)
    }

    async fn row(&mut self, name: &SpaceId, row: Row, check: &mut SpaceCheck) -> Result<()> {
        check.row(&row).map_err(|why| unsound(name, why))?;
        self.out.line(&row.into()).await
    }

    async fn commits(
        &mut self,
        name: &SpaceId,
        txn: &mut dyn StoreTxn,
        check: &mut SpaceCheck,
    ) -> Result<()> {
        // Those that end below the floor are on their way out.
        let mut next = Some(txn.head().floor);
        while let Some(from) = next {
            let page = txn.commits(from, PAGE_ROWS).await?;
            next = page.last().filter(|_| page.len() == PAGE_ROWS).and_then(|last| last.last.checked_add(1));
            for commit in page {
                self.row(name, Row::Commit(commit), check).await?;
            }
        }
        Ok(())
    }

    async fn clients(
        &mut self,
        name: &SpaceId,
        txn: &mut dyn StoreTxn,
        check: &mut SpaceCheck,
    ) -> Result<()> {
        let mut last = None;
        loop {
            let page = txn.clients(ClientQuery::After(last.as_ref(), CLIENTS_PAGE)).await?;
            let is_last = page.len() < CLIENTS_PAGE;
            last = page.last().map(|state| state.client.clone());
            for state in page {
                self.row(name, Row::Client(state), check).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Entries never change, so they need not be read in the transaction; but a collection may take the oldest away.
    async fn log(
        &mut self,
        store: &dyn Store,
        name: &SpaceId,
        log_head: i64,
        check: &mut SpaceCheck,
    ) -> Result<()> {
        let mut next = oldest_entry(store, name, log_head).await?;
        while next <= log_head {
            let end = next.saturating_add(PAGE_ROWS as i64).min(log_head.saturating_add(1));
            let page = store.log(name, Some(end), usize::try_from(end - next).unwrap_or(PAGE_ROWS)).await?;
            if page.last().is_none_or(|oldest| oldest.entry != next) {
                let message = format!("the log of {name} was collected while it was read; try again");
                return Err(Error::new(ErrorKind::Contended, message));
            }
            for entry in page.into_iter().rev() {
                self.row(name, Row::Log(entry), check).await?;
            }
            next = end;
        }
        Ok(())
    }

    async fn records(
        &mut self,
        name: &SpaceId,
        txn: &mut dyn StoreTxn,
        check: &mut SpaceCheck,
    ) -> Result<()> {
        let mut query = ScanQuery {
            collection: None,
            after: None,
            descending: false,
            tombstones: true,
            rows_max: PAGE_ROWS,
            bytes_max: PAGE_BYTES,
        };
        loop {
            let page = txn.scan(&query).await?;
            query.after = page.records.last().map(|record| record.key.clone());
            let n = u64::try_from(page.records.len()).unwrap_or(u64::MAX);
            for record in page.records {
                self.row(name, Row::Record(record), check).await?;
            }
            self.progress.n_records += n;
            self.progress.n_records_overall += n;
            (self.on_progress)(self.progress);
            if !page.more {
                return Ok(());
            }
        }
    }

    async fn users(&mut self, accounts: &dyn Accounts) -> Result<()> {
        let mut last: Option<ActorId> = None;
        loop {
            let page = accounts.users(last.as_ref(), PAGE_ROWS).await?;
            let is_last = page.len() < PAGE_ROWS;
            last = page.last().map(|user| user.id.clone());
            for user in page {
                let holder = Holder::User(user.id.clone());
                self.out.line(&Line::User(user)).await?;
                self.totals.n_users += 1;
                self.credentials(accounts, &holder).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// What accounts know of these spaces.
    async fn people_of(&mut self, accounts: &dyn Accounts, names: &[SpaceId]) -> Result<()> {
        let mut infos = accounts.space_infos(names).await?.into_iter().peekable();
        for name in names {
            if let Some(info) = infos.next_if(|info| info.space == *name) {
                self.out.line(&Line::SpaceInfo(info)).await?;
                self.totals.n_space_infos += 1;
            }
            self.members(accounts, name).await?;
            self.credentials(accounts, &Holder::Space(name.clone())).await?;
        }
        Ok(())
    }

    async fn members(&mut self, accounts: &dyn Accounts, space: &SpaceId) -> Result<()> {
        let mut last: Option<ActorId> = None;
        loop {
            let page = accounts.members(space, last.as_ref(), PAGE_ROWS).await?;
            let is_last = page.len() < PAGE_ROWS;
            last = page.last().map(|(actor, _)| actor.clone());
            for (actor, role) in page {
                self.out.line(&Line::Member(MemberLine { space: space.clone(), actor, role })).await?;
                self.totals.n_members += 1;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn credentials(&mut self, accounts: &dyn Accounts, holder: &Holder) -> Result<()> {
        let mut last: Option<CredentialId> = None;
        loop {
            let page = accounts.credentials(holder, last.as_ref(), PAGE_ROWS).await?;
            let is_last = page.len() < PAGE_ROWS;
            last = page.last().map(|credential| credential.id.clone());
            for credential in page.into_iter().filter(people::moves) {
                self.out.line(&Line::Credential(credential)).await?;
                self.totals.n_credentials += 1;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn end(mut self) -> Result<Totals> {
        self.out.line(&Line::End(End::of(self.totals))).await?;
        self.out.flush().await?;
        Ok(self.totals)
    }
}

/// The number of the oldest entry that is there, or the one after `log_head` when there is none. Numbers have no gaps and
/// entries go oldest first, so halving finds it.
async fn oldest_entry(store: &dyn Store, name: &SpaceId, log_head: i64) -> Result<i64> {
    let (mut gone, mut there) = (0, log_head.saturating_add(1));
    while there - gone > 1 {
        let middle = gone + (there - gone) / 2;
        let is_there = !store.log(name, Some(middle + 1), 1).await?.is_empty();
        (gone, there) = if is_there { (gone, middle) } else { (middle, there) };
    }
    Ok(there)
}

fn unsound(space: &SpaceId, why: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("space {space} in the store does not fit together: {why}"))
}
