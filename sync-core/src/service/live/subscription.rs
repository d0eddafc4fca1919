//! What one reader is given: first what they have missed, from the store, then what happens, from the hub.
//!
//! ```text
//!         the reader's cursor          the hub's ring
//! ──────────────●───────────────┬────────┬─────┬───────▶
//!               └─ store, pages ┘└ frames of the ring ─▶
//!                                ▲ the first one without what the pages already had
//! ```
//! The seat at the hub is taken before the first page is read. So what is committed between the two is in the page, or in a
//! frame that the hub publishes after it, or in both; and a frame that begins too early is cut to where the reader stands. That
//! no change falls between does not depend on where the two meet.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, Either, select};
use futures_util::stream::BoxStream;

use super::hub::{Found, Framed, Seat, Tried};
use super::{FRAME_BYTES_MAX, FRAME_ROWS_MAX, Hubs, LOOK_EVERY, Place};
use crate::error::Result;
use crate::protocol::{LiveFrame, PullPage, PullReply, PullRequest, Resync, Subscribe};
use crate::runtime::Runtime;
use crate::service::{Actor, Inner, Service, cursors, pull, selection};
use crate::types::{Collection, Cursor, CursorToken, Record, Seq, SpaceId};

/// After this time a reader is told that they stand further on, also when nothing of what happened is for them. 5 s: a number to
/// keep is not worth a message for each of other people's commits.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// What a subscription yields.
#[derive(Clone, Debug)]
pub enum Live {
    /// The next changes. It begins where the one before ended.
    Frame(Arc<LiveFrame>),
    /// The feed cannot be continued from where the reader stands. Nothing follows.
    Resync(Resync),
}

/// Someone who follows a space; see [`Service::subscribe`]. Dropping it ends it.
pub struct Subscription {
    service: Service,
    actor: Actor,
    space: SpaceId,
    collections: Option<Vec<Collection>>,
    source: Source,
    /// What must be in the history, until the first page was read.
    first: Option<PullRequest>,
    /// Where the reader stands; nowhere before the first page of one who began at zero.
    place: Option<Cursor>,
    /// The cursor that the reader holds.
    told: Option<CursorToken>,
    head: Seq,
    /// Something happened that was not read yet.
    is_stale: bool,
    /// The last look for what had left the ring.
    tried: Option<Tried>,
    /// Runs while the reader stands further on than they know.
    quiet: Option<BoxFuture<'static, ()>>,
    _counted: Place,
}

/// From where news comes.
enum Source {
    /// From a hub, as everyone may read everything.
    Shared(Seat),
    /// From the store, as this reader sees it.
    Own {
        hints: BoxStream<'static, Seq>,
        /// When to look even without a hint. It runs on when [`Subscription::next`] is dropped, or who drops that often
        /// would never look.
        look: BoxFuture<'static, ()>,
    },
}

impl Service {
    /// Follows a space from a cursor: the changes after it, and then those to come, in frames of which each begins where the
    /// one before ended.
    ///
    /// The first frame comes at once, also when there is nothing new. Where nobody's reading is [scoped], the feed is read once
    /// for all who follow a space, and its frames are shared. A reader who is slow is not queued for: they are given what
    /// they have missed when they ask for more, read from the feed, in its newest state.
    ///
    /// [scoped]: crate::service::rules::Scope
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::protocol::{PushRequest, Subscribe};
    /// # use sync_core::service::{Actor, Live, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # let (space, me) = (SpaceId::new("family")?, Actor::new(ActorId::new("ada")?, Role::Owner));
    /// # service.create_space(&space).await?;
    /// let mut live = service.subscribe(&me, &space, Subscribe::default()).await?;
    /// let Live::Frame(first) = live.next().await? else { unreachable!() };
    /// assert!(first.page.changes.is_empty());
    /// let body = br#"{"mutations":[{"op":"put","collection":"notes","id":"1","data":"milk"}]}"#;
    /// service.push(&me, &space, PushRequest::from_json(body)?).await?;
    /// let Live::Frame(next) = live.next().await? else { unreachable!() };
    /// assert_eq!(next.page.changes[0].data.as_ref().unwrap().as_str(), "\"milk\"");
    /// assert_eq!(next.from.as_ref(), Some(&first.page.cursor));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a cursor of another space, too many collections, or one that is not
    /// [delivered](crate::Collection::is_delivered), [`Overloaded`](crate::ErrorKind::Overloaded) when too many follow
    /// spaces here. Whether there is such a space is found out by [`next`](Subscription::next).
    pub async fn subscribe(
        &self,
        actor: &Actor,
        space: &SpaceId,
        subscribe: Subscribe,
    ) -> Result<Subscription> {
        selection::check(subscribe.collections.as_deref(), &self.0.limits)?;
        let Subscribe { after, collections, receipt } = subscribe;
        let place = after.as_ref().map(|after| cursors::read(after, space)).transpose()?;
        receipt.as_ref().map(|receipt| cursors::read(receipt, space)).transpose()?;
        let counted = Place::take(&self.0)?;
        Ok(Subscription {
            source: Source::of(&self.0, space, actor),
            service: self.clone(),
            actor: actor.clone(),
            space: space.clone(),
            first: Some(PullRequest { receipt, ..PullRequest::default() }),
            collections,
            place,
            told: after,
            head: Seq::ZERO,
            is_stale: false,
            tried: None,
            quiet: None,
            _counted: counted,
        })
    }
}

