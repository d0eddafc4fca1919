//! The whole feed, page by page over HTTP.

use hyper::Method;

use crate::bare::Bare;
use crate::data::{push_bodies, samples};
use crate::report::{Report, rate, start};
use crate::subject::{Place, Subject};

/// Goal of the design: at least this part of the bare loop.
const GOAL: f64 = 0.70;

pub(crate) async fn run(report: &mut Report, n: usize) {
    let samples = samples(n);
    let subject = Subject::start(Place::Sqlite).await;
    subject.fill(&push_bodies(&samples, 1000)).await;
    let mut bare = Bare::create(subject.folder(), "bare.db");
    samples.chunks(1000).for_each(|batch| bare.write(batch));
    let mut pairs = Vec::new();
    for _ in 0..report.rounds() {
        let clock = start();
        tokio::task::block_in_place(|| assert!(bare.select_to_json() > n * 100));
        let reference = rate(n, clock.elapsed());
        let clock = start();
        pull(&subject, n).await;
        pairs.push((rate(n, clock.elapsed()), reference));
    }
    subject.stop().await;
    report.add("pull, HTTP, pages of 1,000 (records)", "bare SELECT to JSON", &pairs, Some(GOAL));
}

/// Everything there is.
pub(crate) async fn pull(subject: &Subject, n: usize) {
    let mut client = subject.client().await;
    let mut cursor = String::new();
    let mut n_pages = 0;
    loop {
        let path = format!("{}/changes?limit=1000{cursor}", subject.space);
        let page = client.ok(Method::GET, &path, "").await;
        // A client reads more than this, but that is not what is measured.
        let tail = String::from_utf8_lossy(&page[page.len().saturating_sub(200)..]).into_owned();
        let (_, rest) = tail.split_once("\"cursor\":\"").expect("a page ends with its cursor");
        let (token, rest) = rest.split_once('"').expect("the cursor is a string");
        cursor = format!("&after={token}");
        n_pages += 1;
        if rest.contains("\"has_more\":false") {
            break;
        }
    }
    assert_eq!(n_pages, n.div_ceil(1000));
}
