//! From a request to an actor: who it is, and what they may do in the space it names.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::HeaderMap;
use sync_core::service::Actor;
use sync_core::{ActorId, Role, SpaceId, Timestamp};

use crate::app::App;
use crate::auth::bearer::bearer;
use crate::problem::{Code, Problem};

/// How long a role is remembered. 1 s: what a removed member may still do, and a thousand queries saved per busy client.
const REMEMBERED: Duration = Duration::from_secs(1);

/// Roles that are remembered. 10,000 at about 150 bytes: 1.5 MB.
const ROLES_MAX: usize = 10_000;

/// Remembers roles for a moment, so that not every request of a busy client asks the database.
#[derive(Debug, Default)]
pub struct Access(Mutex<HashMap<(ActorId, SpaceId), (Role, Timestamp)>>);

impl Access {
    fn known(&self, key: &(ActorId, SpaceId), now: Timestamp) -> Option<Role> {
        let roles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that went back makes an entry look young for ever; it is not used then.
        roles.get(key).filter(|(_, at)| *at <= now && now.since(*at) < REMEMBERED).map(|(role, _)| *role)
    }

    fn remember(&self, key: (ActorId, SpaceId), role: Role, now: Timestamp) {
        let mut roles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if roles.len() >= ROLES_MAX {
            roles.clear();
        }
        roles.insert(key, (role, now));
    }
}

impl App {
    /// Who sends a request.
    ///
    /// # Errors
    ///
    /// The 401 that says what is wrong with the credentials.
    pub fn signed_in(&self, headers: &HeaderMap) -> Result<ActorId, Problem> {
        let access = self.tokens.verify(bearer(headers)?, self.now_s())?;
        ActorId::new(access.user).map_err(|_| Code::InvalidToken.into())
    }

    /// Who sends a request about `space`, and what they may do there.
    ///
    /// # Errors
    ///
    /// As [`App::signed_in`]; `invalid_id` for a name that no space can have; `space_not_found` alike for a space that
    /// is not there and for one that is none of theirs.
    pub async fn member(&self, headers: &HeaderMap, space: &str) -> Result<(Actor, SpaceId), Problem> {
        let id = self.signed_in(headers)?;
        let space =
            SpaceId::new(space).map_err(|error| Problem::new(Code::InvalidId).detail(error.to_string()))?;
        let (key, now) = ((id, space), self.clock.now());
        let role = match self.access.known(&key, now) {
            Some(role) => role,
            None => {
                let role = self.accounts.role(&key.1, &key.0).await?.ok_or(Code::SpaceNotFound)?;
                self.access.remember(key.clone(), role, now);
                role
            }
        };
        Ok((Actor::new(key.0, role), key.1))
    }
}
