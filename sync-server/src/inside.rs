//! A server without its sockets: the rules of sync and of accounts, over an open store.
//!
//! What serves has it, and so does a command that works on a store while no server runs.

use std::sync::Arc;

use sync_core::service::{Limits, Service, ServiceBuilder};
use sync_core::{Clock, IdSource, OsIds, Runtime, SystemClock};

use crate::auth::password::{HashCost, Passwords};
use crate::auth::token::Tokens;
use crate::backend::Backend;
use crate::config::Config;
use crate::identity::{Identity, Parts, Post, Rights, SyncNotes};

/// Every rule there is, over one store.
#[derive(Clone, Debug)]
pub(crate) struct Inside {
    pub(crate) service: Service,
    pub(crate) identity: Identity,
}

impl Inside {
    /// Puts it together over `backend`, whose work runs on `runtime`, with `rules` of the program's own; the secret for
    /// tokens is found or made.
    ///
    /// # Errors
    ///
    /// Text for the person who starts the program.
    pub(crate) async fn over(
        backend: &Backend,
        config: &Config,
        runtime: Arc<dyn Runtime>,
        post: Option<Arc<dyn Post>>,
        rules: impl FnOnce(ServiceBuilder) -> ServiceBuilder,
    ) -> Result<Self, String> {
        let (clock, ids): (Arc<dyn Clock>, Arc<dyn IdSource>) = (Arc::new(SystemClock), Arc::new(OsIds));
        let tokens = tokens(backend, config, clock.as_ref(), ids.as_ref()).await?;
        let rights = Arc::new(Rights::new(backend.accounts(), backend.is_shared()));
        let mutations_max = usize::try_from(config.max_sync_items).unwrap_or(usize::MAX);
        let service = Service::builder(backend.store(), runtime)
            .limits(Limits { mutations_max, ..Limits::default() })
            .policies(config.policies.clone())
            .roles(rights.clone());
        let service = rules(service).build();
        let identity = Identity::new(Parts {
            accounts: backend.accounts(),
            service: service.clone(),
            tokens,
            token_lifetime_s: config.jwt_expire_s,
            passwords: Passwords::new(HashCost::default())?,
            clock,
            ids,
            rights,
            synced: SyncNotes::default(),
            registration: config.registration,
            post,
        });
        Ok(Self { service, identity })
    }
}

async fn tokens(
    backend: &Backend,
    config: &Config,
    clock: &dyn Clock,
    ids: &dyn IdSource,
) -> Result<Tokens, String> {
    let secret = match &config.jwt_secret {
        Some(secret) => secret.clone(),
        None => backend.secret(&config.store, ids).await?,
    };
    let tokens = Tokens::new(&secret, config.jwt_expire_s);
    Ok(match &config.jwt_secret_previous {
        Some(previous) => {
            // What it signed before this start has expired by then.
            let until_s = clock.now().as_micros() / 1_000_000 + i64::from(config.jwt_expire_s);
            tokens.with_previous(previous, until_s)
        }
        None => tokens,
    })
}
