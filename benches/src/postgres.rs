//! The same on Postgres: a throw-away cluster with the settings of a real one, against what it does alone.
//!
//! - bulk pushes, against bare loops of `UNNEST` and of `COPY`
//! - many writers of one durable record each, against a bare group commit and one commit each
//! - the whole feed by pages, against a bare SELECT
//! - what accounts cost
//! - the same writers over one, two and three server processes, each with spaces of their own

mod bare;
mod processes;

pub(crate) use processes::serve;

use postgres_testing::Cluster;

use crate::data::{Sample, push_bodies, samples};
use crate::postgres::bare::Bare;
use crate::report::{Report, rate, start};
use crate::subject::{Place, Subject};
use crate::{Options, accounts, bulk_push, live, pull, single_push};

/// Runs those that are wanted; says so where there is no Postgres.
#[expect(clippy::print_stderr, reason = "a bench talks to its terminal")]
pub(crate) async fn run(report: &mut Report, options: &Options) {
    // Durable, unlike the clusters of tests: what a commit costs is what is measured.
    let settings =
        [("fsync", "on"), ("full_page_writes", "on"), ("shared_buffers", "256MB"), ("max_wal_size", "4GB")];
    let Some(cluster) = tokio::task::block_in_place(|| Cluster::start(&settings)) else {
        eprintln!("the benches on Postgres are skipped: its programs are not here");
        return;
    };
    let url = cluster.url();
    if options.wants("bulk-push") {
        bulk(report, &url, options.records).await;
    }
    if options.wants("single-push") {
        singles(report, &url, options.writers, options.singles).await;
    }
    if options.wants("pull") {
        feed(report, &url, options.records).await;
    }
    if options.wants("accounts") {
        accounts::run(report, Place::Postgres(&url), options.writers, options.singles).await;
    }
    if options.wants("processes") {
        processes::run(report, &url, options.writers, options.singles).await;
    }
    if options.wants("live") {
        live::run_on_postgres(report, &url).await;
    }
}

async fn bulk(report: &mut Report, url: &str, n: usize) {
    let samples = samples(n);
    let bodies = push_bodies(&samples, bulk_push::BATCH);
    let (mut unnest, mut copy, mut two) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let unnested = written(url, &samples, Way::Unnest).await;
        let copied = written(url, &samples, Way::Copy).await;
        let pushed = bulk_push::push(Place::Postgres(url), &bodies, n, 1).await;
        unnest.push((pushed, unnested));
        copy.push((pushed, copied));
        two.push((bulk_push::push(Place::Postgres(url), &bodies, n, 2).await, unnested));
    }
    report.add(
        "Postgres: bulk push, HTTP, 1 client (records)",
        "bare UNNEST upsert, 1,000 a commit",
        &unnest,
        None,
    );
    report.add("Postgres: bulk push, HTTP, 1 client (records)", "bare COPY, 1,000 a commit", &copy, None);
    report.add(
        "Postgres: bulk push, HTTP, 2 clients (records)",
        "bare UNNEST upsert, 1,000 a commit",
        &two,
        None,
    );
}

#[derive(Clone, Copy)]
enum Way {
    Unnest,
    Copy,
}

async fn written(url: &str, samples: &[Sample], way: Way) -> f64 {
    let mut bare = Bare::create(url).await;
    let clock = start();
    for batch in samples.chunks(bulk_push::BATCH) {
        match way {
            Way::Unnest => bare.unnest(batch).await,
            Way::Copy => bare.copy(batch).await,
        }
    }
    rate(samples.len(), clock.elapsed())
}

async fn singles(report: &mut Report, url: &str, n_writers: usize, n_each: usize) {
    let (mut grouped, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let group = bare::group_commit(Bare::create(url).await, n_writers, n_each).await;
        let mut bare = Bare::create(url).await;
        let samples = samples(n_writers * n_each / 8);
        let clock = start();
        for one in samples.chunks(1) {
            bare.unnest(one).await;
        }
        let each = rate(samples.len(), clock.elapsed());
        let subject = Subject::start(Place::Postgres(url)).await;
        let pushed = single_push::push(&subject, n_writers, n_each).await;
        subject.stop().await;
        grouped.push((pushed, group));
        alone.push((pushed, each));
    }
    let what = format!("Postgres: single durable mutations, {n_writers} writers over HTTP");
    report.add(&what, "bare group commit, as many writers", &grouped, None);
    report.add(&what, "bare, one commit each", &alone, None);
}

async fn feed(report: &mut Report, url: &str, n: usize) {
    let samples = samples(n);
    let subject = Subject::start(Place::Postgres(url)).await;
    subject.fill(&push_bodies(&samples, bulk_push::BATCH)).await;
    let mut bare = Bare::create(url).await;
    for batch in samples.chunks(bulk_push::BATCH) {
        bare.unnest(batch).await;
    }
    bare.analyze().await;
    let mut pairs = Vec::new();
    for _ in 0..report.rounds() {
        let clock = start();
        assert!(bare.select_to_json().await > n * 100);
        let reference = rate(n, clock.elapsed());
        let clock = start();
        pull::pull(&subject, n).await;
        pairs.push((rate(n, clock.elapsed()), reference));
    }
    subject.stop().await;
    report.add(
        "Postgres: pull, HTTP, pages of 1,000 (records)",
        "bare SELECT to JSON, the same pages",
        &pairs,
        None,
    );
}
