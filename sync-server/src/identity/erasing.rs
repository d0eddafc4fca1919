//! Spaces that are being made or erased. Accounts decide, in one list of changes; the store follows.
//!
//! ```text
//! nobody's ──▶ being made ──▶ somebody's ──▶ being erased ──▶ nobody's
//!                   └──── given up ─────────────▲
//! ```
//!
//! As long as the store has something to do, the space belongs to one of two reserved actors. So whoever dies at it leaves
//! word of what is left to do: it is done at the next start, now and then, and when somebody asks for the name. What is
//! being erased never becomes somebody's, and nobody ever gets a space in which something is.

use std::collections::BTreeSet;
use std::time::Duration;

use sync_core::{ActorId, Change, ErrorKind, LOOK_UP_MAX, Role, Seq, SpaceId, SpaceInfo};

use crate::identity::Identity;
use crate::problem::{Code, Problem};

/// An actor that is no user: ids of users are hexadecimal digits, made by the server alone. It has no credential and never
/// gets one, so that nobody can sign in as it, and it asks for nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reserved {
    /// Owns what is being made.
    Maker,
    /// Owns what is being erased.
    Eraser,
}

impl Reserved {
    /// Its id.
    pub(super) fn id(self) -> ActorId {
        let id = match self {
            Self::Maker => "~making",
            Self::Eraser => "~erasing",
        };
        ActorId::new(id).expect("visible ASCII characters are an actor id")
    }

    /// Whether a space belongs to it, or does not.
    pub(super) fn require(self, space: &SpaceId, is_its: bool) -> Change {
        Change::RequireRole { space: space.clone(), actor: self.id(), role: is_its.then_some(Role::Owner) }
    }

    /// Gives it a space, and to nobody else.
    pub(super) fn take(self, space: &SpaceId) -> [Change; 2] {
        let role = Some(Role::Owner);
        let set = Change::SetRole { space: space.clone(), actor: self.id(), role };
        [Change::ForgetSpace(space.clone()), set]
    }
}

/// How long whoever deletes a user waits while their spaces are erased. 10 s: thousands. Nobody reaches what is left
/// then, and it is erased within minutes.
const ERASED_AT_ONCE: Duration = Duration::from_secs(10);

/// What gives a space that was made to its owner. The first is refused when someone else has ended the making.
pub(super) fn hand_out(info: SpaceInfo, owner: &ActorId) -> [Change; 4] {
    let (space, actor) = (info.space.clone(), owner.clone());
    let (is_made, forget) = (Reserved::Maker.require(&space, true), Change::ForgetSpace(space.clone()));
    [is_made, forget, Change::DescribeSpace(info), Change::SetRole { space, actor, role: Some(Role::Owner) }]
}

/// Conditions under which a space is neither being made nor being erased.
pub(super) fn settled(space: &SpaceId) -> [(Change, Code); 2] {
    [Reserved::Maker, Reserved::Eraser].map(|actor| (actor.require(space, false), Code::SpaceNotFound))
}

