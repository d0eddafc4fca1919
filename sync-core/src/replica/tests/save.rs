//! What was read a while ago and is written back: nothing that others did meanwhile is undone.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::laws::policy;
use super::world::*;
use crate::error::ErrorKind;
use crate::merge::{Clash, DeletePolicy, PathRule, UpdatePolicy};
use crate::policies::Policies;
use crate::protocol::code;
use crate::replica::{Query, Replica, Typed};
use crate::service::Limits;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    title: String,
    text: String,
    #[serde(default)]
    done: bool,
}

fn note(title: &str, text: &str) -> Note {
    Note { title: title.into(), text: text.into(), done: false }
}

/// A note that two devices have seen: who opens a dialog on it, and who edits it meanwhile.
struct Dialog {
    world: World,
    one: Replica,
    two: Replica,
}

impl Dialog {
    async fn over(policies: Policies, note: &Value) -> Self {
        let world = World::with(policies, Limits::default()).await;
        let (one, two) = (world.fresh().await, world.fresh().await);
        one.put("notes", "a", note).await.unwrap();
        world.settle(&[&one, &two]).await;
        Self { world, one, two }
    }

    async fn new() -> Self {
        Self::over(Policies::default(), &json!({"title": "shop", "text": "milk"})).await
    }

    fn notes(&self) -> Typed<Note> {
        self.one.collection("notes").unwrap()
    }

    /// The other device changes the note, and the one with the dialog pulls that.
    async fn meanwhile(&self, changes: Value) {
        self.two.patch("notes", "a", &changes).await.unwrap();
        self.world.settle(&[&self.two, &self.one]).await;
    }

    async fn settle(&self) {
        self.world.settle(&[&self.one, &self.two]).await;
        self.world.assert_converged(&[&self.one, &self.two]).await;
    }
}

#[tokio::test]
async fn saving_a_new_title_keeps_the_text_that_someone_else_wrote_meanwhile() {
    let dialog = Dialog::new().await;
    let seen = dialog.notes().get("a").await.unwrap().unwrap();
    dialog.meanwhile(json!({"text": "milk, eggs"})).await;
    assert!(dialog.notes().save("a", &seen, &note("shopping", "milk")).await.unwrap());
    assert!(!dialog.notes().save("a", &seen, &seen).await.unwrap(), "nothing was changed");
    dialog.settle().await;
    for replica in [&dialog.one, &dialog.two] {
        assert_eq!(value(replica, "a").await, Some(json!({"title": "shopping", "text": "milk, eggs"})));
        assert_eq!(replica.conflicts(10).await.unwrap(), []);
    }
}

#[tokio::test]
async fn saving_a_text_that_someone_else_changed_meanwhile_is_a_conflict_as_if_it_had_been_offline() {
    let dialog = Dialog::new().await;
    let seen = dialog.notes().get("a").await.unwrap().unwrap();
    dialog.meanwhile(json!({"text": "oat milk", "title": "supermarket"})).await;
    assert!(dialog.notes().save("a", &seen, &note("shop", "two milk")).await.unwrap());
    let shown = json!({"title": "supermarket", "text": "two milk"});
    assert_eq!(value(&dialog.one, "a").await, Some(shown.clone()), "one reads what one wrote");
    dialog.settle().await;
    for replica in [&dialog.one, &dialog.two] {
        let theirs = json!({"title": "supermarket", "text": "oat milk"});
        assert_eq!(value(replica, "a").await, Some(theirs));
        let conflict = replica.conflicts(10).await.unwrap().remove(0);
        assert_eq!(conflict.body.mine, Some(shown.clone()));
        assert_eq!(conflict.body.paths, ["/text".parse().unwrap()]);
        assert_eq!(conflict.body.patch.unwrap().edits()[0].was, Some(json!("milk")));
    }
}

