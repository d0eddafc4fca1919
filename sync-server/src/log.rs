//! Where log lines go and how they look: standard error, as text or as JSON.
//!
//! Standard output is left to the one line that says where the server listens.
//!
//! What this project logs holds no token, no address of a person and no content, at any level. Of the libraries beneath nobody can
//! promise that: the one for routes tells every part of every path. So their lines below `info` are left out, whatever the
//! level, unless a directive names the library, as in `info,warp=trace`: whoever writes that wants to see them.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// How the names of our own crates begin.
const OWN: &str = "sync_";

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging for this process. `level` is a level or a list of directives such as `info,hyper=warn`.
///
/// # Errors
///
/// Text about a malformed directive, or about logging that was started before.
pub fn start(format: LogFormat, level: &str) -> Result<(), String> {
    let subscriber = subscriber(format, level, std::io::stderr().is_terminal(), std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|error| error.to_string())
}

/// Checks the directives without starting anything.
///
/// # Errors
///
/// Text about the malformed directive.
pub fn check_level(level: &str) -> Result<(), String> {
    filter(level).map(drop)
}

fn filter(level: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(level).map_err(|error| format!("`{level}`: {error}"))
}

/// The libraries that directives name.
fn named(level: &str) -> Vec<String> {
    let targets =
        level.split(',').map(|directive| directive.split(['=', '[']).next().unwrap_or_default().trim());
    let is_name = |target: &&str| !target.is_empty() && target.parse::<LevelFilter>().is_err();
    targets.filter(is_name).map(str::to_owned).collect()
}

/// Whether a line may be written, as far as it depends on who writes it.
fn is_safe(line: &Metadata<'_>, named: &[String]) -> bool {
    let is_of = |name: &str| line.target().starts_with(name);
    *line.level() <= Level::INFO || is_of(OWN) || named.iter().any(|name| is_of(name))
}

fn subscriber<W>(
    format: LogFormat,
    level: &str,
    ansi: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, String>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter(level)?).with_ansi(ansi).with_writer(writer);
    let named = named(level);
    let safe = filter_fn(move |line| is_safe(line, &named));
    Ok(match format {
        LogFormat::Text => Box::new(builder.finish().with(safe)),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish().with(safe)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = subscriber(format, level, false, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(n = 1, "first");
            tracing::debug!(text = ?"a\r\nb", "second");
            tracing::info!(target: "hyper::proto", "third");
            tracing::trace!(target: "hyper::proto", "fourth");
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_level_decides_what_is_written() {
        assert_eq!(logged(LogFormat::Text, "info").lines().count(), 2);
        assert_eq!(logged(LogFormat::Text, "debug").lines().count(), 3);
        assert_eq!(logged(LogFormat::Text, "warn"), "");
    }

    #[test]
    fn libraries_say_little_unless_they_are_named() {
        for (level, expected) in [
            ("trace", false),
            ("trace,sqlx=trace", false),
            ("trace,sync_server=trace", false),
            ("info,hyper=trace", true),
            ("info,hyper::proto=trace", true),
            ("hyper", true),
            ("info,hyper=debug", false),
        ] {
            assert_eq!(logged(LogFormat::Text, level).contains("fourth"), expected, "{level}");
        }
    }

    #[test]
    fn json_lines_are_json() {
        for line in logged(LogFormat::Json, "debug").lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value["message"].is_string());
        }
    }

    #[test]
    fn a_malformed_directive_is_refused() {
        assert!(check_level("info,sync_server=debug").is_ok());
        assert!(check_level("lou=der=still").is_err());
    }
}
