//! Values that are not shown.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A value that is not shown, as it is or may hold a secret. It is written out where it is meant to go: to the server, or
/// to whoever asked for it.
#[derive(Clone, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Hidden(pub(super) String);

impl Hidden {
    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}
