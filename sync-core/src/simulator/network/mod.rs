//! The network between replicas and servers: late, lossy, repeating, and sometimes lying.
//!
//! ```text
//! replica ─▶ link ─▶ (delay, loss) ─▶ gate: signed out, revoked, overloaded ─▶ a server of its branch ─▶ service
//!         ◀───────── (delay, loss, cut) ◀──────────── ledger ◀──────────────────────────┘
//! ```
//!
//! A message goes on when its sender dies, and may arrive again long after it was answered.

mod ledger;
mod link;
mod live;
mod message;
mod weather;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::FutureExt;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{SnapshotRequest, code};
use crate::runtime::Runtime;
use crate::service::{Actor, Service};
use crate::simulator::facts::Facts;
use crate::simulator::journal::Journal;
use crate::simulator::{Dice, History, Invariant, Process};
use crate::types::SpaceId;

pub(crate) use ledger::{Ledger, deleted, refusal, refusals};
pub(crate) use link::{Link, REQUEST_TIMEOUT};
pub(crate) use message::{Answer, Request};
pub(crate) use weather::{Closures, Weather};

/// The longest that a repeated message is under way: far longer than anyone waits for an answer.
const LATE_MAX: Duration = Duration::from_secs(40);

/// One life of the server's data: it ends when a backup is restored in its place.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) disk: String,
    pub(crate) history: Arc<History>,
    pub(crate) ledger: Ledger,
}

/// A server process that can be reached.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) server: usize,
    pub(crate) process: Process,
    pub(crate) service: Service,
    pub(crate) branch: Arc<Branch>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) device: usize,
    pub(crate) actor: Actor,
    pub(crate) space: SpaceId,
}

/// Carries messages.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) process: Process,
    pub(crate) journal: Arc<Journal>,
    pub(crate) facts: Arc<Facts>,
    dice: Dice,
    /// Every space there is, for answers that belong to another one.
    spaces: Vec<SpaceId>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    weather: Weather,
    closures: Closures,
    endpoints: BTreeMap<usize, Endpoint>,
    /// Servers that are forks, and the devices that reach them instead of the others.
    forks: BTreeMap<usize, BTreeSet<usize>>,
}

