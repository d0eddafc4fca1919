//! The server binary: reads what it is told, serves, and ends in order.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use sync_server::Server;
use sync_server::cli::{Cli, Command};
use sync_server::config::Config;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let command = Cli::parse().into_command();
    let (options, is_check) = match command {
        Command::Serve(options) => (options, false),
        Command::Healthcheck(options) => (options, true),
    };
    let done = options
        .load(|name| std::env::var(name).ok())
        .and_then(|config| if is_check { check(&config) } else { run(config) });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // There may be no log yet, and whoever started this is looking at the terminal.
            let _ = writeln!(std::io::stderr(), "sync-server: {why}");
            ExitCode::FAILURE
        }
    }
}

fn check(config: &Config) -> Result<(), String> {
    sync_server::health::check(config.listen)
        .map_err(|error| format!("{} is not well: {error}", config.listen))
}

#[tokio::main]
async fn run(config: Config) -> Result<(), String> {
    sync_server::log::start(config.log_format, &config.log_level)?;
    let server = Server::start(config).await?;
    // Before anyone can know that it listens, and send a signal.
    let stop = stopped()?;
    let mut stdout = std::io::stdout();
    // Whoever started this may not read it; that is no reason not to serve.
    let _ = writeln!(stdout, "listening on http://{}", server.address()).and_then(|()| stdout.flush());
    server.run(stop).await;
    Ok(())
}

/// Ready when the process is asked to end.
fn stopped() -> Result<impl Future<Output = ()>, String> {
    let on = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
