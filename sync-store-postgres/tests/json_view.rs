//! The view `records_json`: content for people who ask in SQL, as fast as an index of theirs makes it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use sync_core::conformance::{actor, commit, commit_write, delete, epoch, put, space_id, stamp};
use sync_core::json::{Json, Limits};
use sync_core::store::{Store, StoreExt};
use sync_core::{SpaceId, Timestamp};
use world::World;

async fn with_space() -> Option<(World, SpaceId)> {
    let (world, space) = (World::new().await?, space_id("family"));
    world.store.create_space(&space, epoch(1)).await.unwrap();
    Some((world, space))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_is_asked_for_by_its_members() {
    let Some((world, space)) = with_space().await else { return };
    let people = [
        put("people", "1", r#"{"age":41,"city":"Bern","tags":["a","b"]}"#),
        put("people", "2", r#"{"age":7,"city":"Genève"}"#),
        put("people", "3", r#"{"age":30,"city":"Bern"}"#),
        put("people", "4", r#"["no object"]"#),
        delete("people", "5"),
    ];
    commit(&world.store, &space, people).await.unwrap();
    let ask = async |sql: &str| world.sql(sql).await.unwrap();
    let found = ask("SELECT string_agg(id, ' ' ORDER BY id) FROM records_json
         WHERE space = 'family' AND collection = 'people' AND data ->> 'city' = 'Bern'")
    .await;
    assert_eq!(found, "1 3");
    assert_eq!(
        ask("SELECT sum((data -> 'age')::int)::text FROM records_json WHERE data ? 'age'").await,
        "78"
    );
    assert_eq!(ask(r#"SELECT id FROM records_json WHERE data @> '{"tags":["b"]}'"#).await, "1");
    assert_eq!(ask("SELECT count(*)::text FROM records_json").await, "4", "a tombstone is no record");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_of_a_record_is_shown_beside_its_content() {
    let Some((world, space)) = with_space().await else { return };
    let edited_at = [1_790_000_000_123_456, Timestamp::MAX.as_micros()];
    for (n, at) in edited_at.into_iter().enumerate() {
        let mut txn = world.store.write(&space).await.unwrap();
        let mut write = stamp(&mut *txn, [put("notes", &n.to_string(), "1")]).await.unwrap();
        let meta = &mut write.records[0].meta;
        (meta.edited_at, meta.author) = (Timestamp::from_micros(at).unwrap(), actor("~'\"anna\"'~"));
        meta.revision = 3;
        drop(txn);
        commit_write(&world.store, &space, &write).await.unwrap();
    }
    let row = "SELECT concat_ws('|', version, revision, to_char(edited_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
        author) FROM records_json WHERE id = ";
    let found = world.sql(&format!("{row} '0'")).await.unwrap();
    assert_eq!(found, "1|3|2026-09-21 14:13:20.123456|~'\"anna\"'~");
    let last = world.sql(&format!("{row} '1'")).await.unwrap();
    assert!(last.starts_with("2|3|2255-06-05 23:47:34."), "{last}");
}

/// A cast that fails would fail every question, about whatever record.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_content_that_is_taken_breaks_the_view() {
    let Some((world, space)) = with_space().await else { return };
    let deepest = Limits::RECORD.depth_max;
    let texts = [
        "1e308".to_owned(),
        "-5e-324".to_owned(),
        "18446744073709551615".to_owned(),
        "-9223372036854775808".to_owned(),
        r#""\u0001\u001e\u001f\u007f\b\"\\""#.to_owned(),
        r#""\ud83d\ude00 \u2028 \ufeff \uffff é""#.to_owned(),
        r#"{"":{"":[]},"a\"b":1,"ä":null}"#.to_owned(),
        format!("{}{}", "[".repeat(deepest), "]".repeat(deepest)),
        format!("{}1{}", r#"{"a":"#.repeat(deepest), "}".repeat(deepest)),
        format!("{{\"{}\":1}}", "k".repeat(Limits::RECORD.key_bytes_max)),
        format!("\"{}\"", "x".repeat(Limits::RECORD.bytes_max - 2)),
        format!("[{}1]", "1,".repeat(500_000)),
    ];
    let mut records = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let json = Json::parse(text.as_bytes(), &Limits::RECORD).unwrap();
        records.push(put("notes", &n.to_string(), json.as_str()));
    }
    commit(&world.store, &space, records).await.unwrap();
    let unlike = "SELECT count(*)::text FROM records_json j JOIN records r USING (space, collection, id)
        WHERE j.data IS NULL OR j.data::text::jsonb <> r.data::jsonb";
    assert_eq!(world.sql(unlike).await.unwrap(), "0");
    assert_eq!(
        world.sql("SELECT count(data)::text FROM records_json").await.unwrap(),
        texts.len().to_string()
    );
    let numbers = "SELECT string_agg(data::text, ' ' ORDER BY id) FROM records_json WHERE id IN ('2', '3')";
    assert_eq!(world.sql(numbers).await.unwrap(), "18446744073709551615 -9223372036854775808");
    // What jsonb could not hold is not taken in the first place.
    for refused in [r#""\u0000""#, r#""\ud800""#, "1e400"] {
        assert!(Json::parse(refused.as_bytes(), &Limits::RECORD).is_err(), "{refused}");
    }
}

/// The one of `docs/postgres.md`, which must stay as it is there.
const INDEX: &str = "CREATE INDEX people_by_city ON records (space, (left(data::jsonb ->> 'city', 100)))
    WHERE collection = 'people' AND data IS NOT NULL";
const QUERY: &str = "SELECT id, data FROM records_json
    WHERE space = 'family' AND collection = 'people' AND left(data ->> 'city', 100) = 'Bern'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_of_the_guide_is_used_through_the_view() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/postgres.md")).unwrap();
    for sql in [INDEX, QUERY] {
        assert!(guide.contains(sql), "the guide says something else than\n{sql}");
    }
    let Some((world, space)) = with_space().await else { return };
    let mut session = world.connect().await;
    session
        .run(&INDEX.replace("CREATE INDEX people_by_city", "CREATE INDEX CONCURRENTLY people_by_city"))
        .await;
    let city =
        |n: usize| format!("{{\"city\":\"{}\"}}", if n.is_multiple_of(100) { "Bern" } else { "Basel" });
    for from in [0, 1_000, 2_000] {
        let changes = (from..from + 1_000).map(|n| put("people", &n.to_string(), &city(n)));
        commit(&world.store, &space, changes).await.unwrap();
    }
    // Whatever is written must fit the index, or writing fails.
    let long = format!("{{\"city\":\"{}\"}}", "\u{10ffff}".repeat(100_000));
    let odd = [put("people", "long", &long), put("people", "none", "[]"), delete("people", "7")];
    commit(&world.store, &space, odd).await.unwrap();
    session.run("ANALYZE records").await;
    let plan = session.lines(&format!("EXPLAIN {QUERY}")).await.join("\n");
    assert!(plan.contains("people_by_city") && !plan.contains("Seq Scan"), "{plan}");
    assert_eq!(session.lines(QUERY).await.len(), 30);
}