impl Network {
    pub(crate) fn new(
        process: Process,
        journal: Arc<Journal>,
        facts: Arc<Facts>,
        dice: Dice,
        spaces: Vec<SpaceId>,
    ) -> Arc<Self> {
        let state = State {
            weather: Weather::fine(),
            closures: Closures::default(),
            endpoints: BTreeMap::new(),
            forks: BTreeMap::new(),
        };
        Arc::new(Self { process, journal, facts, dice, spaces, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    pub(crate) fn close<T>(&self, change: impl FnOnce(&mut Closures) -> T) {
        change(&mut self.state().closures);
    }

    pub(crate) fn is_revoked(&self, device: usize) -> bool {
        self.state().closures.revoked.contains(&device)
    }

    /// A server can be reached from now on.
    pub(crate) fn open(&self, endpoint: Endpoint) {
        self.state().endpoints.insert(endpoint.server, endpoint);
    }

    /// Takes servers off the network.
    pub(crate) fn forget(&self, servers: impl IntoIterator<Item = usize>) {
        let mut state = self.state();
        for server in servers {
            state.endpoints.remove(&server);
            state.forks.remove(&server);
        }
    }

    /// Makes a server a fork, which these devices reach instead of the others.
    pub(crate) fn split(&self, server: usize, devices: BTreeSet<usize>) {
        self.state().forks.insert(server, devices);
    }

    /// A server that lives and that the device reaches, at random.
    pub(crate) fn endpoint(&self, device: usize) -> Option<Endpoint> {
        let now = self.process.elapsed();
        let state = self.state();
        let fork = state.forks.iter().find(|(_, devices)| devices.contains(&device)).map(|(fork, _)| *fork);
        let is_reached = |endpoint: &&Endpoint| {
            let is_cut_off = state.closures.cut_off.get(&endpoint.server).is_some_and(|until| *until > now);
            let is_theirs = match fork {
                Some(fork) => endpoint.server == fork,
                None => !state.forks.contains_key(&endpoint.server),
            };
            is_theirs && !is_cut_off && endpoint.process.is_alive()
        };
        let reached: Vec<&Endpoint> = state.endpoints.values().filter(is_reached).collect();
        self.dice.pick(&reached).map(|endpoint| (*endpoint).clone())
    }

    /// Why a device is turned away at the door of any server.
    fn turned_away(&self, device: usize) -> Option<Error> {
        let now = self.process.elapsed();
        let closures = &self.state().closures;
        let is_on = |until: Option<&Duration>| until.is_some_and(|until| *until > now);
        if closures.revoked.contains(&device) {
            let error = Error::new(ErrorKind::Forbidden, "the device may not use this space any more");
            return Some(error.with_code(code::SPACE_REVOKED));
        }
        if is_on(closures.signed_out.get(&device)) {
            return Some(Error::new(ErrorKind::Unauthorized, "the token has expired"));
        }
        is_on(Some(&closures.overloaded)).then(|| {
            let wait = closures.overloaded.saturating_sub(now).min(Duration::from_secs(2));
            Error::new(ErrorKind::Overloaded, "the server has too much to do").with_retry_after(wait)
        })
    }

    fn is_offline(&self, device: usize) -> bool {
        let now = self.process.elapsed();
        self.state().closures.offline.get(&device).is_some_and(|until| *until > now)
    }

    async fn delay(&self) {
        let max = self.state().weather.delay_max;
        // Never nothing: what runs at this moment runs to its end first.
        self.process.sleep(self.dice.delay(max).max(Duration::from_micros(1))).await;
    }

    fn happens(&self, rate: impl FnOnce(&Weather) -> u32, what: &'static str) -> bool {
        let per_mille = rate(&self.state().weather);
        let happens = per_mille > 0 && self.dice.chance(per_mille);
        if happens {
            self.journal.count(what);
        }
        happens
    }

    /// Carries a request there and its answer back. Who gets nothing notices by the end of `tell`, or by waiting.
    async fn carry(self: Arc<Self>, caller: Caller, request: Request, tell: oneshot::Sender<Result<Answer>>) {
        self.journal.count("requests");
        self.delay().await;
        if self.is_offline(caller.device) || self.happens(|w| w.loses_request, "lost requests") {
            return self.hang(tell).await;
        }
        if let Some(lie) = self.lie(&caller, &request).await {
            let _ = tell.send(lie);
            return;
        }
        if self.happens(|w| w.cuts, "cut requests") {
            self.check_cut(request.cut(self.dice.below(usize::MAX)).map(|cut| cut.map(|_| ())));
            return;
        }
        if self.happens(|w| w.repeats, "repeated requests") {
            self.repeat(caller.clone(), request.clone());
        }
        let Some(answer) = self.deliver(&caller, request).await else { return self.hang(tell).await };
        self.delay().await;
        if self.is_offline(caller.device) || self.happens(|w| w.loses_answer, "lost answers") {
            return self.hang(tell).await;
        }
        let answer = match self.turned_away(caller.device) {
            Some(error) => Err(error),
            None => self.arrive(answer),
        };
        let _ = tell.send(answer);
    }

    /// The answer as it is read at its end.
    fn arrive(&self, answer: Result<Answer>) -> Result<Answer> {
        let answer = answer?;
        if self.happens(|w| w.cuts, "cut answers") {
            let n = self.dice.below(usize::MAX);
            if let Some(cut) = answer.cut(n) {
                self.check_cut(Some(cut));
                return Err(Error::new(ErrorKind::Distrusted, "the answer was cut"));
            }
            if let Answer::Snapshot(lines) = &answer {
                let end = (0..=n % lines.len()).rev().find(|end| lines.is_char_boundary(*end)).unwrap_or(0);
                return Ok(Answer::Snapshot(lines[..end].to_owned()));
            }
        }
        // Half of them, because it costs more than everything else.
        if self.dice.chance(500) { answer.through_text() } else { Ok(answer) }
    }

    fn check_cut(&self, cut: Option<Result<()>>) {
        let is_refused = cut.is_none_or(|cut| cut.is_err());
        self.journal.expect(is_refused, Invariant::RefusedCleanly, || "a body that was cut was read".into());
    }

    /// Carries a request once more, soon or when nobody thinks of it any more. Its answer is nobody's.
    fn repeat(self: &Arc<Self>, caller: Caller, request: Request) {
        let network = Arc::clone(self);
        let late = network.dice.delay(LATE_MAX);
        let again = async move {
            network.process.sleep(late).await;
            let _ = network.deliver(&caller, request).await;
        };
        self.process.spawn(again.boxed());
    }

    /// Has a server answer, and takes down what it says. `None` when none can be reached, or it dies over it.
    async fn deliver(&self, caller: &Caller, request: Request) -> Option<Result<Answer>> {
        if let Some(error) = self.turned_away(caller.device) {
            return Some(Err(error));
        }
        let endpoint = self.endpoint(caller.device)?;
        let request = if self.dice.chance(500) {
            match request.through_text() {
                Ok(request) => request,
                Err(error) => {
                    let detail = format!("a request that was written cannot be read: {error}");
                    self.journal.broken(Invariant::RefusedCleanly, detail);
                    return None;
                }
            }
        } else {
            request
        };
        let push = if let Request::Push(push) = &request { Some(push.clone()) } else { None };
        if let Some(push) = &push {
            endpoint.branch.ledger.arrived(push);
        }
        let (service, actor, space) = (endpoint.service.clone(), caller.actor.clone(), caller.space.clone());
        let answer =
            endpoint.process.call(async move { request.ask(&service, &actor, &space).await }).await?;
        // Whatever the store has done by now is known to the one who did it, too.
        self.process.sleep(Duration::from_micros(1)).await;
        if let Some(push) = push {
            let (reply, answer) = split(answer);
            self.facts.answered(&endpoint.branch, caller, &push, &reply);
            return Some(answer.map_err(|error| message::seen_from_outside(&error)));
        }
        Some(answer.map_err(|error| message::seen_from_outside(&error)))
    }

    /// An answer that is none: it must be refused, or do no harm.
    async fn lie(&self, caller: &Caller, request: &Request) -> Option<Result<Answer>> {
        if !self.happens(|w| w.lies, "lies") {
            return None;
        }
        let other = self.spaces.iter().find(|space| **space != caller.space);
        if let (Some(other), Request::Pull(_) | Request::Snapshot(_), true) =
            (other, request, self.dice.chance(500))
        {
            let foreign = Caller { space: other.clone(), ..caller.clone() };
            let request = match request {
                Request::Snapshot(_) => Request::Snapshot(SnapshotRequest::default()),
                _ => Request::Pull(Default::default()),
            };
            return self.deliver(&foreign, request).await;
        }
        Some(Err(Error::new(ErrorKind::Distrusted, "this is the page of a portal")))
    }

    /// Nobody answers: the connection breaks at once, or the caller waits until they have waited enough.
    async fn hang(&self, tell: oneshot::Sender<Result<Answer>>) {
        if self.dice.chance(500) {
            self.process.sleep(REQUEST_TIMEOUT * 2).await;
        }
        drop(tell);
    }
}

/// The answer to a push, as an answer and as what it is.
fn split(answer: Result<Answer>) -> (Result<crate::protocol::PushReply>, Result<Answer>) {
    match answer {
        Ok(Answer::Push(reply)) => (Ok(reply.clone()), Ok(Answer::Push(reply))),
        Ok(other) => (Err(Error::new(ErrorKind::Internal, "not the answer to a push")), Ok(other)),
        Err(error) => {
            let seen = message::seen_from_outside(&error);
            (Err(error), Err(seen))
        }
    }
}
