//! One connection, from its first message to its end: what happens in which order.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sync_core::json::Json;
use sync_core::protocol::{Subscribe, Tell};
use sync_core::service::Live;
use sync_core::{Cursor, Seq, SpaceId};
use tokio::sync::watch;
use tokio::time::Instant;

use super::BEAT;
use super::asks::{AUTH_MAX, Asking, Work, first_auth, signs};
use super::backlog::Backlog;
use super::beat::Clocks;
use super::end::End;
use super::following::{Event, Recipient, Wish, follow};
use super::line::{self, Reader, Writer};
use super::pace::Pace;
use super::refused::refused;
use crate::app::App;
use crate::client::ClientAddress;
use crate::identity::SignedIn;
use crate::presence::Here;
use crate::problem::Problem;
use crate::sockets::Open;

/// With what a connection begins.
pub(crate) struct Opening {
    pub(crate) app: App,
    pub(crate) open: Open,
    /// Who it is; `None` when they will say so in their first message.
    pub(crate) who: Option<SignedIn>,
    /// From where it comes.
    pub(crate) client: ClientAddress,
}

/// What a connection does.
pub(super) struct Connection {
    pub(super) app: App,
    /// How it is called where presence is told.
    pub(super) name: String,
    /// Who it is, and whether news are taken.
    pub(super) recipient: watch::Sender<Recipient>,
    pub(super) writer: Writer,
    pub(super) followed: HashMap<SpaceId, Followed>,
    pub(super) events: SelectAll<BoxStream<'static, (SpaceId, u64, Event)>>,
    pub(super) n_follows: u64,
    /// Messages that wait for what is carried out before them, or for room to answer.
    pub(super) backlog: Backlog,
    pub(super) working: Option<Work>,
    pub(super) n_strikes: u32,
    pub(super) pace: Pace,
    /// Since when messages wait for the pace alone.
    pub(super) held_since: Option<Instant>,
    pub(super) signs: Pace,
    pub(super) presence_pace: Pace,
    pub(super) client: ClientAddress,
}

/// A space that is subscribed to.
pub(super) struct Followed {
    /// Which of the subscriptions to it; what earlier ones had to say is nothing any more.
    pub(super) number: u64,
    abort: Option<AbortHandle>,
    /// Whether they were found to be a member.
    pub(super) has_begun: bool,
    /// Where the feed stands, and up to where it was told.
    pub(super) head: Seq,
    pub(super) told: Option<Seq>,
    pub(super) synced: Option<Seq>,
    pub(super) reference: Option<String>,
    /// What they want to show as soon as they are a member.
    pub(super) shows: Option<Json>,
    pub(super) here: Option<Here>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.abort.iter().for_each(AbortHandle::abort);
    }
}

/// Serves a connection to its end. What it waits in for most of its time is kept small, so what is short is boxed.
pub(super) async fn serve(upgraded: Upgraded, opening: Opening) {
    let (mut reader, mut writer) = line::open(TokioIo::new(upgraded));
    let Opening { app, mut open, who, client } = opening;
    let stopping = app.stopping.clone();
    let signed_in = match who {
        Some(who) => Ok(who),
        None => introduced(&app, &mut reader, &mut writer, &mut open).boxed().await,
    };
    let (writer, end) = match signed_in {
        Err(end) => (writer, end),
        Ok(who) => {
            let mut connection = Box::new(Connection::new(app, who, client, writer));
            let end = connection.run(&mut reader).await;
            // Presence ends now, and not when the farewell has been heard.
            let Connection { writer, .. } = *connection;
            (writer, end)
        }
    };
    let mut farewell = line::close(reader, writer, end).boxed();
    tokio::select! {
        () = &mut farewell => {}
        // A server that stops waits for those to whom it says so, and not for those who have not read yet what was said.
        () = stopping.begun(), if end == End::SLOW => {}
    }
    drop(open);
}

/// Who it is, from the first message of one who came without credentials.
async fn introduced(
    app: &App,
    reader: &mut Reader,
    writer: &mut Writer,
    open: &mut Open,
) -> Result<SignedIn, End> {
    tokio::select! {
        biased;
        () = app.stopping.begun() => Err(End::RESTART),
        who = tokio::time::timeout(AUTH_MAX, first_auth(app, reader, writer, open)) => {
            who.unwrap_or(Err(End::SILENT))
        }
    }
}

impl Connection {
    fn new(app: App, who: SignedIn, client: ClientAddress, writer: Writer) -> Self {
        let name = app.new_id();
        Self {
            app,
            name,
            recipient: watch::Sender::new(Recipient { who, takes_news: true }),
            writer,
            followed: HashMap::new(),
            events: SelectAll::new(),
            n_follows: 0,
            backlog: Backlog::default(),
            working: None,
            n_strikes: 0,
            // A hundred each second, and two hundred at once: fast typing in many places, and a page that opens.
            pace: Pace::new(200, Duration::from_millis(10)),
            held_since: None,
            signs: signs(),
            // Ten each second: a pointer that moves.
            presence_pace: Pace::new(20, Duration::from_millis(100)),
            client,
        }
    }

