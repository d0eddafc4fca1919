//! What accounts cost: finding out who asks and what they may do, and asking for roles once more in every commit.
//!
//! - a pull with nothing to tell, and a push of one durable record, over HTTP by one client; the reference is what each of
//!   them does first: from the token to a member of the space. The ratio is its share of the whole request.
//! - pushes of many writers, against a server that believes in its commits what was found out before them

use std::collections::HashMap;

use hyper::Method;
use sync_core::service::Roles;
use sync_core::{ActorId, Result, Role, SpaceId};
use sync_server::identity::{Identity, Presented};

use crate::data::{push_body, samples};
use crate::report::{Report, rate, start};
use crate::single_push;
use crate::subject::{Place, Subject};

/// Everyone who came in is an owner.
#[derive(Debug)]
struct Believing;

#[async_trait::async_trait]
impl Roles for Believing {
    async fn roles(&self, _: &SpaceId, actors: &[ActorId]) -> Result<HashMap<ActorId, Role>> {
        Ok(actors.iter().map(|actor| (actor.clone(), Role::Owner)).collect())
    }
}

pub(crate) async fn run(report: &mut Report, place: Place<'_>, n_writers: usize, n_each: usize) {
    let n = n_each * 10;
    let (mut pulls, mut pushes, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let subject = Subject::start(place).await;
        let checked = check(&subject.identity, &subject.token, &subject.space, n).await;
        pulls.push((pull(&subject, n).await, checked));
        pushes.push((push(&subject, n).await, checked));
        let asking = single_push::push(&subject, n_writers, n_each).await;
        subject.stop().await;
        let subject =
            Subject::start_with(place, |service| service.roles(std::sync::Arc::new(Believing))).await;
        commits.push((asking, single_push::push(&subject, n_writers, n_each).await));
        subject.stop().await;
    }
    let named = |what: &str| format!("{}{what}", place.prefix());
    let check = "who asks and what they may do, alone";
    report.add(&named("pull of nothing, HTTP, 1 client"), check, &pulls, None);
    report.add(&named("push of one record, HTTP, 1 client"), check, &pushes, None);
    let what = named(&format!("single durable mutations, {n_writers} writers, roles asked in the commit"));
    report.add(&what, "the same, roles not asked", &commits, None);
}

async fn check(identity: &Identity, token: &str, space: &str, n: usize) -> f64 {
    let space = SpaceId::new(space.trim_start_matches("/v1/spaces/")).expect("the server made this name");
    let clock = start();
    for _ in 0..n {
        let who = identity.signed_in(Presented::Bearer(token)).await.expect("the token is in use");
        identity.member(&who, &space).await.expect("it is their space");
    }
    rate(n, clock.elapsed())
}

async fn pull(subject: &Subject, n: usize) -> f64 {
    let mut client = subject.client().await;
    let path = format!("{}/changes", subject.space);
    let clock = start();
    for _ in 0..n {
        client.ok(Method::GET, &path, "").await;
    }
    rate(n, clock.elapsed())
}

async fn push(subject: &Subject, n: usize) -> f64 {
    let mut client = subject.client().await;
    let path = format!("{}/changes", subject.space);
    let bodies: Vec<String> = samples(n).chunks(1).map(push_body).collect();
    let clock = start();
    for body in bodies {
        client.ok(Method::POST, &path, body).await;
    }
    rate(n, clock.elapsed())
}
