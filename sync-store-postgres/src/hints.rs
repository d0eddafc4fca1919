//! Heads that move, between the processes on one database.
//!
//! ```text
//! commit ─▶ subscribers here
//!        └▶ teller ─ NOTIFY ─▶ listener of each process ─▶ its subscribers
//!           poller: once a second, the heads of all spaces that someone follows
//! ```
//! A hint is sent after its commit and apart from it: `NOTIFY` within a transaction makes all commits of the whole
//! database with such a thing wait for each other. What is lost on the way, the poller finds.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_query::Values;
use sqlx::postgres::{PgListener, PgNotification, PgPoolOptions};
use sync_core::sql::{Driver, Statement, spaces};
use sync_core::store::{HintHub, KEYS_MAX, OnCommit};
use sync_core::{Result, Seq, SpaceId};
use tokio::sync::Notify;

use crate::pool::{Pool, Work};

/// Bytes of one notification: Postgres takes fewer than 8,000.
const PAYLOAD_BYTES_MAX: usize = 7_000;
/// The least time between two notifications of this process; what moves meanwhile is told together.
const TELL_EVERY: Duration = Duration::from_millis(5);
/// Moves that may wait to be told. More is told by nobody, and found by the pollers.
const MOVES_MAX: usize = 10_000;
/// How long it may be quiet before the listener asks whether anyone is there.
const QUIET_MAX: Duration = Duration::from_secs(30);
/// How long to wait before listening again after that failed.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The heads that move, here and elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    hub: HintHub,
    /// Moves of this process that are to be told.
    untold: Mutex<HashMap<SpaceId, Seq>>,
    has_untold: Notify,
    /// Tells the poller that hints may have been lost.
    must_look: Notify,
}

impl OnCommit for Hints {
    fn moved(&self, space: &SpaceId, head: Seq) {
        self.hub.publish(space, head);
        let mut untold = self.untold();
        if untold.len() < MOVES_MAX {
            let newest = untold.entry(space.clone()).or_insert(head);
            *newest = head.max(*newest);
        }
        drop(untold);
        self.has_untold.notify_one();
    }
}

impl Hints {
    /// Where to subscribe.
    pub(crate) fn hub(&self) -> &HintHub {
        &self.hub
    }

    fn untold(&self) -> MutexGuard<'_, HashMap<SpaceId, Seq>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells other processes of the moves of this one, as they happen.
    pub(crate) async fn tell(self: Arc<Self>, pool: Arc<Pool>) {
        loop {
            self.has_untold.notified().await;
            let moves = std::mem::take(&mut *self.untold());
            for payload in payloads(moves) {
                if let Err(error) = notify(&pool, &payload).await {
                    tracing::debug!(%error, "a hint was not sent");
                }
            }
            tokio::time::sleep(TELL_EVERY).await;
        }
    }

    /// Passes on what other processes tell.
    pub(crate) async fn listen(self: Arc<Self>, pool: Arc<Pool>) {
        let mut is_well = true;
        loop {
            let Err(error) = self.listen_once(&pool, &mut is_well).await;
            if std::mem::replace(&mut is_well, false) {
                tracing::warn!(%error, "cannot listen for hints; looking at the spaces instead");
            }
            tokio::time::sleep(LISTEN_AGAIN_AFTER).await;
        }
    }

    /// Listens until that fails. The connection is its own, beside the pool's: a pool that is used up must not stop it.
    async fn listen_once(
        &self,
        pool: &Pool,
        is_well: &mut bool,
    ) -> Result<std::convert::Infallible, sqlx::Error> {
        let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let own = own.connect_lazy_with(pool.options().connect.clone());
        let mut listener = PgListener::connect_with(&own).await?;
        listener.listen(&channel(pool)).await?;
        *is_well = true;
        loop {
            // What moved before, or while there was no connection, was told to nobody.
            self.must_look.notify_one();
            while let Some(hint) = next(&mut listener).await? {
                parse(hint.payload()).for_each(|(space, head)| self.hub.publish(&space, head));
            }
        }
    }

