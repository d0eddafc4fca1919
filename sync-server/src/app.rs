//! What the routes work with: the service, accounts, and what the server decided at its start.

use std::sync::Arc;

use sync_core::PairingCode;
use sync_core::service::Service;
use sync_core::store::Store;

use crate::auth::cookie::SessionCookie;
use crate::identity::Identity;
use crate::limit::{Bucket, Limiter};
use crate::origin::Origin;
use crate::presence::Rooms;
use crate::problem::{Code, Problem};
use crate::sockets::Sockets;
use crate::stopping::Stopping;

/// Shared by all requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Parts,
    rooms: Rooms,
    sockets: Arc<Sockets>,
}

/// The parts of an [`App`].
#[derive(Debug)]
pub struct Parts {
    /// Every rule of sync.
    pub service: Service,
    /// The store under the service, to ask whether it is well.
    pub store: Arc<dyn Store>,
    /// Every rule about accounts.
    pub identity: Identity,
    /// How often things may be asked.
    pub limiter: Arc<Limiter>,
    /// The cookie of browsers.
    pub cookie: SessionCookie,
    /// Where people reach the server, for the addresses in codes and letters.
    pub base_url: Origin,
    /// When the server stops: nothing may wait then.
    pub stopping: Stopping,
    /// Bytes in one body.
    pub body_bytes_max: usize,
}

impl App {
    /// Puts an app together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, rooms: Rooms::default(), sockets: Arc::default() }))
    }

    /// Does something that can be guessed: each miss counts against `buckets`, and nothing is looked up or hashed when they
    /// are empty. `misses` are the answers to a wrong guess.
    ///
    /// # Errors
    ///
    /// `rate_limited`, and those of `work`.
    pub async fn guarded<T>(
        &self,
        buckets: &[Bucket],
        misses: &[Code],
        work: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let attempt = self.limiter.attempt(buckets)?;
        let done = work.await;
        if !done.as_ref().is_err_and(|problem| misses.contains(&problem.code())) {
            attempt.forgive();
        }
        done
    }

    /// Who is there, in each space.
    pub(crate) fn rooms(&self) -> &Rooms {
        &self.0.rooms
    }

    /// The connections that stay open.
    pub(crate) fn sockets(&self) -> &Arc<Sockets> {
        &self.0.sockets
    }

    /// A new name that nobody can guess.
    pub(crate) fn new_id(&self) -> String {
        self.identity.new_id()
    }

    /// What the picture of a code says.
    ///
    /// # Errors
    ///
    /// `internal` when this server's own address is none that a code can name.
    pub fn pairing_code(&self, token: &str) -> Result<PairingCode, Problem> {
        Ok(PairingCode::new(self.base_url.as_str(), token)?)
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}
