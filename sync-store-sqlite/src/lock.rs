//! One process at a time: an advisory lock on a file beside the data.
//!
//! SQLite would let two processes in, but each would keep its own hints, lanes and list of open files.

use std::fs::{File, TryLockError};
use std::path::Path;

use sync_core::{Error, ErrorKind, Result};

use crate::error::io;
use crate::files::private_files;

/// The [code](sync_core::Error::code) of the refusal to open data that another process (or another store in this one)
/// uses. Whoever gets it can wait for that process or stop it; nothing is wrong with the data.
pub const DATA_IN_USE: &str = "data_in_use";

/// Holds the data for this process until it is dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub(crate) struct DataLock(#[expect(dead_code, reason = "held, never read")] File);

impl DataLock {
    /// Takes the lock at `path`, creating the file if need be. The file stays when the lock is gone.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let file = private_files()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|error| io(format_args!("open the lock file {}", path.display()), error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                ErrorKind::Incompatible,
                format!(
                    "another process uses this data: {} is locked; stop that process, or give this one another path",
                    path.display()
                ),
            )
            .with_code(DATA_IN_USE)),
            Err(TryLockError::Error(error)) => Err(io(format_args!("lock {}", path.display()), error)),
        }
    }
}
