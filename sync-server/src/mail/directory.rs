//! Mail into a folder, one file each: for development, tests, and programs that send it themselves.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::mailer::{MailError, Mailer};
use super::message::Mail;

/// Writes each mail to a file of its own, `<microseconds>-<id>.eml`, so that names sort by time.
///
/// A file appears whole, under its name, readable by its owner alone: the link in it signs someone in. It is not forced
/// to the disk; ten minutes later nobody wants it any more.
#[derive(Clone, Debug)]
pub struct MailDir(PathBuf);

impl MailDir {
    /// Mail into the folder at `path`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// Text for the person who starts the server.
    pub fn open(path: &Path) -> Result<Self, String> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| format!("cannot make the folder {} for mail: {error}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

#[async_trait]
impl Mailer for MailDir {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let (folder, mail) = (self.0.clone(), mail.clone());
        let written = tokio::task::spawn_blocking(move || write(&folder, &mail)).await;
        let written = written.map_err(|_| MailError::temporary("the task that writes mail was stopped"))?;
        written
            .map_err(|error| MailError::temporary(format!("cannot write into the folder for mail: {error}")))
    }
}

fn write(folder: &Path, mail: &Mail) -> io::Result<()> {
    let name = format!("{:016}-{}.eml", mail.at().as_micros(), mail.id());
    let draft = folder.join(format!(".{name}.draft"));
    let written = write_private(&draft, mail.bytes()).and_then(|()| fs::rename(&draft, folder.join(name)));
    if written.is_err() {
        fs::remove_file(&draft).ok();
    }
    written
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}
