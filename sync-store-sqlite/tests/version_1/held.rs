//! Holds a store that was made from a fixture against what it must have, and goes on with it.
//!
//! `expected.txt` is what version 1 had written, one thing a line. It was read over by a person, and it stays as it is: a
//! field that a later version adds has a value for what was written before, which `lines` may check apart.

use std::fmt::Write;
use std::sync::Arc;

use sync_core::conformance::{
    Contents, actor, commit, contents, describe, key, make, move_op, set_op, space_id, space_info,
};
use sync_core::protocol::{PushReply, PushRequest};
use sync_core::service::Actor;
use sync_core::store::{ClientState, Store};
use sync_core::{Accounts, ManualClock, Record, RecordMeta, Result, Role, Tag, User};

use crate::tale;

/// When the tale goes on: a day after its end.
const NEXT: i64 = 1_790_086_760_000_000;
const NEW: &str = r#"{"client_id":"bob-laptop","first":8,"mutations":[
    {"op":"put","collection":"notes","id":"new","data":{"after":"the update"}}]}"#;
const EXPECTED: &str = include_str!("expected.txt");

/// Asks for everything and compares it with what version 1 had written.
pub(crate) async fn assert_is_what_was_written<S: Store + Accounts>(store: &S) {
    let found = lines(store).await.unwrap();
    for (found, expected) in found.lines().zip(EXPECTED.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, EXPECTED);
}

/// Takes up the tale: an old batch gets its old answer, a new one is carried out, the space gets a name, and nothing else
/// changes.
pub(crate) async fn go_on<S: Store + Accounts + Clone + 'static>(store: &S) {
    let (space, bob) = (space_id("family"), Actor::new(actor("bob"), Role::Editor));
    let clock = Arc::new(ManualClock::at(tale::time(NEXT)));
    let service = tale::service(store, &clock);
    let push = async |body: &str| {
        let push = PushRequest::from_json(body.as_bytes()).unwrap();
        match service.push(&bob, &space, push).await.unwrap() {
            PushReply::Done(done) => serde_json::to_string(&done.outcomes).unwrap(),
            reply => panic!("{reply:?}"),
        }
    };
    let before = contents(store, &space).await.unwrap();
    let told_before = before.clients.iter().find(|known| known.client.as_str() == "bob-laptop");
    let told_before = told_before.map(|bob| bob.answer.clone());
    assert_eq!(Some(push(tale::last_push()).await), told_before, "a retry gets the answer of its first time");
    assert_eq!(contents(store, &space).await.unwrap(), before);
    let applied = format!(r#"[{{"outcome":"applied","version":{NEXT},"revision":1}}]"#);
    assert_eq!(push(NEW).await, applied);
    make(store, &[describe("family", Some("Family"))]).await.unwrap();
}

