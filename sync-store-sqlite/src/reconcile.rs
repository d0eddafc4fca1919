//! After a crash: making the files of a folder and the list of spaces agree again.
//!
//! | found | done |
//! |---|---|
//! | listed as being deleted | its file is removed, then it is taken off the list |
//! | a draft of a database | removed; a finished one has another name |
//! | a file that is not listed, without data | removed: its creation was cut off |
//! | a file that is not listed, with data or unreadable | moved to `aside/`, for a person to look at |
//! | listed, but no file | reported now, and as `Corrupt` to whoever asks for it; never created anew |

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sync_core::sql::{SqlTxn, spaces};
use sync_core::store::{ClientQuery, HintHub, Mode, StoreTxn};
use sync_core::{Error, ErrorKind, Result, Seq, SpaceId};

use crate::database::Database;
use crate::error::io;
use crate::files;
use crate::folder::Folder;
use crate::platform::{self, Listed};
use crate::schema::Role;

const ASIDE: &str = "aside";
/// How many names are read from the list at once.
const NAMES_MAX: usize = 1000;
/// How many files of one space may lie aside; someone must have copied them there again and again.
const ASIDE_MAX: usize = 1000;

/// Compares files and list, and settles every difference.
pub(crate) async fn run(folder: &Folder) -> Result<()> {
    for space in all(folder, Listed::Deleting).await? {
        folder.remove_file(&space).await?;
    }
    let listed: HashSet<SpaceId> = all(folder, Listed::Present).await?.into_iter().collect();
    let root = folder.root().to_owned();
    let found: HashSet<SpaceId> = files::blocking(move || find(&root, true)).await?.into_iter().collect();
    for space in found.difference(&listed) {
        settle_unlisted(folder, space).await?;
    }
    for space in listed.difference(&found) {
        tracing::error!(%space, path = %folder.path_of(space).display(), "the file of a space is missing");
    }
    Ok(())
}

/// Refuses to start a new list while there are files of spaces.
pub(crate) async fn check_no_spaces(root: &Path) -> Result<()> {
    let folder = root.to_owned();
    match files::blocking(move || find(&folder, false)).await?.as_slice() {
        [] => Ok(()),
        [first, ..] => Err(Error::new(
            ErrorKind::Corrupt,
            format!(
                "there are spaces in {}, {first} for one, and the platform file is missing; put it back",
                root.display()
            ),
        )),
    }
}

/// Removes the file of a space that is not listed, or moves it aside when there is something in it.
pub(crate) async fn settle_unlisted(folder: &Folder, space: &SpaceId) -> Result<()> {
    let path = folder.path_of(space);
    if is_without_data(folder, space, &path).await.unwrap_or(false) {
        tracing::info!(%space, "removing an empty file that a crash left behind");
        return files::blocking(move || files::remove_database(&path)).await;
    }
    let (root, space) = (folder.root().to_owned(), space.clone());
    files::blocking(move || {
        files::create_folder(&root.join(ASIDE))?;
        let to = free_name(&root.join(ASIDE), &space)?;
        tracing::warn!(%space, to = %to.display(), "moving aside a file that is not listed");
        files::move_database(&path, &to)
    })
    .await
}

async fn is_without_data(folder: &Folder, space: &SpaceId, path: &Path) -> Result<bool> {
    let database = Database::open(path, Role::Space, folder.options(), Arc::default()).await?;
    let is_empty = has_nothing(&database, space).await;
    database.close().await;
    is_empty
}

async fn has_nothing(database: &Arc<Database>, space: &SpaceId) -> Result<bool> {
    let mut driver = database.pin().begin(Mode::Read).await?;
    let all = spaces::list(&mut driver, None, 2).await?;
    if all.iter().any(|other| other != space) {
        return Ok(false);
    }
    let Some(head) = spaces::head(&mut driver, space, Mode::Read).await? else { return Ok(true) };
    let mut txn = SqlTxn::begin(driver, space, Mode::Read, Arc::new(HintHub::default())).await?;
    let is_untouched = head.head == Seq::ZERO && head.log_head == 0;
    let has_records = !txn.stats().await?.collections.is_empty();
    let has_clients = !txn.clients(ClientQuery::After(None, 1)).await?.is_empty();
    Ok(is_untouched && !has_records && !has_clients)
}

fn free_name(aside: &Path, space: &SpaceId) -> Result<PathBuf> {
    for n in 0..ASIDE_MAX {
        let name = if n == 0 { format!("{space}.db") } else { format!("{space}.{n}.db") };
        if !aside.join(&name).exists() {
            return Ok(aside.join(name));
        }
    }
    Err(Error::new(ErrorKind::Incompatible, format!("too many files of {space} lie in {}", aside.display())))
}

async fn all(folder: &Folder, listed: Listed) -> Result<Vec<SpaceId>> {
    let mut names: Vec<SpaceId> = Vec::new();
    loop {
        let page = platform::list(folder.platform(), listed, names.last(), NAMES_MAX).await?;
        let is_last = page.len() < NAMES_MAX;
        names.extend(page);
        if is_last {
            return Ok(names);
        }
    }
}

/// The spaces that have something at the place of their file; removes drafts on the way when told to.
fn find(root: &Path, remove_drafts: bool) -> Result<Vec<SpaceId>> {
    let mut found = Vec::new();
    for shard in entries(root)? {
        let name = shard.file_name();
        let is_shard = name.to_str().is_some_and(|name| (1..=2).contains(&name.len()));
        if !is_shard || !shard.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        for file in entries(&shard.path())? {
            let file_name = file.file_name();
            let Some(file_name) = file_name.to_str() else { continue };
            if let Some(space) = file_name.strip_suffix(".db").and_then(|id| SpaceId::new(id).ok()) {
                found.push(space);
            } else if remove_drafts && file_name.ends_with(".db.new") {
                files::remove_database(&file.path())?;
            }
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect);
    entries.map_err(|error| io(format_args!("list {}", folder.display()), error))
}
