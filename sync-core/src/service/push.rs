//! Push: what is asked of a batch before it may wait in the lane of its space.

use crate::error::{Error, Result};
use crate::protocol::{PushReply, PushRequest, code};
use crate::service::roles::may_write;
use crate::service::{Actor, Service, cursors, lane};
use crate::types::SpaceId;

impl Service {
    /// Carries out a batch of mutations, durably, and says what became of each.
    ///
    /// A batch that carries a client id and a number may be repeated: it has the effect of one, and gets the same
    /// answer, also when its author has lost the right to write since. With `after` the answer also carries what else
    /// happened since. With `receipt` nothing is done by a server that has lost what it answered when it gave that.
    ///
    /// A service with [`Roles`](crate::service::Roles) asks for the author's role again in the commit.
    ///
    /// # Errors
    ///
    /// [`Invalid`][invalid] for a batch over the limits or a cursor of another space,
    /// [`Forbidden`][forbidden] for someone who may only read, [`NotFound`][not found] for a
    /// space that is not there, [`Overloaded`][overloaded] when too many wait, and what the store reports.
    /// After an error of kind [`Unavailable`][unavailable] or [`Internal`][internal] the batch
    /// may have happened: repeat it.
    ///
    /// [invalid]: crate::ErrorKind::Invalid
    /// [forbidden]: crate::ErrorKind::Forbidden
    /// [not found]: crate::ErrorKind::NotFound
    /// [overloaded]: crate::ErrorKind::Overloaded
    /// [unavailable]: crate::ErrorKind::Unavailable
    /// [internal]: crate::ErrorKind::Internal
    pub async fn push(&self, actor: &Actor, space: &SpaceId, push: PushRequest) -> Result<PushReply> {
        // A batch with a number may have been carried out while its author could write, and only the answer was lost.
        // Refused here, it would count as undone; so its number is looked at first.
        if push.batch.is_none() {
            may_write(actor)?;
        }
        let max = self.0.limits.mutations_max;
        if push.mutations.len() > max {
            let message =
                format!("a batch has at most {max} mutations, this one has {}", push.mutations.len());
            return Err(Error::invalid(code::BODY_TOO_LARGE, message)
                .with_pointer("/mutations")
                .with_limit(u64::try_from(max).unwrap_or(u64::MAX)));
        }
        for token in [&push.after, &push.receipt].into_iter().flatten() {
            cursors::read(token, space)?;
        }
        lane::submit(&self.0, space, actor.clone(), push).await
    }
}