    /// Looks at the spaces that someone follows, again and again.
    pub(crate) async fn look(self: Arc<Self>, pool: Arc<Pool>) {
        let mut known = HashMap::new();
        loop {
            let _ = tokio::time::timeout(pool.options().poll_every, self.must_look.notified()).await;
            if let Err(error) = self.look_once(&pool, &mut known).await {
                tracing::debug!(%error, "cannot look at the heads of spaces");
            }
        }
    }

    async fn look_once(&self, pool: &Arc<Pool>, known: &mut HashMap<SpaceId, Seq>) -> Result<()> {
        let followed = self.hub.followed();
        let still_followed: HashSet<&SpaceId> = followed.iter().collect();
        known.retain(|space, _| still_followed.contains(space));
        for chunk in followed.chunks(KEYS_MAX) {
            for (space, head) in spaces::heads(&mut pool.transaction(Work::Read), chunk).await? {
                if known.insert(space.clone(), head) != Some(head) {
                    self.hub.publish(&space, head);
                }
            }
        }
        Ok(())
    }
}

/// The channel of all processes that use this schema.
fn channel(pool: &Pool) -> String {
    format!("sync_hints_{}", pool.options().schema)
}

/// The next hint; `None` when the connection was lost and there is a new one.
async fn next(listener: &mut PgListener) -> sqlx::Result<Option<PgNotification>> {
    loop {
        if let Ok(hint) = tokio::time::timeout(QUIET_MAX, listener.try_recv()).await {
            return hint;
        }
        // Nothing happens, or the other side is gone without a word.
        let answer = sqlx::raw_sql("SELECT 1").execute(&mut *listener);
        if tokio::time::timeout(QUIET_MAX, answer).await.is_err() {
            return Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
        }
    }
}

async fn notify(pool: &Arc<Pool>, payload: &str) -> Result<()> {
    // Names of spaces and numbers need no quoting, and there is nothing else in it.
    let sql = format!("NOTIFY \"{}\", '{payload}'", channel(pool));
    let mut transaction = pool.transaction(Work::Read);
    transaction.text(Statement { sql, values: Values(Vec::new()), reusable: false }).await?;
    transaction.commit().await
}

/// One line for each space: its name and its head.
fn payloads(moves: HashMap<SpaceId, Seq>) -> Vec<String> {
    let mut payloads = vec![String::new()];
    for (space, head) in moves {
        let mut line = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(line, "{space} {head}");
        match payloads.last_mut().filter(|last| last.len() + line.len() <= PAYLOAD_BYTES_MAX) {
            Some(last) => last.push_str(&line),
            None => payloads.push(line),
        }
    }
    payloads.retain(|payload| !payload.is_empty());
    payloads
}

/// Reads what [`payloads`] wrote. Anyone may send on the channel: what is not understood is left out.
fn parse(payload: &str) -> impl Iterator<Item = (SpaceId, Seq)> {
    payload.lines().filter_map(|line| {
        let (space, head) = line.split_once(' ')?;
        Some((SpaceId::new(space).ok()?, Seq::new(head.parse().ok()?).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_survive_the_way_in_payloads_that_postgres_takes() {
        let moves: HashMap<SpaceId, Seq> = (1..=500)
            .map(|n| {
                let space = format!("{n:0>64}");
                (SpaceId::new(space).unwrap(), Seq::new(i64::MAX >> 10).unwrap())
            })
            .collect();
        let payloads = payloads(moves.clone());
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() < 8_000));
        let parsed: HashMap<_, _> = payloads.iter().flat_map(|payload| parse(payload)).collect();
        assert_eq!(parsed, moves);
    }

    #[test]
    fn nonsense_on_the_channel_is_left_out() {
        for payload in ["", "a", "a -1", "a x", "A 1", "../a 1", "a 99999999999999999999", "\n\n"] {
            assert_eq!(parse(payload).count(), 0, "{payload:?}");
        }
        assert_eq!(parse("x\na 1\n? 2").count(), 1);
    }
}
