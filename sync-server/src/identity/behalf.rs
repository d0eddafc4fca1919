//! On whose behalf something is done to a user.

use sync_core::{ActorId, Change, CredentialId};

use super::signed_in::SignedIn;
use crate::problem::Code;

/// Who asks: a user, or whoever runs the server.
///
/// ```
/// # use sync_core::ActorId;
/// use sync_server::identity::Behalf;
/// let ada = ActorId::new("ada")?;
/// assert_eq!(Behalf::from(&ada).user(), &ada); // as an operator; a `&SignedIn` acts for itself
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Behalf<'a> {
    /// A user, on a device that must still be signed in when it happens: what was read of it before may be over by then.
    SignedIn(&'a SignedIn),
    /// Whoever runs the server, for this user.
    Operator(&'a ActorId),
}

impl<'a> Behalf<'a> {
    /// The user it is about.
    pub fn user(self) -> &'a ActorId {
        match self {
            Self::SignedIn(who) => &who.user,
            Self::Operator(user) => user,
        }
    }

    /// The device that asks.
    pub(super) fn device(self) -> Option<&'a CredentialId> {
        match self {
            Self::SignedIn(who) => Some(&who.device),
            Self::Operator(_) => None,
        }
    }

    /// What must hold when it happens.
    pub(super) fn there(self) -> Option<(Change, Code)> {
        let device = self.device()?.clone();
        Some((Change::RequireCredential(device), Code::TokenRevoked))
    }
}

impl<'a> From<&'a SignedIn> for Behalf<'a> {
    fn from(who: &'a SignedIn) -> Self {
        Self::SignedIn(who)
    }
}

impl<'a> From<&'a ActorId> for Behalf<'a> {
    fn from(user: &'a ActorId) -> Self {
        Self::Operator(user)
    }
}
