//! That the scripts get about: a comparison of two stores that were asked nothing finds nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::request::{self, Reply, Request};
use super::script::Script;
use super::session::Session;
use super::step::{Answer, Call, Player, Step};
use super::{REQUESTS, SEEDS, STEPS};
use crate::clock::ManualClock;
use crate::mutation::Outcome;
use crate::protocol::{PullReply, PushReply};
use crate::runtime::TokioRuntime;
use crate::service::Resolved;
use crate::store::MemoryStore;

type Seen = BTreeMap<String, usize>;

fn note(seen: &mut Seen, what: impl Into<String>) {
    *seen.entry(what.into()).or_default() += 1;
}

/// Everything that the usual seeds meet in a space.
async fn met_by_scripts() -> Seen {
    let mut seen = Seen::new();
    for seed in SEEDS {
        let memory = MemoryStore::default();
        let script = Script::new(seed, memory.clone());
        let mut player = Player::new(Arc::new(memory));
        for _ in 0..STEPS {
            let step = script.next().await.unwrap();
            let answers = player.play(&step).await;
            if let (Step::Transaction { calls, commits: true, .. }, Some(Answer::Done)) =
                (&step, answers.last())
            {
                calls.iter().for_each(|call| note_write(&mut seen, call));
            }
            answers.iter().for_each(|answer| note_answer(&mut seen, answer));
        }
    }
    seen
}

fn note_write(seen: &mut Seen, call: &Call) {
    let Call::Apply(write) = call else { return };
    note(seen, format!("write of {} commits", write.commits.len()));
    write.records.iter().filter(|record| record.is_deleted()).for_each(|_| note(seen, "deletion"));
    write.records.iter().filter(|record| record.data_len() > 1 << 19).for_each(|_| note(seen, "huge"));
    write.purges.iter().for_each(|_| note(seen, "purge"));
    write.clients.iter().for_each(|_| note(seen, "client"));
    write.log.iter().for_each(|_| note(seen, "log"));
}

fn note_answer(seen: &mut Seen, answer: &Answer) {
    match answer {
        Answer::Refused(kind, _) => note(seen, format!("{kind:?}")),
        Answer::Records(found) => {
            found.iter().for_each(|record| note(seen, format!("found {}", record.is_some())))
        }
        Answer::Page(page) => note(seen, format!("page {} {}", page.records.len().min(3), page.more)),
        Answer::Clients(found) => note(seen, format!("clients {}", found.len().min(1))),
        Answer::Commits(found) => note(seen, format!("commits {}", found.len().min(2))),
        Answer::Collected(done) => note(seen, format!("collected {} {}", done.n_removed.min(1), done.more)),
        _ => {}
    }
}

#[tokio::test]
async fn scripts_meet_everything_a_store_can_answer() {
    let seen = met_by_scripts().await;
    let wanted = [
        "write of 0 commits",
        "write of 1 commits",
        "write of 2 commits",
        "deletion",
        "huge",
        "purge",
        "client",
        "log",
        "AlreadyExists",
        "Internal",
        "NotFound",
        "found true",
        "found false",
        "page 0 false",
        "page 0 true",
        "page 3 true",
        "page 3 false",
        "clients 1",
        "clients 0",
        "commits 2",
        "commits 1",
        "commits 0",
        "collected 1 true",
        "collected 1 false",
        "collected 0 true",
    ];
    for what in wanted {
        assert!(seen.contains_key(what), "no script meets {what:?}: {seen:#?}");
    }
}

/// Everything that the usual seeds are told by a service.
async fn met_by_sessions() -> Seen {
    let mut seen = Seen::new();
    for seed in SEEDS {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::default());
        let service = request::service(seed, store, Arc::new(TokioRuntime), clock.clone());
        let mut session = Session::new(seed, clock);
        for _ in 0..REQUESTS {
            let (space, request) = session.next();
            let reply = request.ask(&service, &space).await;
            note_reply(&mut seen, &request, &reply);
            session.learn(&space, &request, &reply);
        }
    }
    seen
}

fn note_reply(seen: &mut Seen, request: &Request, reply: &Reply) {
    match reply {
        Reply::Refused { kind, code, .. } => note(seen, code.map_or(format!("{kind:?}"), str::to_owned)),
        Reply::Pushed(PushReply::Done(done)) => {
            for outcome in &done.outcomes {
                let code = if let Outcome::Rejected { code, .. } = outcome {
                    format!(", {code}")
                } else {
                    String::new()
                };
                note(seen, format!("{}{code}", outcome.as_str()));
            }
            note(seen, format!("pushed, page {}", done.page.is_some()));
        }
        Reply::Pushed(PushReply::ClientForked) => note(seen, "forked"),
        Reply::Pushed(PushReply::MutationGap { .. }) => note(seen, "gap"),
        Reply::Pushed(PushReply::ResyncRequired(resync)) => {
            note(seen, format!("pushed, {}", resync.reason.as_str()))
        }
        Reply::Pulled(PullReply::ResyncRequired(resync)) => note(seen, resync.reason.as_str()),
        Reply::Pulled(PullReply::Page(page)) => note(seen, format!("pulled, more {}", page.has_more)),
        Reply::Snapshot(page) => note(seen, format!("snapshot, more {}", page.next.is_some())),
        Reply::Resolved(Resolved::Done(outcome)) => note(seen, format!("resolved, {}", outcome.as_str())),
        Reply::Resolved(Resolved::Moved { .. }) => note(seen, "resolved, moved"),
        Reply::Collected(report) => note(seen, format!("collected {}", report.n_removed.min(1))),
        Reply::Conflicts(conflicts, _) => note(seen, format!("conflicts {}", conflicts.len().min(1))),
        _ => note(seen, format!("{request:?}").chars().take_while(|c| c.is_alphabetic()).collect::<String>()),
    }
}

#[tokio::test]
async fn sessions_meet_everything_a_service_can_answer() {
    let seen = met_by_sessions().await;
    let wanted = [
        "applied",
        "unchanged",
        "merged",
        "conflict",
        "superseded",
        "rejected, clock_drift",
        "rejected, precondition_required",
        "rejected, version_out_of_range",
        "rejected, content_needed",
        "rejected, validation_failed",
        "rejected, version_conflict",
        "rejected, not_found",
        "forked",
        "gap",
        "epoch_changed",
        "horizon",
        "pushed, epoch_changed",
        "pushed, horizon",
        "pushed, page true",
        "pulled, more true",
        "snapshot, more true",
        "resolved, applied",
        "resolved, unchanged",
        "resolved, moved",
        "version_conflict",
        "conflicts 1",
        "collected 1",
        "forbidden_client",
        "forbidden_role",
        "invalid_cursor",
        "body_too_large",
        "validation_failed",
        "space_not_found",
        "AlreadyExists",
        "Status",
        "Records",
        "Log",
    ];
    for what in wanted {
        assert!(seen.contains_key(what), "no session meets {what:?}: {seen:#?}");
    }
}
