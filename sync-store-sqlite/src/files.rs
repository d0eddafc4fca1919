//! Files: what may be opened, and how changes to a folder are made durable.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use sync_core::{Error, ErrorKind, Result};

use crate::error::{io, task};

/// The files that SQLite keeps beside a database.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];
/// How every database begins (<https://www.sqlite.org/fileformat.html>).
const MAGIC: &[u8] = b"SQLite format 3\0";
/// The header up to the end of the `application_id`.
const HEADER_BYTES: usize = 72;

/// Which file a path leads to: it changes when the file is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    /// Of the regular file at `path`, without following a link; `None` where there is nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Incompatible`] for a link or anything else that is not a file.
    pub(crate) fn of(path: &Path) -> Result<Option<(Self, u64)>> {
        let Some(metadata) = look(path)? else { return Ok(None) };
        if metadata.is_file() {
            Ok(Some((identity(&metadata), metadata.len())))
        } else {
            Err(not_a("file", path))
        }
    }
}

/// Refuses a database of which one file has a second name. Locks, WAL and the check for a replaced file go by the name: two
/// processes at two names would not see each other, and each would write over what the other has acknowledged.
///
/// # Errors
///
/// [`ErrorKind::Incompatible`], saying what to do.
pub(crate) fn check_one_name(path: &Path) -> Result<()> {
    for file in with_companions(path) {
        let n_names = look(&file)?.map_or(1, |metadata| n_names(&metadata));
        if n_names > 1 {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!(
                    "cannot use {}: the same file has {n_names} names (hard links), and who uses it by another would not be \
                     noticed; remove the other names, or make this one a copy of its own",
                    file.display()
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(unix)]
fn n_names(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

/// Elsewhere the standard library does not tell.
#[cfg(not(unix))]
fn n_names(_: &Metadata) -> u64 {
    1
}

/// The `application_id` in the header of a database; `None` when it has no such header.
pub(crate) fn application_id(path: &Path) -> Result<Option<u32>> {
    let mut header = [0; HEADER_BYTES];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(io(format_args!("read {}", path.display()), error)),
        Ok(()) => {
            Ok(header.strip_prefix(MAGIC).and_then(|rest| rest.last_chunk()).copied().map(u32::from_be_bytes))
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity(metadata.dev(), metadata.ino())
}

/// Elsewhere an open file cannot be replaced, so that it exists is all there is to know.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    Identity(0, 0)
}

/// Looks at a path without following a link at its end.
fn look(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(format_args!("look at {}", path.display()), error)),
    }
}

/// Whether `path` is a folder; a link to one is refused.
pub(crate) fn is_folder(path: &Path) -> Result<bool> {
    match look(path)? {
        None => Ok(false),
        Some(metadata) if metadata.is_dir() => Ok(true),
        Some(_) => Err(not_a("folder", path)),
    }
}

/// Creates a folder, and those it lies in, unless they are there. What is created is its owner's alone.
pub(crate) fn create_folders(path: &Path) -> Result<()> {
    let created = private_folders().recursive(true).create(path);
    created.map_err(|error| io(format_args!("create {}", path.display()), error))
}

/// Creates an empty file where there is none, for its owner alone. SQLite gives the files beside a database the rights of the
/// database.
pub(crate) fn create_file(path: &Path) -> Result<()> {
    let created = private_files().write(true).create_new(true).open(path);
    created.map(drop).map_err(|error| io(format_args!("create {}", path.display()), error))
}

/// How files are opened: those that are created by it are their owner's alone, as far as the system knows owners.
pub(crate) fn private_files() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn private_folders() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Creates a folder unless it is there, durably.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    if is_folder(path)? {
        return Ok(());
    }
    match private_folders().create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(io(format_args!("create {}", path.display()), error))
        }
        _ => sync_folder(parent(path)),
    }
}

/// The files that belong to the database at `path`, itself first.
pub(crate) fn with_companions(path: &Path) -> impl Iterator<Item = PathBuf> {
    std::iter::once(path.to_owned()).chain(COMPANIONS.iter().map(|ending| with_ending(path, ending)))
}

/// `path` with `ending` added to its file name.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Removes a database with all that belongs to it, durably. Nothing may have it open.
pub(crate) fn remove_database(path: &Path) -> Result<()> {
    if !is_folder(parent(path))? {
        return Ok(());
    }
    for file in with_companions(path) {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io(format_args!("remove {}", file.display()), error));
            }
            _ => {}
        }
    }
    sync_folder(parent(path))
}

/// Refuses to take a missing database for a new one while its companions are there.
pub(crate) fn check_never_was(path: &Path) -> Result<()> {
    for companion in with_companions(path).skip(1) {
        if look(&companion)?.is_some() {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!("{} is there and {} is missing; put it back", companion.display(), path.display()),
            ));
        }
    }
    Ok(())
}

/// Moves a closed database to another name that is not taken, durably.
pub(crate) fn move_database(from: &Path, to: &Path) -> Result<()> {
    if look(to)?.is_some() {
        return Err(Error::new(ErrorKind::AlreadyExists, format!("there is {} already", to.display())));
    }
    let moves = with_companions(from).zip(with_companions(to));
    for (from, to) in moves {
        if look(&from)?.is_some() {
            fs::rename(&from, &to).map_err(|error| io(format_args!("move {}", from.display()), error))?;
        }
    }
    sync_folder(parent(to))?;
    sync_folder(parent(from))
}

/// Makes what is in a file durable.
pub(crate) fn sync_file(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| io(format_args!("sync {}", path.display()), error))
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) { sync_file(path) } else { Ok(()) }
}

/// The folder a path is in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Runs work on files where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(task)?
}

fn not_a(what: &str, path: &Path) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("cannot use {}: it is not a {what} (links are refused)", path.display()),
    )
}
