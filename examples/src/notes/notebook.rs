//! The open replica with its notes.

use std::sync::Arc;

use sync_core::replica::{Item, Query, Replica, ReplicaOptions, Typed};
use sync_core::store::Store;
use sync_core::{ActorId, Session, SpaceId, TokioRuntime};
use sync_store_sqlite::SqliteStore;

use crate::fault::Fault;
use crate::home::Home;
use crate::moving;
use crate::note::{NOTES, Note};
use crate::short_id::ShortIds;

/// The space of notes without an account. A replica's space has the name it has at the server, and there is none yet;
/// this one never meets a server, and the login moves its notes into the account's.
const OFFLINE: &str = "notes-without-account";

/// The notes of whoever is signed in, or those without an account. One process at a time has them open.
pub(crate) struct Notebook {
    store: SqliteStore,
    pub(crate) replica: Replica,
    pub(crate) notes: Typed<Note>,
    pub(crate) account: Option<Session>,
    /// What was moved into the account when this was opened, to be shown.
    pub(crate) moved: Vec<String>,
}

/// Notes that are read at once: a page of a megabyte or so.
const PAGE: usize = 1000;

impl Notebook {
    /// Opens the notes, and finishes moving them if that was begun.
    pub(crate) async fn open(home: &Home) -> Result<Self, Fault> {
        Self::open_in(SqliteStore::open_file(home.database()).await?, home).await
    }

    /// [`open`](Self::open), when the file is open already.
    pub(crate) async fn open_in(store: SqliteStore, home: &Home) -> Result<Self, Fault> {
        let account = home.account()?;
        // All replicas of this process share one store: that is what tells two of the same space.
        let shared: Arc<dyn Store> = Arc::new(store.clone());
        let replica = match &account {
            Some(account) => {
                let options = ReplicaOptions::for_session(Arc::new(TokioRuntime), account);
                Replica::open(Arc::clone(&shared), account.space.clone(), options).await?
            }
            None => offline(&shared).await?,
        };
        let mut notebook =
            Self { store, notes: replica.collection(NOTES)?, replica, account, moved: Vec::new() };
        if notebook.account.is_some() {
            moving::finish(&mut notebook, &offline(&shared).await?).await?;
        }
        Ok(notebook)
    }

    /// All notes that `query` asks for.
    pub(crate) async fn list(&self, query: &Query) -> Result<Vec<Item<Note>>, Fault> {
        Ok(self.notes.list(query).await?)
    }

    /// The ids of all notes, to tell short ones apart.
    pub(crate) async fn ids(&self) -> Result<ShortIds, Fault> {
        let mut ids: Vec<String> = Vec::new();
        loop {
            let query = Query::all().limit(PAGE);
            let page = self.list(&ids.last().map_or(query.clone(), |last| query.after(last))).await?;
            let is_last = page.len() < PAGE;
            ids.extend(page.into_iter().map(|item| item.id.into()));
            if is_last {
                return Ok(ShortIds::new(ids));
            }
        }
    }

    /// The account, for commands that need one.
    pub(crate) fn account(&self) -> Result<&Session, Fault> {
        self.account.as_ref().ok_or_else(|| {
            Fault::new("you are not signed in; the notes are on this computer only")
                .advise("notes login URL USER, with --register the first time")
        })
    }

    /// Lets the next process in.
    pub(crate) async fn close(&self) {
        self.store.close().await;
    }
}

/// Refuses a server whose space has the name of ours: its notes and those without an account would be mixed.
pub(crate) fn check_space(space: &SpaceId) -> Result<(), Fault> {
    if space.as_str() == OFFLINE {
        return Err(Fault::new(format!("the server calls your space `{OFFLINE}`, which is taken here")));
    }
    Ok(())
}

async fn offline(store: &Arc<dyn Store>) -> Result<Replica, Fault> {
    let space = SpaceId::new(OFFLINE).expect("it is letters and hyphens");
    let nobody = ActorId::new("nobody").expect("it is letters");
    let options = ReplicaOptions::new(Arc::new(TokioRuntime), nobody);
    Ok(Replica::open(Arc::clone(store), space, options).await?)
}
