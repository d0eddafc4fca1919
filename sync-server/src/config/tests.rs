//! Precedence, names and refusals of the configuration, with an environment made of pairs.

use super::*;
use std::io::Write;

const SECRET: &str = "Vb3kq0ZyT8mXr5Lw2Nc7Ju1Gd6Hs9Ea4";
const PREVIOUS: &str = "8Kq2Wn6Xd0Rz4Tb9Ym1Pc5Vj7Lf3Hg8S";

type Pairs = &'static [(&'static str, &'static str)];

fn env(pairs: Pairs) -> impl Fn(&str) -> Option<String> {
    move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

fn from_env(pairs: Pairs) -> Result<Config, String> {
    Config::load(Settings::default(), env(pairs), None)
}

fn from_toml(text: &str) -> Result<Config, String> {
    Config::checked(Settings::from_toml(text)?)
}

/// Stores are compared as they show themselves.
fn shown(store: &StoreUrl) -> String {
    format!("{store:?}")
}

#[test]
fn without_any_setting_the_defaults_hold() {
    let config = from_env(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(shown(&config.store), shown(&StoreUrl::SqliteFile("data/sync.db".into())));
    assert_eq!((config.jwt_secret, config.jwt_expire_s), (None, 604_800));
    assert_eq!((config.cors, config.max_sync_items), (Cors::default(), 1000));
    assert_eq!((config.log_format, config.log_level.as_str()), (LogFormat::Text, "info"));
    assert_eq!(config.trusted_proxies, TrustedProxies::default());
    assert!(config.rate_limit);
    assert_eq!((config.base_url, config.insecure_cookies), (None, false));
    assert_eq!(config.registration, Registration::Open);
    assert!(config.smtp_url.is_none() && config.mail_dir.is_none() && config.mail_from.is_none());
}

#[test]
fn flags_win_over_environment_over_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(file, "listen = '127.0.0.1:1'\njwt-expire = '1m'\nmax-sync-items = 1\n").unwrap();
    let flags = Settings { listen: Some("127.0.0.1:3".into()), ..Settings::default() };
    let env = env(&[("LISTEN", "127.0.0.1:2"), ("JWT_EXPIRE", "2m")]);
    let config = Config::load(flags, env, Some(file.path())).unwrap();
    assert_eq!((config.listen.port(), config.jwt_expire_s, config.max_sync_items), (3, 120, 1));
}

#[test]
fn every_variable_is_read() {
    let config = from_env(&[
        ("LISTEN", "[::1]:9"),
        ("STORE", "memory:"),
        ("JWT_SECRET", SECRET),
        ("JWT_SECRET_PREVIOUS", PREVIOUS),
        ("JWT_EXPIRE", "15m"),
        ("CORS_ORIGIN", "https://a.example, http://localhost:3000"),
        ("MAX_SYNC_ITEMS", "5"),
        ("LOG_FORMAT", "json"),
        ("RUST_LOG", "debug,hyper=warn"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("RATE_LIMIT", "off"),
        ("BASE_URL", "https://sync.example/"),
        ("INSECURE_COOKIES", "1"),
        ("REGISTRATION", "invite"),
        ("SMTP_URL", "smtp://u:p@mail.example"),
        ("SMTP_FROM", "sync@app.example"),
    ])
    .unwrap();
    let networks = ["10.0.0.0/8", "::1"].map(|network| network.parse().unwrap());
    assert_eq!(config.trusted_proxies, TrustedProxies::new(networks.into()));
    assert!(!config.rate_limit);
    assert_eq!(config.base_url.unwrap().as_str(), "https://sync.example");
    assert_eq!((config.insecure_cookies, config.registration), (true, Registration::Invite));
    assert_eq!(config.smtp_url.as_ref().map(Hidden::reveal), Some("smtp://u:p@mail.example"));
    assert_eq!(config.mail_from.as_deref(), Some("sync@app.example"));
    assert_eq!(
        (config.listen.to_string().as_str(), shown(&config.store)),
        ("[::1]:9", shown(&StoreUrl::Memory))
    );
    assert_eq!(config.jwt_secret, Some(JwtSecret::given(SECRET).unwrap()));
    assert_eq!(config.jwt_secret_previous, Some(JwtSecret::given(PREVIOUS).unwrap()));
    assert_eq!(
        config.cors,
        Cors::new(&["https://a.example".into(), "http://localhost:3000".into()]).unwrap()
    );
    assert_eq!((config.jwt_expire_s, config.max_sync_items, config.log_format), (900, 5, LogFormat::Json));
    assert_eq!(config.log_level, "debug,hyper=warn");
}

#[test]
fn every_key_of_the_file_is_read() {
    let config = from_toml(&format!(
        "listen = 'localhost:9'\nstore = 'sqlite-dir:d'\njwt-secret = '{SECRET}'\njwt-expire = '60'\n\
         cors-origin = ['https://a.example']\nmax-sync-items = 7\nlog-format = 'json'\nlog-level = 'warn'\n\
         base-url = 'http://a.example:81'\ninsecure-cookies = true\nregistration = 'closed'\nmail-dir = 'mails'\n\
         mail-from = 'a@b'\ntrusted-proxy = ['fd00::/8']\nrate-limit = 'off'\n"
    ))
    .unwrap();
    assert_eq!((config.listen.to_string().as_str(), config.max_sync_items), ("127.0.0.1:9", 7));
    assert_eq!(shown(&config.store), shown(&StoreUrl::SqliteDir("d".into())));
    assert!(config.trusted_proxies.trusts("fd00::7".parse().unwrap()) && !config.rate_limit);
    assert_eq!(config.base_url.unwrap().as_str(), "http://a.example:81");
    assert_eq!((config.insecure_cookies, config.registration), (true, Registration::Closed));
    assert_eq!((config.mail_dir, config.mail_from), (Some("mails".into()), Some("a@b".into())));
}

#[test]
fn the_second_names_of_variables_come_second() {
    let both =
        from_env(&[("PORT", "1"), ("LISTEN", "127.0.0.1:2"), ("DB_PATH", "a"), ("DATABASE_URL", "sqlite:b")]);
    let both = both.unwrap();
    assert_eq!((both.listen.port(), shown(&both.store)), (2, shown(&StoreUrl::SqliteFile("b".into()))));
    let second = from_env(&[("PORT", "1"), ("DB_PATH", "a.db"), ("STORE", "")]).unwrap();
    assert_eq!(second.listen.to_string(), "127.0.0.1:1");
    assert_eq!(shown(&second.store), shown(&StoreUrl::SqliteFile("a.db".into())));
}

#[test]
fn errors_name_the_setting() {
    let rows: &[(Pairs, &str)] = &[
        (&[("LISTEN", "nowhere")], "listen: "),
        (&[("PORT", "http")], "listen: "),
        (&[("DATABASE_URL", "postgres://h/d?shema=a")], "store: a parameter of the URL is not known"),
        (&[("JWT_SECRET", "short")], "jwt-secret: "),
        (&[("JWT_SECRET_PREVIOUS", "short")], "jwt-secret-previous: "),
        (&[("JWT_EXPIRE", "soon")], "jwt-expire: "),
        (&[("CORS_ORIGIN", "app.example")], "cors-origin: "),
        (&[("MAX_SYNC_ITEMS", "0")], "max-sync-items: "),
        (&[("MAX_SYNC_ITEMS", "many")], "MAX_SYNC_ITEMS: "),
        (&[("LOG_FORMAT", "xml")], "LOG_FORMAT: "),
        (&[("RUST_LOG", "lou=der=still")], "log-level: "),
        (&[("TRUSTED_PROXIES", "10.0.0.1,proxy")], "trusted-proxy: "),
        (&[("TRUSTED_PROXIES", "10.0.0.1/8")], "trusted-proxy: "),
        (&[("RATE_LIMIT", "1")], "RATE_LIMIT: "),
        (&[("BASE_URL", "https://a.example/path")], "base-url: "),
        (&[("BASE_URL", "sync.example")], "base-url: "),
        (&[("INSECURE_COOKIES", "maybe")], "INSECURE_COOKIES: "),
        (&[("REGISTRATION", "never")], "REGISTRATION: "),
        (&[("SMTP_URL", "http://a")], "smtp-url: "),
        (&[("MAIL_FROM", "nobody")], "mail-from: "),
        (&[("SMTP_URL", "smtp://a"), ("MAIL_DIR", "mails")], "mail-dir: "),
    ];
    for (pairs, start) in rows {
        let error = from_env(pairs).unwrap_err();
        assert!(error.starts_with(start), "{pairs:?}: {error}");
    }
}

#[test]
fn a_certificate_and_its_key_come_together() {
    let files = TlsFiles { certificate: "c.pem".into(), key: "k.pem".into() };
    assert_eq!(from_toml("tls-cert = 'c.pem'\ntls-key = 'k.pem'").unwrap().tls, Some(files));
    let contradictory = from_toml("tls-cert = 'c.pem'\ntls-key = 'k.pem'\nbase-url = 'http://a.example'");
    assert!(contradictory.unwrap_err().starts_with("base-url: "));
    assert!(from_toml("tls-cert = 'c.pem'").unwrap_err().starts_with("tls-key: "));
    assert!(from_toml("tls-key = 'k.pem'").unwrap_err().starts_with("tls-cert: "));
    assert_eq!(from_env(&[]).unwrap().tls, None);
}

#[test]
fn an_unknown_key_is_named_and_its_line_not_shown() {
    let error = from_toml("listen = '127.0.0.1:1'\njwt_secret = 'hunter2'\n").unwrap_err();
    assert!(error.starts_with(":2: ") && error.contains("`jwt_secret`"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn a_missing_file_is_an_error_with_its_path() {
    let error =
        Config::load(Settings::default(), env(&[]), Some(Path::new("/nowhere/sync.toml"))).unwrap_err();
    assert!(error.contains("/nowhere/sync.toml"), "{error}");
}

#[test]
fn no_secret_is_shown() {
    let text = format!(
        "jwt-secret = '{SECRET}'\njwt-secret-previous = '{PREVIOUS}'\nsmtp-url = 'smtp://u:hunter2@h'"
    );
    let settings = Settings::from_toml(&text).unwrap();
    let shown = format!("{settings:?} {:?}", Config::checked(settings.clone()).unwrap());
    assert!([SECRET, PREVIOUS, "hunter2"].iter().all(|secret| !shown.contains(secret)), "{shown}");
}
