//! What the server is told: flags before environment before file before defaults, checked once at the start.
//!
//! Every source fills the same [`Settings`]; they are laid over each other and then become a [`Config`], in which
//! every value is valid. The environment is a function, so that tests bring their own.

mod duration;
mod env;
mod hidden;
mod mail;
mod policies;
mod settings;
mod store_url;

pub use hidden::Hidden;
pub use settings::{OnOff, Settings};
pub use store_url::StoreUrl;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sync_core::Policies;

use crate::auth::registration::Registration;
use crate::auth::secret::JwtSecret;
use crate::client::TrustedProxies;
use crate::cors::Cors;
use crate::log::{LogFormat, check_level};
use crate::origin::Origin;
use crate::tls::TlsFiles;

/// Where the server listens unless told otherwise: this machine only.
const LISTEN: &str = "127.0.0.1:8080";

/// Where the data is unless told otherwise.
const STORE: &str = "sqlite:data/sync.db";

/// How long a token lives unless told otherwise.
const JWT_EXPIRE: &str = "7d";

/// Mutations in one push unless told otherwise; a batch of that many is committed in some ten milliseconds.
const MAX_SYNC_ITEMS: u32 = 1000;

/// Mutations in one push that may be configured. One transaction should stay below a second.
const MAX_SYNC_ITEMS_MAX: u32 = 100_000;

/// A complete and valid configuration. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on; port 0 is any free port.
    pub listen: SocketAddr,
    /// Where the data lives.
    pub store: StoreUrl,
    /// The secret for tokens; without one it is kept with the store.
    pub jwt_secret: Option<JwtSecret>,
    /// The secret before it, whose tokens are accepted for as long as one lives after the start.
    pub jwt_secret_previous: Option<JwtSecret>,
    /// How long an access token lives, in seconds.
    pub jwt_expire_s: u32,
    /// Which other origins browsers may call from.
    pub cors: Cors,
    /// Who is believed about where requests come from.
    pub trusted_proxies: TrustedProxies,
    /// Whether requests, sign-ins and the like are limited.
    pub rate_limit: bool,
    /// Where people reach the server; without it, at the address it listens on.
    pub base_url: Option<Origin>,
    /// The certificate with which https is spoken.
    pub tls: Option<TlsFiles>,
    /// Whether cookies may travel without encryption.
    pub insecure_cookies: bool,
    /// Who may make an account.
    pub registration: Registration,
    /// The server that delivers mails, with its password: `smtp` or `smtps`, and a host.
    pub smtp_url: Option<Hidden>,
    /// The folder into which mails are written instead. Never given beside `smtp_url`.
    pub mail_dir: Option<PathBuf>,
    /// The address mails come from.
    pub mail_from: Option<String>,
    /// Mutations that one push may carry.
    pub max_sync_items: u32,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// Level or directives of the log.
    pub log_level: String,
    /// How concurrent edits merge. Replicas should be given the same; the server has the last word.
    pub policies: Policies,
}

impl Config {
    /// Lays `flags` over the environment over the file at `file`, and checks the result.
    ///
    /// # Errors
    ///
    /// Text that names the setting and what it accepts, or the unknown key in the file. It never repeats a secret.
    pub fn load(
        flags: Settings,
        env: impl Fn(&str) -> Option<String>,
        file: Option<&Path>,
    ) -> Result<Self, String> {
        let file = file.map(Settings::from_file).transpose()?.unwrap_or_default();
        Self::checked(flags.over(Settings::from_env(env)?).over(file))
    }

    fn checked(settings: Settings) -> Result<Self, String> {
        let log_level = settings.log_level.unwrap_or_else(|| "info".to_owned());
        check_level(&log_level).map_err(named("log-level"))?;
        let max_sync_items = settings.max_sync_items.unwrap_or(MAX_SYNC_ITEMS);
        if !(1..=MAX_SYNC_ITEMS_MAX).contains(&max_sync_items) {
            return Err(format!("max-sync-items: {max_sync_items} is not from 1 to {MAX_SYNC_ITEMS_MAX}"));
        }
        let secret =
            |given: Option<Hidden>| given.map(|secret| JwtSecret::given(secret.reveal())).transpose();
        let expire = settings.jwt_expire.as_deref().unwrap_or(JWT_EXPIRE);
        settings.smtp_url.as_ref().map_or(Ok(()), mail::check_url).map_err(named("smtp-url"))?;
        settings.mail_from.as_deref().map_or(Ok(()), mail::check_from).map_err(named("mail-from"))?;
        if settings.smtp_url.is_some() && settings.mail_dir.is_some() {
            return Err("mail-dir: mails go to a folder or to smtp-url, not to both".to_owned());
        }
        let tls = tls(settings.tls_cert, settings.tls_key)?;
        let base_url = settings.base_url.as_deref().map(base_url).transpose().map_err(named("base-url"))?;
        if tls.is_some() && base_url.as_ref().is_some_and(|url| !url.is_https()) {
            return Err("base-url: it is http, and with tls-cert the server speaks https".to_owned());
        }
        Ok(Self {
            listen: address(settings.listen.as_deref().unwrap_or(LISTEN)).map_err(named("listen"))?,
            store: settings.store.as_ref().map_or(STORE, Hidden::reveal).parse().map_err(named("store"))?,
            jwt_secret: secret(settings.jwt_secret).map_err(named("jwt-secret"))?,
            jwt_secret_previous: secret(settings.jwt_secret_previous)
                .map_err(named("jwt-secret-previous"))?,
            jwt_expire_s: duration::seconds(expire).map_err(named("jwt-expire"))?,
            cors: Cors::new(&settings.cors_origin.unwrap_or_default()).map_err(named("cors-origin"))?,
            trusted_proxies: proxies(&settings.trusted_proxy.unwrap_or_default())
                .map_err(named("trusted-proxy"))?,
            rate_limit: settings.rate_limit != Some(OnOff::Off),
            base_url,
            tls,
            insecure_cookies: settings.insecure_cookies.unwrap_or_default(),
            registration: settings.registration.unwrap_or_default(),
            smtp_url: settings.smtp_url,
            mail_dir: settings.mail_dir,
            mail_from: settings.mail_from,
            max_sync_items,
            log_format: settings.log_format.unwrap_or_default(),
            log_level,
            policies: policies::policies(settings.policies.unwrap_or_default()).map_err(named("policies"))?,
        })
    }
}

fn named(name: &'static str) -> impl Fn(String) -> String {
    move |why| format!("{name}: {why}")
}

fn proxies(networks: &[String]) -> Result<TrustedProxies, String> {
    networks.iter().map(|network| network.parse()).collect::<Result<_, _>>().map(TrustedProxies::new)
}

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<TlsFiles>, String> {
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
        (Some(_), None) => Err("tls-key: a certificate needs its key".to_owned()),
        (None, Some(_)) => Err("tls-cert: a key needs its certificate".to_owned()),
    }
}

/// A slash at the end, as it is copied from a browser, means nothing.
fn base_url(text: &str) -> Result<Origin, String> {
    text.strip_suffix('/').unwrap_or(text).parse()
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let refused = |_| format!("`{text}` is not an address such as 127.0.0.1:8080 or [::]:8080");
    numeric.as_deref().unwrap_or(text).parse().map_err(refused)
}

#[cfg(test)]
mod tests;
