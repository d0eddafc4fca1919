//! The folder with the data: the replica's file, the account, and what became of the last sync.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sync_core::{Session, Timestamp};

use crate::fault::Fault;

/// The folder with the data, for the eyes of its user alone.
pub(crate) struct Home(PathBuf);

/// What became of the last sync.
#[derive(Serialize, Deserialize)]
pub(crate) struct LastSync {
    pub(crate) at: Timestamp,
    pub(crate) what: String,
}

impl Home {
    /// The folder that was named, or else the one in the user's data folder; made if it is not there.
    pub(crate) fn find(named: Option<PathBuf>) -> Result<Self, Fault> {
        let folder = match named {
            Some(folder) => folder,
            None => user_data_folder()?.join("sync-notes"),
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|error| Fault::file(format_args!("make the folder {}", folder.display()), &error))?;
        Ok(Self(folder))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// The file of the replica.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("notes.db")
    }

    /// Who is signed in.
    pub(crate) fn account(&self) -> Result<Option<Session>, Fault> {
        self.read("account.json")
    }

    pub(crate) fn save_account(&self, account: &Session) -> Result<(), Fault> {
        self.write("account.json", account)
    }

    pub(crate) fn last_sync(&self) -> Result<Option<LastSync>, Fault> {
        self.read("last-sync.json")
    }

    pub(crate) fn save_last_sync(&self, last: &LastSync) -> Result<(), Fault> {
        self.write("last-sync.json", last)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Fault> {
        let path = self.0.join(name);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Fault::file(format_args!("read {}", path.display()), &error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            let what = format_args!("understand {}", path.display());
            Fault::file(what, &error).advise("remove that file and sign in again: notes login URL USER")
        })
    }

    /// Written beside and then given its name, so that it is the old or the new one whatever happens, and readable for
    /// its user alone from the first byte.
    fn write(&self, name: &str, content: &impl Serialize) -> Result<(), Fault> {
        let (path, new) = (self.0.join(name), self.0.join(format!("{name}.new")));
        let text = serde_json::to_vec(content).expect("names and numbers have a JSON form");
        let write = || {
            match std::fs::remove_file(&new) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(&self.0)?.sync_all()
        };
        write().map_err(|error| Fault::file(format_args!("write {}", path.display()), &error))
    }
}

/// Where programs of this user keep their data.
fn user_data_folder() -> Result<PathBuf, Fault> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".local/share"));
    absolute("XDG_DATA_HOME")
        .or_else(home)
        .ok_or_else(|| Fault::new("this user has no home folder").advise("name a folder with --data DIR"))
}
