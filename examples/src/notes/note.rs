//! What a note is, as a record.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sync_core::Timestamp;

/// The collection of notes, here and at the server.
pub(crate) const NOTES: &str = "notes";

/// A note. Members that a later version adds stay as they are: notes are changed by patches.
///
/// Every member can be changed on one device while another one changes the others, without a conflict. That is why tags
/// are an object and no list: each tag is a place of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) done: bool,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, bool>,
    pub(crate) created_at: Timestamp,
}

impl Note {
    /// The names of its tags, ascending.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().filter(|(_, has)| **has).map(|(tag, _)| tag.as_str())
    }

    /// Whether text or tags contain this, in upper or lower case.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        self.text.to_lowercase().contains(&word) || self.tags().any(|tag| tag.to_lowercase().contains(&word))
    }
}

/// The changes that add some tags and take others away.
pub(crate) fn retagged(add: &[Tag], remove: &[Tag]) -> Value {
    let added = add.iter().map(|tag| (tag.0.clone(), Value::Bool(true)));
    let tags: Map<String, Value> =
        remove.iter().map(|tag| (tag.0.clone(), Value::Null)).chain(added).collect();
    json!(tags)
}

/// The name of a tag: one word, without `#` before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag(String);

/// Letters of a tag: more is a sentence.
const TAG_CHARS_MAX: usize = 64;

impl Tag {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Where a note says whether it has this tag.
    pub(crate) fn pointer(&self) -> String {
        format!("/tags/{}", self.0.replace('~', "~0").replace('/', "~1"))
    }
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix('#').unwrap_or(text);
        let is_word = !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control());
        if is_word && name.chars().count() <= TAG_CHARS_MAX {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!("a tag is one word of at most {TAG_CHARS_MAX} letters"))
        }
    }
}
