//! The layout with one file per space.
//!
//! ```text
//! lock                   held while a process uses the folder
//! platform.sqlite        accounts, and the list of spaces: what is not listed does not exist
//! ab/abcd.db             space abcd
//! aside/                 files that were found without being listed, see `reconcile`
//! ```
//!
//! Two files cannot be written at once, so the order is fixed: a file is there, whole and durable, before it is
//! listed; and it is listed as being deleted before it is removed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::store::{Mode, space_exists, space_not_found};
use sync_core::{Epoch, Error, ErrorKind, Result, SpaceId};
use tokio::sync::watch;

use crate::database::{Database, Pin};
use crate::driver::SqliteDriver;
use crate::error::task;
use crate::files;
use crate::open_files::OpenFiles;
use crate::options::SqliteOptions;
use crate::platform::{self, Listed};
use crate::reconcile;
use crate::schema::Role;

const PLATFORM: &str = "platform.sqlite";

/// A folder of spaces. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    options: SqliteOptions,
    platform: Arc<Database>,
    files: OpenFiles,
    /// Held to open and close files, one at a time.
    door: tokio::sync::Mutex<()>,
    /// Held to create a space.
    creating: tokio::sync::Mutex<()>,
    /// Spaces whose files are being removed; the channel closes when that is over.
    removing: Mutex<HashMap<SpaceId, watch::Receiver<()>>>,
}

impl Folder {
    /// Opens the folder, whose lock is held, and mends what a crash left behind.
    pub(crate) async fn open(root: &Path, options: &SqliteOptions) -> Result<Self> {
        let path = root.join(PLATFORM);
        let is_new = files::Identity::of(&path)?.is_none();
        if is_new {
            reconcile::check_no_spaces(root).await?;
            files::check_never_was(&path)?;
            Database::create(&path, Role::Platform, options, None).await?;
        }
        let platform = Database::open(&path, Role::Platform, options, Arc::default()).await?;
        let folder = Self(Arc::new(Inner {
            root: root.to_owned(),
            options: options.clone(),
            platform,
            files: OpenFiles::new(options.open_files_max, options.wait_max),
            door: tokio::sync::Mutex::default(),
            creating: tokio::sync::Mutex::default(),
            removing: Mutex::default(),
        }));
        if !is_new {
            reconcile::run(&folder).await?;
        }
        Ok(folder)
    }

    /// The file with the accounts and the list of spaces.
    pub(crate) fn platform(&self) -> &Arc<Database> {
        &self.0.platform
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0.root
    }

    pub(crate) fn options(&self) -> &SqliteOptions {
        &self.0.options
    }

    /// Where the file of a space is.
    pub(crate) fn path_of(&self, space: &SpaceId) -> PathBuf {
        let name = space.as_str();
        let shard = name.get(..2).unwrap_or(name);
        self.0.root.join(shard).join(format!("{name}.db"))
    }

    /// Begins a transaction on a space.
    pub(crate) async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<SqliteDriver> {
        self.pin(space).await?.begin(mode).await.map_err(|error| match error.kind() {
            // The file was closed for good while this waited for it.
            ErrorKind::NotFound => space_not_found(space),
            _ => error,
        })
    }

    /// Creates a space, whoever called waits for it or not.
    pub(crate) async fn create(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        let (folder, space) = (self.clone(), space.clone());
        tokio::spawn(async move { folder.create_now(&space, epoch).await }).await.map_err(task)?
    }

    /// Deletes a space, whoever called waits for it or not.
    pub(crate) async fn delete(&self, space: &SpaceId) -> Result<bool> {
        let (folder, space) = (self.clone(), space.clone());
        tokio::spawn(async move { folder.delete_now(&space).await }).await.map_err(task)?
    }

    /// Closes all files.
    pub(crate) async fn close(&self) {
        let _door = self.0.door.lock().await;
        self.0.files.close().await;
        self.0.platform.close().await;
    }

