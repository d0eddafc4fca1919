//! Moving everything from one store to another, by way of a file: the commands `export` and `import`.
//!
//! What moves and how is [`sync_core::copy`]'s; here are the files, and what a person is told.

mod file;
mod meter;

use std::path::Path;

use sync_core::{ErrorKind, SystemClock, copy};

use crate::backend::{Backend, cannot_open, with_causes};
use crate::config::{Config, StoreUrl};
use crate::copy::file::{Input, Output};
use crate::copy::meter::Meter;

/// Writes everything in the configured store to a new file, or to standard output when it is `-`.
///
/// The file appears when it is whole and on the disk, readable by its owner alone. Must run in a multi-threaded runtime.
///
/// # Errors
///
/// Text for the person at the terminal: what could not be done, why, and what to do.
pub async fn export(config: &Config, file: &Path, quiet: bool) -> Result<(), String> {
    if !config.store.is_there() {
        return Err("there is no store to export: say with --store where it is".to_owned());
    }
    let mut output = Output::create(file)?;
    let mut meter = Meter::start("exporting", &SystemClock, quiet);
    let backend = Backend::try_open_existing(&config.store.for_copying()).await;
    let backend = backend.map_err(|error| cannot_open(&error))?;
    let (store, accounts) = (backend.store(), backend.accounts());
    let written = copy::export(&*store, &*accounts, &mut output, &mut |progress| meter.tick(progress)).await;
    backend.close().await;
    let totals = written.map_err(|error| told("export", &error))?;
    output.finish()?;
    meter.done("exported", totals);
    Ok(())
}

/// Reads an export from a file, or from standard input when it is `-`, into the configured store.
///
/// Must run in a multi-threaded runtime.
///
/// # Errors
///
/// Text for the person at the terminal: what could not be done, why, and what to do.
pub async fn import(config: &Config, file: &Path, quiet: bool) -> Result<(), String> {
    if matches!(config.store, StoreUrl::Memory) {
        return Err("a store in memory would be gone at once: say with --store where to import to".to_owned());
    }
    let mut input = Input::open(file)?;
    let mut meter = Meter::start("importing", &SystemClock, quiet);
    let backend = Backend::open(&config.store.for_copying()).await?;
    let (store, accounts) = (backend.store(), backend.accounts());
    let read = copy::import(&*store, &*accounts, &mut input, &mut |progress| meter.tick(progress)).await;
    backend.close().await;
    let totals = read.map_err(|error| told("import", &error))?;
    meter.done("imported", totals);
    Ok(())
}

/// What went wrong, and what to do about it where the error does not say so itself.
fn told(what: &str, error: &sync_core::Error) -> String {
    let again = match (what, error.kind()) {
        ("import", ErrorKind::Corrupt) => {
            "; what came before is in the store, whole: get the file again and start the import again"
        }
        ("import", ErrorKind::StorageFull) => {
            "; make room and start the import again, it goes on where it broke off"
        }
        ("import", ErrorKind::Unavailable) => "; start the import again, it goes on where it broke off",
        ("export", ErrorKind::StorageFull) => "; make room and start the export again",
        _ => "",
    };
    format!("cannot {what}: {}{again}", with_causes(error))
}