/// What [`go_on`] has left of the fixture, and what it has added.
pub(crate) async fn assert_has_gone_on<S: Store + Accounts>(store: &S) {
    let known = store.space_infos(&[space_id("family")]).await.unwrap();
    assert!(known == [space_info("family", Some("Family"))]);
    let Contents { head, records, feed, commits, log, .. } =
        contents(store, &space_id("family")).await.unwrap();
    let is_new = |record: &Record| record.key == key("notes", "new");
    let data = records.iter().find(|record| is_new(record)).and_then(|record| record.data.clone());
    assert_eq!(data.unwrap().as_str(), r#"{"after":"the update"}"#);
    let old: Vec<&Record> = records.iter().filter(|record| !is_new(record)).collect();
    let mut text = String::new();
    old.iter().for_each(|record| writeln!(text, "{}", record_line(record)).unwrap());
    assert!(EXPECTED.contains(&text), "what was there has changed:\n{text}");
    assert!(feed.last().is_some_and(is_new));
    assert_eq!(commits.last().map(|commit| (commit.last.get(), commit.tag)), Some((NEXT, head.tag)));
    assert_eq!(log[0].entry, log[1].entry + 1);
}

/// What version 4 added: the space takes trees. The last thing that happens to it, as nobody expected their ops.
pub(crate) async fn take_ops<S: Store>(store: &S) {
    let space = space_id("family");
    let before = contents(store, &space).await.unwrap();
    let ops = [move_op("outline", "1@a1", "v", None), set_op("outline", "2@a1", "v", "", Some("null"))];
    let written = commit(store, &space, ops).await.unwrap().records;
    let after = contents(store, &space).await.unwrap();
    assert_eq!(after.feed, [before.feed, written].concat());
    assert_eq!(after.records.len(), before.records.len() + 2);
}

/// Everything in a store, one thing a line.
pub(crate) async fn lines<S: Store + Accounts>(store: &S) -> Result<String> {
    let mut out = String::new();
    for space in store.spaces(None, 10).await? {
        // What version 3 added: nobody knows how a space was called before.
        assert_eq!(store.space_infos(std::slice::from_ref(&space)).await?, []);
        let contents = contents(store, &space).await?;
        let mut by_version = contents.records.clone();
        by_version.sort_by_key(|record| record.meta.version);
        assert_eq!(contents.feed, by_version, "the feed and the records differ");
        out += &space_lines(space.as_str(), &contents);
        for (who, role) in store.members(&space, None, 10).await? {
            writeln!(out, "member {space} {who} {}", role.as_str()).unwrap();
        }
    }
    for user in store.users(None, 10).await? {
        let User { id, name, name_key, address, password_hash, home, created_at } = &user;
        let (name_key, password_hash) = (name_key.as_deref().unwrap(), password_hash.as_deref().unwrap());
        assert_eq!(store.user_by_name(name_key).await?.as_ref(), Some(&user));
        // What version 2 added: nobody had an address, and the home of an owner is the first space of theirs.
        let first = store.spaces_of(id, None, 1).await?.pop().filter(|(_, role)| *role == Role::Owner);
        assert_eq!((address, home), (&None, &first.map(|(space, _)| space)));
        writeln!(out, "user {id} | {name} | {name_key} | {password_hash} | {}", created_at.as_micros())
            .unwrap();
    }
    Ok(out)
}

fn space_lines(space: &str, contents: &Contents) -> String {
    let Contents { head, records, feed: _, commits, clients, stats, log } = contents;
    let mut out = format!(
        "space {space} epoch {} head {} tag {} floor {} log {}\n",
        head.epoch, head.head, head.tag, head.floor, head.log_head
    );
    records.iter().for_each(|record| writeln!(out, "{}", record_line(record)).unwrap());
    for commit in commits {
        writeln!(out, "commit {}..{} {}", commit.first, commit.last, commit.tag).unwrap();
    }
    for ClientState { client, actor, last, batch_hash, answer, acked, seen_at } in clients {
        let (hash, seen_at) = (Tag::from_bytes(*batch_hash), seen_at.as_micros());
        writeln!(out, "client {client} {actor} last {last} {hash} acked {acked} seen {seen_at} {answer}")
            .unwrap();
    }
    for stats in &stats.collections {
        writeln!(out, "count {} {} {}", stats.collection, stats.n_records, stats.n_tombstones).unwrap();
    }
    for entry in log {
        writeln!(out, "log {}", serde_json::to_string(entry).unwrap()).unwrap();
    }
    out
}

/// A record with all that is known of it.
fn record_line(record: &Record) -> String {
    let RecordMeta { version, revision, edited_at, author, client, upstream } = &record.meta;
    let client = client.as_ref().map_or("-", |client| client.as_str());
    let data = record.data.as_ref().map_or("(deleted)", |data| data.as_str());
    let edited_at = edited_at.as_micros();
    format!("record {} | {version} {revision} {edited_at} {author} {client} {upstream} | {data}", record.key)
}