    async fn pin(&self, space: &SpaceId) -> Result<Pin> {
        if let Some(pin) = self.0.files.get(space) {
            return Ok(pin);
        }
        // In a task of its own: a file that is half open when the caller goes away would be closed nobody knows when.
        let (folder, space) = (self.clone(), space.clone());
        tokio::spawn(async move { folder.open_file(&space).await }).await.map_err(task)?
    }

    async fn open_file(&self, space: &SpaceId) -> Result<Pin> {
        let _door = self.0.door.lock().await;
        if let Some(pin) = self.0.files.get(space) {
            return Ok(pin);
        }
        if platform::look_up(&self.0.platform, space).await? != Some(Listed::Present) {
            return Err(space_not_found(space));
        }
        self.0.files.make_room().await?;
        let path = self.path_of(space);
        files::is_folder(files::parent(&path))?;
        let released = self.0.files.released.clone();
        let file = Database::open(&path, Role::Space, &self.0.options, released).await?;
        Ok(self.0.files.add(space, file))
    }

    async fn create_now(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        let _creating = self.0.creating.lock().await;
        match platform::look_up(&self.0.platform, space).await? {
            Some(Listed::Present) => return Err(space_exists(space)),
            Some(Listed::Deleting) => self.finish_deleting(space).await?,
            None => {}
        }
        let path = self.path_of(space);
        let shard = files::parent(&path).to_owned();
        files::blocking(move || files::create_folder(&shard)).await?;
        if files::Identity::of(&path)?.is_some() {
            reconcile::settle_unlisted(self, space).await?;
        }
        Database::create(&path, Role::Space, &self.0.options, Some((space, epoch))).await?;
        if platform::add(&self.0.platform, space).await? { Ok(()) } else { Err(space_exists(space)) }
    }

    /// Waits for the removal of a deleted space's file, and takes over when that failed.
    async fn finish_deleting(&self, space: &SpaceId) -> Result<()> {
        let removal = self.removing().get(space).cloned();
        if let Some(mut removal) = removal {
            let ended = tokio::time::timeout(self.0.options.wait_max, removal.changed()).await;
            drop(ended.map_err(|_| {
                Error::new(ErrorKind::Contended, format!("the space {space} is still being deleted"))
            })?);
        }
        self.remove_file(space).await
    }

    async fn delete_now(&self, space: &SpaceId) -> Result<bool> {
        let file = match self.pin(space).await {
            Ok(pin) => Some(pin.database().clone()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            // Damaged, missing or replaced: it can be deleted all the same.
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Incompatible) => None,
            Err(error) => return Err(error),
        };
        let writer = match &file {
            None => None,
            Some(file) => match file.lend_writer().await {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
                lent => Some(lent?),
            },
        };
        let _door = self.0.door.lock().await;
        if !platform::mark_deleting(&self.0.platform, space).await? {
            return Ok(false);
        }
        self.0.files.remove(space);
        if let Some(file) = &file {
            file.refuse_writers();
        }
        drop(writer);
        self.start_removing(space.clone(), file);
        Ok(true)
    }

    /// Removes the file, taking it away from its readers. Until then it is listed as being deleted, also over a restart.
    fn start_removing(&self, space: SpaceId, file: Option<Arc<Database>>) {
        let (over, removal) = watch::channel(());
        self.removing().insert(space.clone(), removal);
        let folder = self.clone();
        tokio::spawn(async move {
            if let Some(file) = file {
                file.close_now().await;
            }
            if let Err(error) = folder.remove_file(&space).await {
                tracing::warn!(%error, %space, "the file of a deleted space stays until the next start");
            }
            folder.removing().remove(&space);
            drop(over);
        });
    }

    /// Removes the file of a deleted space, and then the space from the list.
    pub(crate) async fn remove_file(&self, space: &SpaceId) -> Result<()> {
        let path = self.path_of(space);
        files::blocking(move || files::remove_database(&path)).await?;
        platform::remove(&self.0.platform, space).await.map(drop)
    }

    fn removing(&self) -> MutexGuard<'_, HashMap<SpaceId, watch::Receiver<()>>> {
        self.0.removing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