#[tokio::test]
async fn policies_judge_a_late_save_as_they_judge_an_offline_edit() {
    let steps = |update| {
        let rule = ("/n".parse().unwrap(), PathRule::Counter);
        let policy = crate::merge::CollectionPolicy::default().with_update(update).with_rule(rule.0, rule.1);
        Policies::with_fallback(policy)
    };
    for (update, expected, n_open, n_settled) in [
        (UpdatePolicy::Fields(Clash::Manual), json!({"n": 7, "x": "base", "y": 1}), 0, 0),
        (UpdatePolicy::Whole(Clash::Manual), json!({"n": 5, "x": "base", "y": 1}), 1, 0),
    ] {
        let dialog = Dialog::over(steps(update), &json!({"n": 1, "x": "base", "y": 0})).await;
        let seen: Value = value(&dialog.one, "a").await.unwrap();
        dialog.meanwhile(json!({"n": 5, "y": 1})).await;
        let mut now = seen.clone();
        now["n"] = json!(3);
        if n_open > 0 {
            (now["n"], now["x"]) = (json!(1), json!("mine"));
        }
        assert!(dialog.one.save("notes", "a", &seen, &now).await.unwrap());
        dialog.settle().await;
        assert_eq!(value(&dialog.two, "a").await, Some(expected), "{update:?}");
        assert_eq!(dialog.two.conflicts(10).await.unwrap().len(), n_open, "{update:?}");
        assert_eq!(dialog.two.settled_conflicts(10).await.unwrap().len(), n_settled, "{update:?}");
    }
    for (clash, expected) in
        [(Clash::LastWriteWins, "mine"), (Clash::ServerWins, "theirs"), (Clash::ClientWins, "mine")]
    {
        let policies = policy(UpdatePolicy::Fields(clash), DeletePolicy::Manual);
        let dialog = Dialog::over(policies, &json!({"x": "base"})).await;
        dialog.meanwhile(json!({"x": "theirs"})).await;
        dialog.world.clock.advance(std::time::Duration::from_secs(1));
        dialog.one.save("notes", "a", &json!({"x": "base"}), &json!({"x": "mine"})).await.unwrap();
        dialog.settle().await;
        assert_eq!(value(&dialog.two, "a").await, Some(json!({"x": expected})), "{clash:?}");
        assert_eq!(dialog.two.settled_conflicts(10).await.unwrap().len(), 1, "{clash:?}: kept all the same");
    }
}

