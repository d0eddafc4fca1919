//! Values that are not shown.

use std::str::FromStr;

use serde::Deserialize;

/// A value that is not shown, as it is or may hold a secret.
#[derive(Clone, Deserialize)]
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
