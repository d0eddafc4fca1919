//! Where the socket appears, and how: never open to others, and never in the place of something else.
//!
//! Binding a socket makes its file at once, with the rights that happen to be usual. So it is made in a folder that
//! nobody else can enter, is given its own rights there, and is then moved into place. Moving also replaces the socket
//! of a server that died, in one step.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::too_long;

/// Bytes of the path of a socket. 100: Linux takes 107, others 103, and the folder it is made in needs a few.
pub(super) const PATH_BYTES_MAX: usize = 100;

/// Whether no socket can be at a path.
pub(super) fn is_too_long(path: &Path) -> bool {
    path.as_os_str().as_bytes().len() > PATH_BYTES_MAX
}

/// Listens at `path`, for whoever owns it alone. The caller knows that no living server listens there.
pub(super) fn listen(path: &Path) -> io::Result<UnixListener> {
    if is_too_long(path) {
        return Err(too_long(path));
    }
    check_place(path)?;
    let (folder, draft) = draft(path);
    clear(&folder, &draft);
    DirBuilder::new().mode(0o700).create(&folder)?;
    let listener = bind(&draft, path);
    clear(&folder, &draft);
    listener
}

fn bind(draft: &Path, path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(draft)?;
    fs::set_permissions(draft, Permissions::from_mode(0o600))?;
    fs::rename(draft, path)?;
    Ok(listener)
}

/// A folder beside `path`, and where in it the socket is made: 3 bytes more than the path has.
fn draft(path: &Path) -> (PathBuf, PathBuf) {
    let mut folder = path.as_os_str().to_owned();
    folder.push("~");
    let folder = PathBuf::from(folder);
    let draft = folder.join("s");
    (folder, draft)
}

/// Removes what is there of a draft, also of a server that died over it.
fn clear(folder: &Path, draft: &Path) {
    let _ = fs::remove_file(draft);
    let _ = fs::remove_dir(folder);
}

/// A socket is replaced; it is that of a server that died. Anything else is somebody's.
fn check_place(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if !found.file_type().is_socket() => {
            Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there that is no socket"))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
