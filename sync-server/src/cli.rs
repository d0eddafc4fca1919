//! The command line: `sync-server [serve] [flags]`, `healthcheck`, `export` and `import`, and for operators `user`,
//! `device` and `space`.

mod device;
mod place;
mod space;
mod user;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use device::{DeviceErrand, DeviceOptions};
pub use place::Place;
pub use space::{Membership, SpaceErrand, SpaceOptions};
pub use user::{UserErrand, UserOptions};

use crate::config::{Config, Hidden, Settings};

/// A sync server over SQLite or Postgres.
///
/// Every setting can be given as a flag, as an environment variable, or as a key in a TOML file, in that order of
/// precedence; keys are named like the flags.
#[derive(Clone, Debug, Parser)]
#[command(name = "sync-server", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    options: Options,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve until told to stop; this is what happens without a subcommand
    Serve(Options),
    /// Ask the server at the configured address for its health; exit with 0 if it is well and 1 if not
    Healthcheck(Options),
    /// Write everything in a store to a file, to be imported into another store
    ///
    /// Stop the server first: what is written to the store meanwhile may be missing from the file. The file holds all
    /// records and hashes of all passwords; it is made for its owner alone. It does not hold the secret that signs access
    /// tokens: give the new server the old one's with --jwt-secret, or else people sign in again and nothing is lost.
    Export(CopyOptions),
    /// Read everything from an export into a store
    ///
    /// Replicas go on with the new server as if it were the old one. Nothing that is in the store is changed or replaced;
    /// an import that broke can simply be started again. Do not serve from the store until it is through. The secret that
    /// signs access tokens is not in the export: see `export --help`.
    Import(CopyOptions),
    /// Add, list, sign out and delete users, and give them passwords, links and invites
    ///
    /// Works while the server runs and while it does not.
    User(UserOptions),
    /// List, rename, revoke and pair the devices of a user
    ///
    /// Works while the server runs and while it does not.
    Device(DeviceOptions),
    /// Create, list and delete spaces, and say who may do what in them
    ///
    /// Works while the server runs and while it does not.
    Space(SpaceOptions),
}

/// The settings and where else to find them.
#[derive(Args, Clone, Debug, Default)]
pub struct Options {
    /// The settings given as flags.
    #[command(flatten)]
    pub settings: Settings,

    /// TOML file with settings; it alone can say how concurrent edits merge, in a section for each collection, as in
    /// [policies.notes] with update = { merge = "last_write_wins" } (docs/policies.md has all of it)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to move, and where.
#[derive(Args, Clone, Debug)]
pub struct CopyOptions {
    /// Where the data lives: sqlite:FILE, sqlite-dir:DIR or postgres://… [env: STORE, DATABASE_URL, or DB_PATH for a file]
    /// [default: sqlite:data/sync.db]
    #[arg(long, value_name = "URL")]
    pub store: Option<Hidden>,

    /// TOML file with settings
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// Say nothing unless something goes wrong
    #[arg(long)]
    pub quiet: bool,

    /// The export; - is standard output or input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

impl CopyOptions {
    /// The configuration these options lead to, with the environment seen through `env`.
    ///
    /// # Errors
    ///
    /// Those of [`Config::load`].
    pub fn load(&self, env: impl Fn(&str) -> Option<String>) -> Result<Config, String> {
        let settings = Settings { store: self.store.clone(), ..Settings::default() };
        Config::load(settings, env, self.config.as_deref())
    }
}

impl Cli {
    /// The command that was asked for.
    ///
    /// ```
    /// use clap::Parser;
    /// use sync_server::cli::{Cli, Command};
    /// let cli = Cli::parse_from(["sync-server", "--listen", "127.0.0.1:0"]);
    /// assert!(matches!(cli.into_command(), Command::Serve(_)));
    /// ```
    pub fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.options))
    }
}

