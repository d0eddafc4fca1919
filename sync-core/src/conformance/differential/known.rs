//! What the clients of a space have been told so far: the material of their next requests.

use std::collections::BTreeMap;

use crate::accounts::Role;
use crate::conflict::Conflict;
use crate::conformance::differential::request::{Reply, Request};
use crate::conformance::{Dice, actor, client_id};
use crate::protocol::{PullPage, PullReply, PushDone, PushReply, PushRequest, SnapshotRequest};
use crate::service::Actor;
use crate::types::{ClientId, CursorToken, MutationNumber, Record, RecordKey};

/// How much of a kind is remembered: enough for some of it to be out of date.
const REMEMBERED: usize = 12;
/// Past states of one record that are remembered.
const STATES: usize = 3;

/// What is known of one space.
#[derive(Debug)]
pub(super) struct Known {
    /// Whether there is such a space, as far as anyone was told.
    pub(super) exists: bool,
    pub(super) replicas: Vec<Replica>,
    pub(super) cursors: Vec<CursorToken>,
    /// Wishes for the rest of a snapshot.
    pub(super) snapshots: Vec<SnapshotRequest>,
    pub(super) conflicts: Vec<Conflict>,
    /// States of records, oldest first.
    states: BTreeMap<RecordKey, Vec<Record>>,
}

/// A client that numbers its mutations.
#[derive(Clone, Debug)]
pub(super) struct Replica {
    pub(super) client: ClientId,
    pub(super) actor: Actor,
    /// The number of its next mutation.
    pub(super) next: MutationNumber,
    /// Its last batch that was carried out.
    pub(super) sent: Option<PushRequest>,
}

impl Known {
    pub(super) fn new() -> Self {
        let replica = |(name, who)| Replica {
            client: client_id(name),
            actor: Actor::new(actor(who), Role::Editor),
            next: MutationNumber::FIRST,
            sent: None,
        };
        let names =
            [("replica-a", "anna"), ("Replica-a", "anna"), ("replica_a", "ben"), ("replica-b", "Anna")];
        Self {
            exists: false,
            replicas: names.map(replica).into(),
            cursors: Vec::new(),
            snapshots: Vec::new(),
            conflicts: Vec::new(),
            states: BTreeMap::new(),
        }
    }

    /// A state that a record is in or was in, mostly the last one.
    pub(super) fn state(&self, key: &RecordKey, dice: &Dice) -> Option<&Record> {
        let states = self.states.get(key)?;
        if dice.one_in(3) { Some(dice.of(states)) } else { states.last() }
    }

    /// Takes in what a request has led to.
    pub(super) fn learn(&mut self, request: &Request, reply: &Reply) {
        match (request, reply) {
            (Request::Push(_, push), Reply::Pushed(reply)) => self.pushed(push, reply),
            (_, Reply::Pulled(PullReply::Page(page))) => self.page(page),
            (Request::Snapshot(asked), Reply::Snapshot(page)) => {
                remember(&mut self.cursors, page.cursor.clone());
                let rest = |next| SnapshotRequest { from: Some(next), ..asked.clone() };
                page.next.iter().for_each(|next| remember(&mut self.snapshots, rest(next.clone())));
                page.records.iter().for_each(|record| self.record(record));
            }
            (_, Reply::Conflicts(conflicts, _)) => {
                conflicts.iter().for_each(|conflict| remember(&mut self.conflicts, conflict.clone()));
            }
            (_, Reply::Record(Some(record))) => self.record(record),
            (Request::Create, Reply::Done) => self.exists = true,
            (Request::Delete, Reply::Was(_)) => self.exists = false,
            _ => {}
        }
    }

    fn pushed(&mut self, push: &PushRequest, reply: &PushReply) {
        if let PushReply::Done(PushDone { page: Some(page), .. }) = reply {
            self.page(page);
        }
        let Some(batch) = &push.batch else { return };
        let Some(replica) = self.replicas.iter_mut().find(|replica| replica.client == batch.client) else {
            return;
        };
        match reply {
            PushReply::Done(_) if batch.first == replica.next && !push.mutations.is_empty() => {
                replica.next = batch.first.checked_add(push.mutations.len()).unwrap_or(batch.first);
                replica.sent = Some(push.clone());
            }
            PushReply::MutationGap { expected } => replica.next = *expected,
            _ => {}
        }
    }

    fn page(&mut self, page: &PullPage) {
        remember(&mut self.cursors, page.cursor.clone());
        page.changes.iter().for_each(|record| self.record(record));
    }

    /// Takes in a state of a record, if it is a new one.
    fn record(&mut self, record: &Record) {
        let states = self.states.entry(record.key.clone()).or_default();
        if !states.contains(record) {
            states.push(record.clone());
            states.drain(..states.len().saturating_sub(STATES));
        }
    }
}

fn remember<T>(all: &mut Vec<T>, new: T) {
    all.push(new);
    all.drain(..all.len().saturating_sub(REMEMBERED));
}
