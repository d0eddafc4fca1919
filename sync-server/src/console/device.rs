//! `sync-server device …`

use super::failure::Failure;
use super::pair;
use super::reach::Reach;
use super::screen::Screen;
use crate::cli::DeviceErrand;
use crate::operate::{Command, DeviceCommand, Report};

pub(super) async fn run(reach: &mut Reach, screen: Screen, errand: &DeviceErrand) -> Result<(), Failure> {
    let command = match errand {
        DeviceErrand::Pair { who, confirm, png } => {
            return pair::run(reach, screen, who, *confirm, png.as_deref()).await;
        }
        DeviceErrand::List { who } => DeviceCommand::List { who: who.clone() },
        DeviceErrand::Revoke { who, device } => {
            DeviceCommand::Revoke { who: who.clone(), device: device.clone() }
        }
        DeviceErrand::Rename { who, device, name } => {
            DeviceCommand::Rename { who: who.clone(), device: device.clone(), name: name.clone() }
        }
    };
    match reach.ask(Command::Device(command)).await? {
        Report::Done if matches!(errand, DeviceErrand::Rename { .. }) => {
            screen.done("The device is renamed.")
        }
        Report::Done => screen.done("The device is signed out for good."),
        report => screen.report(&report),
    }
}
