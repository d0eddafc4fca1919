//! What goes in comes out, to the last byte.

use crate::clock::Timestamp;
use crate::conformance::{
    Change, Subject, Verdict, actor, client_id, client_state, commit, commit_write, contents, fresh_space,
    key, log_entry, put, seq,
};
use crate::json::Json;
use crate::store::{
    ClientQuery, ClientState, CommitInfo, CommitWrite, LogEntry, LogOutcome, StoreExt, StoreTxnExt,
};
use crate::types::{MutationNumber, Record, RecordKey, RecordMeta, Seq, Tag};

/// JSON that a column type, an escape or a driver may be tempted to change.
pub(super) const TEXTS: [&str; 33] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "-0.1",
    "0.1",
    "1e+300",
    "5e-324",
    "9007199254740993",
    "-9223372036854775808",
    "18446744073709551615",
    r#""""#,
    "{}",
    "[]",
    r#"{"":""}"#,
    r#""1""#,
    r#""00123""#,
    r#""null""#,
    r#""übung 日本語 עברית 😀""#,
    "\"e\u{301} \u{e9}\"",
    "\"\u{2028}\u{2029}\u{7f}\u{feff}\u{ffff}\u{10ffff}\"",
    r#""\u0001\u001e\u001f""#,
    r#""\b\f\n\r\t\"\\/""#,
    r#""'; DROP TABLE records; --""#,
    r#""%_*?$1:name@p""#,
    r#""\\u0041 \\x27 \\'""#,
    r#""  spaces kept  ""#,
    r#"{"$":"$","A":2,"a":1,"aa":3,"ä":4}"#,
    r#"[1,[2,[3,{"a":[null]}]]]"#,
    r#"{"a":{"b":{"c":{"d":{"e":"deep"}}}}}"#,
    r#"{"__proto__":1,"constructor":2,"rowid":3}"#,
];

/// Every JSON text comes back byte for byte.
pub async fn every_content_comes_back_byte_for_byte(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = (0..).zip(TEXTS).map(|(n, text): (u32, _)| put("notes", &n.to_string(), text));
    let written = commit(&*store, &space, changes).await?;
    assert_eq!(contents(&*store, &space).await?.feed, written.records);
    let keys: Vec<RecordKey> = written.records.iter().map(|record| record.key.clone()).collect();
    for (found, text) in store.read(&space).await?.records(&keys).await?.iter().zip(TEXTS) {
        let found = found.as_ref().and_then(|record| record.data.as_ref()).map(Json::as_str);
        assert_eq!(found, Some(text));
    }
    Ok(())
}

