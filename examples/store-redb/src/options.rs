//! How a file is opened.

use std::fs::File;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use redb::{Database, DatabaseError};
use sync_core::{Error, ErrorKind};

use crate::error::Job;
use crate::tables::{
    CREDENTIALS, ENDS, FORMAT, HELD, MEMBERS, NOTICES, ROLES, SPACE_INFOS, SPACES, SYNCED, USER_ADDRESSES,
    USER_NAMES, USERS,
};

/// Pages that redb keeps in memory, written or not; its own default is 1 GiB.
const CACHE_BYTES: usize = 64 << 20;

/// What the tables of this version are called in the file.
const FORMAT_NUMBER: u32 = 1;

/// How often a file that is in use is tried, and how long between: enough for the store that had it to finish what it
/// was told to do, which it does on other threads.
const TRIES: usize = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// Opens the file, and creates it where there is none.
pub(crate) fn open(path: &Path) -> Job<Database> {
    let is_new = !path.exists();
    let database = open_patiently(path)?;
    if is_new {
        sync_folder(path)?;
    }
    Ok(database)
}

fn open_patiently(path: &Path) -> Job<Database> {
    let create = || Database::builder().set_cache_size(CACHE_BYTES).create(path);
    for _ in 1..TRIES {
        match create() {
            Err(DatabaseError::DatabaseAlreadyOpen) => sleep(PAUSE),
            ended => return Ok(ended?),
        }
    }
    Ok(create()?)
}

/// The content of a new file survives a power cut when redb says so; that there is a file, only when its folder is synced.
fn sync_folder(path: &Path) -> Job<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(redb::StorageError::Io)?;
    }
    Ok(())
}

/// Creates the tables that are there once, so that readers find them, and refuses files of another format.
pub(crate) fn prepare(database: &Database) -> Job<()> {
    let txn = database.begin_write()?;
    let found = txn.open_table(FORMAT)?.insert("format", FORMAT_NUMBER)?.map(|number| number.value());
    if let Some(number) = found.filter(|number| *number != FORMAT_NUMBER) {
        let why = format!("the file has format {number}, and this program knows format {FORMAT_NUMBER}");
        return Err(Error::new(ErrorKind::Incompatible, why).into());
    }
    txn.open_table(SPACES)?;
    txn.open_table(USERS)?;
    txn.open_table(USER_NAMES)?;
    txn.open_table(USER_ADDRESSES)?;
    txn.open_table(ROLES)?;
    txn.open_table(MEMBERS)?;
    txn.open_table(SPACE_INFOS)?;
    txn.open_table(CREDENTIALS)?;
    txn.open_table(HELD)?;
    txn.open_table(ENDS)?;
    txn.open_table(SYNCED)?;
    txn.open_table(NOTICES)?;
    Ok(txn.commit()?)
}