#[tokio::test]
async fn saving_a_note_that_someone_deleted_meanwhile_follows_the_policy_and_loses_nothing() {
    for (delete, is_back, n_open, n_settled) in [
        (DeletePolicy::UpdateWins, true, 0, 0),
        (DeletePolicy::DeleteWins, false, 0, 1),
        (DeletePolicy::Manual, false, 1, 0),
    ] {
        let policies = policy(UpdatePolicy::default(), delete);
        let dialog = Dialog::over(policies, &json!({"title": "shop", "text": "milk"})).await;
        let seen = dialog.notes().get("a").await.unwrap().unwrap();
        dialog.two.delete("notes", "a").await.unwrap();
        dialog.world.settle(&[&dialog.two, &dialog.one]).await;
        assert!(dialog.notes().save("a", &seen, &note("shop", "oat milk")).await.unwrap());
        dialog.settle().await;
        let conflicts = dialog.two.conflicts(10).await.unwrap().len();
        let settled = dialog.two.settled_conflicts(10).await.unwrap().len();
        assert_eq!(
            (value(&dialog.two, "a").await.is_some(), conflicts, settled),
            (is_back, n_open, n_settled)
        );
    }
    let nowhere = Dialog::new().await.notes().save("b", &note("a", ""), &note("b", "")).await.unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn two_windows_of_one_device_that_write_the_same_place_are_told_before_anything_is_overwritten() {
    let dialog = Dialog::new().await;
    let seen = dialog.notes().get("a").await.unwrap().unwrap();
    dialog.notes().save("a", &seen, &note("shop", "oat milk")).await.unwrap();
    assert!(dialog.notes().save("a", &seen, &note("shopping", "milk")).await.unwrap(), "another place");
    let refused = dialog.notes().save("a", &seen, &note("shop", "two milk")).await.unwrap_err();
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Invalid, Some(code::VERSION_CONFLICT)));
    // Sent, and the answer was lost: the server knows, this replica does not.
    let line = Line::with(dialog.world.loopback(), [Fate::DropReply]);
    dialog.one.sync(&line).await.unwrap_err();
    let refused = dialog.notes().save("a", &seen, &note("shop", "two milk")).await.unwrap_err();
    assert_eq!(refused.code(), Some(code::VERSION_CONFLICT));
    dialog.settle().await;
    assert_eq!(value(&dialog.two, "a").await, Some(json!({"title": "shopping", "text": "oat milk"})));
    assert_eq!(dialog.two.conflicts(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_late_save_is_judged_once_whatever_the_line_does_and_takes_later_edits_along() {
    for fates in [[Fate::DropRequest, Fate::DropReply], [Fate::DropReply, Fate::Repeat]] {
        let dialog = Dialog::new().await;
        dialog.meanwhile(json!({"text": "oat milk"})).await;
        let seen = note("shop", "milk");
        dialog.notes().save("a", &seen, &note("shop", "two milk")).await.unwrap();
        dialog.notes().update("a", |note| note.done = true).await.unwrap();
        let line = Line::with(dialog.world.loopback(), fates);
        while dialog.one.sync(&line).await.is_err() {}
        dialog.meanwhile(json!({"title": "supermarket"})).await;
        dialog.settle().await;
        let conflict = dialog.two.conflicts(10).await.unwrap().remove(0);
        assert_eq!(conflict.body.mine, Some(json!({"title": "shop", "text": "two milk", "done": true})));
        assert_eq!(dialog.world.conflicts().await.len(), 1);
    }
}

#[tokio::test]
async fn an_older_app_that_saves_or_updates_a_note_keeps_what_a_newer_one_wrote_in_it() {
    let stored = json!({"title": "shop", "text": "milk", "colour": {"r": 255}});
    let dialog = Dialog::over(Policies::default(), &stored).await;
    let seen = dialog.notes().get("a").await.unwrap().unwrap();
    dialog.meanwhile(json!({"tags": ["new"]})).await;
    // `done` is not in the record: the type fills it in, so nobody else has changed it.
    let now = Note { done: true, ..seen.clone() };
    assert!(dialog.notes().save("a", &seen, &now).await.unwrap());
    let notes = dialog.notes();
    let length = notes.update("a", |note| {
        note.text.push('!');
        note.text.len()
    });
    assert_eq!(length.await.unwrap(), Some(5));
    assert_eq!(dialog.notes().update("nowhere", |_| ()).await.unwrap(), None);
    dialog.settle().await;
    let both = json!({"title": "shop", "text": "milk!", "done": true, "colour": {"r": 255}, "tags": ["new"]});
    assert_eq!(value(&dialog.two, "a").await, Some(both));
    assert_eq!(dialog.two.conflicts(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_field_that_a_type_fills_in_still_clashes_when_someone_else_wrote_it() {
    let dialog = Dialog::over(Policies::default(), &json!({"title": "", "text": ""})).await;
    #[derive(Clone, Serialize, Deserialize)]
    struct Stars {
        #[serde(default)]
        n: i64,
    }
    let stars: Typed<Stars> = dialog.one.collection("notes").unwrap();
    let seen = stars.get("a").await.unwrap().unwrap();
    dialog.meanwhile(json!({"n": 3})).await;
    stars.save("a", &seen, &Stars { n: 5 }).await.unwrap();
    dialog.settle().await;
    assert_eq!(dialog.two.conflicts(10).await.unwrap()[0].body.paths, ["/n".parse().unwrap()]);
    assert_eq!(value(&dialog.two, "a").await.unwrap()["n"], 3);
}

#[tokio::test]
async fn a_typed_edit_that_nobody_could_read_is_refused_and_says_where() {
    let dialog = Dialog::new().await;
    let refused = dialog.notes().patch("a", &json!({"done": "maybe"})).await.unwrap_err();
    assert_eq!((refused.kind(), refused.pointer()), (ErrorKind::Invalid, Some("/done")));
    let text = refused.to_string();
    assert!(text.contains("notes/a") && text.contains("/done") && text.contains("a boolean"), "{text}");
    assert!(dialog.notes().get("a").await.is_ok());
    // Two halves that make no whole.
    #[derive(Clone, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Shape {
        Circle(i64),
        Square(i64),
    }
    dialog.one.put("notes", "s", &Shape::Circle(1)).await.unwrap();
    let shapes: Typed<Shape> = dialog.one.collection("notes").unwrap();
    dialog.one.put("notes", "s", &Shape::Square(2)).await.unwrap();
    let refused = shapes.save("s", &Shape::Circle(1), &Shape::Circle(3)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(matches!(shapes.get("s").await, Ok(Some(Shape::Square(2)))));
}

#[tokio::test]
async fn notes_that_are_added_have_ids_of_their_own() {
    let dialog = Dialog::new().await;
    let (a, b) = (
        dialog.notes().add(&note("a", "")).await.unwrap(),
        dialog.notes().add(&note("a", "")).await.unwrap(),
    );
    assert_ne!(a, b);
    assert_eq!(dialog.notes().get(a.as_str()).await.unwrap(), Some(note("a", "")));
}

#[tokio::test]
async fn records_of_a_type_are_saved_together_in_a_transaction() {
    let dialog = Dialog::new().await;
    let seen = dialog.notes().get("a").await.unwrap().unwrap();
    dialog.meanwhile(json!({"text": "oat milk"})).await;
    let notes = dialog.notes();
    let added = dialog.one.transaction(async |t| {
        let mut notes = t.of(&notes);
        assert!(notes.patch("a", &json!({"done": "maybe"})).await.is_err(), "and it goes on");
        notes.save("a", &seen, &note("shopping", "milk")).await?;
        notes.update("a", |note| note.done = true).await?;
        assert_eq!(notes.update("nowhere", |_| ()).await?, None);
        notes.put("b", &note("b", "")).await?;
        notes.delete("b").await?;
        let id = notes.add(&note("c", "")).await?;
        assert_eq!((notes.list(&Query::all()).await?.len(), notes.get("b").await?), (2, None));
        Ok(id)
    });
    let added = added.await.unwrap();
    dialog.settle().await;
    let expected = json!({"title": "shopping", "text": "oat milk", "done": true});
    assert_eq!(value(&dialog.two, "a").await, Some(expected));
    assert!(value(&dialog.two, added.as_str()).await.is_some());
}

#[tokio::test]
async fn an_update_can_be_spawned() {
    let dialog = Dialog::new().await;
    let notes = dialog.notes();
    let word = "!".to_owned();
    tokio::spawn(async move { notes.update("a", |note| note.text += &word).await }).await.unwrap().unwrap();
    assert_eq!(value(&dialog.one, "a").await.unwrap()["text"], "milk!");
}

#[tokio::test]
async fn a_late_save_below_something_that_became_another_thing_overrules_nobody() {
    for (before, theirs, now) in [
        (json!({"a": {"x": 1}}), json!({"a": "precious"}), json!({"a": {"x": 1, "b": 2}})),
        (json!({"x": 1}), json!(["precious"]), json!({"x": 1, "b": 2})),
        (
            json!({"t": 1, "due": {"day": 7}}),
            json!({"t": 1}),
            json!({"t": 1, "due": {"day": 7, "note": "call"}}),
        ),
        (
            json!({"t": 1, "due": {"day": 7}}),
            json!({"t": 1, "due": null}),
            json!({"t": 1, "due": {"day": 7, "n": 1}}),
        ),
    ] {
        let dialog = Dialog::over(Policies::default(), &before).await;
        dialog.two.put("notes", "a", &theirs).await.unwrap();
        dialog.settle().await;
        assert!(dialog.one.save("notes", "a", &before, &now).await.unwrap(), "{theirs}");
        dialog.settle().await;
        for replica in [&dialog.one, &dialog.two] {
            assert_eq!(value(replica, "a").await, Some(theirs.clone()));
            assert_eq!(replica.conflicts(10).await.unwrap().len(), 1, "{theirs}");
        }
    }
}

#[tokio::test]
async fn what_a_type_does_not_know_survives_a_large_update_and_one_inside_a_list() {
    #[derive(Serialize, Deserialize)]
    struct Big {
        counts: std::collections::BTreeMap<String, i64>,
    }
    #[derive(Clone, Serialize, Deserialize)]
    struct Item {
        n: i64,
    }
    #[derive(Serialize, Deserialize)]
    struct List {
        items: Vec<Item>,
    }
    let world = World::new().await;
    let one = world.fresh().await;
    let counts: serde_json::Map<String, Value> = (0..1001).map(|n| (n.to_string(), json!(n))).collect();
    one.put("notes", "big", &json!({"counts": counts, "colour": "unknown"})).await.unwrap();
    let big = one.collection::<Big>("notes").unwrap();
    big.update("big", |big| big.counts.values_mut().for_each(|n| *n += 1)).await.unwrap();
    let stored = value(&one, "big").await.unwrap();
    assert_eq!((&stored["colour"], &stored["counts"]["1000"]), (&json!("unknown"), &json!(1001)));

    let items = json!({"items": [{"n": 1, "x": "one"}, {"n": 2, "x": "two"}, {"n": 3, "x": "three"}]});
    one.put("notes", "list", &items).await.unwrap();
    let list = one.collection::<List>("notes").unwrap();
    list.update("list", |list| list.items[0].n = 7).await.unwrap();
    list.update("list", |list| list.items.swap(1, 2)).await.unwrap();
    list.update("list", |list| list.items.push(Item { n: 9 })).await.unwrap();
    let wanted = json!([{"n": 7, "x": "one"}, {"n": 3, "x": "three"}, {"n": 2, "x": "two"}, {"n": 9}]);
    assert_eq!(value(&one, "list").await.unwrap()["items"], wanted);
}

#[tokio::test]
async fn a_transaction_on_a_closed_replica_says_that_it_is_closed() {
    let world = World::new().await;
    let one = world.fresh().await;
    let clone = one.clone();
    one.close().await;
    let done = clone.transaction(async |t| t.put("notes", "a", "milk").await).await;
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Incompatible);
}

#[tokio::test]
async fn what_was_made_and_deleted_here_cannot_be_saved() {
    let world = World::new().await;
    let one = world.fresh().await;
    one.put("notes", "a", &json!({"x": 1})).await.unwrap();
    one.delete("notes", "a").await.unwrap();
    let refused = one.save("notes", "a", &json!({"x": 1}), &json!({"x": 2})).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
}
