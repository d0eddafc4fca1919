//! Rules below the space, which the application brings: what may be written, and what may be read.
//!
//! A role says what someone may do in a whole space. A [`Validate`] decides about one record, as a pure function of who
//! asks, what is there and what shall be there; a [`Scope`] decides who may read it. See `docs/rules.md` for what that can be used for, and for what not.

mod scope;
mod validate;

use std::fmt;
use std::sync::Arc;

use crate::json::Json;
use crate::mutation::Outcome;
use crate::service::Actor;
use crate::types::RecordKey;

pub use scope::Scope;
pub(super) use scope::{View, ViewMark};
pub use validate::{Refusal, Validate};

/// The rules of a service; by default there are none.
#[derive(Clone, Default)]
pub(super) struct Rules {
    pub(super) validate: Option<Arc<dyn Validate>>,
    pub(super) scope: Option<Arc<dyn Scope>>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (validate, scope) = (self.validate.is_some(), self.scope.is_some());
        f.debug_struct("Rules").field("validate", &validate).field("scope", &scope).finish()
    }
}

impl Rules {
    /// What an actor may know.
    pub(super) fn view<'a>(&'a self, actor: &'a Actor) -> View<'a> {
        View { scope: self.scope.as_deref(), actor }
    }

    /// Whether a record may become `new`. The library's own records are no business of the application's rules.
    ///
    /// # Errors
    ///
    /// The outcome of a mutation that is not allowed.
    pub(super) fn check(
        &self,
        actor: &Actor,
        key: &RecordKey,
        old: Option<&Json>,
        new: Option<&Json>,
    ) -> Result<(), Outcome> {
        match &self.validate {
            Some(validator) if !key.collection.is_system() => {
                validate::ask(validator.as_ref(), actor, key, old, new)
            }
            _ => Ok(()),
        }
    }
}
