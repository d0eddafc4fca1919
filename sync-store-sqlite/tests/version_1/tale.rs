//! What happened to the store of the fixtures before they were taken: a family of two that pushed through the service.
//!
//! Told once, with what wrote version 1. It stays for the day when a version 2 needs fixtures of its own.

use std::sync::Arc;
use std::time::Duration;

use sync_core::conformance::{actor, client_state, put, seq, space_id, stamp};
use sync_core::protocol::PushRequest;
use sync_core::service::{Actor, Limits, Service};
use sync_core::store::{CommitInfo, Store, StoreExt};
use sync_core::{
    Accounts, AccountsExt, ManualClock, Result, Role, SeededIds, SpaceId, Timestamp, TokioRuntime, User,
};

/// 2026-09-21, in microseconds.
const BEGIN: i64 = 1_790_000_000_000_000;

const MINUTE: Duration = Duration::from_secs(60);

/// Who pushed what, a minute apart each. The service collects after the third one: what was deleted before is gone.
const PUSHES: [(&str, &str); 7] = [
    (
        "ada",
        r#"{"client_id":"ada-phone","first":1,"mutations":[
            {"op":"put","collection":"notes","id":"gone","data":"soon"},
            {"op":"put","collection":"notes","id":"1","data":{"text":"one","n":1},"base_version":0},
            {"op":"put","collection":"notes","id":"null","data":null}]}"#,
    ),
    (
        "bob",
        r#"{"client_id":"bob-laptop","first":1,"mutations":[
            {"op":"delete","collection":"notes","id":"gone","base_version":1790000000000000},
            {"op":"put","collection":"notes","id":"grüße 🌲","data":"kurz"}]}"#,
    ),
    (
        "ada",
        r#"{"client_id":"ada-phone","first":4,"mutations":[
            {"op":"put","collection":"tasks","id":"t/1","data":[],"at":1789999990000000}]}"#,
    ),
    (
        "bob",
        r#"{"client_id":"bob-laptop","first":3,"mutations":[
            {"op":"put","collection":"notes","id":"1","data":{"text":"zwei","n":1},"base_version":1790000000000001},
            {"op":"delete","collection":"tasks","id":"t/1","base_version":1790000120000000},
            {"op":"delete","collection":"notes","id":"never was"}]}"#,
    ),
    // Without a replica: told apart by nobody.
    ("~", r#"{"mutations":[{"op":"put","collection":"tasks","id":"t2","data":"by hand"}]}"#),
    // Clashes with what Bob wrote: a conflict.
    (
        "ada",
        r#"{"client_id":"ada-phone","first":5,"mutations":[
            {"op":"put","collection":"notes","id":"1","data":{"text":"deux","n":1},"base_version":1790000000000001},
            {"op":"put","collection":"notes","id":"null","data":null}]}"#,
    ),
    (
        "bob",
        r#"{"client_id":"bob-laptop","first":6,"mutations":[
            {"op":"put","collection":"notes","id":"grüße 🌲","data":{"ключ":"\u001f \u2028 \" \\ 日本","":[1.5,-0.0,1e300,true]},"base_version":1790000060000001},
            {"op":"patch","collection":"notes","id":"1","patch":[{"path":"/n","was":1,"now":2}],"base_version":1790000000000001}]}"#,
    ),
];

/// Makes an empty store into the one of the fixtures.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn tell<S: Store + Accounts + Clone + 'static>(store: &S) -> Result<()> {
    let (clock, space) = (Arc::new(ManualClock::at(time(BEGIN))), space_id("family"));
    let service = service(store, &clock);
    service.create_space(&space).await?;
    for (n, (who, push)) in PUSHES.into_iter().enumerate() {
        let actor = Actor::new(actor(who), Role::Editor);
        service.push(&actor, &space, PushRequest::from_json(push.as_bytes())?).await?;
        clock.advance(MINUTE);
        if n == 2 {
            service.collect(&space, false).await?;
        }
    }
    mirror(store, &space).await?;
    let user = |id, name: &str, created_at| User {
        id: actor(id),
        name: name.to_owned(),
        name_key: Some(name.to_lowercase()),
        address: None,
        password_hash: Some(format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${id}")),
        home: None,
        created_at: time(created_at),
    };
    store.create_user(&user("ada", "Ada Łovelace", BEGIN), &[(space.clone(), Role::Owner)]).await?;
    store.create_user(&user("bob", "Bob", BEGIN + 1), &[]).await?;
    store.set_role(&space, &actor("bob"), Some(Role::Editor)).await?;
    store.set_role(&space, &actor("~"), Some(Role::Viewer)).await
}

/// What only stores of replicas have, and a replica that said how far it is.
async fn mirror<S: Store>(store: &S, space: &SpaceId) -> Result<()> {
    let mut txn = store.write(space).await?;
    let mut write = stamp(&mut *txn, [put("notes", "mirrored", "false")]).await?;
    write.records[0].meta.upstream = seq(7);
    let CommitInfo { first, last, .. } = write.commits[0];
    write.commits[0].tag = txn.head().tag.after(first, last, &write.records);
    write.clients = vec![client_state("carol-tablet", 5)];
    txn.apply(&write).await?;
    txn.commit().await
}

/// The body of the last push, which its replica may send again.
pub(crate) fn last_push() -> &'static str {
    PUSHES[PUSHES.len() - 1].1
}

/// The service of the tale, which forgets early.
pub(crate) fn service<S: Store + Clone + 'static>(store: &S, clock: &Arc<ManualClock>) -> Service {
    let limits = Limits { retention: MINUTE / 2, lease: MINUTE / 2, ..Limits::default() };
    Service::builder(Arc::new(store.clone()), Arc::new(TokioRuntime))
        .clock(clock.clone())
        .ids(Arc::new(SeededIds::new(1)))
        .limits(limits)
        .build()
}

pub(crate) fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}