impl Source {
    fn of(inner: &Arc<Inner>, space: &SpaceId, actor: &Actor) -> Self {
        if inner.rules.view(actor).is_whole() {
            Self::Shared(Hubs::sit(inner, space, actor))
        } else {
            Self::Own { hints: inner.store.hints(space), look: inner.runtime.sleep(LOOK_EVERY) }
        }
    }
}

impl Subscription {
    /// The next frame, when there is one. It may be dropped at any time: nothing is lost, and the next call goes on from
    /// what was yielded last.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) for a space that is not there, and what the store reports. It may be called
    /// again after an error that passes.
    pub async fn next(&mut self) -> Result<Live> {
        if let Some(frame) = self.known_first() {
            return Ok(Live::Frame(frame));
        }
        loop {
            let is_first = self.first.is_some();
            let read = if is_first { Some(self.read().await?) } else { self.news().await? };
            let Some(reply) = read else { return Ok(self.settle()) };
            match reply {
                News::Resync(resync) => return Ok(Live::Resync(resync)),
                News::Page(cursor, page) => {
                    self.first = None;
                    // A hub has what follows; without one nobody else would say that there is more.
                    self.is_stale = page.has_more && matches!(self.source, Source::Own { .. });
                    if let Some(frame) = self.take_own(cursor, page, is_first) {
                        return Ok(Live::Frame(frame));
                    }
                }
                News::Framed(framed) => {
                    if let Some(frame) = self.take(framed) {
                        return Ok(Live::Frame(frame));
                    }
                }
            }
        }
    }

    /// Where the space stands, as far as is known here.
    pub fn head(&self) -> Seq {
        let Source::Shared(seat) = &self.source else { return self.head };
        let is_of_this_life = |end: &Cursor| self.place.is_none_or(|place| place.epoch == end.epoch);
        seat.end().filter(is_of_this_life).map_or(self.head, |end| end.seen.max(self.head))
    }

    /// What the service waits by.
    pub(crate) fn runtime(&self) -> &dyn Runtime {
        &*self.service.0.runtime
    }

    /// The cursor that the reader holds, when they have taken in what was yielded.
    pub fn cursor(&self) -> Option<&CursorToken> {
        self.told.as_ref()
    }

    /// With what to subscribe in order to go on from here, as someone who may read something else. The receipt
    /// that the reader had belongs to it until the first page was read, which shows whether that is so.
    pub fn resume(&self) -> Subscribe {
        Subscribe {
            after: self.told.clone(),
            collections: self.collections.clone(),
            receipt: self.first.as_ref().and_then(|first| first.receipt.clone()),
        }
    }

    /// A reader whose cursor is the hub's own goes on from there, and the store need not be asked about it. So those who come
    /// back all at once cost little. One who stands at its end is told so.
    fn known_first(&mut self) -> Option<Arc<LiveFrame>> {
        let (Source::Shared(seat), Some(first), Some(told)) = (&self.source, &self.first, &self.told) else {
            return None;
        };
        if first.receipt.is_some() {
            return None;
        }
        let (place, head) = seat.knows(told)?;
        if head > place.seq && self.collections.is_some() {
            // What comes next may hold nothing for them, and they are to hear at once that they are caught up.
            return None;
        }
        (self.first, self.place, self.head) = (None, Some(place), head);
        if head > place.seq {
            return None;
        }
        let page = PullPage { changes: vec![], cursor: told.clone(), has_more: false, head };
        Some(Arc::new(LiveFrame::new(self.space.clone(), Some(told.clone()), page)))
    }

    /// What is new; `None` when the reader is to be told where they stand.
    async fn news(&mut self) -> Result<Option<News>> {
        if !self.is_stale {
            match self.wait().await {
                None => return Ok(None),
                Some(Woken::Found(Found::Frame(framed))) if self.fits(&framed) => {
                    return Ok(Some(News::Framed(framed)));
                }
                Some(Woken::Found(Found::Over)) => {
                    self.source = Source::of(&self.service.0, &self.space, &self.actor);
                }
                Some(Woken::Found(Found::Behind(end))) => {
                    self.tried = self.place.map(|place| Tried { place, end });
                }
                Some(Woken::Found(Found::Frame(_)) | Woken::Hint) => {}
            }
            // A hint is heard once. Should this be dropped before the page is read, the next call reads it.
            self.is_stale = true;
        }
        self.read().await.map(Some)
    }

