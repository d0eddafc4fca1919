//! The server binary: reads what it is told, serves, and ends in order.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use sync_server::Server;
use sync_server::cli::{Cli, Command, CopyOptions};
use sync_server::config::Config;
use sync_server::console::{self, Failure};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let env = |name: &str| std::env::var(name).ok();
    let done = match Cli::parse().into_command() {
        Command::Serve(options) => options.load(env).and_then(run).map_err(Failure::from),
        Command::Healthcheck(options) => {
            options.load(env).and_then(|config| check(&config)).map_err(Failure::from)
        }
        Command::Export(options) => {
            options.load(env).and_then(|config| export(&config, &options)).map_err(Failure::from)
        }
        Command::Import(options) => {
            options.load(env).and_then(|config| import(&config, &options)).map_err(Failure::from)
        }
        Command::User(it) => operate(it.place.load(env), async |config| console::user(config, &it).await),
        Command::Device(it) => operate(it.place.load(env), async |config| console::device(config, &it).await),
        Command::Space(it) => operate(it.place.load(env), async |config| console::space(config, &it).await),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // There may be no log yet, and whoever started this is looking at the terminal.
            let _ = writeln!(std::io::stderr(), "sync-server: {why}");
            ExitCode::from(why.exit_code())
        }
    }
}

fn check(config: &Config) -> Result<(), String> {
    sync_server::health::check(config.listen, config.tls.is_some())
        .map_err(|error| format!("{} is not well: {error}", config.listen))
}

#[tokio::main]
async fn operate(
    config: Result<Config, String>,
    errand: impl AsyncFnOnce(Config) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = config?;
    sync_server::log::start(config.log_format, &config.log_level)?;
    errand(config).await
}

#[tokio::main]
async fn export(config: &Config, options: &CopyOptions) -> Result<(), String> {
    sync_server::log::start(config.log_format, &config.log_level)?;
    sync_server::copy::export(config, &options.file, options.quiet).await
}

#[tokio::main]
async fn import(config: &Config, options: &CopyOptions) -> Result<(), String> {
    sync_server::log::start(config.log_format, &config.log_level)?;
    sync_server::copy::import(config, &options.file, options.quiet).await
}

#[tokio::main]
async fn run(config: Config) -> Result<(), String> {
    sync_server::log::start(config.log_format, &config.log_level)?;
    sync_server::listen::raise_descriptors();
    let server = Server::start(config).await?;
    // Before anyone can know that it listens, and send a signal.
    let stop = stopped()?;
    let mut stdout = std::io::stdout();
    // Whoever started this may not read it; that is no reason not to serve.
    let _ = writeln!(stdout, "listening on {}", server.url()).and_then(|()| stdout.flush());
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
