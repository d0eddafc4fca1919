//! Who is signed in, where, and the token that proves it: what an app keeps from one start to the next.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::types::{ActorId, CredentialId, SpaceId};

/// What signing in yields. With a session at hand an app starts without a server.
///
/// Keep it where only its user can read it: the tokens in it are as good as the password until they expire or are
/// revoked.
///
/// ```
/// # use std::sync::Arc;
/// use sync_core::replica::{Replica, ReplicaOptions};
/// use sync_core::{Session, TokioRuntime};
/// # use sync_core::store::MemoryStore;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = Arc::new(MemoryStore::default());
/// let saved = r#"{"server": "http://127.0.0.1:8080", "user": "53d1", "username": "Ada", "space": "ec35",
///                 "token": "secret", "expires_at": 1767225600000000}"#;
/// let session: Session = serde_json::from_str(saved)?;
/// assert!(!format!("{session:?}").contains("secret"), "it may be logged");
/// assert_eq!(session.to_string(), "Ada at http://127.0.0.1:8080");
///
/// let options = ReplicaOptions::for_session(Arc::new(TokioRuntime), &session);
/// let notes = Replica::open(store, session.space.clone(), options).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Where the server is, as `http://host:port`.
    pub server: String,
    /// Who is signed in: whose edits those of a replica are.
    pub user: ActorId,
    /// What they are called, as the server writes it.
    pub username: String,
    /// Their personal space.
    pub space: SpaceId,
    /// What requests are signed with. Not shown by `Debug`.
    pub token: String,
    /// When the token expires, by this machine's clock. The server decides; this is for renewing it in time. A token that
    /// stays until it is revoked ends at [`Timestamp::MAX`].
    pub expires_at: Timestamp,
    /// Which device of the user this is, as the server calls it.
    #[serde(default)]
    pub device: Option<CredentialId>,
    /// What yields the next token. It works once; see
    /// [`HttpTransport::renew`](crate::transport::HttpTransport::renew). Not shown by `Debug`.
    #[serde(default)]
    pub refresh_token: Option<String>,
    /// A random word for the refresh token, by which the server knows this session again when the answer to a renewal was
    /// lost. Not shown by `Debug`.
    #[serde(default)]
    pub exchange: Option<String>,
}

/// For people: who is signed in, and where.
impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.username, self.server)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, user, username, space, expires_at, device, .. } = self;
        f.debug_struct("Session")
            .field("server", server)
            .field("user", user)
            .field("username", username)
            .field("space", space)
            .field("expires_at", expires_at)
            .field("device", device)
            .finish_non_exhaustive()
    }
}
