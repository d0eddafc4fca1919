//! An embeddable sync engine: data that is at hand offline, on every device, and at a server that is thin or embedded.
//!
//! Records are JSON under a collection and an id, and lie in a space, which is what people share. A **replica** is a copy of
//! a space in a local store: an app reads and edits it whether there is a network or not. A **service** is the other end:
//! it decides what becomes of edits, in which order, for everyone. Both roles work on any [`Store`](store::Store), and no
//! database, server or runtime comes with this crate unless a feature asks for it:
//!
//! | feature | what it adds |
//! |---|---|
//! | `tokio` | [`TokioRuntime`], on which replicas and services run |
//! | `http` | [`HttpTransport`](transport::HttpTransport), the way to a server over HTTP, and `tokio` |
//! | `sql` | what stores on SQL databases share |
//! | `conformance` | the suite that every store passes |
//! | `simulator` | whole worlds of servers, replicas and faults, to try a store or this library in |
//!
//! # For the author of an app
//!
//! - **Open** a replica with [`Replica::open`](replica::Replica::open), over a file of the app's own. It needs no server;
//!   a [`Session`] kept from the last sign-in says for whom.
//! - **Edit** with [`put`](replica::Replica::put), [`patch`](replica::Replica::patch) and
//!   [`delete`](replica::Replica::delete), several records at once with [`transaction`](replica::Replica::transaction).
//!   What they return from is durable. [`get`](replica::Replica::get) and [`list`](replica::Replica::list) read; a
//!   [`collection`](replica::Replica::collection) does all of it with a type of the app's.
//! - **Watch** what changes, here or elsewhere, with [`watch`](replica::Replica::watch). An event says which record has
//!   which content now, or to [read again](replica::Event::Reload).
//! - **Run**: [`run`](replica::Replica::run) in a task of its own keeps the replica in sync from then on;
//!   [`sync`](replica::Replica::sync) does it once. Either may be dropped at any time.
//! - **Status**: [`states`](replica::Replica::states) are for an indicator, [`status`](replica::Replica::status) has the last
//!   contact and the last error, [`unsent`](replica::Replica::unsent) counts what the server has not confirmed.
//! - **Conflicts**: two edits of the same field that nobody may decide alone are kept side by side.
//!   [`conflicts`](replica::Replica::conflicts) lists them, [`resolve`](replica::Replica::resolve) ends one, offline too. What
//!   merges by itself, and how, say [`Policies`].
//! - **Refused edits** are never lost: the server's reason and the edit itself are
//!   [set aside](replica::Replica::set_aside) until the app [dismisses](replica::Replica::dismiss) them.
//! - **Sign in again** when the state is [`NeedsSignIn`](replica::SyncState::NeedsSignIn): `HttpTransport::login` on the
//!   transport in use, then [`wake`](replica::Replica::wake). Edits wait meanwhile.
//!
//! ```
//! # #[cfg(not(feature = "tokio"))] fn main() {}
//! # #[cfg(feature = "tokio")]
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use futures_util::StreamExt;
//! use serde_json::json;
//! use sync_core::replica::{Replica, ReplicaOptions};
//! use sync_core::service::{Actor, Service};
//! use sync_core::store::MemoryStore;
//! use sync_core::transport::Loopback;
//! use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
//!
//! // A server in this process. Over the network it is an `HttpTransport`, and stores are files.
//! let (family, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
//! let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
//! service.create_space(&family).await?;
//! let server = Loopback::new(service, Actor::new(ada.clone(), Role::Owner));
//!
//! let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada);
//! let phone = Replica::open(Arc::new(MemoryStore::default()), family.clone(), options.clone()).await?;
//! let laptop = Replica::open(Arc::new(MemoryStore::default()), family, options).await?;
//!
//! phone.put("notes", "1", &json!({"text": "milk", "done": false})).await?;
//! assert_eq!(phone.unsent().await?.n_waiting, 1);
//! phone.sync(&server).await?;
//!
//! let mut screen = laptop.watch(&["notes"])?;
//! let running = laptop.clone();
//! tokio::spawn(async move { running.run(&server).await });
//! while laptop.get_json("notes", "1").await?.is_none() {
//!     screen.next().await;
//! }
//! assert!(laptop.conflicts(10).await?.is_empty() && laptop.set_aside(10).await?.is_empty());
//! # Ok(()) }
//! ```
//!
//! # For the author of a server
//!
//! [`Service`](service::Service) holds every rule of the server role and speaks no protocol of the network: a route reads a
//! request of [`protocol`], names the [`Actor`](service::Actor), and calls one method. [`Loopback`](transport::Loopback) is
//! the shortest way there, within a process; the crate `sync-server` is HTTP around it, as a program and to embed.
//! [`Accounts`] are users and their spaces, for servers that do not bring their own.
//!
//! # For the author of a store
//!
//! [`Store`](store::Store) and [`StoreTxn`](store::StoreTxn) are the contract, sentence by sentence; the
//! [`MemoryStore`](store::MemoryStore) keeps it in the fewest lines. The module `conformance` (feature) has a test for each
//! sentence, and `simulator` (feature) runs whole worlds on a store of yours. [`copy`] moves everything from one store to
//! another. Over a SQL database most of it is written already, in `sql` (feature).
//!
//! # Everywhere
//!
//! One [`Error`]: its [kind](ErrorKind) says what to do next, its [code](protocol::code) tells programs more. Time and
//! randomness are handed in, as [`Clock`] and [`IdSource`].

mod accounts;
mod clock;
mod conflict;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod copy;
mod error;
mod id_source;
pub mod json;
pub mod merge;
mod mutation;
mod pairing;
mod policies;
pub mod protocol;
pub mod replica;
mod runtime;
pub mod service;
mod session;
#[cfg(feature = "simulator")]
pub mod simulator;
#[cfg(feature = "sql")]
pub mod sql;
mod state_hash;
pub mod store;
pub mod transport;
pub mod tree;
mod types;

pub use accounts::{
    Accounts, AccountsExt, Change, Changed, Claim, Credential, CredentialKind, Device, Holder, Invite,
    LOOK_UP_MAX, Link, LookedUp, NOTICES_KEPT, Notice, Notices, Pairing, Proof, Purpose, Role,
    SPACE_INFOS_MAX, SecretHash, SpaceInfo, SpaceName, Synced, User,
};
pub use clock::{Clock, ManualClock, SystemClock, Timestamp};
pub use conflict::{Conflict, ConflictBody, ConflictState, Resolution};
pub use error::{Error, ErrorKind, Result};
pub use id_source::{IdSource, OsIds, SeededIds};
pub use mutation::{Mutation, Op, Outcome};
pub use pairing::PairingCode;
pub use policies::Policies;
pub use runtime::Runtime;
#[cfg(feature = "tokio")]
pub use runtime::{TokioHandle, TokioRuntime};
pub use session::Session;
pub use state_hash::{StateHash, state_hash};
pub use types::{
    ActorId, ClientId, Collection, CredentialId, Cursor, CursorError, CursorToken, Epoch, MutationNumber,
    NameError, OpClock, OpId, PeerId, PropertyKey, Record, RecordId, RecordKey, RecordMeta, Seq, SeqError,
    SpaceId, Tag, TreeAction, TreeId, TreeOp, TreeOpError, Version, VertexId,
};
