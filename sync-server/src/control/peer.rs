//! Whose server it is that listens: a command may hold a password, and its answer is believed.
//!
//! In a folder that others may write to, anyone can listen at the place of a server that does not run. The system knows
//! on behalf of whom the other end listens, and nobody can make it say something else.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tokio::net::UnixStream;

/// The user who may do everything anyhow.
const ROOT: u32 = 0;

/// Who listens at the other end of `stream`, if it is nobody from whom the store at `data` is safe: neither root, nor the
/// user that this program runs as, nor the owner of the store.
///
/// # Errors
///
/// When the system does not say who it is.
pub(super) fn stranger(stream: &UnixStream, data: &Path) -> io::Result<Option<u32>> {
    let listener = stream.peer_cred()?.uid();
    let owner = data.symlink_metadata().ok().map(|found| found.uid());
    let is_known = listener == ROOT || listener == own()? || Some(listener) == owner;
    Ok((!is_known).then_some(listener))
}

/// The user that this program runs as: whoever is at either end of a pair of sockets that it makes.
fn own() -> io::Result<u32> {
    let (one, _other) = UnixStream::pair()?;
    Ok(one.peer_cred()?.uid())
}
