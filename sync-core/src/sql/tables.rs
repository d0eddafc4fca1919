//! The tables, by name. Each key starts with the space, so that a database can be split by it.

use sea_query::Iden;

/// One row per space, key `(space)`; in the write transaction of a space this row is what is locked.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Spaces {
    /// `spaces`
    Table,
    /// Name.
    Space,
    /// Epoch, as hexadecimal digits.
    Epoch,
    /// Seq of the newest change.
    Head,
    /// The feed is complete from here.
    Floor,
    /// Tag of the newest commit, as hexadecimal digits.
    Tag,
    /// Number of the newest log entry.
    LogHead,
    /// No content of a record is or was longer than this many bytes.
    Largest,
}

/// Latest states and tombstones, key `(space, collection, id)`, also unique by `(space, version)`: that is the feed.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Records {
    /// `records`
    Table,
    /// Space of the record.
    Space,
    /// Collection.
    Collection,
    /// Id within the collection.
    Id,
    /// Seq of its last change.
    Version,
    /// Everything else the library knows of this state, and a checksum over all of it: words separated by blanks.
    Meta,
    /// Canonical JSON, or NULL for a tombstone.
    Data,
}

/// Commits, key `(space, last)`.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Commits {
    /// `commits`
    Table,
    /// Space of the commit.
    Space,
    /// Seq of its last change.
    Last,
    /// Seq of its first change.
    First,
    /// Tag of the history that ends with it, as hexadecimal digits.
    Tag,
}

/// What is known of each replica, key `(space, client)`.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Clients {
    /// `clients`
    Table,
    /// Space.
    Space,
    /// Name of the replica.
    Client,
    /// Who owns that name.
    Actor,
    /// Number of its last mutation.
    Last,
    /// Hash of its last batch, as hexadecimal digits.
    BatchHash,
    /// What it has, by its own word.
    Acked,
    /// When it was last heard of, in microseconds.
    SeenAt,
    /// Answer to its last batch, as JSON.
    Answer,
}

/// The audit log, key `(space, entry)`.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Log {
    /// `log`
    Table,
    /// Space.
    Space,
    /// Number of the entry.
    Entry,
    /// The head after it.
    Head,
    /// The whole entry, as JSON.
    Body,
}

/// People who sign in with a password, key `(id)`, also unique by `(name_key)`.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Users {
    /// `users`
    Table,
    /// Their id.
    Id,
    /// Their name as they wrote it.
    Name,
    /// Its normal form.
    NameKey,
    /// Hash of their password in PHC form.
    PasswordHash,
    /// When they registered, in microseconds.
    CreatedAt,
}

/// Who has which role where, key `(space, actor)`, with an index on `(actor, space)`.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Members {
    /// `members`
    Table,
    /// Space.
    Space,
    /// Who.
    Actor,
    /// The word for the role.
    Role,
}
