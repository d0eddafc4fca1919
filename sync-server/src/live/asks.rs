//! What clients ask for over a connection.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sync_core::json::Json;
use sync_core::protocol::{Ask, Asked, Subscribe, Tell};
use sync_core::service::Actor;
use sync_core::{Cursor, CursorToken, SpaceId};
use tokio::time::Instant;

use super::SPACES_MAX;
use super::beat::Clocks;
use super::connection::{Connection, Followed};
use super::end::End;
use super::line::{Reader, Writer};
use super::pace::Pace;
use super::refused::refused;
use super::unpack::Message;
use crate::app::App;
use crate::exchange;
use crate::identity::{Presented, SignedIn};
use crate::limit::Rule;
use crate::problem::{Code, Problem};
use crate::sockets::Open;

/// How long one who comes without credentials has to show them.
pub(super) const AUTH_MAX: Duration = Duration::from_secs(5);

/// Messages that make no sense before it ends.
const STRIKES_MAX: u32 = 3;

/// How long one may be held back who sends more than is answered. 20 s: what was written in two thousand messages offline gets
/// through.
const HELD_MAX: Duration = Duration::from_secs(20);

/// A cursor that was cut or made up is not as long as one of ours.
const CURSOR_BYTES: usize = 57;

/// Something that is being carried out, and what to tell of it: of a newer token nothing but what it begins with.
pub(super) type Work = BoxFuture<'static, (Asking, Result<Option<Tell>, Problem>)>;

/// Who asks for it; no space is asked about with a newer token, which is waited for like a push.
pub(super) struct Asking {
    pub(super) space: Option<SpaceId>,
    pub(super) reference: Option<String>,
}

/// How many signs of life nobody asked for are taken. One each second, and fifty at once: what libraries send to see whether
/// someone is there.
pub(super) fn signs() -> Pace {
    Pace::new(50, Duration::from_secs(1))
}

/// Reads the first message of one who came without credentials, and finds out who it is.
pub(super) async fn first_auth(
    app: &App,
    reader: &mut Reader,
    writer: &mut Writer,
    open: &mut Open,
) -> Result<SignedIn, End> {
    let mut signs = signs();
    let message = loop {
        let heard = tokio::select! {
            heard = reader.next() => heard?,
            driven = writer.drive() => {
                driven?;
                continue;
            }
        };
        match heard {
            Message::Text(message) => break message,
            Message::Ping(_) | Message::Pong(_) if !signs.take() => return Err(End::TOO_MANY),
            Message::Ping(said) => writer.answer(said),
            Message::Pong(_) => {}
            Message::Close(code) => return Err(End::Answered(code)),
        }
    };
    let asked = Asked::from_json(&message).map_err(|_| End::MISUSE)?;
    let Ask::Auth { token } = asked.ask else { return Err(End::MISUSE) };
    let who = app.identity.signed_in(Presented::Bearer(&token)).await;
    let who = who.map_err(|problem| End::lost(&problem))?;
    open.is_of(&who.user).map_err(|problem| {
        writer.tell(Tell::Error(refused(&problem, None, asked.reference)).to_json());
        End::TOO_MANY
    })?;
    Ok(who)
}

impl Connection {
    pub(super) fn hear(&mut self, heard: Message, clocks: &mut Clocks) -> Result<(), End> {
        clocks.heard();
        match heard {
            Message::Text(message) => {
                clocks.heard_whole();
                self.backlog.push(message);
            }
            Message::Pong(mark) if self.writer.answered(&mark) => {}
            // Signs of life that nobody asked for, many times a second, are none.
            Message::Ping(_) | Message::Pong(_) if !self.signs.take() => return Err(End::TOO_MANY),
            Message::Ping(said) => self.writer.answer(said),
            Message::Pong(_) => {}
            Message::Close(code) => return Err(End::Answered(code)),
        }
        Ok(())
    }

