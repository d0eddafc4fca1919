//! A role holds at the moment of the commit, whatever was known when the push came in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::json;
use sync_core::protocol::{PushReply, PushRequest};
use sync_core::service::{Actor, Roles};
use sync_core::store::{Call, FaultyStore, MemoryStore};
use sync_core::{ActorId, Error, ErrorKind, Outcome, Role, Seq, SpaceId};
use tokio::sync::{Notify, Semaphore};

use crate::world::{World, actor, batch, batch_of, create, key};

/// Who has which role, as a database would say; it answers only as often as it is let.
#[derive(Debug)]
struct Book {
    roles: Mutex<HashMap<ActorId, Role>>,
    asked: Mutex<Vec<Vec<String>>>,
    was_asked: Notify,
    answers: Semaphore,
}

impl Book {
    fn of(roles: &[(&str, Role)]) -> Arc<Self> {
        let roles = roles.iter().map(|(name, role)| (ActorId::new(name).unwrap(), *role)).collect();
        let answers = Semaphore::new(Semaphore::MAX_PERMITS);
        let (asked, was_asked) = (Mutex::default(), Notify::new());
        Arc::new(Self { roles: Mutex::new(roles), asked, was_asked, answers })
    }

    fn set(&self, name: &str, role: Option<Role>) {
        let (mut roles, name) = (self.roles.lock().unwrap(), ActorId::new(name).unwrap());
        match role {
            Some(role) => roles.insert(name, role),
            None => roles.remove(&name),
        };
    }

    /// From now on answers are held back, after it is known what they say.
    fn hold(&self) {
        self.answers.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn let_go(&self) {
        self.answers.add_permits(1000);
    }
}

#[async_trait]
impl Roles for Book {
    async fn roles(&self, _: &SpaceId, actors: &[ActorId]) -> Result<HashMap<ActorId, Role>, Error> {
        let found = {
            let roles = self.roles.lock().unwrap();
            actors.iter().filter_map(|actor| Some((actor.clone(), *roles.get(actor)?))).collect()
        };
        self.asked.lock().unwrap().push(actors.iter().map(ToString::to_string).collect());
        self.was_asked.notify_one();
        // As if the answer had a long way.
        let _answer = self.answers.acquire().await.unwrap();
        tokio::task::yield_now().await;
        Ok(found)
    }
}

async fn world(book: &Arc<Book>) -> Arc<World> {
    let book = book.clone();
    Arc::new(World::with(|builder| builder.roles(book)).await)
}

async fn push(world: &World, who: &str, push: PushRequest) -> Result<PushReply, Error> {
    world.service.push(&actor(who), &world.space, push).await
}

/// A push of one new record, by someone who was an editor when it came in.
async fn one(world: &World, who: &str, id: &str) -> Result<Seq, Error> {
    let request =
        PushRequest { batch: None, mutations: vec![create(id, json!(1))], after: None, receipt: None };
    match push(world, who, request).await? {
        PushReply::Done(done) => Ok(done.outcomes[0].version().unwrap()),
        reply => panic!("{reply:?}"),
    }
}

#[tokio::test]
async fn a_push_is_judged_by_the_role_its_author_has_at_the_commit() {
    let book = Book::of(&[("ada", Role::Owner), ("bob", Role::Editor), ("eve", Role::Viewer)]);
    let world = world(&book).await;
    let names = ["ada", "bob", "eve", "mallory", "ada"];
    let pushes = names
        .iter()
        .enumerate()
        .map(|(n, who)| push(&world, who, batch_of(n, 1, vec![create(&format!("{who}{n}"), json!(1))])));
    let replies = join_all(pushes).await;
    for (who, reply) in names.iter().zip(replies) {
        match *who {
            "eve" => {
                let error = reply.unwrap_err();
                assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, Some("forbidden_role")));
            }
            "mallory" => {
                let error = reply.unwrap_err();
                let nowhere = SpaceId::new("nowhere").unwrap();
                let unknown =
                    world.service.pull(&actor("ada"), &nowhere, Default::default()).await.unwrap_err();
                assert_eq!((error.kind(), error.code()), (unknown.kind(), unknown.code()));
                assert_eq!(error.to_string(), unknown.to_string().replace("nowhere", "family"));
            }
            _ => assert!(matches!(reply, Ok(PushReply::Done(_))), "{who}: {reply:?}"),
        }
    }
    assert_eq!(world.state().await.len(), 3);
    // All of them in one commit, and each asked for once.
    assert_eq!(*book.asked.lock().unwrap(), [["ada", "bob", "eve", "mallory"]]);
}

#[tokio::test]
async fn without_roles_the_role_given_is_believed() {
    let world = World::new().await;
    assert!(one(&world, "anyone", "a").await.is_ok());
}

