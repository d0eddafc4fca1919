//! The settings as any source gives them: each may be absent, none is checked yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use sync_core::merge::CollectionPolicy;

use super::hidden::Hidden;
use crate::auth::registration::Registration;
use crate::log::LogFormat;

/// A switch that says what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnOff {
    /// It is done.
    On,
    /// It is not done.
    Off,
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

    /// Secret that signed access tokens until now: they are accepted until they expire [env: JWT_SECRET_PREVIOUS]
    /// [default: none]
    #[arg(long, value_name = "TEXT")]
    pub jwt_secret_previous: Option<Hidden>,

    /// How long an access token lives: seconds, or with a unit as in 15m, 12h, 7d [env: JWT_EXPIRE] [default: 7d]
    #[arg(long, value_name = "TIME")]
    pub jwt_expire: Option<String>,

    /// Origin that browsers may call from, such as `https://app.example`; repeatable, or separated by commas
    /// [env: CORS_ORIGIN] [default: none]
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origin: Option<Vec<String>>,

    /// Network of proxies that are believed about where requests come from, such as 10.0.0.0/8; repeatable, or separated by
    /// commas [env: TRUSTED_PROXIES] [default: none]
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxy: Option<Vec<String>>,

    /// Whether requests, sign-ins and the like are limited by address and account [env: RATE_LIMIT] [default: on]
    #[arg(long, value_enum)]
    pub rate_limit: Option<OnOff>,

    /// Address under which people reach the server, such as `https://sync.example`: links in mails begin with it, and pages
    /// from there may use cookies [env: BASE_URL] [default: the address it listens on]
    #[arg(long, value_name = "ORIGIN")]
    pub base_url: Option<String>,

    /// Let cookies travel without encryption, for development over http [env: INSECURE_COOKIES] [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub insecure_cookies: Option<bool>,

    /// Who may make an account: everyone, who was invited, or nobody [env: REGISTRATION] [default: open]
    #[arg(long, value_enum)]
    pub registration: Option<Registration>,

    /// Certificate chain as PEM, to speak https; looked at again and again, so that a new one is taken over [default: none]
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Key of the certificate as PEM, which strangers must not be able to read [default: none]
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Server that delivers mails: smtp://USER:PASSWORD@HOST:587 or smtps://… [env: SMTP_URL, or SMTP_HOST, SMTP_PORT,
    /// SMTP_USERNAME and SMTP_PASSWORD] [default: none]
    #[arg(long, value_name = "URL")]
    pub smtp_url: Option<Hidden>,

    /// Folder into which mails are written as files instead, for development and tests [env: MAIL_DIR] [default: none]
    #[arg(long, value_name = "DIR")]
    pub mail_dir: Option<PathBuf>,

    /// Address that mails come from [env: MAIL_FROM or SMTP_FROM] [default: made of the base URL]
    #[arg(long, value_name = "ADDRESS")]
    pub mail_from: Option<String>,

    /// Mutations that one push may carry [env: MAX_SYNC_ITEMS] [default: 1000]
    #[arg(long, value_name = "N")]
    pub max_sync_items: Option<u32>,

    /// Form of log lines [env: LOG_FORMAT] [default: text]
    #[arg(long, value_enum)]
    pub log_format: Option<LogFormat>,

    /// Level of the log, or directives such as info,hyper=warn; libraries say no more than info unless one is named
    /// [env: RUST_LOG] [default: info]
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
            jwt_secret_previous: self.jwt_secret_previous.or(below.jwt_secret_previous),
            jwt_expire: self.jwt_expire.or(below.jwt_expire),
            cors_origin: self.cors_origin.or(below.cors_origin),
            trusted_proxy: self.trusted_proxy.or(below.trusted_proxy),
            rate_limit: self.rate_limit.or(below.rate_limit),
            base_url: self.base_url.or(below.base_url),
            insecure_cookies: self.insecure_cookies.or(below.insecure_cookies),
            registration: self.registration.or(below.registration),
            tls_cert: self.tls_cert.or(below.tls_cert),
            tls_key: self.tls_key.or(below.tls_key),
            smtp_url: self.smtp_url.or(below.smtp_url),
            mail_dir: self.mail_dir.or(below.mail_dir),
            mail_from: self.mail_from.or(below.mail_from),
            max_sync_items: self.max_sync_items.or(below.max_sync_items),
            log_format: self.log_format.or(below.log_format),
            log_level: self.log_level.or(below.log_level),
            policies: self.policies.or(below.policies),
        }
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
