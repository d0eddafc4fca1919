//! The secret that signs tokens: given by the operator, or made at the first start and kept.
//!
//! To change it, start the server with a new one, or move the kept file away, and name the old one as the previous secret
//! (`--jwt-secret-previous`) until the tokens it signed have expired. Taking it out earlier ends them at once.
//!
//! A kept secret lives in a file of its own with mode 0600. A file that others can read is refused: whoever read it can sign in
//! as anyone.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::private_file;

/// Bytes of a secret at least: the size of the MAC, below which the secret is the weaker part.
pub const BYTES_MIN: usize = 32;

/// Bytes of a secret at most, so that pointing at a wrong file is noticed.
pub const BYTES_MAX: usize = 1024;

/// Different bytes in a secret at least. Random text of 32 characters has about 25, random hex about 14.
const DISTINCT_MIN: usize = 8;

/// Random bytes in a secret made here.
const RANDOM_BYTES: usize = 32;

/// Random bytes in the name of a draft. A process id would not do: in containers everyone is number 1.
const DRAFT_ID_BYTES: usize = 9;

/// Words of examples and defaults, compared without case and punctuation.
const PLACEHOLDERS: [&str; 8] = [
    "yoursecret",
    "yourjwtsecret",
    "supersecret",
    "changeme",
    "changethis",
    "changein",
    "replaceme",
    "placeholder",
];

/// A secret that passed the checks. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtSecret(String);

impl std::fmt::Debug for JwtSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JwtSecret(***)")
    }
}

impl JwtSecret {
    /// A secret from the configuration.
    ///
    /// # Errors
    ///
    /// Text that says what makes it weak, without repeating it.
    pub fn given(text: &str) -> Result<Self, String> {
        match weakness(text) {
            Some(why) => {
                Err(format!("the token secret is refused: {why}; `openssl rand -base64 48` makes a good one"))
            }
            None => Ok(Self(text.to_owned())),
        }
    }

    /// A new secret from 32 random bytes of `fill`, as text.
    pub fn generate(fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = [0; RANDOM_BYTES];
        fill(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The secret kept in `path`, or a new one that is kept there from now on.
    ///
    /// The file appears whole or not at all, and when two processes start together both get the same secret.
    /// Its folder must exist.
    ///
    /// # Errors
    ///
    /// The file system's error; `PermissionDenied` when others than the owner may use the file; `InvalidData` when
    /// its content is no good secret.
    pub fn load_or_create(path: &Path, mut fill: impl FnMut(&mut [u8])) -> io::Result<Self> {
        match load(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut draft_id = [0; DRAFT_ID_BYTES];
                fill(&mut draft_id);
                create(path, &URL_SAFE_NO_PAD.encode(draft_id), &Self::generate(fill))
            }
            loaded => loaded,
        }
    }

    /// The text to keep it as.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes of the key: the text itself, so that a kept file can be pasted into the configuration.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn weakness(text: &str) -> Option<String> {
    if !(BYTES_MIN..=BYTES_MAX).contains(&text.len()) {
        return Some(format!("it has {} bytes and must have {BYTES_MIN} to {BYTES_MAX}", text.len()));
    }
    let distinct = text.bytes().collect::<HashSet<_>>().len();
    if distinct < DISTINCT_MIN || is_repetition(text.as_bytes()) {
        return Some("it repeats itself".to_owned());
    }
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = letters.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| letters.contains(word)).then(|| "it is a placeholder".to_owned())
}

/// Whether the text is one unit shorter than half of it, over and over.
fn is_repetition(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).any(|period| bytes.iter().skip(period).eq(&bytes[..bytes.len() - period]))
}

fn load(path: &Path) -> io::Result<JwtSecret> {
    let bytes = private_file::read(path, private_file::OTHERS, BYTES_MAX as u64 + 2)?;
    let text = String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    JwtSecret::given(text.trim_end())
        .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", path.display())))
}

/// Writes a file beside the target and links it into place: unlike a rename, a link never replaces the
/// secret of a process that was quicker.
fn create(path: &Path, draft_id: &str, secret: &JwtSecret) -> io::Result<JwtSecret> {
    let draft = path.with_added_extension(format!("{draft_id}.draft"));
    let written = write_synced(&draft, secret);
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft).ok();
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => {
            sync_folder_of(path)?;
            load(path)
        }
    }
}

fn write_synced(path: &Path, secret: &JwtSecret) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", secret.0)?;
    file.sync_all()
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