#[tokio::test]
async fn a_push_on_its_way_is_waited_for_and_the_next_one_is_refused() {
    let book = Book::of(&[("bob", Role::Editor)]);
    let world = world(&book).await;
    book.hold();
    let pushing = tokio::spawn({
        let world = world.clone();
        async move { one(&world, "bob", "first").await }
    });
    book.was_asked.notified().await;

    book.set("bob", None);
    let mut barrier = Box::pin(world.service.barrier(&world.space));
    let waited = tokio::time::timeout(Duration::from_millis(50), &mut barrier).await;
    assert!(waited.is_err(), "a push that was let in is not over yet");
    // Behind it, in the lane, since before the removal is done.
    let mut behind = Box::pin(one(&world, "bob", "second"));
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut behind).await.is_err());
    book.let_go();

    barrier.await.unwrap();
    assert!(world.value("first").await.is_some(), "it is durable when the barrier falls");
    assert!(pushing.await.unwrap().is_ok());
    assert_eq!(behind.await.unwrap_err().code(), Some("space_not_found"));
    assert_eq!(one(&world, "bob", "third").await.unwrap_err().code(), Some("space_not_found"));
    assert_eq!(world.state().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_accepted_after_a_removal_was_acknowledged() {
    let book = Book::of(&[("ada", Role::Owner)]);
    let world = world(&book).await;
    for round in 0..1000 {
        book.set("bob", Some(Role::Editor));
        let n_accepted = Arc::new(AtomicUsize::new(0));
        let pushes = (0..4).map(|n| {
            let (world, n_accepted) = (world.clone(), n_accepted.clone());
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                for attempt in 0.. {
                    match one(&world, "bob", &format!("{round}-{n}-{attempt}")).await {
                        Ok(version) => {
                            accepted.push(version);
                            n_accepted.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => {
                            assert_eq!(error.code(), Some("space_not_found"));
                            return accepted;
                        }
                    }
                }
                accepted
            })
        });
        let pushes: Vec<_> = pushes.collect();
        // They are at it: some pushes happen, and others are on their way.
        while n_accepted.load(Ordering::Relaxed) <= round % 3 {
            tokio::task::yield_now().await;
        }
        book.set("bob", None);
        world.service.barrier(&world.space).await.unwrap();
        // Acknowledged. What is accepted from here on would have a later version.
        let head = world.service.status(&actor("ada"), &world.space, false).await.unwrap().head;
        for pushed in join_all(pushes).await {
            let pushed = pushed.unwrap();
            assert!(pushed.iter().all(|version| *version <= head), "round {round}: {pushed:?} after {head}");
        }
    }
}

#[tokio::test]
async fn a_barrier_of_a_space_that_is_gone_is_down() {
    let world = World::new().await;
    world.service.delete_space(&world.space).await.unwrap();
    world.service.barrier(&world.space).await.unwrap();
}

#[tokio::test]
async fn who_cannot_be_asked_about_lets_nothing_happen() {
    #[derive(Debug)]
    struct Away;
    #[async_trait]
    impl Roles for Away {
        async fn roles(&self, _: &SpaceId, _: &[ActorId]) -> Result<HashMap<ActorId, Role>, Error> {
            Err(Error::new(ErrorKind::Unavailable, "the accounts are away"))
        }
    }
    let world = World::with(|builder| builder.roles(Arc::new(Away))).await;
    assert_eq!(one(&world, "ada", "a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(world.state().await.len(), 0);
}

#[tokio::test]
async fn a_repeated_batch_of_one_who_may_only_read_by_now_gets_its_answer() {
    let book = Book::of(&[("bob", Role::Editor)]);
    let world = world(&book).await;
    let first = push(&world, "bob", batch(1, vec![create("a", json!(1))])).await.unwrap();
    let PushReply::Done(done) = &first else { panic!("{first:?}") };
    assert!(matches!(done.outcomes[..], [Outcome::Applied { .. }]));

    book.set("bob", Some(Role::Viewer));
    let viewer = Actor::new(ActorId::new("bob").unwrap(), Role::Viewer);
    let again = batch(1, vec![create("a", json!(1))]);
    assert_eq!(world.service.push(&viewer, &world.space, again.clone()).await.unwrap(), first);
    let next = world.service.push(&viewer, &world.space, batch(2, vec![create("b", json!(1))])).await;
    assert_eq!(next.unwrap_err().code(), Some("forbidden_role"));

    // Who has no role at all is told nothing, not even what they did themselves.
    book.set("bob", None);
    let removed = push(&world, "bob", again).await;
    assert_eq!(removed.unwrap_err().code(), Some("space_not_found"));
    assert_eq!(world.state().await.keys().collect::<Vec<_>>(), [&key("a")]);
}

#[tokio::test]
async fn a_viewer_without_a_number_does_not_take_the_space_from_others() {
    let store = MemoryStore::default();
    let front = FaultyStore::new(Arc::new(store.clone()));
    let world = World::over(store, Arc::new(front.clone()), |builder| builder);
    world.service.create_space(&world.space).await.unwrap();
    let viewer = Actor::new(ActorId::new("eve").unwrap(), Role::Viewer);
    let request =
        PushRequest { batch: None, mutations: vec![create("a", json!(1))], after: None, receipt: None };
    let error = world.service.push(&viewer, &world.space, request).await.unwrap_err();
    assert_eq!((error.code(), front.n_calls_of(Call::BeginWrite)), (Some("forbidden_role"), 0));
}
