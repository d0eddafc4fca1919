//! Records that are of the type that is asked for, and others.

use futures_util::{FutureExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::world::*;
use crate::error::ErrorKind;
use crate::replica::{Origin, Query, TypedEvent};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
    #[serde(default)]
    done: bool,
}

#[tokio::test]
async fn a_record_of_another_type_is_an_item_of_its_own() {
    let one = World::new().await.fresh().await;
    let notes = one.collection::<Note>("notes").unwrap();
    let milk = Note { text: "milk".into(), done: false };
    notes.put("a", &milk).await.unwrap();
    one.put("notes", "b", &json!({"text": 7})).await.unwrap();
    notes.clone().put("c", &milk).await.unwrap();
    let mut items = notes.list(&Query::all().descending()).await.unwrap();
    assert_eq!(items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
    let item = items.pop().unwrap();
    assert_eq!((item.meta.author.as_str(), item.meta.revision), (one.0.options.actor.as_str(), 1));
    assert_eq!(item.value.unwrap(), milk);
    let error = items.pop().unwrap().value.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("notes/b"), "{error}");
    assert!(notes.get("b").await.unwrap_err().to_string().contains("notes/b"));
    assert_eq!(notes.get("a").await.unwrap(), Some(milk));
    assert!(one.collection::<Note>("$base").is_err());
}

#[tokio::test]
async fn a_typed_watch_goes_on_after_a_record_of_another_type() {
    let one = World::new().await.fresh().await;
    let notes = one.collection::<Note>("notes").unwrap();
    let mut watch = notes.watch();
    one.put("notes", "a", &1).await.unwrap();
    one.put("notes", "a", &json!({"text": "milk"})).await.unwrap();
    notes.patch("a", &json!({"done": true})).await.unwrap();
    notes.delete("a").await.unwrap();
    let mut next = || match watch.next().now_or_never().flatten() {
        Some(TypedEvent::Changed(change)) => change,
        other => panic!("{other:?}"),
    };
    assert!(next().value.unwrap_err().to_string().contains("notes/a"));
    assert!(!next().value.unwrap().unwrap().done);
    assert!(next().value.unwrap().unwrap().done);
    let last = next();
    assert_eq!((last.value.unwrap(), last.origin), (None, Origin::Local));
}
