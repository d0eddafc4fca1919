//! Many writers of one durable record at a time.

use hyper::Method;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::bare::{Bare, GroupCommit};
use crate::data::{Sample, push_body, samples};
use crate::report::{Report, rate, start};
use crate::subject::{Place, Subject};

/// Goal of the design: at least this part of the bare group commit.
const GOAL: f64 = 0.50;

pub(crate) async fn run(report: &mut Report, n_writers: usize, n_each: usize) {
    let n = n_writers * n_each;
    let (mut grouped, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let subject = Subject::start(Place::Sqlite).await;
        let group = group_commit(Bare::create(subject.folder(), "group.db"), n_writers, n_each).await;
        let mut bare = Bare::create(subject.folder(), "alone.db");
        let samples = samples(n / 8);
        let clock = start();
        tokio::task::block_in_place(|| samples.chunks(1).for_each(|one| bare.write(one)));
        let each = rate(samples.len(), clock.elapsed());
        let pushed = push(&subject, n_writers, n_each).await;
        subject.stop().await;
        grouped.push((pushed, group));
        alone.push((pushed, each));
    }
    let what = format!("single durable mutations, {n_writers} writers over HTTP");
    report.add(&what, "bare group commit, as many writers", &grouped, Some(GOAL));
    report.add(&what, "bare, one commit each", &alone, None);
}

/// Every writer over a connection of its own, each waiting for its answer.
pub(crate) async fn push(subject: &Subject, n_writers: usize, n_each: usize) -> f64 {
    let mut writers = Vec::new();
    for bodies in bodies(n_writers, n_each) {
        writers.push((subject.client().await, bodies));
    }
    let clock = start();
    let mut tasks = JoinSet::new();
    for (mut client, bodies) in writers {
        let path = format!("{}/changes", subject.space);
        tasks.spawn(async move {
            for body in bodies {
                client.ok(Method::POST, &path, body).await;
            }
        });
    }
    tasks.join_all().await;
    rate(n_writers * n_each, clock.elapsed())
}

fn bodies(n_writers: usize, n_each: usize) -> Vec<Vec<String>> {
    let samples = samples(n_writers * n_each);
    let of_one = |samples: &[Sample]| samples.chunks(1).map(push_body).collect();
    samples.chunks(n_each).map(of_one).collect()
}

async fn group_commit(bare: Bare, n_writers: usize, n_each: usize) -> f64 {
    let group = GroupCommit::start(bare);
    let mut tasks = JoinSet::new();
    let mut samples = samples(n_writers * n_each).into_iter();
    let mine: Vec<Vec<Sample>> = (0..n_writers).map(|_| samples.by_ref().take(n_each).collect()).collect();
    let clock = start();
    for samples in mine {
        let writer = group.writer();
        tasks.spawn(async move {
            for sample in samples {
                let (reply, answer) = oneshot::channel();
                writer.send((sample, reply)).expect("the writer runs");
                answer.await.expect("the writer answers");
            }
        });
    }
    tasks.join_all().await;
    let written = rate(n_writers * n_each, clock.elapsed());
    group.stop();
    written
}
