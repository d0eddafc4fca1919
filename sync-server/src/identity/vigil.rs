//! Open connections: whether those at the other end may go on as they began.

use std::time::Duration;

use sync_core::SpaceId;
use sync_core::service::Actor;

use super::rights::Watch;
use super::signed_in::{SignedIn, acting};
use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// Why someone may not go on as they began.
#[derive(Clone, Debug)]
pub enum Lost {
    /// This is what a request would be told now.
    Refused(Problem),
    /// They are something else in the space by now.
    Changed(Actor),
}

/// How long to wait for a store that does not answer. 250 ms, as long as for notices.
const ASK_AGAIN: Duration = super::NOTICE_INTERVAL;

/// Hears of everything that may take someone's rights away. It begins to listen when it is made: whoever looks up the rights
/// after that misses nothing.
#[derive(Debug)]
pub struct Vigil {
    identity: Identity,
    notices: Watch,
}

impl Vigil {
    /// Ready when the rights of someone have to be looked up again. It may be dropped at any time and called again.
    pub async fn doubt(&mut self, who: &SignedIn, space: Option<&SpaceId>) {
        let left = who.until.map(|until| until.since(self.identity.now()));
        tokio::select! {
            () = self.notices.about(&who.user, &who.device, space) => {}
            () = sleep(left) => {}
        }
    }
}

impl Identity {
    /// Begins to listen for what concerns someone at work on an open connection.
    pub fn vigil(&self) -> Vigil {
        Vigil { identity: self.clone(), notices: self.0.rights.watch() }
    }

    /// Ready when someone at work on an open connection may not go on as they began: their device was revoked or what they
    /// showed has expired, they are not a member of the space any more, or as something else than `actor` says.
    ///
    /// While the store does not answer nobody knows, and nothing is told either: they go on waiting.
    pub async fn lost(&self, who: &SignedIn, space: &SpaceId, actor: &Actor) -> Lost {
        let mut vigil = self.vigil();
        loop {
            match self.acting_surely(who, space).await {
                Err(problem) => return Lost::Refused(problem),
                Ok(now) if now != *actor => return Lost::Changed(now),
                Ok(_) => vigil.doubt(who, Some(space)).await,
            }
        }
    }

    /// Whether someone may go on as they began.
    ///
    /// # Errors
    ///
    /// Why not; `Refused` also when the store cannot say.
    pub async fn still(&self, who: &SignedIn, space: &SpaceId, actor: &Actor) -> Result<(), Lost> {
        let now = self.acting(who, space).await.map_err(Lost::Refused)?;
        if now == *actor { Ok(()) } else { Err(Lost::Changed(now)) }
    }

    /// What someone may do in a space at this moment, as a request of theirs would find it.
    ///
    /// # Errors
    ///
    /// `token_expired`, `token_revoked`, `space_not_found`, and what the store reports.
    pub async fn acting(&self, who: &SignedIn, space: &SpaceId) -> Result<Actor, Problem> {
        self.is_in_time(who)?;
        let (device, role) = self.0.rights.both(&who.device, space, &who.user, self.now()).await?;
        self.in_use(device)?;
        acting(who, role)
    }

    /// As [`acting`](Identity::acting), asked until the store knows.
    ///
    /// # Errors
    ///
    /// Those of `acting`, and none of the store.
    pub async fn acting_surely(&self, who: &SignedIn, space: &SpaceId) -> Result<Actor, Problem> {
        loop {
            match self.acting(who, space).await {
                Err(problem) if problem.code().status().is_server_error() => sleep(Some(ASK_AGAIN)).await,
                known => return known,
            }
        }
    }

    /// Whether someone is signed in still, asked until the store knows.
    ///
    /// # Errors
    ///
    /// `token_expired`, `token_revoked`.
    pub async fn signed_in_surely(&self, who: &SignedIn) -> Result<(), Problem> {
        loop {
            self.is_in_time(who)?;
            match self.0.rights.credential(&who.device, self.now()).await {
                Ok(device) => return self.in_use(device).map(drop),
                Err(_) => sleep(Some(ASK_AGAIN)).await,
            }
        }
    }

    fn is_in_time(&self, who: &SignedIn) -> Result<(), Problem> {
        if who.until.is_some_and(|until| until <= self.now()) {
            return Err(Code::TokenExpired.into());
        }
        Ok(())
    }
}

async fn sleep(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}
