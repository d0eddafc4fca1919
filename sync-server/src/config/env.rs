//! The settings as the environment gives them.

use std::str::FromStr;

use clap::ValueEnum;

use super::hidden::Hidden;
use super::mail;
use super::settings::Settings;

impl Settings {
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
            jwt_secret_previous: env("JWT_SECRET_PREVIOUS").map(Hidden),
            jwt_expire: env("JWT_EXPIRE"),
            cors_origin: env("CORS_ORIGIN").map(list),
            trusted_proxy: env("TRUSTED_PROXIES").map(list),
            rate_limit: choice("RATE_LIMIT", env("RATE_LIMIT"))?,
            base_url: env("BASE_URL"),
            insecure_cookies: switch("INSECURE_COOKIES", env("INSECURE_COOKIES"))?,
            registration: choice("REGISTRATION", env("REGISTRATION"))?,
            tls_cert: None,
            tls_key: None,
            smtp_url: mail::url_of(&env)?,
            mail_dir: env("MAIL_DIR").map(Into::into),
            mail_from: env("MAIL_FROM").or_else(|| env("SMTP_FROM")),
            max_sync_items: parsed("MAX_SYNC_ITEMS", env("MAX_SYNC_ITEMS"), |text| u32::from_str(text).ok())?,
            log_format: choice("LOG_FORMAT", env("LOG_FORMAT"))?,
            log_level: env("RUST_LOG"),
            policies: None,
        })
    }
}

fn list(text: String) -> Vec<String> {
    text.split(',').map(|one| one.trim().to_owned()).collect()
}

fn choice<T: ValueEnum>(name: &str, value: Option<String>) -> Result<Option<T>, String> {
    parsed(name, value, |text| T::from_str(text, false).ok())
}

/// A switch as compose files write it.
fn switch(name: &str, value: Option<String>) -> Result<Option<bool>, String> {
    parsed(name, value, |text| match text {
        "1" | "true" | "on" | "yes" => Some(true),
        "0" | "false" | "off" | "no" => Some(false),
        _ => None,
    })
}

fn parsed<T>(
    name: &str,
    value: Option<String>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(text) = value else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| format!("{name}: `{text}` is not understood"))
}
