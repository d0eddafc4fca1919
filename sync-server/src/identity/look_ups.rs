//! Questions about rights that come while others are on their way, asked as one.
//!
//! Where other processes change the same accounts nothing may be remembered, so each request asks. Whoever asks while the
//! database works on another question waits until that is answered, and is then asked for together with all who came
//! meanwhile: what they are told was read after they asked, and a hundred requests cost what two do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_core::{
    Accounts, ActorId, Credential, CredentialId, Error, ErrorKind, LOOK_UP_MAX, LookedUp, Result, Role,
    SpaceId,
};
use tokio::sync::oneshot;

/// Questions that are on their way at once. 2: one is prepared while the database works on another, and half of the
/// connections for accounts stay free.
const ASKING_MAX: usize = 2;

/// What somebody wants to know.
#[derive(Clone, Debug, Default)]
pub(super) struct Question {
    pub(super) credential: Option<CredentialId>,
    pub(super) role: Option<(SpaceId, ActorId)>,
}

impl Question {
    /// Whether nothing of it is open.
    pub(super) fn is_answered(&self) -> bool {
        self.credential.is_none() && self.role.is_none()
    }
}

/// What there is of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) credential: Option<Arc<Credential>>,
    pub(super) role: Option<Role>,
}

/// Everyone's questions to the same accounts. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct LookUps {
    accounts: Arc<dyn Accounts>,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Waiting>,
    n_asking: usize,
}

#[derive(Debug)]
struct Waiting {
    question: Question,
    reply: oneshot::Sender<Result<Answer>>,
}

impl LookUps {
    pub(super) fn new(accounts: Arc<dyn Accounts>) -> Self {
        Self { accounts, queue: Arc::default() }
    }

    /// The answer to a question, as it is after it was asked.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub(super) async fn ask(&self, question: Question) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        self.queue().waiting.push(Waiting { question, reply });
        self.start();
        answer.await.map_err(|_| Error::new(ErrorKind::Internal, "a question about rights was dropped"))?
    }

    /// Sees to it that someone asks for those who wait, unless enough do.
    fn start(&self) {
        let mut queue = self.queue();
        if queue.n_asking < ASKING_MAX {
            queue.n_asking += 1;
            let asker = Asker { look_ups: self.clone(), is_done: false };
            tokio::spawn(asker.ask_for_all());
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells each what was found for them. They may have gone away.
fn answer(waiting: Vec<Waiting>, found: Result<LookedUp>) {
    let (mut error, mut credentials, mut roles) = (None, Vec::new().into_iter(), Vec::new().into_iter());
    match found {
        Ok(found) => (credentials, roles) = (found.credentials.into_iter(), found.roles.into_iter()),
        Err(failed) => error = Some(failed),
    }
    for Waiting { question, reply } in waiting {
        let credential = question.credential.and_then(|_| credentials.next()?).map(Arc::new);
        let role = question.role.and_then(|_| roles.next()?);
        let _ = reply.send(error.clone().map_or(Ok(Answer { credential, role }), Err));
    }
}

/// Someone who asks for those who wait until nobody does.
struct Asker {
    look_ups: LookUps,
    is_done: bool,
}

impl Asker {
    async fn ask_for_all(mut self) {
        while let Some(waiting) = self.next() {
            let credentials: Vec<_> =
                waiting.iter().filter_map(|one| one.question.credential.clone()).collect();
            let roles: Vec<_> = waiting.iter().filter_map(|one| one.question.role.clone()).collect();
            answer(waiting, self.look_ups.accounts.look_up(&credentials, &roles).await);
        }
    }

    /// As many of those who wait as may be asked for at once. That nobody does and that this one ends is one step:
    /// whoever comes next starts another.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut queue = self.look_ups.queue();
        let n = queue.waiting.len().min(LOOK_UP_MAX);
        if n == 0 {
            queue.n_asking -= 1;
            drop(queue);
            self.is_done = true;
            return None;
        }
        Some(queue.waiting.drain(..n).collect())
    }
}

impl Drop for Asker {
    /// Cut off by a panic or the end of the runtime: nobody is left waiting for it.
    fn drop(&mut self) {
        if !self.is_done {
            let mut queue = self.look_ups.queue();
            queue.n_asking -= 1;
            queue.waiting.clear();
        }
    }
}
