//! Files that hold a secret: read only when nobody else can have read them.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};

/// The rights of everyone but the owner.
pub(crate) const OTHERS: u32 = 0o077;

/// The rights of strangers, and to write for the group: keys of TLS are often kept readable for a group of servers.
pub(crate) const STRANGERS: u32 = 0o027;

/// What is in the file at `path`, of which at most `bytes_max` bytes are read. A file that grants one of the `forbidden` rights is
/// refused rather than warned about: whoever read it can act for the server, and a warning scrolls by. What is not a regular file
/// is refused, too, without waiting for whoever may be at its other end.
///
/// # Errors
///
/// The file system's error; `PermissionDenied` for a file that is open to others, `InvalidInput` for what is no file.
pub(crate) fn read(path: &Path, forbidden: u32, bytes_max: u64) -> io::Result<Vec<u8>> {
    let how = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(open(path, how, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & forbidden != 0 {
        let text = format!("{} is open to others (mode {mode:o}): chmod 600 it", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}
