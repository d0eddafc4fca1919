//! The way to whatever carries a command out: the server that runs on the store, or the store itself.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use sync_core::TokioRuntime;
use sync_store_sqlite::DATA_IN_USE;
use tokio::time::{sleep, timeout};

use super::failure::Failure;
use crate::backend::{Backend, IN_USE_ATTEMPTS_MAX, IN_USE_PAUSE, NOTHING_THERE};
use crate::config::{Config, StoreUrl};
use crate::control::{Unanswered, call};
use crate::inside::Inside;
use crate::operate::{Command, Operator, Report};
use crate::origin::Origin;

/// How long a server may say nothing before whoever waits is told. 5 s: most commands take milliseconds.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// The way, found with the first command.
pub(super) struct Reach {
    config: Config,
    way: Way,
}

/// Who carries commands out.
enum Way {
    /// Nobody has yet.
    Unknown,
    /// The server that runs on the store. What began there ends with it: a store that was opened in the middle would keep the
    /// next server from starting.
    Server,
    /// This process.
    Here(Here),
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
        Ok(Self { config, way: Way::Unknown })
    }

    /// Has a command carried out.
    pub(super) async fn ask(&mut self, command: Command) -> Result<Report, Failure> {
        // A server that is just starting listens by then, and one that is ending has ended.
        for _ in 0..IN_USE_ATTEMPTS_MAX {
            if let Way::Here(here) = &self.way {
                let report = here.operator.carry_out(command).await?;
                self.hint_at_address(&report);
                return Ok(report);
            }
            match told_if_slow(call(&self.config.store, &command)).await {
                Ok(outcome) => {
                    self.way = Way::Server;
                    return Ok(outcome?);
                }
                Err(Unanswered::Failed(why)) => return Err(Failure::unreached(why)),
                Err(Unanswered::Stranger(why)) => return Err(why.into()),
                Err(Unanswered::Nobody) if matches!(self.way, Way::Server) => return Err(went_away()),
                Err(Unanswered::Nobody) => {}
            }
            match Backend::try_open_existing(&self.config.store).await {
                Ok(backend) => self.way = Way::Here(self.enter(backend).await?),
                Err(error) if error.code() == Some(DATA_IN_USE) => sleep(IN_USE_PAUSE).await,
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
        matches!(&self.way, Way::Here(here) if !here.backend.is_shared())
    }

    /// Closes what was opened.
    pub(super) async fn close(self) {
        if let Way::Here(here) = self.way {
            here.backend.close().await;
        }
    }
}

/// Waits for what a server says, and tells who waits when that takes long.
async fn told_if_slow<T>(answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    if let Ok(answered) = timeout(SILENCE_MAX, &mut answer).await {
        return answered;
    }
    let hint = "sync-server: the server has not answered yet: it is busy, its disk is slow, or it was stopped. Waiting on";
    let _ = writeln!(std::io::stderr(), "{hint}");
    answer.await
}

fn went_away() -> Failure {
    Failure::unreached(
        "the server went away before this was through: look what of it was carried out, and run it again when the server is \
         back",
    )
}