impl Options {
    /// The configuration these options lead to, with the environment seen through `env`.
    ///
    /// # Errors
    ///
    /// Those of [`Config::load`].
    pub fn load(self, env: impl Fn(&str) -> Option<String>) -> Result<Config, String> {
        Config::load(self.settings, env, self.config.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Hidden;
    use clap::{CommandFactory, error::ErrorKind};

    fn parse(args: &[&str]) -> Result<Command, clap::Error> {
        Cli::try_parse_from([&["sync-server"], args].concat()).map(Cli::into_command)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default_and_takes_the_same_flags() {
        for args in [&["--store", "memory:"][..], &["serve", "--store", "memory:"]] {
            let Command::Serve(options) = parse(args).unwrap() else { panic!("{args:?}") };
            assert_eq!(options.settings.store.as_ref().map(Hidden::reveal), Some("memory:"), "{args:?}");
        }
        assert!(matches!(
            parse(&["healthcheck", "--listen", "127.0.0.1:1"]).unwrap(),
            Command::Healthcheck(_)
        ));
    }

    #[test]
    fn a_copy_needs_a_file_and_tells_of_the_secret() {
        for (args, name) in [(["export", "--quiet", "x"], "export"), (["import", "--quiet", "-"], "import")] {
            let (Command::Export(options) | Command::Import(options)) = parse(&args).unwrap() else {
                panic!()
            };
            assert!(options.quiet && options.file.as_os_str().len() == 1);
            let missing = parse(&[name]).unwrap_err().kind();
            assert_eq!(missing, ErrorKind::MissingRequiredArgument);
            let mut cli = Cli::command();
            let help = cli.find_subcommand_mut(name).unwrap().render_long_help().to_string();
            assert!(help.contains("secret") && help.contains("--store"), "{help}");
        }
    }

    #[test]
    fn origins_repeat_or_are_separated_by_commas() {
        for args in [
            &["--cors-origin", "http://a,http://b"][..],
            &["--cors-origin", "http://a", "--cors-origin", "http://b"],
        ] {
            let Command::Serve(options) = parse(args).unwrap() else { panic!("{args:?}") };
            assert_eq!(options.settings.cors_origin.unwrap(), ["http://a", "http://b"], "{args:?}");
        }
    }

    #[test]
    fn a_switch_needs_no_value_and_takes_one() {
        for (args, expected) in [
            (&["--insecure-cookies"][..], Some(true)),
            (&["--insecure-cookies=false"], Some(false)),
            (&["--insecure-cookies", "--store", "memory:"], Some(true)),
            (&[], None),
        ] {
            let Command::Serve(options) = parse(args).unwrap() else { panic!("{args:?}") };
            assert_eq!(options.settings.insecure_cookies, expected, "{args:?}");
        }
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for args in
            [&["--profile", "persona"][..], &["--max-sync-items", "x"], &["--log-format", "xml"], &["fly"]]
        {
            let kind = parse(args).unwrap_err().kind();
            assert!(
                matches!(
                    kind,
                    ErrorKind::UnknownArgument
                        | ErrorKind::ValueValidation
                        | ErrorKind::InvalidValue
                        | ErrorKind::InvalidSubcommand
                ),
                "{args:?}: {kind:?}"
            );
        }
    }

    #[test]
    fn help_names_every_flag_and_variable() {
        let help = Cli::command().render_long_help().to_string();
        for name in [
            "--listen",
            "LISTEN",
            "PORT",
            "--store",
            "STORE",
            "DATABASE_URL",
            "DB_PATH",
            "--jwt-secret",
            "JWT_SECRET",
            "--jwt-secret-previous",
            "JWT_SECRET_PREVIOUS",
            "--jwt-expire",
            "JWT_EXPIRE",
            "--cors-origin",
            "CORS_ORIGIN",
            "--trusted-proxy",
            "TRUSTED_PROXIES",
            "--rate-limit",
            "RATE_LIMIT",
            "--base-url",
            "BASE_URL",
            "--tls-cert",
            "--tls-key",
            "--insecure-cookies",
            "INSECURE_COOKIES",
            "--registration",
            "REGISTRATION",
            "--smtp-url",
            "SMTP_URL",
            "SMTP_HOST",
            "SMTP_PORT",
            "SMTP_USERNAME",
            "SMTP_PASSWORD",
            "--mail-dir",
            "MAIL_DIR",
            "--mail-from",
            "SMTP_FROM",
            "--max-sync-items",
            "MAX_SYNC_ITEMS",
            "--log-format",
            "LOG_FORMAT",
            "--log-level",
            "RUST_LOG",
            "--config",
            "[policies.notes]",
            "healthcheck",
            "export",
            "import",
        ] {
            assert!(help.contains(name), "{name}");
        }
    }

    #[test]
    fn a_secret_on_the_command_line_is_not_shown() {
        let command = parse(&["--jwt-secret", "hunter2"]).unwrap();
        assert!(!format!("{command:?}").contains("hunter2"));
    }
}
