//! User names: what a person may be called, and when two names are the same.

use unicode_normalization::UnicodeNormalization;

use crate::problem::{Code, Problem};

/// Characters of a normalised name. 64: longer than any name people type.
pub const CHARS_MAX: usize = 64;

/// Bytes looked at before normalising, which may make a text 18 times as long.
const INPUT_BYTES_MAX: usize = 1024;

/// Characters that are invisible, steer the direction of text, or render as nothing; ranges inclusive.
const INVISIBLE: [(char, char); 16] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{e0000}', '\u{10ffff}'),
];

/// A valid user name, as it was typed and as it is compared.
///
/// Two names are the same when their normal forms are: NFKC with case folded, so `Ada`, `ADA` and `ａｄａ` are
/// one user. Latin mixed with Cyrillic or Greek is refused, because such names look like others.
/// Spaces inside are kept; nothing is trimmed silently.
///
/// ```
/// use sync_server::auth::username::UserName;
/// let name = UserName::new("Ada Lovelace").unwrap();
/// assert_eq!((name.display(), name.normal()), ("Ada Lovelace", "ada lovelace"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserName {
    display: String,
    normal: String,
}

impl UserName {
    /// Checks and normalises `text`.
    ///
    /// # Errors
    ///
    /// `validation_failed` at `/username`, saying which rule is broken.
    pub fn new(text: &str) -> Result<Self, Problem> {
        if text.len() > INPUT_BYTES_MAX {
            return Err(refused("it is too long").limit(CHARS_MAX as u64));
        }
        let display: String = text.nfkc().collect();
        let normal = fold(&display);
        check(&display)?;
        if !(1..=CHARS_MAX).contains(&normal.chars().count()) {
            return Err(refused("it must have 1 to 64 characters").limit(CHARS_MAX as u64));
        }
        Ok(Self { display, normal })
    }

    /// The name as its owner writes it, in NFKC.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// The form that is unique: the key under which the user is stored and found.
    pub fn normal(&self) -> &str {
        &self.normal
    }
}

/// Upper then lower case, character by character: unlike lower case alone this joins `ß` with `ss` and both
/// forms of sigma. Folding may leave what NFKC would compose, hence once more.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

fn check(name: &str) -> Result<(), Problem> {
    if name.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(refused("it contains a control or invisible character"));
    }
    if name.trim() != name {
        return Err(refused("it begins or ends with a space"));
    }
    let has = |low: char, high: char| name.chars().any(|c| c.is_alphabetic() && (low..=high).contains(&c));
    let latin = has('A', '\u{24f}');
    if latin && (has('\u{370}', '\u{3ff}') || has('\u{400}', '\u{52f}')) {
        return Err(refused("it mixes alphabets that look alike"));
    }
    Ok(())
}

/// Whether nobody sees a character, or it makes text look like other text.
pub(crate) fn is_invisible(c: char) -> bool {
    INVISIBLE.iter().any(|(low, high)| (*low..=*high).contains(&c))
}

fn refused(why: &str) -> Problem {
    Problem::new(Code::ValidationFailed)
        .detail(format!("the user name is not allowed: {why}"))
        .pointer("/username")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_have_one_normal_form() {
        for (one, other) in [
            ("Ada", "ADA"),
            ("ａｄａ", "ada"),
            ("é", "e\u{301}"),
            ("ﬁn", "FIN"),
            ("straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("a\u{a0}b", "a b"),
            ("K", "\u{212a}"),
        ] {
            assert_eq!(UserName::new(one).unwrap().normal(), UserName::new(other).unwrap().normal(), "{one}");
        }
        assert_ne!(UserName::new("ada").unwrap().normal(), UserName::new("adá").unwrap().normal());
    }

    #[test]
    fn the_normal_form_is_its_own_normal_form() {
        for name in ["İstanbul", "ŉ", "ΐ", "ǰ", "ﬃ", "ß", "Å"] {
            let normal = UserName::new(name).unwrap().normal().to_owned();
            assert_eq!(UserName::new(&normal).unwrap().normal(), normal, "{name}");
        }
    }

    #[test]
    fn names_of_many_scripts_are_welcome() {
        for name in
            ["a", "José", "Олена", "Σωκράτης", "李雷", "محمد", "🦀", "o'brien; DROP TABLE", &"x".repeat(64)]
        {
            assert!(UserName::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn names_that_deceive_or_break_lines_are_refused() {
        let long = "x".repeat(65);
        let megabyte = "x".repeat(1 << 20);
        let expanding = "\u{fdfa}".repeat(4);
        for name in [
            "",
            " ",
            " a",
            "a ",
            "a\u{3000}",
            "a\0b",
            "a\nb",
            "a\r",
            "a\tb",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{feff}",
            "\u{2028}",
            "\u{e0041}",
            "аda",
            "pαul",
            &long,
            &megabyte,
            &expanding,
        ] {
            let problem = UserName::new(name).unwrap_err();
            assert_eq!(problem.code(), Code::ValidationFailed, "{name:?}");
        }
    }
}
