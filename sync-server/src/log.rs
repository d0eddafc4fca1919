//! Where log lines go and how they look: standard error, as text or as JSON.
//!
//! Standard output is left to the one line that says where the server listens.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

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
    Ok(match format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
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
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_level_decides_what_is_written() {
        assert_eq!(logged(LogFormat::Text, "info").lines().count(), 1);
        assert_eq!(logged(LogFormat::Text, "debug").lines().count(), 2);
        assert_eq!(logged(LogFormat::Text, "warn"), "");
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
