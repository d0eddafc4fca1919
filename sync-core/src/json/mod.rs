//! Canonical JSON (placeholder until the real module lands from its branch).
use std::sync::Arc;
/// Canonical JSON text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Json(Arc<str>);
impl Json {
    /// From canonical text.
    pub fn from_canonical(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
    /// Text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// null
    pub fn null() -> Self {
        Self("null".into())
    }
}
