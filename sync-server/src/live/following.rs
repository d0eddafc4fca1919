//! One space for one reader: what they are told of it, for as long as they may know.
//!
//! Whether they may is looked up when it begins, and again whenever something is noticed that may have changed it. While it is
//! looked up nothing is told. So what is committed after somebody was removed reaches nobody who was.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
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
    /// What they are in the space, as far as that is not in doubt, and what they are told.
    stage: Stage,
}

enum Stage {
    Doubted(Option<(Actor, Subscription)>),
    Sure(Actor, Subscription),
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
    let following = Following { app, who, space, wish, watcher: None, vigil, stage: Stage::Doubted(None) };
    stream::unfold(following, Following::next).boxed()
}

impl Following {
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            let event = match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Over => return None,
                Stage::Doubted(before) => self.look(before).await,
                Stage::Sure(actor, subscription) => self.listen(actor, subscription).await,
            };
            if let Some(event) = event {
                return Some((event, self));
            }
        }
    }

    /// Finds out whether they may.
    async fn look(&mut self, before: Option<(Actor, Subscription)>) -> Option<Event> {
        let who = self.who.borrow_and_update().clone();
        let actor = match self.app.identity.acting_surely(&who, &self.space).await {
            Ok(actor) => actor,
            Err(problem) if before.is_some() => return Some(Event::Lost(problem)),
            Err(problem) => return Some(Event::Failed(problem)),
        };
        let is_new = before.is_none();
        let subscription = match before {
            Some((known, subscription)) if known == actor => Ok(subscription),
            // What they may read depends on what they are; the feed says whether their cursor is good for that.
            Some((_, subscription)) => {
                self.app.service.subscribe(&actor, &self.space, subscription.resume()).await
            }
            None => self.app.service.subscribe(&actor, &self.space, self.wish.subscribe.clone()).await,
        };
        match subscription {
            Ok(subscription) => self.stage = Stage::Sure(actor, subscription),
            Err(error) => return Some(Event::Failed(error.into())),
        }
        if !is_new {
            return None;
        }
        self.watcher = self.wish.presence.then(|| self.app.rooms().watch(&self.space));
        Some(Event::Began)
    }

    /// Waits for news, or for doubt, which comes first.
    async fn listen(&mut self, actor: Actor, mut subscription: Subscription) -> Option<Event> {
        let who = self.who.borrow().clone();
        let is_open = *self.wish.gate.borrow_and_update();
        let told = tokio::select! {
            biased;
            () = self.vigil.doubt(&who, Some(&self.space)) => None,
            Ok(()) = self.who.changed() => None,
            Ok(()) = self.wish.gate.changed() => {
                self.stage = Stage::Sure(actor, subscription);
                return None;
            }
            presence = next_of(&mut self.watcher), if is_open => {
                self.stage = Stage::Sure(actor, subscription);
                return Some(Event::Presence(presence));
            }
            told = subscription.next(), if is_open => Some(told),
        };
        match told {
            None => {
                self.stage = Stage::Doubted(Some((actor, subscription)));
                None
            }
            Some(Ok(Live::Frame(frame))) => {
                self.stage = Stage::Sure(actor, subscription);
                Some(Event::News(Live::Frame(frame)))
            }
            Some(Ok(resync)) => Some(Event::News(resync)),
            Some(Err(error)) => Some(Event::Failed(error.into())),
        }
    }
}

/// What a watcher is told next; nothing where nobody watches.
async fn next_of(watcher: &mut Option<Watcher>) -> Presence {
    match watcher {
        Some(watcher) => watcher.next().await,
        None => std::future::pending().await,
    }
}
