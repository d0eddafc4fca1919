//! What `user`, `device` and `space` have in common: which store, and how to answer.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Hidden, Settings};

/// Where the data is, and in which form to answer.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// Where the data lives: sqlite:FILE, sqlite-dir:DIR or postgres://… [env: STORE, DATABASE_URL, or DB_PATH for a file]
    /// [default: sqlite:data/sync.db]
    #[arg(long, value_name = "URL", global = true)]
    pub store: Option<Hidden>,

    /// TOML file with settings
    #[arg(long, value_name = "PATH", global = true)]
    pub config: Option<PathBuf>,

    /// Address under which people reach the server, for links and codes that are made while it does not run, or with
    /// Postgres [env: BASE_URL]
    #[arg(long, value_name = "ORIGIN", global = true)]
    pub base_url: Option<String>,

    /// Answer in JSON: one object, or one in each line of a list
    #[arg(long, global = true)]
    pub json: bool,
}

impl Place {
    /// The configuration these options lead to, with the environment seen through `env`.
    ///
    /// # Errors
    ///
    /// Those of [`Config::load`].
    pub fn load(&self, env: impl Fn(&str) -> Option<String>) -> Result<Config, String> {
        let settings =
            Settings { store: self.store.clone(), base_url: self.base_url.clone(), ..Settings::default() };
        Config::load(settings, env, self.config.as_deref())
    }
}

/// What every one of these commands says at the end of its help.
pub(super) const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no such user, device, space or invite, 4 server or database not reached";