impl Identity {
    /// Makes a space, as yet nobody's, if `first` holds. Whoever calls has the turn of its name.
    pub(super) async fn make_space(
        &self,
        space: &SpaceId,
        first: Vec<(Change, Code)>,
    ) -> Result<(), Problem> {
        let mut changes = first;
        changes.push((Change::RequireNobody(space.clone()), Code::IdConflict));
        changes.extend(Reserved::Maker.take(space).map(|change| (change, Code::Internal)));
        self.change_or(changes).await?;
        match self.0.service.create_space(space).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.disown(space).await?;
                Err(Code::IdConflict.into())
            }
            made => Ok(made?),
        }
    }

    /// Makes a name free of what was left under it. Whoever calls has its turn.
    pub(super) async fn free(&self, space: &SpaceId) -> Result<(), Problem> {
        if self.0.rights.is_shared() && self.is_left(space).await? {
            // Another process may be at it just now.
            return Err(Problem::new(Code::Overloaded).retry_after(1));
        }
        self.finish(space).await?;
        match self.0.service.head(space).await {
            Ok(_) => Err(Code::IdConflict.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives up what was being made, unless it is somebody's by now.
    pub(super) async fn give_up(&self, space: &SpaceId) -> Result<(), Problem> {
        match self.0.service.head(space).await {
            // Made by the program that embeds the server, beside accounts: nobody may have it, nor erase it.
            Ok(head) if head > Seq::ZERO => return self.disown(space).await,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let [forget, set] = Reserved::Eraser.take(space);
        if self.change(&[Reserved::Maker.require(space, true), forget, set]).await?.is_done() {
            self.erase(space).await?;
        }
        Ok(())
    }

    /// Erases what accounts have decided to: whatever it is called by, it is out of everyone's reach. Whoever calls has
    /// the turn of the name, which is free afterwards.
    pub(super) async fn erase(&self, space: &SpaceId) -> Result<(), Problem> {
        self.0.service.delete_space(space).await?;
        let forget = Change::ForgetSpace(space.clone());
        self.change(&[Reserved::Eraser.require(space, true), forget]).await.map(drop)
    }

    /// Erases those of these spaces that are to be, as far as there is time; the rest follows.
    pub(super) async fn erase_of(&self, spaces: &[SpaceId]) -> Result<(), Problem> {
        let work = async {
            for space in spaces {
                let _turn = self.1.turn(space).await;
                self.finish(space).await?;
            }
            Ok(())
        };
        tokio::time::timeout(ERASED_AT_ONCE, work).await.unwrap_or(Ok(()))
    }

    /// Those of these spaces that are to be erased, and the others.
    pub(super) async fn split_erased(
        &self,
        spaces: Vec<SpaceId>,
    ) -> Result<(Vec<SpaceId>, Vec<SpaceId>), Problem> {
        let (mut erased, mut others) = (Vec::new(), Vec::new());
        for some in spaces.chunks(LOOK_UP_MAX) {
            let asked: Vec<_> = some.iter().map(|space| (space.clone(), Reserved::Eraser.id())).collect();
            let roles = self.accounts().look_up(&[], &asked).await?.roles;
            for (space, role) in some.iter().zip(roles) {
                if role.is_some() { &mut erased } else { &mut others }.push(space.clone());
            }
        }
        Ok((erased, others))
    }

    /// Finishes what was left of spaces that were being made or erased when a process died or a request was given up.
    /// Call it at the start, and now and then.
    ///
    /// Where other processes work on the same accounts, what it finds for the first time is left to them; `known` is what it
    /// found the last time.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn erase_left_over(&self, known: &mut BTreeSet<SpaceId>) -> Result<(), Problem> {
        let mut left = BTreeSet::new();
        for actor in [Reserved::Maker, Reserved::Eraser] {
            for (space, _) in self.all_spaces_of(&actor.id()).await? {
                if self.0.rights.is_shared() && !known.contains(&space) {
                    left.insert(space);
                    continue;
                }
                let _turn = self.1.turn(&space).await;
                self.finish(&space).await?;
            }
        }
        *known = left;
        Ok(())
    }

    /// Finishes what was left under one name, if anything was.
    async fn finish(&self, space: &SpaceId) -> Result<(), Problem> {
        if self.is_of(Reserved::Maker, space).await? {
            self.give_up(space).await?;
        }
        if self.is_of(Reserved::Eraser, space).await? {
            self.erase(space).await?;
        }
        Ok(())
    }

    async fn is_left(&self, space: &SpaceId) -> Result<bool, Problem> {
        Ok(self.is_of(Reserved::Maker, space).await? || self.is_of(Reserved::Eraser, space).await?)
    }

    async fn is_of(&self, actor: Reserved, space: &SpaceId) -> Result<bool, Problem> {
        Ok(self.accounts().role(space, &actor.id()).await?.is_some())
    }

    /// Takes the mark off a name of which the store has a space that was not made here.
    async fn disown(&self, space: &SpaceId) -> Result<(), Problem> {
        let forget = Change::ForgetSpace(space.clone());
        self.change(&[Reserved::Maker.require(space, true), forget]).await.map(drop)
    }
}
