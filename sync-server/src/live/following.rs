//! One space for one reader: what they are told of it, for as long as they may know.
//!
//! Whether they may is looked up when it begins, and again whenever something is noticed that may have changed it. While it is
//! looked up nothing is told. So what is committed after somebody was removed reaches nobody who was.

use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use sync_core::SpaceId;
use sync_core::protocol::{Presence, Subscribe};
use sync_core::service::{Actor, Live, Subscription};
use tokio::sync::watch;

use crate::app::App;
use crate::identity::{SignedIn, Vigil};
use crate::presence::Watcher;
use crate::problem::Problem;

/// What happens to one who follows a space.
#[derive(Debug)]
pub(crate) enum Event {
    /// They may; what they are told comes next.
    Began,
    /// There is something to tell.
    News(Live),
    /// Someone came or went.
    Presence(Presence),
    /// They may not, or it cannot be done. Nothing follows.
    Failed(Problem),
    /// They may not any more. Nothing follows.
    Lost(Problem),
}

/// What someone wants to be told of a space, and when.
pub(crate) struct Wish {
    /// From where, and what of it.
    pub(crate) subscribe: Subscribe,
    /// Whether to be told who is there.
    pub(crate) presence: bool,
    /// Whether they take what they are told. While they do not, nothing is told, but their rights are watched.
    pub(crate) gate: watch::Receiver<bool>,
}

/// One who follows a space.
struct Following {
    app: App,
    who: watch::Receiver<SignedIn>,
    space: SpaceId,
    wish: Wish,
    watcher: Option<Watcher>,
    vigil: Vigil,
    stage: Stage,
    /// What they are in the space, as far as that is not in doubt, and what they are told.
    told: Option<(Actor, Subscription)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Doubted,
    Sure,
    Over,
}

/// Follows a space for someone. What they show of themselves may be replaced by something newer while it goes on.
pub(crate) fn follow(
    app: App,
    who: watch::Receiver<SignedIn>,
    space: SpaceId,
    wish: Wish,
) -> BoxStream<'static, Event> {
    // It listens before it looks.
    let vigil = app.identity.vigil();
    let following =
        Following { app, who, space, wish, watcher: None, vigil, stage: Stage::Doubted, told: None };
    let next =
        |mut following: Following| async move { following.next().await.map(|event| (event, following)) };
    stream::unfold(following, next).boxed()
}

// Ten thousand of these wait at a time: what they wait in is kept small.
impl Following {
    async fn next(&mut self) -> Option<Event> {
        loop {
            let event = match self.stage {
                Stage::Over => return None,
                Stage::Doubted => self.look().boxed().await,
                Stage::Sure => self.listen().await,
            };
            match event {
                Ok(None) => {}
                Ok(event) => return event,
                Err(last) => {
                    self.stage = Stage::Over;
                    return Some(last);
                }
            }
        }
    }

    /// Finds out whether they may. An error is the last that they are told.
    async fn look(&mut self) -> Result<Option<Event>, Event> {
        let who = self.who.borrow_and_update().clone();
        let acting = self.app.identity.acting_surely(&who, &self.space).await;
        let actor = match (acting, &self.told) {
            (Ok(actor), _) => actor,
            (Err(problem), Some(_)) => return Err(Event::Lost(problem)),
            (Err(problem), None) => return Err(Event::Failed(problem)),
        };
        let is_new = self.told.is_none();
        let subscribe = match &self.told {
            None => Some(std::mem::take(&mut self.wish.subscribe)),
            Some((known, _)) if *known == actor => None,
            // What they may read depends on what they are; the feed says whether their cursor is good for that.
            Some((_, subscription)) => Some(subscription.resume()),
        };
        if let Some(subscribe) = subscribe {
            let subscription = self.app.service.subscribe(&actor, &self.space, subscribe).await;
            self.told = Some((actor, subscription.map_err(failed)?));
        }
        self.stage = Stage::Sure;
        if !is_new {
            return Ok(None);
        }
        self.watcher = self.wish.presence.then(|| self.app.rooms().watch(&self.space));
        Ok(Some(Event::Began))
    }

    /// Waits for news, or for doubt, which comes first. An error is the last that they are told.
    async fn listen(&mut self) -> Result<Option<Event>, Event> {
        let Self { who, space, wish, watcher, vigil, stage, told, .. } = self;
        let Some((_, subscription)) = told else { return Ok(None) };
        let now = who.borrow().clone();
        let is_open = *wish.gate.borrow_and_update();
        tokio::select! {
            biased;
            () = vigil.doubt(&now, Some(space)) => *stage = Stage::Doubted,
            Ok(()) = who.changed() => *stage = Stage::Doubted,
            Ok(()) = wish.gate.changed() => {}
            presence = next_of(watcher), if is_open => return Ok(Some(Event::Presence(presence))),
            told = subscription.next(), if is_open => return match told {
                Ok(Live::Resync(resync)) => Err(Event::News(Live::Resync(resync))),
                Ok(frame) => Ok(Some(Event::News(frame))),
                Err(error) => Err(failed(error)),
            },
        }
        Ok(None)
    }
}

fn failed(error: sync_core::Error) -> Event {
    Event::Failed(error.into())
}

/// What a watcher is told next; nothing where nobody watches.
async fn next_of(watcher: &mut Option<Watcher>) -> Presence {
    match watcher {
        Some(watcher) => watcher.next().await,
        None => std::future::pending().await,
    }
}
