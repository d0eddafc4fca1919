//! Who is signed in, where, and the token that proves it.

use serde::{Deserialize, Serialize};
use sync_core::transport::HttpTransport;
use sync_core::{ActorId, SpaceId};

use crate::fault::Fault;

/// An account at a server. It has no `Debug`: the token must not be printed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) server: String,
    pub(crate) username: String,
    pub(crate) user: ActorId,
    pub(crate) space: SpaceId,
    pub(crate) token: String,
    /// Whether the notes from before the login are in this account.
    pub(crate) has_moved: bool,
}

impl Account {
    /// The way to the server, signed in.
    pub(crate) fn transport(&self) -> Result<HttpTransport, Fault> {
        Ok(HttpTransport::new(&self.server, Some(&self.token))?)
    }
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.username, self.server)
    }
}
