//! Moving a whole server: everything in a store as one text, and back into another store.
//!
//! [`export`] writes the spaces of a [`Store`], whole, and its [`Accounts`]; [`import`] puts them into another store, in
//! which every replica goes on as if nothing had happened: seqs, tags and epochs are the same, and so are the answers
//! that a retry would get. Neither knows a database, a file or a network.
//!
//! The text is lines of JSON, each an object whose first member says what it is (`docs/moving-data.md` has the members):
//!
//! ```text
//! sync_export                                        once: the format, and how many spaces there are
//! space   commit…  client…  log…  record…  space_end     for each space, ascending; all from one moment of it
//! user…   space_info…   member…   credential…         when every space is whole
//! end                                                once: how much there was
//! ```
//!
//! Each line ends with a sum over itself and the sum before it, so that a line that is damaged, missing, twice there or
//! in the wrong place is found where it stands.
//!
//! ```
//! use sync_core::copy::{export, import};
//! use sync_core::store::{MemoryStore, Store};
//! use sync_core::{Epoch, SpaceId};
//! # futures_executor::block_on(async {
//! let (old, new) = (MemoryStore::default(), MemoryStore::default());
//! old.create_space(&SpaceId::new("family")?, Epoch::from_bytes([1; 16])).await?;
//!
//! let mut text: Vec<u8> = Vec::new();
//! let written = export(&old, &old, &mut text, &mut |_| {}).await?;
//! let read = import(&new, &new, &mut text.as_slice(), &mut |_| {}).await?;
//! assert_eq!(written, read);
//! assert_eq!(new.spaces(None, 10).await?, [SpaceId::new("family")?]);
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! [`Store`]: crate::store::Store
//! [`Accounts`]: crate::Accounts

mod check;
mod export;
mod fill;
mod import;
mod line;
mod people;
mod read;
mod write;

use std::io;

use async_trait::async_trait;

pub use export::export;
pub use import::import;

/// The format that this program writes; it reads this one and all before it.
pub const FORMAT: u32 = 2;

/// Bytes of the longest line. The answer to a batch is the longest thing that is kept as one: it may carry 32 MiB of
/// contents, and grows by half when it is written as a text within a text.
pub const LINE_BYTES_MAX: usize = 128 << 20;

/// Rows that are read or written at once: what one statement carries.
const PAGE_ROWS: usize = crate::store::KEYS_MAX;
/// Bytes of content that are read or written at once; with the rows around it this is what a copy holds in memory,
/// unless a single line is longer.
const PAGE_BYTES: usize = 4 << 20;

/// Where an export goes.
#[async_trait]
pub trait Sink: Send {
    /// Takes all of these bytes.
    ///
    /// # Errors
    ///
    /// What keeps it from doing so; the export ends.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Where an import comes from.
#[async_trait]
pub trait Source: Send {
    /// Reads some bytes into the beginning of `buffer` and says how many; zero at the end.
    ///
    /// # Errors
    ///
    /// What keeps it from doing so; the import ends.
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

#[async_trait]
impl Sink for Vec<u8> {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

#[async_trait]
impl Source for &[u8] {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        io::Read::read(self, buffer)
    }
}

/// How much was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Spaces.
    pub n_spaces: u64,
    /// Records and tombstones in all of them.
    pub n_records: u64,
    /// Users.
    pub n_users: u64,
    /// Spaces of which something is known, such as a name.
    pub n_space_infos: u64,
    /// Roles of someone in a space.
    pub n_members: u64,
    /// Devices that are signed in, and invites that are open.
    pub n_credentials: u64,
    /// How many of the spaces an import found in the store already, as they are in the text, and passed over.
    pub n_spaces_there: u64,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Spaces that are done.
    pub n_spaces: u64,
    /// Spaces there are.
    pub n_spaces_total: u64,
    /// Records and tombstones of the present space that are done.
    pub n_records: u64,
    /// Records and tombstones of the present space, as counted before it began.
    pub n_records_total: u64,
    /// Records and tombstones that are done in all spaces together.
    pub n_records_overall: u64,
}

/// Who is told of the progress: after every page, and when a space is done.
pub type OnProgress<'a> = &'a mut (dyn FnMut(Progress) + Send);
