//! What the routes work with: the service, accounts, and what the server decided at its start.

use std::sync::Arc;

use sync_core::service::Service;
use sync_core::store::Store;
use sync_core::{Accounts, Clock, IdSource};

use crate::access::Access;
use crate::auth::password::Passwords;
use crate::auth::token::Tokens;
use crate::stopping::Stopping;

/// Shared by all requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
#[derive(Debug)]
pub struct Parts {
    /// Every rule of sync.
    pub service: Service,
    /// The store under the service, to ask whether it is well.
    pub store: Arc<dyn Store>,
    /// Users and memberships.
    pub accounts: Arc<dyn Accounts>,
    /// Issues and verifies access tokens.
    pub tokens: Tokens,
    /// How long an access token lives, in seconds.
    pub token_lifetime_s: u32,
    /// Hashes passwords, a few at a time.
    pub passwords: Passwords,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random ids.
    pub ids: Arc<dyn IdSource>,
    /// Who may do what, remembered for a moment.
    pub access: Access,
    /// When the server stops: nothing may wait then.
    pub stopping: Stopping,
    /// Bytes in one body.
    pub body_bytes_max: usize,
}

impl App {
    /// Puts an app together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The time in whole seconds, as tokens count it.
    pub fn now_s(&self) -> i64 {
        self.0.clock.now().as_micros() / 1_000_000
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
