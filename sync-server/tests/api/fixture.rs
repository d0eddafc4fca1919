//! What is in the world before the first bad input: people, records, conflicts, replicas and cursors of every kind.

use std::time::Duration;

use serde_json::Value;
use sync_core::protocol::SnapshotToken;
use sync_core::{
    AccountsExt, ActorId, Collection, Cursor, CursorToken, Epoch, RecordId, RecordKey, Role, Seq, SpaceId,
    Tag,
};

use super::people;
use super::template::Values;
use super::world::World;

/// The password of everyone.
pub(crate) const PASSWORD: &str = "sekret password";

/// Part of the content of records, which no log may show.
pub(crate) const CONTENT: &str = "sekret-content";

/// Part of the content of a space that is nobody's business, which no answer may show.
pub(crate) const FOREIGN: &str = "sekret-foreign";

/// Replicas of ada and of ed.
const REPLICA: &str = "replica-of-ada";
const EDS_REPLICA: &str = "replica-of-ed";

/// Longer than tombstones are kept.
const RETENTION: Duration = Duration::from_secs(40 * 24 * 3600);

/// Fills a world and returns the values that rows speak of.
pub(crate) async fn fill(world: &World) -> Values {
    let mut fixture = Fixture { world, values: Values::default() };
    fixture.people().await;
    people::ended(world, &mut fixture.values).await;
    fixture.ancient_history().await;
    fixture.records().await;
    fixture.conflicts().await;
    fixture.foreign().await;
    fixture.cursors().await;
    people::current(world, &mut fixture.values).await;
    fixture.values
}

struct Fixture<'w> {
    world: &'w World,
    values: Values,
}

