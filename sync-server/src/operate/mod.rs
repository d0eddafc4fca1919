//! What an operator asks for, and how it is done: commands in, reports out, and no terminal.
//!
//! ```text
//! user, device, space ──▶ a socket beside the store ──▶ the server ─┐
//!        │                                                          ├─▶ Operator::carry_out ─▶ Identity
//!        └────────── no server runs: the store itself ──────────────┘
//! ```
//! One function does the work in both cases. In a server it is the server's own [`Identity`] that changes, so that what
//! was taken away is gone for open connections, too.

mod devices;
mod invites;
mod report;
mod spaces;
mod users;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_core::service::Service;
use sync_core::store::Store;

pub use devices::DeviceCommand;
pub use report::{
    Claimed, DeviceLine, InviteLine, InviteReport, LinkReport, MemberLine, Page, PairingProgress,
    PairingReport, Report, SpaceLine, SpaceReport, SyncLine, UserLine, UserReport,
};
pub use spaces::SpaceCommand;
pub use users::UserCommand;

use crate::identity::Identity;
use crate::origin::Origin;
use crate::problem::Problem;

/// Something to do, as it travels to the server that does it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Something about users.
    User(UserCommand),
    /// Something about devices.
    Device(DeviceCommand),
    /// Something about spaces.
    Space(SpaceCommand),
}

/// What carries commands out. Cheap to clone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sync_server::Server;
/// use sync_server::config::{Config, Settings};
/// use sync_server::operate::{Command, Report, UserCommand};
/// # let settings =
/// #     Settings { listen: Some("127.0.0.1:0".into()), store: Some("memory:".into()), ..Settings::default() };
/// # let config = Config::load(settings, |_| None, None)?;
/// let server = Server::start(config).await?;
/// let ada = UserCommand::AddNamed { name: "ada".into(), password: "correct horse battery".into() };
/// let Ok(Report::User(ada)) = server.operator().carry_out(Command::User(ada)).await else { panic!() };
/// assert_eq!(ada.user.name, "ada");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Operator {
    identity: Identity,
    service: Service,
    store: Arc<dyn Store>,
    base_url: Origin,
}

impl Operator {
    /// Works on these accounts and these spaces. Links and codes it makes lead to `base_url`.
    pub fn new(identity: Identity, service: Service, store: Arc<dyn Store>, base_url: Origin) -> Self {
        Self { identity, service, store, base_url }
    }

    /// Does what a command says, and reports what came of it.
    ///
    /// It goes on when whoever asked has gone, if it is polled by a task of its own: do that.
    ///
    /// # Errors
    ///
    /// The refusals of [`Identity`]; `not_found` and `space_not_found` for what was named and is not there.
    pub async fn carry_out(&self, command: Command) -> Result<Report, Problem> {
        match command {
            Command::User(command) => self.user(command).await,
            Command::Device(command) => self.device(command).await,
            Command::Space(command) => self.space(command).await,
        }
    }
}

/// Users, spaces and members in one report. 500: a screen's worth many times over, and a moment of work.
const PAGE: usize = 500;