    async fn run(&mut self, reader: &mut Reader) -> End {
        self.ready();
        let stopping = self.app.stopping.clone();
        let mut stopping = Box::pin(async move { stopping.begun().await });
        let mut guard = guard(self.app.clone(), self.recipient.subscribe());
        let mut clocks = Clocks::new();
        loop {
            let step = tokio::select! {
                biased;
                () = &mut stopping => Err(End::RESTART),
                problem = &mut guard => Err(End::lost(&problem)),
                heard = reader.next(), if self.backlog.has_room() => heard.and_then(|heard| self.hear(heard, &mut clocks)),
                (asking, tell) = done(&mut self.working) => self.done(asking, tell),
                Some((space, number, event)) = self.events.next() => self.happened(&space, number, event),
                () = self.pace.ready(), if self.may_answer() => Ok(()),
                driven = self.writer.drive() => driven,
                () = clocks.tick() => self.look(reader, &mut clocks),
            };
            if let Err(end) = step.and_then(|()| self.answer_backlog()) {
                return end;
            }
            let takes_news = self.writer.takes_news();
            self.recipient
                .send_if_modified(|now| std::mem::replace(&mut now.takes_news, takes_news) != takes_news);
        }
    }

    fn ready(&mut self) {
        let user = self.recipient.borrow().who.user.clone();
        self.tell(&Tell::Ready { connection: self.name.clone(), user, beat: BEAT });
    }

    pub(super) fn tell(&mut self, tell: &Tell) {
        self.writer.tell(tell.to_json());
    }

    pub(super) fn refuse(&mut self, problem: &Problem, space: Option<&SpaceId>, reference: Option<String>) {
        self.tell(&Tell::Error(refused(problem, space, reference)));
    }

    /// Tells of what happened in a space.
    fn happened(&mut self, space: &SpaceId, number: u64, event: Event) -> Result<(), End> {
        let Some(followed) = self.followed.get_mut(space).filter(|followed| followed.number == number) else {
            return Ok(());
        };
        match event {
            Event::Began => self.began(space),
            Event::News(Live::Frame(frame)) => {
                followed.head = followed.head.max(frame.page.head);
                followed.told = if frame.page.has_more {
                    Cursor::decode(&frame.page.cursor, space).ok().map(|cursor| cursor.seq)
                } else {
                    Some(frame.page.head)
                };
                self.writer.tell_shared(frame.text());
            }
            Event::News(Live::Resync(resync)) => {
                self.followed.remove(space);
                self.tell(&Tell::Resync { space: space.clone(), resync });
            }
            Event::Presence(presence) => self.tell(&Tell::Presence(presence)),
            Event::Failed(problem) => {
                let reference = followed.reference.take();
                self.followed.remove(space);
                self.refuse(&problem, Some(space), reference);
            }
            Event::Lost(problem) => return Err(End::lost(&problem)),
        }
        Ok(())
    }

    /// Someone was found to be a member: now they may be seen.
    fn began(&mut self, space: &SpaceId) {
        let Some(followed) = self.followed.get_mut(space) else { return };
        followed.has_begun = true;
        if let Some(state) = followed.shows.take() {
            self.show(space, state, None);
        }
    }

    /// Is there, or shows something else than before.
    pub(super) fn show(&mut self, space: &SpaceId, state: Json, reference: Option<String>) {
        let Some(followed) = self.followed.get_mut(space) else { return };
        let here = followed.here.get_or_insert_with(|| self.app.rooms().enter(space, &self.name));
        let shown = here.show(&self.recipient.borrow().who.user, state);
        if let Err(problem) = shown {
            followed.here = None;
            self.refuse(&problem, Some(space), reference);
        }
    }

    /// Begins to follow a space, in place of an earlier subscription to it. Those who are there stay there.
    pub(super) fn follow(
        &mut self,
        space: SpaceId,
        subscribe: Subscribe,
        presence: bool,
        mut followed: Followed,
    ) {
        let (abort, registration) = AbortHandle::new_pair();
        let number = followed.number;
        followed.abort = Some(abort);
        self.followed.insert(space.clone(), followed);
        let wish = Wish { subscribe, presence };
        let events = follow(self.app.clone(), self.recipient.subscribe(), space.clone(), wish);
        let events = events.map(move |event| (space.clone(), number, event));
        self.events.push(Abortable::new(events, registration).boxed());
    }

    fn done(&mut self, asking: Asking, done: Result<Option<Tell>, Problem>) -> Result<(), End> {
        self.working = None;
        let Asking { space, reference } = asking;
        match (done, space) {
            (Ok(Some(tell)), _) => self.tell(&tell),
            (Ok(None), _) => self.ready(),
            (Err(problem), Some(_)) if problem.code().status() == 401 => return Err(End::lost(&problem)),
            // A token that is not taken changes nothing; the one before may be good for a while.
            (Err(problem), space) => self.refuse(&problem, space.as_ref(), reference),
        }
        Ok(())
    }
}

impl Followed {
    pub(super) fn new(number: u64, reference: Option<String>) -> Self {
        Self {
            number,
            abort: None,
            has_begun: false,
            head: Seq::ZERO,
            told: None,
            synced: None,
            reference,
            shows: None,
            here: None,
        }
    }
}

/// Ready when someone is not signed in any more, whatever they follow.
fn guard(app: App, mut recipient: watch::Receiver<Recipient>) -> BoxFuture<'static, Problem> {
    async move {
        let mut vigil = app.identity.vigil();
        loop {
            let who = recipient.borrow_and_update().who.clone();
            if let Err(problem) = app.identity.signed_in_surely(&who).boxed().await {
                return problem;
            }
            tokio::select! {
                () = vigil.doubt(&who, None) => {}
                Ok(_) = recipient.wait_for(|now| now.who != who) => {}
            }
        }
    }
    .boxed()
}

async fn done(working: &mut Option<Work>) -> (Asking, Result<Option<Tell>, Problem>) {
    match working {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}
