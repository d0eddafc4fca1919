//! Who may make an account.

/// Who may make an account by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Everyone who can reach the server.
    #[default]
    Open,
    /// Who was invited.
    Invite,
    /// Nobody; whoever runs the server makes the accounts.
    Closed,
}