    /// Does what was asked for, as long as nothing has to be waited for. Who asks too often waits, and what they send then is
    /// not read; it ends when that goes on.
    pub(super) fn answer_backlog(&mut self) -> Result<(), End> {
        while self.may_answer() {
            if !self.pace.take() {
                let since = *self.held_since.get_or_insert_with(Instant::now);
                if since.elapsed() < HELD_MAX {
                    return Ok(());
                }
                let problem = Problem::new(Code::RateLimited).detail("too many messages, for too long");
                self.refuse(&problem.retry_after(1), None, None);
                return Err(End::TOO_MANY);
            }
            let Some(message) = self.backlog.pop() else { break };
            self.asked(&message)?;
        }
        if self.backlog.is_empty() {
            self.held_since = None;
        }
        Ok(())
    }

    /// Whether there is a message to be answered, and nothing before it to be waited for but the pace.
    pub(super) fn may_answer(&self) -> bool {
        !self.backlog.is_empty() && self.working.is_none() && self.writer.has_room()
    }

    fn asked(&mut self, text: &str) -> Result<(), End> {
        match Asked::from_json(text) {
            Ok(asked) => self.carry_out(asked),
            Err(error) => {
                self.refuse(&error.into(), None, None);
                self.strike()
            }
        }
    }

    fn strike(&mut self) -> Result<(), End> {
        self.n_strikes += 1;
        if self.n_strikes >= STRIKES_MAX { Err(End::MISUSE) } else { Ok(()) }
    }

    fn carry_out(&mut self, asked: Asked) -> Result<(), End> {
        let Asked { reference, ask } = asked;
        match ask {
            Ask::Auth { token } => self.renew(token, reference),
            Ask::Subscribe { space, subscribe, presence } => {
                return self.subscribe(space, subscribe, presence, reference);
            }
            Ask::Unsubscribe { space } => drop(self.followed.remove(&space)),
            Ask::Push { space, push } => {
                self.work(space, reference, move |app, actor, space, reference| async move {
                    let reply = exchange::push(&app, &actor, &space, push.as_bytes()).await?;
                    Ok(Tell::Pushed { space, reference, reply })
                })
            }
            Ask::Ops { space, tree, ops } => {
                self.work(space, reference, move |app, actor, space, reference| async move {
                    let body = format!("{{\"ops\":{ops}}}");
                    let reply = exchange::add_ops(&app, &actor, &space, &tree, body.as_bytes()).await?;
                    Ok(Tell::Added { space, tree, reference, reply })
                });
            }
            Ask::Missing { space, tree, vector, limit } => {
                self.work(space, reference, move |app, actor, space, reference| async move {
                    let limit = limit.map(|limit| format!(",\"limit\":{limit}")).unwrap_or_default();
                    let body = format!("{{\"vector\":{vector}{limit}}}");
                    let reply = exchange::missing_ops(&app, &actor, &space, &tree, body.as_bytes()).await?;
                    Ok(Tell::Ops { space, tree, reference, reply })
                });
            }
            Ask::Presence { space, state } => self.be_there(&space, state, reference),
            Ask::Ping { at } => return self.ping(at, reference),
            _ => return self.strike(),
        }
        Ok(())
    }

    /// Takes a newer token of the same user.
    fn renew(&mut self, token: String, reference: Option<String>) {
        // It is looked at like a push: what is sent after it waits for it.
        let (app, recipient) = (self.app.clone(), self.recipient.clone());
        let user = recipient.borrow().who.user.clone();
        let asking = Asking { space: None, reference };
        self.working = Some(
            async move {
                let renewed = app.identity.signed_in(Presented::Bearer(&token)).await;
                let renewed = renewed
                    .and_then(|now| if now.user == user { Ok(now) } else { Err(Code::InvalidToken.into()) });
                (
                    asking,
                    renewed.map(|now| {
                        recipient.send_modify(|recipient| recipient.who = now);
                        None
                    }),
                )
            }
            .boxed(),
        );
    }