impl Fixture<'_> {
    async fn people(&mut self) {
        self.values.set("password", PASSWORD);
        self.values.set("unknown_space", "0".repeat(32));
        self.values.set("replica", REPLICA);
        self.values.set("eds_replica", EDS_REPLICA);
        for (name, space) in [("ada", "space"), ("bob", "foreign_space"), ("vera", "veras"), ("ed", "eds")] {
            let body = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
            let answer = self.world.ask("POST /v1/auth/register", None, Some(&body)).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            self.values.set(name, answer.json()["user"]["id"].as_str().unwrap());
            self.values.set(space, answer.member("space"));
        }
        let escaped: String = self.values.get("space").bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.values.set("space_escaped", escaped);
        let space = SpaceId::new(self.values.get("space")).unwrap();
        for (name, role) in [("vera", Role::Viewer), ("ed", Role::Editor)] {
            let actor = ActorId::new(self.values.get(name)).unwrap();
            self.world.accounts.set_role(&space, &actor, Some(role)).await.unwrap();
        }
        self.sign_in().await;
    }

    async fn sign_in(&mut self) {
        for name in ["ada", "bob", "vera", "ed"] {
            let body = format!(r#"{{"username":"{name}","password":"{PASSWORD}"}}"#);
            let answer = self.world.ask("POST /v1/auth/login", None, Some(&body)).await;
            self.values.set(&format!("{name}_token"), answer.member("access_token"));
            self.values.set(&format!("{name}_device"), answer.member("device"));
        }
        self.values.set("now", self.world.now_s().to_string());
    }

    /// A record that was deleted so long ago that its tombstone is gone, and a cursor from before.
    async fn ancient_history(&mut self) {
        self.put("ancient", r#"{"title":"old"}"#, None).await;
        self.cursor("cursor_old", "ada", "space").await;
        let version = self.delete("ancient").await;
        self.values.set("ancient_version", version);
        self.world.clock.advance(RETENTION);
        let space = SpaceId::new(self.values.get("space")).unwrap();
        assert_eq!(self.world.app.service.collect(&space, false).await.unwrap().n_removed, 3);
        self.sign_in().await;
    }

    async fn records(&mut self) {
        let first = format!(
            r#"{{"client_id":"{REPLICA}","first":1,"mutations":[{{"op":"put","collection":"notes","id":"n1","data":{{"title":"one","text":"{CONTENT}"}}}}]}}"#
        );
        let stale = self.push("ada", "space", &first).await["outcomes"][0]["version"].to_string();
        let second = format!(
            r#"{{"client_id":"{REPLICA}","first":2,"mutations":[{{"op":"delete","collection":"notes","id":"never"}},{{"op":"put","collection":"notes","id":"n1","base_version":{stale},"data":{{"title":"two","text":"{CONTENT}"}}}}]}}"#
        );
        let current = self.push("ada", "space", &second).await["outcomes"][1]["version"].to_string();
        self.values.set("stale", stale);
        self.values.set("current", current);
        self.values.set("second_batch", second);
        let eds = format!(
            r#"{{"client_id":"{EDS_REPLICA}","first":1,"mutations":[{{"op":"put","collection":"notes","id":"eds","data":1}}]}}"#
        );
        self.push("ed", "space", &eds).await;
        let n2 = self.put("n2", r#"{"title":"n2"}"#, None).await;
        self.values.set("n2_version", n2);
        for id in ["gone", "gone2", "gone3"] {
            let stale = self.put(id, r#"{"title":"x"}"#, None).await;
            self.values.set(&format!("{id}_stale"), stale);
            let version = self.delete(id).await;
            self.values.set(&format!("{id}_version"), version);
        }
    }

    async fn conflicts(&mut self) {
        let stale = self.values.get("stale").to_owned();
        for (idx, name) in ["conflict", "resolved"].into_iter().enumerate() {
            let body = format!(
                r#"{{"mutations":[{{"op":"put","collection":"notes","id":"n1","base_version":{stale},"data":{{"title":"mine {idx}"}}}}]}}"#
            );
            let id = self.push("ada", "space", &body).await["outcomes"][0]["id"].clone();
            self.values.set(name, id.as_str().unwrap());
        }
        let ask = self.values.fill("POST /v1/spaces/{space}/conflicts/{resolved}/resolve");
        let token = self.values.get("ada_token");
        assert_eq!(self.world.ask(&ask, Some(token), Some(r#"{"take":"theirs"}"#)).await.status, 200);
    }

    async fn foreign(&mut self) {
        let put = |base: &str, title: &str| {
            format!(
                r#"{{"mutations":[{{"op":"put","collection":"notes","id":"hidden","base_version":{base},"data":{{"title":"{title}","text":"{FOREIGN}"}}}}]}}"#
            )
        };
        let stale =
            self.push("bob", "foreign_space", &put("0", "a")).await["outcomes"][0]["version"].to_string();
        self.push("bob", "foreign_space", &put(&stale, "b")).await;
        let id = self.push("bob", "foreign_space", &put(&stale, "c")).await["outcomes"][0]["id"].clone();
        self.values.set("foreign_conflict", id.as_str().unwrap());
    }

    async fn cursors(&mut self) {
        self.cursor("cursor", "ada", "space").await;
        self.cursor("foreign_cursor", "bob", "foreign_space").await;
        let space = SpaceId::new(self.values.get("space")).unwrap();
        let token = self.values.get("cursor").to_owned();
        let cursor = Cursor::decode(&CursorToken::new(&token), &space).unwrap();
        let beyond = Cursor { seq: Seq::new(cursor.seq.get() + 1_000_000_000).unwrap(), ..cursor };
        let forged = [
            ("cursor_beyond", beyond),
            ("cursor_other_epoch", Cursor { epoch: Epoch::from_bytes([9; 16]), ..cursor }),
            ("cursor_other_tag", Cursor { tag: Tag::from_bytes([9; 16]), ..cursor }),
        ];
        for (name, cursor) in forged {
            self.values.set(name, cursor.encode(&space).as_str());
        }
        self.values.set("cursor_cut", &token[1..]);
        self.values.set(
            "cursor_flipped",
            format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..]),
        );
        let place = RecordKey::new(Collection::new("notes").unwrap(), RecordId::new("eds").unwrap());
        for (name, cursor) in
            [("resume", "cursor"), ("resume_old", "cursor_old"), ("foreign_resume", "foreign_cursor")]
        {
            let resume = SnapshotToken::after(&CursorToken::new(self.values.get(cursor)), &place, None);
            self.values.set(name, resume.as_str());
        }
        let (cursor, notes) = (CursorToken::new(self.values.get("cursor")), place.collection.clone());
        let of_notes = SnapshotToken::after(&cursor, &place, Some(&[notes]));
        self.values.set("resume_notes", of_notes.as_str());
    }

    async fn cursor(&mut self, name: &str, who: &str, space: &str) {
        let ask = format!("GET /v1/spaces/{}/changes", self.values.get(space));
        let token = self.values.get(&format!("{who}_token"));
        let cursor = self.world.ask(&ask, Some(token), None).await.member("cursor");
        self.values.set(name, cursor);
    }

    /// Writes a note of ada's and returns its version.
    async fn put(&mut self, id: &str, data: &str, base: Option<&str>) -> String {
        let base = base.unwrap_or("0");
        let body = format!(
            r#"{{"mutations":[{{"op":"put","collection":"notes","id":"{id}","base_version":{base},"data":{data}}}]}}"#
        );
        self.push("ada", "space", &body).await["outcomes"][0]["version"].to_string()
    }

    /// Deletes a note of ada's and returns the version of its tombstone.
    async fn delete(&mut self, id: &str) -> String {
        let ask = format!("GET /v1/spaces/{}/records/notes/{id}", self.values.get("space"));
        let token = self.values.get("ada_token");
        let base = self.world.ask(&ask, Some(token), None).await.member("version");
        let body = format!(
            r#"{{"mutations":[{{"op":"delete","collection":"notes","id":"{id}","base_version":{base}}}]}}"#
        );
        self.push("ada", "space", &body).await["outcomes"][0]["version"].to_string()
    }

    async fn push(&self, who: &str, space: &str, body: &str) -> Value {
        let ask = format!("POST /v1/spaces/{}/changes", self.values.get(space));
        let token = self.values.get(&format!("{who}_token"));
        let answer = self.world.ask(&ask, Some(token), Some(body)).await;
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        answer.json()
    }
}
