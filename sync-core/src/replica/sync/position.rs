//! Positions in the server's history: what one replica has seen, another one can wait for.

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{PullReply, PullRequest, ResyncReason, code};
use crate::replica::Replica;
use crate::replica::sync::page::{self, Asked};
use crate::replica::sync::{Run, lost_cursor};
use crate::replica::tell::waits::Verdict;
use crate::types::{Cursor, CursorToken};

/// How far a replica has taken in what happened at the server. Text, to be handed on to another device of the same space.
///
/// ```
/// use sync_core::replica::Position;
/// let text = "it came from another device";
/// assert_eq!(Position::new(text).as_str(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(CursorToken);

impl Position {
    /// Takes the text of a position as it was received.
    pub fn new(text: impl Into<String>) -> Self {
        Self(CursorToken::new(text))
    }

    /// The text: letters, digits, `-` and `_`, which mean nothing to anyone else.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Replica {
    /// How far this replica has taken in what happened at the server; `None` before the first sync. Its own edits are part
    /// of that once [`wait_until_sent`](Replica::wait_until_sent) has returned.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// assert_eq!(replica.position().await?, None, "it has never been in sync");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports. For an example see [`wait_for`](Replica::wait_for).
    pub async fn position(&self) -> Result<Option<Position>> {
        Ok(self.state().await?.cursor.map(Position))
    }

    /// Waits until this replica has taken in everything up to a position that another replica of the space (or this one)
    /// had: what was to be seen there can be seen here then.
    ///
    /// It only waits: something must sync, [`run`](Replica::run), which is told to do so at once, or
    /// [`sync`](Replica::sync).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Position, Replica, ReplicaOptions};
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::transport::Loopback;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (space, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # service.create_space(&space).await?;
    /// # let server = Loopback::new(service, Actor::new(ada.clone(), Role::Owner));
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada);
    /// # let open = || Replica::open(Arc::new(MemoryStore::default()), space.clone(), options.clone());
    /// # let (phone, laptop) = (open().await?, open().await?);
    /// # for replica in [phone.clone(), laptop.clone()] {
    /// #     let server = server.clone();
    /// #     tokio::spawn(async move { replica.run(&server).await });
    /// # }
    /// phone.put("notes", "1", "milk").await?;
    /// phone.wait_until_sent().await?;
    /// let seen = phone.position().await?.expect("it has synced").to_string();
    ///
    /// // On the laptop, which got the text some other way:
    /// laptop.wait_for(&Position::new(seen)).await?;
    /// assert_eq!(laptop.get("notes", "1").await?, Some("milk".to_owned()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for what is not a position of this space; [`NotFound`](ErrorKind::NotFound) when
    /// the server was restored from a backup or created anew, so that what was there at this position is not, or may not
    /// be, there any more; and what the store reports.
    pub async fn wait_for(&self, position: &Position) -> Result<()> {
        let signals = &self.0.signals;
        Cursor::decode(&position.0, self.space())
            .map_err(|_| Error::invalid(code::INVALID_CURSOR, "the text is not a position of this space"))?;
        let mut steps = signals.steps.follow_news();
        let state = self.state().await?;
        if state.cursor.as_ref() == Some(&position.0) && !state.needs_load() {
            return Ok(());
        }
        let place = signals.waits.enter(position.0.clone());
        signals.asks.set(());
        loop {
            match place.verdict() {
                Verdict::Waiting => steps.next().await,
                Verdict::Reached => return Ok(()),
                Verdict::Gone => {
                    let message = "the server went back in time: the position that is waited for is gone";
                    return Err(Error::new(ErrorKind::NotFound, message).with_code(code::RESYNC_REQUIRED));
                }
            };
        }
    }

    async fn has_reached(&self, wanted: &CursorToken) -> Result<bool> {
        let read = |token: &CursorToken| Cursor::decode(token, self.space()).ok();
        let state = self.state().await?;
        // What is wanted besides is not here yet, wherever the cursor is.
        if state.needs_load() {
            return Ok(false);
        }
        let (has, wants) = (state.cursor.as_ref().and_then(read), read(wanted));
        Ok(has.zip(wants).is_some_and(|(has, wants)| has.epoch == wants.epoch && has.seq >= wants.seq))
    }
}

impl Run<'_> {
    /// Asks the server about the positions that are waited for: only it knows its history.
    pub(crate) async fn judge_waits(&mut self) -> Result<()> {
        let signals = &self.replica.0.signals;
        for token in signals.waits.tokens() {
            let verdict = match self.is_in_history(&token).await? {
                true if self.replica.has_reached(&token).await? => Verdict::Reached,
                true => continue,
                false => Verdict::Gone,
            };
            signals.waits.set(&token, verdict);
            signals.steps.set(());
        }
        Ok(())
    }

    /// Whether the server's history has this position.
    pub(crate) async fn is_in_history(&mut self, token: &CursorToken) -> Result<bool> {
        let collections = self.replica.state().await?.wanted();
        let request = PullRequest {
            after: Some(token.clone()),
            collections,
            limit: Some(1),
            wait: None,
            receipt: None,
        };
        match self.transport.pull(self.replica.space(), &request).await {
            Ok(PullReply::Page(found)) => {
                let asked = Asked { after: token.clone(), receipt: None };
                page::check(&found, &asked, self.replica.space())?;
                Ok(true)
            }
            // So old that its history was collected: everything that this replica has is newer.
            Ok(PullReply::ResyncRequired(resync)) if resync.reason == ResyncReason::Horizon => Ok(true),
            Ok(PullReply::ResyncRequired(_)) => Ok(false),
            Err(error) => lost_cursor(&error).map(|_| false).ok_or(error),
        }
    }
}
