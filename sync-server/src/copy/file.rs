//! Where an export is written and read: a file that appears whole, or a pipe.
//!
//! Calls block, in the thread of whoever makes them: nothing else runs in this process that could have to wait.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sync_core::copy::{Sink, Source};
use tokio::task::block_in_place;

/// What is written before a file is whole has this ending.
const ENDING: &str = "part";

/// An export that is being written.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    draft: Option<Draft>,
}

/// A file that is to appear whole. Dropping it removes what is there of it.
#[derive(Debug)]
struct Draft {
    path: PathBuf,
    draft: PathBuf,
}

impl Output {
    /// Begins a file at a path where there is none; `-` is standard output.
    pub(super) fn create(path: &Path) -> Result<Self, String> {
        if is_pipe(path) {
            let file = of_descriptor(io::stdout().as_fd());
            let file = file.map_err(|error| format!("cannot write to standard output: {error}"))?;
            return Ok(Self { file, draft: None });
        }
        refuse_to_overwrite(path)?;
        let draft = path.with_added_extension(ENDING);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => format!(
                "{} is there: another export is being written, or one broke off; remove it if it did",
                draft.display()
            ),
            _ => format!("cannot create {}: {error}", draft.display()),
        })?;
        Ok(Self { file, draft: Some(Draft { path: path.to_owned(), draft }) })
    }

    /// Puts the file in its place, durably. What went to standard output is left to whoever reads it.
    pub(super) fn finish(self) -> Result<(), String> {
        let Some(Draft { path, draft }) = &self.draft else { return Ok(()) };
        refuse_to_overwrite(path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let placed = block_in_place(|| {
            self.file.sync_all()?;
            fs::rename(draft, path)?;
            File::open(folder)?.sync_all()
        });
        placed.map_err(|error| format!("cannot finish {}: {error}", path.display()))
    }
}

#[async_trait::async_trait]
impl Sink for Output {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        block_in_place(|| self.file.write_all(bytes))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is not there any more when it got its name.
        let _ = fs::remove_file(&self.draft);
    }
}

/// An export that is being read.
#[derive(Debug)]
pub(super) struct Input(File);

impl Input {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let file = if is_pipe(path) { of_descriptor(io::stdin().as_fd()) } else { File::open(path) };
        file.map(Self).map_err(|error| format!("cannot read {}: {error}", path.display()))
    }
}

#[async_trait::async_trait]
impl Source for Input {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        block_in_place(|| {
            loop {
                match self.0.read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    done => return done,
                }
            }
        })
    }
}

fn is_pipe(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Without the buffers of the standard library, which cut at every line.
fn of_descriptor(descriptor: BorrowedFd<'_>) -> io::Result<File> {
    descriptor.try_clone_to_owned().map(File::from)
}

fn refuse_to_overwrite(path: &Path) -> Result<(), String> {
    match path.symlink_metadata() {
        Ok(_) => {
            Err(format!("{} is there already and is not overwritten: choose another name", path.display()))
        }
        Err(_) => Ok(()),
    }
}
