//! Where the data is and which limits apply.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How the data lies on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    File(PathBuf),
    Folder(PathBuf),
}

/// What [`SqliteStore::open`](crate::SqliteStore::open) takes.
///
/// ```
/// use std::time::Duration;
/// use sync_store_sqlite::SqliteOptions;
/// let options = SqliteOptions::folder("data").open_files_max(50).wait_max(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteOptions {
    pub(crate) layout: Layout,
    pub(crate) n_readers: usize,
    pub(crate) n_readers_kept: usize,
    pub(crate) open_files_max: usize,
    pub(crate) wait_max: Duration,
}

/// Readers of the single file: twice the cores of a small server, as reading is quick and from memory.
const FILE_READERS: usize = 4;
/// Readers of one space's file: more than a space has at once, so that none waits.
const FOLDER_READERS: usize = 8;
/// How many of those stay open while nobody reads: each is a thread, times the number of open files.
const FOLDER_READERS_KEPT: usize = 1;
/// Open files in a folder: with two threads and six descriptors each while idle, within what systems grant by default.
const OPEN_FILES_MAX: usize = 100;
/// How long to wait for a connection: longer than any healthy transaction, shorter than clients wait for an answer.
const WAIT_MAX: Duration = Duration::from_secs(5);

impl SqliteOptions {
    /// All spaces and accounts in the file at `path`, which is created with its folder if there is none.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::new(Layout::File(path.as_ref().to_owned()), FILE_READERS, FILE_READERS)
    }

    /// One file per space under the folder `path`, and `platform.sqlite` for the rest; created if there is none.
    pub fn folder(path: impl AsRef<Path>) -> Self {
        Self::new(Layout::Folder(path.as_ref().to_owned()), FOLDER_READERS, FOLDER_READERS_KEPT)
    }

    fn new(layout: Layout, n_readers: usize, n_readers_kept: usize) -> Self {
        Self { layout, n_readers, n_readers_kept, open_files_max: OPEN_FILES_MAX, wait_max: WAIT_MAX }
    }

    /// How many reading transactions a file serves at once, at least 1; more wait. By default 4 for a single file
    /// and 8 for each file of a folder. Each is a thread while it is needed.
    pub fn n_readers(mut self, n: usize) -> Self {
        self.n_readers = n.max(1);
        self
    }

    /// How many files of a folder are open at once, at least 1; the least recently used one without an open
    /// transaction is closed for the next. By default 100, which is 200 threads and 600 descriptors while idle.
    pub fn open_files_max(mut self, n: usize) -> Self {
        self.open_files_max = n.max(1);
        self
    }

    /// How long `begin` waits for a writer to finish, a reader to become free or a file to become closable, before it
    /// fails with [`Overloaded`](sync_core::ErrorKind::Overloaded). By default 5 s.
    pub fn wait_max(mut self, wait: Duration) -> Self {
        self.wait_max = wait;
        self
    }
}
