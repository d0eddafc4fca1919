//! Push: what is asked of a batch before it may wait in the lane of its space.

use crate::accounts::Role;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{PushReply, PushRequest, code};
use crate::service::{Actor, Service, cursors, lane};
use crate::types::SpaceId;

impl Service {
    /// Carries out a batch of mutations, durably, and says what became of each.
    ///
    /// A batch that carries a client id and a number may be repeated: it has the effect of one, and gets the same
    /// answer. With `after` the answer also carries what else happened since.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for a batch over the limits or a cursor of another space,
    /// [`Forbidden`](ErrorKind::Forbidden) for someone who may only read, [`NotFound`](ErrorKind::NotFound) for a
    /// space that is not there, [`Overloaded`](ErrorKind::Overloaded) when too many wait, and what the store reports.
    /// After an error of kind [`Unavailable`](ErrorKind::Unavailable) or [`Internal`](ErrorKind::Internal) the batch
    /// may have happened: repeat it.
    pub async fn push(&self, actor: &Actor, space: &SpaceId, push: PushRequest) -> Result<PushReply> {
        if actor.role < Role::Editor {
            return Err(Error::new(ErrorKind::Forbidden, "a viewer cannot change a space")
                .with_code("forbidden_role"));
        }
        let max = self.0.limits.mutations_max;
        if push.mutations.len() > max {
            let message =
                format!("a batch has at most {max} mutations, this one has {}", push.mutations.len());
            return Err(Error::invalid(code::BODY_TOO_LARGE, message)
                .with_pointer("/mutations")
                .with_limit(u64::try_from(max).unwrap_or(u64::MAX)));
        }
        if let Some(after) = &push.after {
            cursors::read(after, space)?;
        }
        lane::submit(&self.0, space, actor.clone(), push).await
    }
}
