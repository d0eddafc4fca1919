//! Reading an export into a store.

use crate::accounts::Accounts;
use crate::copy::check::SpaceCheck;
use crate::copy::fill::{self, Target};
use crate::copy::line::{End, HeaderLine, Line, Row, SpaceLine};
use crate::copy::people::People;
use crate::copy::read::LineReader;
use crate::copy::{OnProgress, PAGE_ROWS, Progress, Source, Totals};
use crate::error::Result;
use crate::store::Store;
use crate::types::SpaceId;

/// Reads an export into a store that nobody else uses meanwhile.
///
/// Each space is written in one transaction, after its records were compared with the export: it is there whole, or empty.
/// Users, names of spaces, members and credentials come after all spaces, so that nobody gets into a server that is half there. What is in the store
/// already is never changed: a space, user, role or credential that equals the one in the export is passed over, an empty space is
/// replaced, and anything else ends the import. So an import that broke can simply be started again, and a second one of
/// the same export does nothing. In memory it holds a page of rows.
///
/// # Errors
///
/// [`Invalid`](crate::ErrorKind::Invalid) when the text is no export, and
/// [`Incompatible`](crate::ErrorKind::Incompatible) when it is one of a newer format;
/// [`Corrupt`](crate::ErrorKind::Corrupt) with the number of the line where it is damaged or ends too early, or when the
/// store does not hold what it was given; [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when something else is in the
/// way; [`Unavailable`](crate::ErrorKind::Unavailable) when the source fails; and what the store reports.
pub async fn import(
    store: &dyn Store,
    accounts: &dyn Accounts,
    source: &mut dyn Source,
    on_progress: OnProgress<'_>,
) -> Result<Totals> {
    let mut lines = LineReader::new(source);
    let HeaderLine { format, n_spaces } = lines.header().await?;
    let progress = Progress { n_spaces_total: n_spaces, ..Progress::default() };
    let mut import = Import { store, lines, on_progress, progress, totals: Totals::default(), last: None };
    let mut people = People::new(store, accounts, format);
    loop {
        match import.lines.next().await? {
            Line::Space(space) if people.is_empty() => import.space(space).await?,
            Line::User(user) => {
                people.check_user(&user).map_err(|why| import.lines.refused(why))?;
                people.user(&user).await?;
                import.totals.n_users += 1;
            }
            Line::SpaceInfo(info) => {
                people.check_space_info(&info).map_err(|why| import.lines.refused(why))?;
                people.space_info(&info).await?;
                import.totals.n_space_infos += 1;
            }
            Line::Member(member) => {
                people.check_member(&member).map_err(|why| import.lines.refused(why))?;
                people.member(&member).await?;
                import.totals.n_members += 1;
            }
            Line::Credential(credential) => {
                people.check_credential(&credential).map_err(|why| import.lines.refused(why))?;
                people.credential(&credential).await?;
                import.totals.n_credentials += 1;
            }
            Line::End(end) => return import.end(end).await,
            _ => return Err(import.lines.refused("it is in the wrong place")),
        }
    }
}

struct Import<'a> {
    store: &'a dyn Store,
    lines: LineReader<'a>,
    on_progress: OnProgress<'a>,
    progress: Progress,
    totals: Totals,
    last: Option<SpaceId>,
}

impl Import<'_> {
    async fn space(&mut self, space: SpaceLine) -> Result<()> {
        if self.last.as_ref().is_some_and(|before| *before >= space.space) {
            return Err(self.lines.refused("the spaces are not ascending"));
        }
        (self.progress.n_records, self.progress.n_records_total) = (0, space.n_records);
        let mut check = SpaceCheck::new(&space).map_err(|why| self.lines.refused(why))?;
        let mut target = fill::begin(self.store, &space).await?;
        let end = loop {
            let row = match self.lines.next().await? {
                Line::Commit(commit) => Row::Commit(commit.into()),
                Line::Client(state) => Row::Client(state.into()),
                Line::Log(entry) => Row::Log(entry),
                Line::Record(record) => Row::Record(record.into()),
                Line::SpaceEnd(end) => break end,
                _ => return Err(self.lines.refused("it is in the wrong place")),
            };
            self.row(row, &mut check, &mut target).await?;
        };
        self.settle(&mut check, &mut target).await?;
        if end != check.end() {
            return Err(self.lines.refused("it does not say what came before it"));
        }
        match target {
            Target::New(filler) => filler.finish(self.store, &space.space, end.state_hash).await?,
            Target::There => {
                fill::verify(self.store, &space, end.state_hash).await?;
                self.totals.n_spaces_there += 1;
            }
        }
        self.totals.n_spaces += 1;
        self.totals.n_records += end.n_records;
        self.progress.n_spaces += 1;
        (self.on_progress)(self.progress);
        self.last = Some(space.space);
        Ok(())
    }

    async fn row(&mut self, row: Row, check: &mut SpaceCheck, target: &mut Target) -> Result<()> {
        if matches!(row, Row::Record(_)) {
            self.settle(check, target).await?;
            self.progress.n_records += 1;
            self.progress.n_records_overall += 1;
            if self.progress.n_records.is_multiple_of(PAGE_ROWS as u64) {
                (self.on_progress)(self.progress);
            }
        }
        check.row(&row).map_err(|why| self.lines.refused(why))?;
        if let Target::New(filler) = target {
            filler.row(row).await?;
        }
        Ok(())
    }

    /// Before the first record, or at the end where there is none.
    async fn settle(&mut self, check: &mut SpaceCheck, target: &mut Target) -> Result<()> {
        let Some(collected) = check.history().map_err(|why| self.lines.refused(why))? else { return Ok(()) };
        match target {
            Target::New(filler) => filler.settle(collected).await,
            Target::There => Ok(()),
        }
    }

    async fn end(mut self, end: End) -> Result<Totals> {
        if end != End::of(self.totals) {
            return Err(self.lines.refused("it does not say what came before it"));
        }
        self.lines.finish().await?;
        Ok(self.totals)
    }
}
