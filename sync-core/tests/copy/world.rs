//! Servers with some history, and ways to compare them.

use std::collections::BTreeMap;

use sync_core::conformance::{
    Contents, Dice, actor, client_state, commit_write, contents, describe, device, epoch, invite, log_entry,
    make, sample, seq, space_id,
};
use sync_core::copy::{Totals, export, import};
use sync_core::store::{ClientState, CommitWrite, LogEntry, MemoryStore, Store, StoreExt};
use sync_core::{
    Accounts, AccountsExt, ActorId, Change, Credential, Holder, Result, Role, SPACE_INFOS_MAX, SpaceId,
    SpaceInfo, Timestamp, User,
};

/// All there is in a store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Everything {
    pub(crate) spaces: BTreeMap<SpaceId, Contents>,
    pub(crate) users: Vec<User>,
    members: BTreeMap<SpaceId, Vec<(ActorId, Role)>>,
    pub(crate) infos: Vec<SpaceInfo>,
    pub(crate) credentials: Vec<Credential>,
}

pub(crate) async fn everything(store: &MemoryStore) -> Everything {
    let (mut spaces, mut members) = (BTreeMap::new(), BTreeMap::new());
    let users = store.users(None, usize::MAX).await.unwrap();
    let mut holders: Vec<Holder> = users.iter().map(|user| Holder::User(user.id.clone())).collect();
    for name in store.spaces(None, usize::MAX).await.unwrap() {
        holders.push(Holder::Space(name.clone()));
        members.insert(name.clone(), store.members(&name, None, usize::MAX).await.unwrap());
        let mut found = contents(store, &name).await.unwrap();
        // Commits that end below the floor are on their way out, and are not copied.
        found.commits.retain(|commit| commit.last >= found.head.floor);
        spaces.insert(name.clone(), found);
    }
    let names: Vec<SpaceId> = spaces.keys().cloned().collect();
    let mut infos = Vec::new();
    for names in names.chunks(SPACE_INFOS_MAX) {
        infos.extend(store.space_infos(names).await.unwrap());
    }
    let mut credentials = Vec::new();
    for holder in holders.iter().chain([&Holder::Server]) {
        credentials.extend(store.credentials(holder, None, usize::MAX).await.unwrap());
    }
    Everything { spaces, users, members, infos, credentials }
}

pub(crate) async fn exported(store: &MemoryStore) -> Vec<u8> {
    let mut text = Vec::new();
    export(store, store, &mut text, &mut |_| {}).await.unwrap();
    text
}

pub(crate) async fn imported(store: &MemoryStore, mut text: &[u8]) -> Result<Totals> {
    import(store, store, &mut text, &mut |_| {}).await
}

pub(crate) fn user(id: &str, name: &str) -> User {
    User { created_at: Timestamp::MAX, ..sync_core::conformance::user(id, name) }
}

/// A server with spaces of every kind and a few people, which follows from a seed.
pub(crate) async fn server(seed: u64) -> MemoryStore {
    let (store, dice) = (MemoryStore::default(), Dice::new(seed));
    for n in 0..=dice.below(4) {
        let space = space_id(&format!("space-{n}"));
        store.create_space(&space, epoch(u8::try_from(seed % 200).unwrap())).await.unwrap();
        history(&store, &space, &dice, seed * 10 + n as u64).await;
        if dice.below(2) == 0 {
            let name = dice.of(&[None, Some("Our space"), Some("日本 \"x\" 'y'")]);
            make(&store, &[describe(space.as_str(), *name)]).await.unwrap();
        }
        for role in [Role::Viewer, Role::Editor, Role::Owner] {
            if dice.below(2) == 0 {
                let who = dice.of(&["u1", "u2", "device:x@example.org"].map(actor)).clone();
                store.set_role(&space, &who, Some(role)).await.unwrap();
            }
        }
    }
    people(&store, &dice).await;
    store
}

/// One user or two with their devices, and invites to spaces and to the server.
async fn people(store: &MemoryStore, dice: &Dice) {
    let home = Some(space_id("space-0"));
    let anna = User { address: Some("änna@example.org".into()), home, ..user("u1", "Änna \"O'Neil\"") };
    let bob = User { name_key: None, password_hash: None, ..user("u2", "") };
    let mut changes = vec![Change::CreateUser(anna)];
    if dice.below(2) == 0 {
        changes.push(Change::CreateUser(bob));
        changes
            .extend((0..dice.below(3)).map(|n| Change::AddCredential(device(&format!("phone-{n}"), "u2"))));
    }
    for n in 0..dice.below(3) {
        let end = *dice.of(&[None, Some(Timestamp::ZERO), Some(Timestamp::MAX)]);
        let tablet = Credential { expires_at: end, ..device(&format!("tablet-{n}"), "u1") };
        changes.push(Change::AddCredential(tablet.changed(|_| {})));
        changes.push(Change::AddCredential(invite(&format!("space-invite-{n}"), "space-0")));
        let to_server = Credential { holder: Holder::Server, ..invite(&format!("server-invite-{n}"), "any") };
        changes.push(Change::AddCredential(to_server));
    }
    make(store, &changes).await.unwrap();
}

/// Commits, replicas and log entries, some of them collected.
async fn history(store: &MemoryStore, space: &SpaceId, dice: &Dice, seed: u64) {
    sample(store, space, dice.below(30), seed).await.unwrap();
    let head = store.read(space).await.unwrap().head().head;
    let n_log = *dice.of(&[0, 1, 5]);
    let log: Vec<LogEntry> = (1..=n_log).map(|n| log_entry(n, seq(n * head.get() / n_log.max(1)))).collect();
    let clients: Vec<ClientState> = (0..dice.below(4)).map(|n| client(n, dice)).collect();
    commit_write(store, space, &CommitWrite { log, clients, ..CommitWrite::default() }).await.unwrap();
    if dice.below(2) == 0 {
        // Also past the head, which the service never does, and with a part of what could go left over.
        let floor = seq(i64::try_from(dice.below(usize::try_from(head.get()).unwrap() + 3)).unwrap());
        let mut txn = store.write(space).await.unwrap();
        txn.collect(floor, *dice.of(&[0, 1, 3, 100])).await.unwrap();
        txn.commit().await.unwrap();
    }
}

fn client(n: usize, dice: &Dice) -> ClientState {
    let batch_hash = [u8::try_from(dice.below(256)).unwrap(); 16];
    let answer = format!("{{\"text\":\"{}\\n\"}}", "ü\\\"".repeat(dice.below(5)));
    ClientState { batch_hash, answer, ..client_state(&format!("replica-{n}"), 1 + n as i64) }
}
