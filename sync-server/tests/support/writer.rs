//! A client that pushes with numbers, repeats what was not answered, and knows what must have become of it.
//!
//! Its own records are changed by nobody else, each time from the version it knows. So the server has exactly one
//! right answer: `applied`, with the next revision. A lost write, or one that happened twice, is a wrong answer.

use std::thread::sleep;

use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::reader::Reader;
use super::rng::Rng;
use super::server::{Account, LOOK, World};
use super::view::{Key, Seen, View};

/// Records of its own that a writer changes.
const N_OWN: usize = 60;
/// Mutations in a large batch.
const BATCH: usize = 50;
/// The record that all writers patch, each in a member of its own.
pub(crate) const BOARD: (&str, &str) = ("shared", "board");

/// One replica.
#[derive(Debug)]
pub(crate) struct Writer {
    account: Account,
    http: Http,
    pub(crate) client: String,
    rng: Rng,
    /// Content of this many characters goes into each record.
    padding: usize,
    /// Number of the next mutation.
    pub(crate) next: u64,
    pub(crate) own: Vec<Own>,
    /// How often it has patched the shared record.
    pub(crate) n_patches: u64,
    pending: Option<Batch>,
    /// The batch that was answered last, and the outcomes.
    last: Option<(String, Value)>,
    /// What it knows of the space, if it pulls with its pushes.
    pub(crate) follows: Option<Follows>,
    pub(crate) counts: Counts,
}

/// What a writer knows of a record of its own. Version 0: it has never written it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    pub(crate) version: i64,
    pub(crate) revision: i64,
    pub(crate) data: Option<Value>,
}

/// The state of a full sync.
#[derive(Debug)]
pub(crate) struct Follows {
    cursor: String,
    pub(crate) view: View,
}

impl Follows {
    /// What it knows after pulling to the end.
    pub(crate) fn caught_up(self, world: &World, account: &Account) -> View {
        let mut reader = Reader::new(world, account, 1000, 0).from(self.cursor, self.view);
        reader.finish();
        reader.view
    }
}

/// What happened to the batches of a writer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) answered: usize,
    pub(crate) unanswered: usize,
    pub(crate) repeated: usize,
    pub(crate) overloaded: usize,
    pub(crate) unavailable: usize,
    pub(crate) quarantined: usize,
    pub(crate) full: usize,
}

impl Counts {
    /// How often the storage refused. That it was busy is no fault of it: a shared machine may stall for seconds.
    pub(crate) fn refused(self) -> usize {
        self.unavailable + self.quarantined + self.full
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            answered: self.answered + other.answered,
            unanswered: self.unanswered + other.unanswered,
            repeated: self.repeated + other.repeated,
            overloaded: self.overloaded + other.overloaded,
            unavailable: self.unavailable + other.unavailable,
            quarantined: self.quarantined + other.quarantined,
            full: self.full + other.full,
        }
    }
}

#[derive(Debug)]
struct Batch {
    body: String,
    targets: Vec<Target>,
}

#[derive(Debug)]
enum Target {
    Own(usize, Option<Value>),
    Board,
}

impl Writer {
    /// The shared record must be there.
    pub(crate) fn new(world: &World, account: &Account, client: &str, rng: Rng) -> Self {
        Self {
            account: account.clone(),
            http: world.http(account),
            client: client.to_owned(),
            rng,
            padding: 20,
            next: 1,
            own: vec![Own::default(); N_OWN],
            n_patches: 0,
            pending: None,
            last: None,
            follows: None,
            counts: Counts::default(),
        }
    }

    pub(crate) fn padded(mut self, padding: usize) -> Self {
        self.padding = padding;
        self
    }

    /// Pulls with every push from now on.
    pub(crate) fn following(mut self) -> Self {
        let page = self.http.get(&self.account.path("changes")).unwrap().ok();
        let mut view = View::default();
        view.take_page(&page, 0);
        assert_eq!(page["has_more"], false);
        self.follows = Some(Follows { cursor: page["cursor"].as_str().unwrap().to_owned(), view });
        self
    }

    /// Pushes once: what was not answered, or something new. Says whether it was answered.
    pub(crate) fn step(&mut self) -> bool {
        if self.pending.is_none() && self.last.is_some() && self.rng.one_in(6) {
            return self.repeat();
        }
        let batch = self.pending.take().unwrap_or_else(|| self.compose());
        let answer = self.push(&batch.body);
        match answer {
            Some(answer) => self.settle(batch, &answer),
            None => self.pending = Some(batch),
        }
        self.pending.is_none()
    }

    /// Has what is unanswered answered.
    pub(crate) fn finish(&mut self) {
        while self.pending.is_some() {
            self.step();
        }
    }

    /// Sends the batch that was answered last once more: the answer must be the same.
    fn repeat(&mut self) -> bool {
        let (body, outcomes) = self.last.clone().unwrap();
        let Some(answer) = self.push(&body) else { return false };
        assert_eq!(answer["outcomes"], outcomes, "I2: a repeated batch got another answer");
        self.counts.repeated += 1;
        true
    }

