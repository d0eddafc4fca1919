//! The way to whatever carries a command out: the server that runs on the store, or the store itself.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use sync_core::TokioRuntime;
use sync_store_sqlite::DATA_IN_USE;

use super::failure::Failure;
use crate::backend::{Backend, NOTHING_THERE};
use crate::config::{Config, StoreUrl};
use crate::control::{Unanswered, call};
use crate::inside::Inside;
use crate::operate::{Command, Operator, Report};
use crate::origin::Origin;

/// How often the store is tried that another process has, and does not answer for: 20 times, for 5 s in all. A server that
/// is just starting listens by then, and one that is ending has ended.
const ATTEMPTS_MAX: usize = 20;

/// Pause between two of these.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(250);

/// The way, found with the first command.
pub(super) struct Reach {
    config: Config,
    here: Option<Here>,
}

/// A store that this process has opened.
struct Here {
    backend: Backend,
    operator: Operator,
}

impl Reach {
    /// To the store of a configuration.
    ///
    /// # Errors
    ///
    /// When there is nothing to reach, however it is tried.
    pub(super) fn to(config: Config) -> Result<Self, Failure> {
        if matches!(config.store, StoreUrl::Memory) {
            return Err("there is nothing to operate: a store in memory is seen by its server alone".into());
        }
        if !config.store.is_there() {
            return Err(NOTHING_THERE.into());
        }
        Ok(Self { config, here: None })
    }

    /// Has a command carried out.
    pub(super) async fn ask(&mut self, command: Command) -> Result<Report, Failure> {
        for _ in 0..ATTEMPTS_MAX {
            if let Some(here) = &self.here {
                let report = here.operator.carry_out(command).await?;
                self.hint_at_address(&report);
                return Ok(report);
            }
            match call(&self.config.store, &command).await {
                Ok(outcome) => return Ok(outcome?),
                Err(Unanswered::Failed(why)) => return Err(Failure::unreached(why)),
                Err(Unanswered::Stranger(why)) => return Err(why.into()),
                Err(Unanswered::Nobody) => {}
            }
            match Backend::try_open_existing(&self.config.store).await {
                Ok(backend) => self.here = Some(self.enter(backend).await?),
                Err(error) if error.code() == Some(DATA_IN_USE) => tokio::time::sleep(ATTEMPT_PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::unreached(
            "another process uses this data and takes no commands: an export or import that is not through, or a server \
             whose log says why it takes none; wait for it, or stop it",
        ))
    }

    async fn enter(&self, backend: Backend) -> Result<Here, Failure> {
        let base_url = self.config.base_url.clone();
        let base_url =
            base_url.unwrap_or_else(|| Origin::of_listener(self.config.listen, self.config.tls.is_some()));
        let inside =
            Inside::over(&backend, &self.config, Arc::new(TokioRuntime), None, |rules| rules).await?;
        let operator = Operator::new(inside.identity, inside.service, backend.store(), base_url);
        Ok(Here { backend, operator })
    }

    /// A server knows where it is reached; from here it can only be guessed.
    fn hint_at_address(&self, report: &Report) {
        let leads_there = matches!(report, Report::Invite(_) | Report::Link(_) | Report::Pairing(_));
        if leads_there && self.config.base_url.is_none() {
            let hint = "sync-server: this leads to where a server listens by default: say with --base-url where people reach it";
            // Who does not read it is not helped by hearing that it could not be written.
            let _ = writeln!(std::io::stderr(), "{hint}");
        }
    }

    /// Whether the store is open here and nowhere else, so that nobody can come in by what is made here until a server runs.
    pub(super) fn is_alone(&self) -> bool {
        self.here.as_ref().is_some_and(|here| !here.backend.is_shared())
    }

    /// Closes what was opened.
    pub(super) async fn close(self) {
        if let Some(here) = self.here {
            here.backend.close().await;
        }
    }
}