    /// Waits for something new, or for the time to tell the reader where they stand.
    async fn wait(&mut self) -> Option<Woken> {
        let Self { source, quiet, head, service, tried, .. } = self;
        let place = self.place.expect("the first page was read, and it has a cursor");
        let next = async {
            match source {
                Source::Shared(seat) => Woken::Found(poll_fn(|cx| seat.poll_next(place, *tried, cx)).await),
                Source::Own { hints, look } => {
                    select(pin!(next_after(hints, *head)), &mut *look).await;
                    *look = service.0.runtime.sleep(LOOK_EVERY);
                    Woken::Hint
                }
            }
        };
        match quiet {
            None => Some(next.await),
            Some(timer) => match select(pin!(next), timer).await {
                Either::Left((woken, _)) => Some(woken),
                Either::Right(_) => None,
            },
        }
    }

    /// Whether a frame may be what comes next. One that was read earlier than what the reader was given leads to a cursor that
    /// forgets how much they have seen.
    fn fits(&self, framed: &Framed) -> bool {
        framed.frame.from == self.told || self.place.is_some_and(|place| framed.to.seen >= place.seen)
    }

    /// Reads the next page from the store, in a task of its own.
    async fn read(&mut self) -> Result<News> {
        let (actor, space, place) = (self.actor.clone(), self.space.clone(), self.place);
        let request = PullRequest {
            limit: Some(FRAME_ROWS_MAX),
            collections: self.collections.clone(),
            ..self.first.clone().unwrap_or_default()
        };
        let reply = self.service.run(move |inner| async move {
            pull::page(&inner, &actor, &space, &request, place, FRAME_BYTES_MAX).await
        });
        match reply.await? {
            PullReply::ResyncRequired(resync) => Ok(News::Resync(resync)),
            PullReply::Page(page) => Ok(News::Page(cursors::read(&page.cursor, &self.space)?, page)),
        }
    }

    /// A frame of everyone's, as it is or as far as it is for this reader.
    fn take(&mut self, framed: Framed) -> Option<Arc<LiveFrame>> {
        let Framed { to, frame, .. } = framed;
        if frame.from == self.told && self.collections.is_none() {
            self.move_to(to, &frame.page);
            return Some(frame);
        }
        let place = self.place.map_or(Seq::ZERO, |place| place.seq);
        let is_new = |change: &&Record| change.meta.version > place && self.wants(&change.key.collection);
        let changes = frame.page.changes.iter().filter(is_new).cloned().collect();
        let page = PullPage { changes, cursor: frame.page.cursor.clone(), ..frame.page };
        self.take_own(to, page, false)
    }

    /// A page for this reader alone; none when there is nothing in it that they need to hear at once.
    fn take_own(&mut self, cursor: Cursor, page: PullPage, is_first: bool) -> Option<Arc<LiveFrame>> {
        if page.changes.is_empty() && !page.has_more && !is_first {
            if self.place != Some(cursor) {
                (self.place, self.head) = (Some(cursor), page.head);
                self.quiet.get_or_insert_with(|| self.service.0.runtime.sleep(QUIET_MAX));
            }
            return None;
        }
        let from = self.told.clone();
        self.move_to(cursor, &page);
        Some(Arc::new(LiveFrame::new(self.space.clone(), from, page)))
    }

    fn move_to(&mut self, cursor: Cursor, page: &PullPage) {
        (self.place, self.told, self.head) = (Some(cursor), Some(page.cursor.clone()), page.head);
        self.quiet = None;
    }

    /// A frame with nothing in it but where the reader stands.
    fn settle(&mut self) -> Live {
        self.quiet = None;
        let from = self.told.clone();
        let place = self.place.expect("the reader stands further on than they know, so they stand somewhere");
        let cursor = place.encode(&self.space);
        self.told = Some(cursor.clone());
        let page = PullPage { changes: vec![], cursor, has_more: false, head: self.head };
        Live::Frame(Arc::new(LiveFrame::new(self.space.clone(), from, page)))
    }

    fn wants(&self, collection: &Collection) -> bool {
        selection::has(self.collections.as_deref(), collection)
    }
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription")
            .field("space", &self.space)
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}

/// What was heard.
enum Woken {
    Found(Found),
    Hint,
}

/// What is new.
enum News {
    Framed(Framed),
    Page(Cursor, PullPage),
    Resync(Resync),
}

/// Waits for a head after one that is known.
async fn next_after(hints: &mut BoxStream<'static, Seq>, known: Seq) {
    while let Some(head) = hints.next().await {
        if head > known {
            return;
        }
    }
    // No more hints, as it seems: looking now and then is left.
    std::future::pending().await
}
