//! One space for one reader: what they are told of it, for as long as they may know.
//!
//! Whether they may is looked up when it begins, and again whenever something is noticed that may have changed it. While it is
//! looked up nothing is told. So what is committed after somebody was removed reaches nobody who was.

use futures_util::FutureExt;
use futures_util::stream::{self, Stream};
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

/// What someone wants to be told of a space.
pub(crate) struct Wish {
    /// From where, and what of it.
    pub(crate) subscribe: Subscribe,
    /// Whether to be told who is there.
    pub(crate) presence: bool,
}

/// Who is told. What they show of themselves may be replaced by something newer.
#[derive(Clone, Debug)]
pub(crate) struct Recipient {
    pub(crate) who: SignedIn,
    /// Whether they take what they are told. While they do not, nothing is told, but their rights are watched.
    pub(crate) takes_news: bool,
}

/// One who follows a space.
struct Following {
    app: App,
    recipient: watch::Receiver<Recipient>,
    space: SpaceId,
    wish: Wish,
    watcher: Option<Watcher>,
    vigil: Vigil,
    stage: Stage,
    /// What was found when their right was looked up last, if they had one.
    found: Option<Found>,
}

/// Someone with the right to be told.
struct Found {
    who: SignedIn,
    actor: Actor,
    subscription: Subscription,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Doubted,
    Sure,
    Over,
}

/// Follows a space for someone.
pub(crate) fn follow(
    app: App,
    recipient: watch::Receiver<Recipient>,
    space: SpaceId,
    wish: Wish,
) -> impl Stream<Item = Event> + Send + 'static {
    // It listens before it looks.
    let vigil = app.identity.vigil();
    let following =
        Following { app, recipient, space, wish, watcher: None, vigil, stage: Stage::Doubted, found: None };
    stream::unfold(following, |mut following| async move {
        let event = following.next().await?;
        Some((event, following))
    })
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
        let who = self.recipient.borrow().who.clone();
        let actor = match self.app.identity.acting_surely(&who, &self.space).await {
            Ok(actor) => actor,
            Err(problem) if self.found.is_some() => return Err(Event::Lost(problem)),
            Err(problem) => return Err(Event::Failed(problem)),
        };
        self.stage = Stage::Sure;
        let is_new = self.found.is_none();
        let subscribe = match &mut self.found {
            None => std::mem::take(&mut self.wish.subscribe),
            Some(found) if found.actor == actor => {
                found.who = who;
                return Ok(None);
            }
            // What they may read depends on what they are; the feed says whether their cursor is good for that.
            Some(found) => found.subscription.resume(),
        };
        let subscription =
            self.app.service.subscribe(&actor, &self.space, subscribe).await.map_err(failed)?;
        self.found = Some(Found { who, actor, subscription });
        if !is_new {
            return Ok(None);
        }
        self.watcher = self.wish.presence.then(|| self.app.rooms().watch(&self.space));
        Ok(Some(Event::Began))
    }

    /// Waits for news, or for doubt, which comes first. An error is the last that they are told.
    async fn listen(&mut self) -> Result<Option<Event>, Event> {
        let Self { recipient, space, watcher, vigil, stage, found, .. } = self;
        let takes_news = {
            let now = recipient.borrow_and_update();
            found.as_ref().is_some_and(|found| found.who == now.who).then_some(now.takes_news)
        };
        let (Some(found), Some(is_open)) = (found, takes_news) else {
            *stage = Stage::Doubted;
            return Ok(None);
        };
        tokio::select! {
            biased;
            () = vigil.doubt(&found.who, Some(space)) => *stage = Stage::Doubted,
            Ok(()) = recipient.changed() => {}
            presence = next_of(watcher), if is_open => return Ok(Some(Event::Presence(presence))),
            told = found.subscription.next(), if is_open => return match told {
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