    /// The answer to a push, or `None` when it has to be repeated.
    fn push(&mut self, body: &str) -> Option<Value> {
        let answer = self.http.post(&self.account.path("changes"), body);
        match answer {
            Ok(answer) if answer.status == 200 => return Some(answer.json()),
            Ok(answer) => self.count_refusal(&answer),
            Err(_) => self.counts.unanswered += 1,
        }
        sleep(LOOK);
        None
    }

    /// Only the storage may refuse, and in the form of a problem.
    fn count_refusal(&mut self, answer: &Answer) {
        match (answer.status, answer.code().as_str()) {
            (503, "overloaded") => self.counts.overloaded += 1,
            (503, "storage_unavailable") => self.counts.unavailable += 1,
            // How SQLite reports a disk that cannot be read.
            (503, "space_quarantined") => self.counts.quarantined += 1,
            (507, "storage_full") => self.counts.full += 1,
            _ => panic!("a push was refused: {answer:?}"),
        }
    }

    fn compose(&mut self) -> Batch {
        let mutations: Vec<(Target, Value)> = match self.rng.below(10) {
            0 | 1 => vec![self.patch()],
            2 | 3 => {
                let first = self.rng.below(N_OWN);
                (first..first + BATCH).map(|idx| self.change(idx % N_OWN)).collect()
            }
            _ => {
                let idx = self.rng.below(N_OWN);
                vec![self.change(idx)]
            }
        };
        let (targets, mutations): (Vec<_>, Vec<_>) = mutations.into_iter().unzip();
        let mut body = json!({"client_id": self.client, "first": self.next, "mutations": mutations});
        if let Some(follows) = &self.follows {
            body["after"] = json!(follows.cursor);
        }
        Batch { body: body.to_string(), targets }
    }

    /// A put of a record of its own, or now and then its deletion.
    fn change(&mut self, idx: usize) -> (Target, Value) {
        let own = &self.own[idx];
        let is_delete = own.data.is_some() && self.rng.one_in(8);
        let (_, id) = self.key(idx);
        let mut mutation = json!({"collection": "own", "id": id, "base_version": own.version});
        if is_delete {
            mutation["op"] = json!("delete");
            return (Target::Own(idx, None), mutation);
        }
        // The revision makes every state of a record another one.
        let data = json!({"revision": own.revision + 1, "text": "x".repeat(self.padding)});
        mutation["op"] = json!("put");
        mutation["data"] = data.clone();
        (Target::Own(idx, Some(data)), mutation)
    }

    fn patch(&mut self) -> (Target, Value) {
        let mut edit = json!({"path": format!("/{}", self.client), "now": self.n_patches + 1});
        if self.n_patches > 0 {
            edit["was"] = json!(self.n_patches);
        }
        let (collection, id) = BOARD;
        (Target::Board, json!({"op": "patch", "collection": collection, "id": id, "patch": [edit]}))
    }

    /// Checks an answer against what it must be, and notes it.
    fn settle(&mut self, batch: Batch, answer: &Value) {
        let outcomes = answer["outcomes"].as_array().unwrap();
        assert_eq!(outcomes.len(), batch.targets.len(), "{answer}");
        if let Some(follows) = &mut self.follows {
            follows.view.take_page(answer, 0);
            follows.cursor = answer["cursor"].as_str().unwrap().to_owned();
        }
        let mut last = 0;
        for (target, outcome) in batch.targets.into_iter().zip(outcomes) {
            let version = outcome["version"].as_i64().unwrap();
            assert!(version > last, "I5: versions of a batch ascend: {answer}");
            last = version;
            self.settle_one(target, outcome, version);
        }
        self.next += u64::try_from(outcomes.len()).unwrap();
        self.last = Some((batch.body, answer["outcomes"].clone()));
        self.counts.answered += 1;
    }

    fn settle_one(&mut self, target: Target, outcome: &Value, version: i64) {
        let (key, data) = match target {
            Target::Own(idx, data) => {
                let revision = self.own[idx].revision + 1;
                let (word, now) = (&outcome["outcome"], outcome["revision"].as_i64());
                let what = format!("I1, I2: {} {:?}: {outcome}", self.client, self.own[idx]);
                assert!(word == "applied" && now == Some(revision), "{what}");
                assert!(version > self.own[idx].version, "I5: {what}");
                self.own[idx] = Own { version, revision, data: data.clone() };
                (self.key(idx), data)
            }
            Target::Board => {
                self.n_patches += 1;
                let (data, client) = (&outcome["data"], &self.client);
                assert_eq!(data[client], self.n_patches, "I1, I2: {client}: {outcome}");
                ((BOARD.0.to_owned(), BOARD.1.to_owned()), Some(data.clone()))
            }
        };
        if let Some(follows) = &mut self.follows {
            follows.view.take(key, Seen { version, data });
        }
    }

    pub(crate) fn key(&self, idx: usize) -> Key {
        ("own".to_owned(), format!("{}-{idx}", self.client))
    }
}
