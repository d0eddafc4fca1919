//! The settings as any source gives them: each may be absent, none is checked yet.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use clap::Args;
use serde::Deserialize;
use sync_core::merge::CollectionPolicy;

use crate::log::LogFormat;

/// A value that is not shown, as it is or may hold a secret.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl FromStr for Hidden {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// One layer of settings. As flags they are written `--max-sync-items`, in the file `max-sync-items`.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Address to listen on; port 0 is any free port [env: LISTEN, or PORT for a port on 127.0.0.1]
    /// [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,

    /// Where the data lives: sqlite:FILE, sqlite-dir:DIR, postgres://USER@HOST/DATABASE or memory: [env: STORE,
    /// DATABASE_URL, or DB_PATH for a file] [default: sqlite:data/sync.db]
    #[arg(long, value_name = "URL")]
    pub store: Option<Hidden>,

    /// Secret that signs access tokens, at least 32 bytes [env: JWT_SECRET] [default: made at the first start and
    /// kept with the store]
    #[arg(long, value_name = "TEXT")]
    pub jwt_secret: Option<Hidden>,

    /// How long an access token lives: seconds, or with a unit as in 15m, 12h, 7d [env: JWT_EXPIRE] [default: 7d]
    #[arg(long, value_name = "TIME")]
    pub jwt_expire: Option<String>,

    /// Origin that browsers may call from, such as `https://app.example`; repeatable, or separated by commas
    /// [env: CORS_ORIGIN] [default: none]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origin: Option<Vec<String>>,

    /// Mutations that one push may carry [env: MAX_SYNC_ITEMS] [default: 1000]
    #[arg(long, value_name = "N")]
    pub max_sync_items: Option<u32>,

    /// Form of log lines [env: LOG_FORMAT] [default: text]
    #[arg(long, value_enum)]
    pub log_format: Option<LogFormat>,

    /// Level of the log, or directives such as info,hyper=warn [env: RUST_LOG] [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,

    /// How concurrent edits merge, by collection; `*` is for all that are not named. In the file alone, as sections
    /// `[policies.notes]`.
    #[arg(skip)]
    pub policies: Option<BTreeMap<String, CollectionPolicy>>,
}

impl Settings {
    /// These settings, and `below` where these are silent.
    pub fn over(self, below: Self) -> Self {
        Self {
            listen: self.listen.or(below.listen),
            store: self.store.or(below.store),
            jwt_secret: self.jwt_secret.or(below.jwt_secret),
            jwt_expire: self.jwt_expire.or(below.jwt_expire),
            cors_origin: self.cors_origin.or(below.cors_origin),
            max_sync_items: self.max_sync_items.or(below.max_sync_items),
            log_format: self.log_format.or(below.log_format),
            log_level: self.log_level.or(below.log_level),
            policies: self.policies.or(below.policies),
        }
    }

    /// The settings in the environment. A variable that is set but empty counts as absent, as compose files
    /// leave them.
    ///
    /// # Errors
    ///
    /// Text that names the variable whose value cannot be read.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let port = || env("PORT").map(|port| format!("127.0.0.1:{port}"));
        let file = || env("DB_PATH").map(|path| format!("sqlite:{path}"));
        Ok(Self {
            listen: env("LISTEN").or_else(port),
            store: env("STORE").or_else(|| env("DATABASE_URL")).or_else(file).map(Hidden),
            jwt_secret: env("JWT_SECRET").map(Hidden),
            jwt_expire: env("JWT_EXPIRE"),
            cors_origin: env("CORS_ORIGIN")
                .map(|list| list.split(',').map(|one| one.trim().to_owned()).collect()),
            max_sync_items: parsed("MAX_SYNC_ITEMS", env("MAX_SYNC_ITEMS"), |text| text.parse().ok())?,
            log_format: parsed("LOG_FORMAT", env("LOG_FORMAT"), |text| {
                clap::ValueEnum::from_str(text, false).ok()
            })?,
            log_level: env("RUST_LOG"),
            policies: None,
        })
    }

    /// The settings in a TOML file.
    ///
    /// # Errors
    ///
    /// Text with the path and the line, naming an unknown key. The line itself is not shown: it may be the secret.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("could not read the configuration {}: {error}", path.display()))?;
        Self::from_toml(&text).map_err(|why| format!("{}{why}", path.display()))
    }

    pub(super) fn from_toml(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            format!(":{line}: {}", error.message())
        })
    }
}

fn parsed<T>(
    name: &str,
    value: Option<String>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(text) = value else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| format!("{name}: `{text}` is not understood"))
}
