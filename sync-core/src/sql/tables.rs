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

/// Ops of trees, key `(space_id, tree_id, clock, peer_id)`, also unique by `(space_id, seq)`: that is their part of the feed.
/// Without a key an op is a move, with one it is about that property.
#[derive(Clone, Copy, Debug, Iden)]
pub enum TreeOps {
    /// `tree_ops`
    Table,
    /// Space of the tree.
    SpaceId,
    /// The tree.
    TreeId,
    /// When, by the logical clock of the tree.
    Clock,
    /// Who made it.
    PeerId,
    /// The vertex it is about.
    TargetId,
    /// Where a move puts it; NULL at the top.
    ParentId,
    /// The property; NULL for a move.
    Key,
    /// The value of the property as JSON; NULL where it is removed, or for a move. JSON's null is the text `null`.
    Value,
    /// Seq of the op in the space.
    Seq,
    /// Everything else the library knows of it, and a checksum over all of it: words separated by blanks.
    Meta,
}

/// Checkpoints of trees, key `(space_id, tree_id)`. They follow from `tree_ops`, and may be deleted at any time.
#[derive(Clone, Copy, Debug, Iden)]
pub enum TreeCheckpoints {
    /// `tree_checkpoints`
    Table,
    /// Space of the tree.
    SpaceId,
    /// The tree.
    TreeId,
    /// The state, as a text.
    Body,
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

/// Who can sign in, key `(id)`, also unique by `(name_key)` and by `(address)`. What someone does not have is NULL.
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
    /// The normal form of their mail address.
    Address,
    /// Hash of their password in PHC form.
    PasswordHash,
    /// Their personal space.
    Home,
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

/// What is known about spaces, key `(space)`. What is not known is NULL.
#[derive(Clone, Copy, Debug, Iden)]
pub enum SpaceInfos {
    /// `space_infos`
    Table,
    /// Space.
    Space,
    /// What its members call it.
    Name,
    /// When it was created, in microseconds.
    CreatedAt,
    /// When any of this was last written, in microseconds.
    UpdatedAt,
}

/// What people and devices sign in with, key `(id)`, with an index on `(holder, id)` and one on `(expires_at)`.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Credentials {
    /// `credentials`
    Table,
    /// Its id.
    Id,
    /// To whom it belongs, as one text.
    Holder,
    /// The word for its kind.
    Kind,
    /// How often it was changed.
    Revision,
    /// When it ends by itself, in microseconds, or NULL.
    ExpiresAt,
    /// The whole credential, as JSON.
    Body,
}

/// How far devices are, key `(credential, space)`, with an index on `(space)`. A row goes with its credential.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Synced {
    /// `synced`
    Table,
    /// Id of the credential.
    Credential,
    /// Space.
    Space,
    /// Seq up to which the device has everything.
    Position,
    /// When it last synced, in microseconds.
    At,
}

/// The newest notices, key `(position)`.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Notices {
    /// `notices`
    Table,
    /// 1, 2, 3 …
    Position,
    /// The notice, as JSON.
    Body,
}

/// One row; in the transactions that change accounts it is what is locked.
#[derive(Clone, Copy, Debug, Iden)]
pub enum Noticed {
    /// `noticed`
    Table,
    /// The position of the newest notice.
    Position,
}
