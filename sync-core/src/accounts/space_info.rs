//! What is known about a space beside its content: what people call it, and since when it is there.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{NameError, SpaceId, changes_direction};

/// Spaces that can be asked about in one call. 1,000: a page of a list, and what one statement carries.
pub const SPACE_INFOS_MAX: usize = 1000;

/// What is known about a space. Its id is how programs name it, and all that its content knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpaceInfo {
    /// Which.
    pub space: SpaceId,
    /// What its members call it, if they gave it a name.
    #[serde(default)]
    pub name: Option<SpaceName>,
    /// When it was created; `None` for one that is older than this knowledge.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// When any of this was last written.
    pub updated_at: Timestamp,
}

impl SpaceInfo {
    /// Refuses to be asked about too many spaces at once; each [`Accounts::space_infos`](crate::Accounts::space_infos)
    /// begins with it.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for more than [`SPACE_INFOS_MAX`].
    pub fn check_asked(spaces: &[SpaceId]) -> Result<()> {
        if spaces.len() <= SPACE_INFOS_MAX {
            return Ok(());
        }
        let message = format!("cannot ask about {} spaces at once: {SPACE_INFOS_MAX} at most", spaces.len());
        Err(Error::new(ErrorKind::Invalid, message))
    }
}

/// What people call a space: a line of 1 to 80 characters in NFC, without white space around it, control characters, or
/// characters that break lines or change the direction of text. Names need not differ.
///
/// A name is content: it is not shown by `Debug`, and belongs in no log.
///
/// ```
/// use sync_core::SpaceName;
/// assert_eq!(SpaceName::new(" Cafe\u{301} ")?.as_str(), "Café");
/// assert!(SpaceName::new(" ").is_err());
/// # Ok::<_, sync_core::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SpaceName(Arc<str>);

impl SpaceName {
    /// Characters of a name. 80: a line in a list.
    pub const CHARS_MAX: usize = 80;

    /// Bytes looked at before normalising, which may make a text three times as long.
    const INPUT_BYTES_MAX: usize = 1024;

    /// Takes a text as a name, in NFC and without the white space around it.
    ///
    /// # Errors
    ///
    /// [`NameError`] says which rule the text breaks.
    pub fn new(text: impl AsRef<str>) -> Result<Self, NameError> {
        let refused = |why| Err(NameError::new("space name", why));
        let text = text.as_ref().trim();
        if text.len() > Self::INPUT_BYTES_MAX {
            return refused("it is longer than 80 characters");
        }
        let name: String = text.nfc().collect();
        if name.is_empty() {
            return refused("it is empty");
        }
        if name.chars().count() > Self::CHARS_MAX {
            return refused("it is longer than 80 characters");
        }
        if name.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return refused("it contains a control character or breaks the line");
        }
        if name.chars().any(changes_direction) {
            return refused("it contains a character that changes text direction");
        }
        Ok(Self(name.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SpaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpaceName(***)")
    }
}

impl TryFrom<String> for SpaceName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl std::str::FromStr for SpaceName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl From<SpaceName> for String {
    fn from(name: SpaceName) -> Self {
        name.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lines_that_people_write() {
        let long = "é".repeat(SpaceName::CHARS_MAX);
        let long_before_nfc = "e\u{301}".repeat(SpaceName::CHARS_MAX);
        for (given, kept) in [
            ("Family", "Family"),
            ("  The\u{a0}Family\t", "The\u{a0}Family"),
            ("Cafe\u{301}", "Café"),
            ("日本 🌲 \"x\" '; DROP", "日本 🌲 \"x\" '; DROP"),
            (&long, &long),
            (&long_before_nfc, &long),
        ] {
            let name = SpaceName::new(given).unwrap();
            assert_eq!(name.as_str(), kept, "{given:?}");
            assert_eq!(SpaceName::new(name.as_str()).unwrap(), name, "{given:?}");
        }
    }

    #[test]
    fn names_that_are_no_line_are_refused() {
        let long = "x".repeat(SpaceName::CHARS_MAX + 1);
        // Each becomes three.
        let expanding = "\u{1d160}".repeat(SpaceName::CHARS_MAX / 3 + 1);
        let megabyte = "e\u{301}".repeat(1 << 20);
        let bad = ["", " ", "\u{3000}", "a\nb", "a\0b", "a\u{1f}b", "a\u{7f}b", "a\u{2028}b", "a\u{202e}b"];
        for text in bad.into_iter().chain([&*long, &expanding, &megabyte]) {
            assert!(SpaceName::new(text).is_err(), "{text:.20?}");
            assert!(serde_json::from_value::<SpaceName>(text.into()).is_err(), "{text:.20?}");
        }
    }

    #[test]
    fn what_is_known_about_a_space_is_shown_without_its_name() {
        let info = SpaceInfo {
            space: SpaceId::new("family").unwrap(),
            name: Some(SpaceName::new("Secret").unwrap()),
            created_at: None,
            updated_at: Timestamp::ZERO,
        };
        assert!(!format!("{info:?}").contains("Secret"));
    }
}
