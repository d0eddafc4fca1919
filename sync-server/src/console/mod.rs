//! The commands `user`, `device` and `space` as a person or a script meets them: what is asked, and what is shown.
//!
//! What is done is [`operate`](crate::operate)'s. It is done by the server that runs on the store, or right here when none
//! does; which of the two makes no difference to what is seen.

mod ask;
mod device;
mod failure;
mod interrupt;
mod pair;
mod reach;
mod screen;
mod space;
mod table;
mod user;

pub use failure::Failure;

use crate::cli::{DeviceOptions, SpaceOptions, UserOptions};
use crate::config::Config;
use reach::Reach;
use screen::Screen;

/// Carries out `sync-server user …`. Must run in a multi-threaded runtime.
///
/// # Errors
///
/// What the person at the terminal is told, and the exit code.
pub async fn user(config: Config, options: &UserOptions) -> Result<(), Failure> {
    let mut reach = Reach::to(config)?;
    let done = user::run(&mut reach, Screen::new(options.place.json), &options.errand).await;
    reach.close().await;
    done
}

/// Carries out `sync-server device …`. Must run in a multi-threaded runtime.
///
/// # Errors
///
/// What the person at the terminal is told, and the exit code.
pub async fn device(config: Config, options: &DeviceOptions) -> Result<(), Failure> {
    let mut reach = Reach::to(config)?;
    let done = device::run(&mut reach, Screen::new(options.place.json), &options.errand).await;
    reach.close().await;
    done
}

/// Carries out `sync-server space …`. Must run in a multi-threaded runtime.
///
/// # Errors
///
/// What the person at the terminal is told, and the exit code.
pub async fn space(config: Config, options: &SpaceOptions) -> Result<(), Failure> {
    let mut reach = Reach::to(config)?;
    let done = space::run(&mut reach, Screen::new(options.place.json), &options.errand).await;
    reach.close().await;
    done
}
