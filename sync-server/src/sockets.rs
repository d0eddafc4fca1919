//! Connections that stay open: how many of each user, and whether any are left when the server ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_core::ActorId;
use tokio::sync::watch;

use crate::problem::{Code, Problem};

/// Open connections of one user. 500: a class of pupils who share an account.
const PER_USER_MAX: usize = 500;

/// Seconds after which one who has too many may ask again.
const AGAIN_AFTER_S: u32 = 10;

/// Counts open connections.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    by_user: Mutex<HashMap<ActorId, usize>>,
    n_open: watch::Sender<usize>,
}

/// One that is open; dropping it says that it has ended.
#[derive(Debug)]
pub(crate) struct Open {
    sockets: Arc<Sockets>,
    user: Option<ActorId>,
}

impl Sockets {
    /// One more, of nobody yet.
    pub(crate) fn open(self: &Arc<Self>) -> Open {
        self.n_open.send_modify(|n_open| *n_open += 1);
        Open { sockets: Arc::clone(self), user: None }
    }

    /// Waits until none is open, as long as they go on ending with no longer pause than this.
    pub(crate) async fn ended(&self, pause_max: Duration) {
        let mut n_open = self.n_open.subscribe();
        while *n_open.borrow_and_update() > 0 {
            if tokio::time::timeout(pause_max, n_open.changed()).await.is_err() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ActorId, usize>> {
        self.by_user.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// It is this user's from now on.
    ///
    /// # Errors
    ///
    /// `rate_limited` when they have too many.
    pub(crate) fn is_of(&mut self, user: &ActorId) -> Result<(), Problem> {
        let mut by_user = self.sockets.lock();
        let n_theirs = by_user.entry(user.clone()).or_default();
        if *n_theirs >= PER_USER_MAX {
            let problem = Problem::new(Code::RateLimited).detail("this user has too many open connections");
            return Err(problem.limit(PER_USER_MAX as u64).retry_after(AGAIN_AFTER_S));
        }
        *n_theirs += 1;
        drop(by_user);
        self.user = Some(user.clone());
        Ok(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(user) = self.user.take() {
            let mut by_user = self.sockets.lock();
            if let Some(n_theirs) = by_user.get_mut(&user) {
                *n_theirs -= 1;
                if *n_theirs == 0 {
                    by_user.remove(&user);
                }
            }
        }
        self.sockets.n_open.send_modify(|n_open| *n_open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_user_has_so_many_and_what_ends_is_free_again() {
        let sockets = Arc::new(Sockets::default());
        let (ada, bob) = (ActorId::new("ada").unwrap(), ActorId::new("bob").unwrap());
        let open = |user| {
            let mut open = sockets.open();
            open.is_of(user).map(|()| open)
        };
        let mut of_ada: Vec<_> = (0..PER_USER_MAX).map(|_| open(&ada).unwrap()).collect();
        assert_eq!(open(&ada).unwrap_err().code(), Code::RateLimited);
        let of_bob = open(&bob).unwrap();
        of_ada.pop();
        of_ada.push(open(&ada).unwrap());
        drop((of_ada, of_bob));
        assert!(sockets.lock().is_empty());
        sockets.ended(Duration::MAX).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_waited_for_but_not_for_ever() {
        let sockets = Arc::new(Sockets::default());
        let open = sockets.open();
        let waiting = tokio::spawn({
            let sockets = Arc::clone(&sockets);
            async move { sockets.ended(Duration::from_secs(5)).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(open);
        waiting.await.unwrap();
        let _left = sockets.open();
        sockets.ended(Duration::from_secs(5)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn many_who_end_one_after_the_other_are_all_waited_for() {
        let sockets = Arc::new(Sockets::default());
        let many: Vec<_> = (0..10).map(|_| sockets.open()).collect();
        tokio::spawn(async move {
            for open in many {
                tokio::time::sleep(Duration::from_millis(900)).await;
                drop(open);
            }
        });
        let begun = tokio::time::Instant::now();
        sockets.ended(Duration::from_secs(1)).await;
        assert_eq!(begun.elapsed().as_secs(), 9);
    }
}