    fn subscribe(
        &mut self,
        space: SpaceId,
        wish: Subscribe,
        presence: bool,
        reference: Option<String>,
    ) -> Result<(), End> {
        if self.followed.len() >= SPACES_MAX && !self.followed.contains_key(&space) {
            let problem = Problem::new(Code::QuotaExceeded).detail("a connection follows so many spaces");
            self.refuse(&problem.limit(SPACES_MAX as u64), Some(&space), reference);
            return Ok(());
        }
        if let Err(problem) = self.is_allowed() {
            self.refuse(&problem, Some(&space), reference);
            return Ok(());
        }
        if let Some(token) = wish.after.as_ref().filter(|after| Cursor::decode(after, &space).is_err()) {
            let problem = Problem::new(Code::InvalidCursor).detail("not a cursor of this space");
            self.refuse(&problem, Some(&space), reference);
            return if could_be_cursor(token) { Ok(()) } else { Err(End::BAD_CURSOR) };
        }
        self.n_follows += 1;
        let mut followed = Followed::new(self.n_follows, reference);
        // Who is there stays there, and is seen without a break.
        followed.here = self.followed.get_mut(&space).and_then(|before| before.here.take());
        self.follow(space, wish, presence, followed);
        Ok(())
    }

    /// What asks the store counts like a request.
    fn is_allowed(&self) -> Result<(), Problem> {
        let limiter = &self.app.limiter;
        limiter.check(limiter.client(Rule::Request, self.client))
    }

    /// Begins what asks the service; what is sent after it waits for it.
    fn work<W>(
        &mut self,
        space: SpaceId,
        reference: Option<String>,
        work: impl FnOnce(App, Actor, SpaceId, Option<String>) -> W + Send + 'static,
    ) where
        W: Future<Output = Result<Tell, Problem>> + Send,
    {
        if let Err(problem) = self.is_allowed() {
            return self.refuse(&problem, Some(&space), reference);
        }
        let (app, who) = (self.app.clone(), self.recipient.borrow().who.clone());
        self.working = Some(
            async move {
                let (of, word) = (space.clone(), reference.clone());
                let done = async {
                    let actor = app.identity.acting(&who, &space).await?;
                    work(app, actor, of, word).await.map(Some)
                };
                let done = done.await;
                (Asking { space: Some(space), reference }, done)
            }
            .boxed(),
        );
    }

    fn be_there(&mut self, space: &SpaceId, state: Option<Json>, reference: Option<String>) {
        if !self.presence_pace.take() {
            let problem = Problem::new(Code::RateLimited).detail("too many changes of presence");
            return self.refuse(&problem.retry_after(1), Some(space), reference);
        }
        match (self.followed.get_mut(space), state) {
            (None, _) => {
                let problem = Problem::new(Code::SpaceNotFound).detail("subscribe to the space first");
                self.refuse(&problem, Some(space), reference);
            }
            (Some(followed), None) => (followed.here, followed.shows) = (None, None),
            (Some(followed), Some(state)) if !followed.has_begun => followed.shows = Some(state),
            (Some(_), Some(state)) => self.show(space, state, reference),
        }
    }

    fn ping(&mut self, at: BTreeMap<SpaceId, CursorToken>, reference: Option<String>) -> Result<(), End> {
        if at.len() > SPACES_MAX {
            let problem = Problem::new(Code::ValidationFailed).detail("a connection follows fewer spaces");
            self.refuse(&problem.pointer("/at").limit(SPACES_MAX as u64), None, reference);
            return self.strike();
        }
        for (space, token) in at {
            let Some(followed) = self.followed.get_mut(&space).filter(|followed| followed.has_begun) else {
                let problem = Problem::new(Code::SpaceNotFound).detail("this space is not subscribed to");
                self.refuse(&problem, Some(&space), reference.clone());
                continue;
            };
            let position = Cursor::decode(&token, &space).ok().map(|cursor| cursor.seq);
            let known = position.filter(|at| followed.told >= Some(*at) && followed.synced <= Some(*at));
            match known {
                Some(position) => {
                    followed.synced = Some(position);
                    self.app.identity.note_synced(&self.recipient.borrow().who, &space, position);
                }
                None => {
                    let problem = Problem::new(Code::InvalidCursor)
                        .detail("not a cursor that was sent, or an older one");
                    self.refuse(&problem, Some(&space), reference.clone());
                }
            }
        }
        let heads = self.heads();
        self.tell(&Tell::Pong { reference, heads });
        Ok(())
    }
}

/// Whether a text has the form of a cursor, though it is none of this space.
fn could_be_cursor(token: &CursorToken) -> bool {
    URL_SAFE_NO_PAD.decode(token.as_str()).is_ok_and(|bytes| bytes.len() == CURSOR_BYTES)
}