/// So do a megabyte of text, a thousand keys and a hundred levels.
pub async fn large_contents_come_back_byte_for_byte(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let megabyte = format!("\"{}\"", "0123456789abcdé\u{1f600}'\\\\".repeat((1 << 20) / 22));
    let members: Vec<String> = (1_000..2_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let wide = format!("{{{}}}", members.join(","));
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let changes = [put("notes", "1", &megabyte), put("notes", "2", &wide), put("notes", "3", &deep)];
    let written = commit(&*store, &space, changes).await?;
    let found = contents(&*store, &space).await?.feed;
    assert!(found == written.records, "a large content came back changed");
    Ok(())
}

/// All that is known of a record comes back, at both ends of every range.
pub async fn meta_comes_back_at_its_extremes(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let graphic: String = ('!'..='~').collect();
    let least = RecordMeta {
        version: seq(1),
        revision: 1,
        edited_at: Timestamp::ZERO,
        author: actor("!"),
        client: None,
        upstream: Seq::ZERO,
    };
    let most = RecordMeta {
        version: Seq::MAX,
        revision: i64::MAX,
        edited_at: Timestamp::MAX,
        author: actor(&format!("{graphic:~<128}")),
        client: Some(client_id(&format!("{:_<64}", "A-z_0-9x"))),
        upstream: Seq::MAX,
    };
    let longest = key(&format!("{:-<128}", "Z.9:_"), &"\u{10ffff}".repeat(255));
    let records = vec![
        Record { key: key("0", "!"), data: None, meta: least },
        Record { key: longest, data: Some(Json::null()), meta: most },
    ];
    let commits = vec![CommitInfo { first: seq(1), last: Seq::MAX, tag: Tag::from_bytes([0xff; 16]) }];
    commit_write(
        &*store,
        &space,
        &CommitWrite { records: records.clone(), commits: commits.clone(), ..CommitWrite::default() },
    )
    .await?;
    let found = contents(&*store, &space).await?;
    assert_eq!(found.feed, records);
    assert_eq!(found.records, records);
    assert_eq!((found.head.head, found.head.tag), (Seq::MAX, Tag::from_bytes([0xff; 16])));
    assert_eq!(found.commits, commits);
    Ok(())
}

/// A tombstone keeps all but its content.
pub async fn a_tombstone_keeps_what_is_known_of_it(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut write = commit(&*store, &space, [put("notes", "1", "1")]).await?;
    write.commits = vec![CommitInfo { first: seq(2), last: seq(2), tag: Tag::ZERO }];
    let record = &mut write.records[0];
    (record.data, record.meta.version, record.meta.revision) = (None, seq(2), 2);
    record.meta.client = Some(client_id("replica-1"));
    (record.meta.author, record.meta.upstream) = (actor("bob"), seq(77));
    commit_write(&*store, &space, &write).await?;
    assert_eq!(contents(&*store, &space).await?.feed, write.records);
    Ok(())
}

/// All that is known of a replica comes back, at both ends of every range.
pub async fn replicas_come_back_at_their_extremes(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let least = ClientState { batch_hash: [0; 16], answer: String::new(), ..client_state("AAAAAAAA", 1) };
    let most = ClientState {
        client: client_id(&"z".repeat(64)),
        actor: actor(&"~".repeat(128)),
        last: MutationNumber::new(Seq::MAX.get())?,
        batch_hash: [0xff; 16],
        answer: format!("[{}]", TEXTS.join(",").repeat(500).replace("]\"", "],\"")),
        acked: Seq::MAX,
        seen_at: Timestamp::MAX,
    };
    let mixed =
        ClientState { batch_hash: std::array::from_fn(|n| n as u8 * 17), ..client_state("replica-1", 2) };
    // Alone as well: a list of one empty text is easily taken for an empty list.
    let alone = CommitWrite { clients: vec![least.clone()], ..CommitWrite::default() };
    commit_write(&*store, &space, &alone).await?;
    assert!(contents(&*store, &space).await?.clients == alone.clients, "a replica alone came back changed");
    let clients = vec![least, mixed, most];
    commit_write(&*store, &space, &CommitWrite { clients: clients.clone(), ..CommitWrite::default() })
        .await?;
    let mut txn = store.read(&space).await?;
    for client in &clients {
        let found = txn.client(&client.client).await?;
        assert!(found.as_ref() == Some(client), "{} came back changed", client.client);
    }
    let mut listed = txn.clients(ClientQuery::After(None, 10)).await?;
    listed.sort_unstable_by_key(|client| client.last);
    assert!(listed == clients, "replicas are listed changed");
    Ok(())
}

/// An entry of the audit log comes back with all its outcomes.
pub async fn log_entries_come_back_as_they_were(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let outcome = |n: usize| LogOutcome {
        key: key(if n.is_multiple_of(2) { "notes" } else { "$conflicts" }, &format!("ü'\"{n}")),
        op: "patch".into(),
        outcome: "rejected".into(),
        version: n.is_multiple_of(3).then_some(Seq::MAX),
        code: n.is_multiple_of(2).then(|| "not_an_object".into()),
    };
    let full = LogEntry {
        at: Timestamp::MAX,
        client: Some(client_id("replica-1")),
        action: "resolve \u{2028} 'x'".into(),
        outcomes: (0..LogEntry::OUTCOMES_MAX).map(outcome).collect(),
        n_mutations: 1_000_000,
        ..log_entry(2, Seq::MAX)
    };
    let log = vec![log_entry(1, Seq::ZERO), full];
    commit_write(&*store, &space, &CommitWrite { log: log.clone(), ..CommitWrite::default() }).await?;
    let mut found = store.log(&space, None, 10).await?;
    found.reverse();
    assert_eq!(found, log);
    Ok(())
}

/// Contents of many sizes written in one commit are not mixed up.
pub async fn contents_are_not_mixed_up(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let change = |n: usize| Change {
        data: (!n.is_multiple_of(5)).then(|| Json::from_canonical(format!("\"{}\"", "y".repeat(n)))),
        ..put("notes", &n.to_string(), "0")
    };
    let written = commit(&*store, &space, (0..1_200).map(change)).await?;
    assert!(contents(&*store, &space).await?.feed == written.records, "contents were mixed up");
    Ok(())
}
