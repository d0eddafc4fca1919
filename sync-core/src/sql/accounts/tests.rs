//! A list of changes that was in the way of another transaction is tried again, and nothing else is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::{SqlAccounts, TRIES_MAX};
use crate::accounts::{Accounts, Changed};
use crate::conformance::set_role;
use crate::error::{Error, ErrorKind, Result};
use crate::sql::{Dialect, Driver, Recorder, Statement};
use crate::store::Mode;

/// Fails the first of its transactions, when they commit.
#[derive(Clone, Debug)]
struct Unlucky {
    recorder: Recorder,
    kind: ErrorKind,
    n_failing: usize,
    n_begun: Arc<AtomicUsize>,
}

struct UnluckyDriver {
    inner: Recorder,
    fails_with: Option<ErrorKind>,
}

#[async_trait]
impl Driver for UnluckyDriver {
    fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    async fn execute(&mut self, statement: Statement) -> Result<u64> {
        self.inner.execute(statement).await
    }

    async fn text(&mut self, statement: Statement) -> Result<Option<String>> {
        self.inner.text(statement).await
    }

    async fn commit(self) -> Result<()> {
        self.fails_with.map_or(Ok(()), |kind| Err(Error::new(kind, "bad luck")))
    }
}

#[async_trait]
impl SqlAccounts for Unlucky {
    type Driver = UnluckyDriver;

    async fn begin_accounts(&self, _: Mode) -> Result<UnluckyDriver> {
        let n_before = self.n_begun.fetch_add(1, Ordering::SeqCst);
        let fails_with = (n_before < self.n_failing).then_some(self.kind);
        Ok(UnluckyDriver { inner: self.recorder.clone(), fails_with })
    }
}

#[test]
fn a_list_that_was_in_the_way_is_tried_again_a_few_times() {
    let tries_max = usize::try_from(TRIES_MAX).unwrap();
    for (kind, n_failing, n_begun, is_done) in [
        (ErrorKind::Contended, 0, 1, true),
        (ErrorKind::Contended, tries_max - 1, tries_max, true),
        (ErrorKind::Contended, usize::MAX, tries_max, false),
        (ErrorKind::Unavailable, 1, 1, false),
        (ErrorKind::Overloaded, 1, 1, false),
    ] {
        let recorder = Recorder::new(Dialect::Postgres);
        let store = Unlucky { recorder, kind, n_failing, n_begun: Arc::default() };
        let ended = futures_executor::block_on(store.change(&[set_role("home", "ada", None)]));
        assert_eq!(ended.is_ok_and(Changed::is_done), is_done, "{kind:?} {n_failing} times");
        assert_eq!(store.n_begun.load(Ordering::SeqCst), n_begun, "{kind:?} {n_failing} times");
    }
}
