//! Devices: what is signed in, and how another one joins.

use serde::{Deserialize, Serialize};
use sync_core::{ActorId, CredentialId, PairingCode};

use super::Operator;
use super::report::{Claimed, DeviceLine, PairingProgress, PairingReport, Report, SyncLine};
use crate::identity::pairing::PairingState;
use crate::problem::{Code, Problem};

/// What can be done about devices. `who` is an id, a mail address or a user name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceCommand {
    /// The devices of a user, oldest first.
    List {
        /// Whose.
        who: String,
    },
    /// Signs a device out for good.
    Revoke {
        /// Whose.
        who: String,
        /// Which.
        device: CredentialId,
    },
    /// Gives a device another name.
    Rename {
        /// Whose.
        who: String,
        /// Which.
        device: CredentialId,
        /// How it is called from now on.
        name: String,
    },
    /// Makes a code with which another device of a user joins.
    Pair {
        /// Whose.
        who: String,
        /// Whether it takes a yes to let in whoever redeems it.
        confirm: bool,
    },
    /// What became of a code.
    Pairing {
        /// Whose.
        user: ActorId,
        /// Which.
        pairing: CredentialId,
    },
    /// Lets in whoever redeemed a code.
    Confirm {
        /// Whose.
        user: ActorId,
        /// Which.
        pairing: CredentialId,
    },
    /// Takes a code back, or refuses whoever redeemed it.
    Cancel {
        /// Whose.
        user: ActorId,
        /// Which.
        pairing: CredentialId,
    },
}

impl Operator {
    pub(super) async fn device(&self, command: DeviceCommand) -> Result<Report, Problem> {
        match command {
            DeviceCommand::List { who } => {
                let user = self.find(&who).await?;
                Ok(Report::Devices(self.device_lines(&user.id).await?))
            }
            DeviceCommand::Revoke { who, device } => {
                let user = self.find(&who).await?;
                done(self.identity.revoke_device(&user.id, &device).await.map_err(no_such_device))
            }
            DeviceCommand::Rename { who, device, name } => {
                let user = self.find(&who).await?;
                done(self.identity.rename_device(&user.id, &device, &name).await.map_err(no_such_device))
            }
            DeviceCommand::Pair { who, confirm } => self.pair(&who, confirm).await,
            DeviceCommand::Pairing { user, pairing } => self.progress(&user, &pairing).await,
            DeviceCommand::Confirm { user, pairing } => {
                done(self.identity.confirm_pairing(&user, &pairing).await)
            }
            DeviceCommand::Cancel { user, pairing } => {
                done(self.identity.cancel_pairing(&user, &pairing).await)
            }
        }
    }

    /// What a user has signed in, with how far each lies behind the spaces they are still in.
    pub(super) async fn device_lines(&self, user: &ActorId) -> Result<Vec<DeviceLine>, Problem> {
        let mut lines = Vec::new();
        for device in self.identity.devices(user).await? {
            let mut synced = Vec::new();
            for one in &device.synced {
                if let Some(lag_us) = self.identity.lag_us(user, one).await? {
                    synced.push(SyncLine {
                        space: one.space.clone(),
                        last_sync_at: one.at,
                        position: one.position,
                        lag_us,
                    });
                }
            }
            lines.push(DeviceLine::of(device, synced));
        }
        Ok(lines)
    }

    async fn pair(&self, who: &str, confirm: bool) -> Result<Report, Problem> {
        let user = self.find(who).await?;
        let offered = self.identity.offer_pairing(&user.id, confirm).await?;
        let code = PairingCode::new(self.base_url.as_str(), &offered.token)?;
        Ok(Report::Pairing(PairingReport {
            user: user.id,
            pairing: offered.id,
            url: code.to_url().as_str().into(),
            expires_at: offered.expires_at,
        }))
    }

    async fn progress(&self, user: &ActorId, pairing: &CredentialId) -> Result<Report, Problem> {
        let progress = match self.identity.pairing(user, pairing).await {
            Ok(PairingState::Offered) => PairingProgress::Offered,
            Ok(PairingState::Claimed(claim)) => PairingProgress::Claimed(Claimed::of(claim)),
            Ok(PairingState::Confirmed(_)) => PairingProgress::Confirmed,
            Err(problem) if problem.code() == Code::NotFound => self.outcome(user, pairing).await?,
            Err(problem) => return Err(problem),
        };
        Ok(Report::Progress(progress))
    }

    /// What became of a code that is over.
    async fn outcome(&self, user: &ActorId, pairing: &CredentialId) -> Result<PairingProgress, Problem> {
        match self.identity.paired_device(user, pairing).await {
            Ok(device) => Ok(PairingProgress::Paired(Box::new(DeviceLine::of(device, Vec::new())))),
            Err(problem) if problem.code() == Code::NotFound => Ok(PairingProgress::Over),
            Err(problem) => Err(problem),
        }
    }
}

fn done(outcome: Result<(), Problem>) -> Result<Report, Problem> {
    outcome.map(|()| Report::Done)
}

fn no_such_device(problem: Problem) -> Problem {
    match problem.code() {
        Code::NotFound => {
            problem.detail("this user has no such device: `device list` shows the ones they have")
        }
        _ => problem,
    }
}
