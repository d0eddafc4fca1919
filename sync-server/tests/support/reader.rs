//! A client that chains cursors page by page, over all restarts of the server.

use std::thread::sleep;

use super::http::Http;
use super::server::{Account, LOOK, World};
use super::view::View;

/// Follows the feed of one space.
#[derive(Debug)]
pub(crate) struct Reader {
    account: Account,
    http: Http,
    limit: usize,
    wait_s: usize,
    cursor: Option<String>,
    last: i64,
    pub(crate) view: View,
    /// Pages that did not come.
    pub(crate) n_unanswered: usize,
    /// Pages that came.
    pub(crate) n_pages: usize,
}

impl Reader {
    /// With `wait_s` above zero it polls long.
    pub(crate) fn new(world: &World, account: &Account, limit: usize, wait_s: usize) -> Self {
        Self {
            account: account.clone(),
            http: world.http(account),
            limit,
            wait_s,
            cursor: None,
            last: 0,
            view: View::default(),
            n_unanswered: 0,
            n_pages: 0,
        }
    }

    /// Goes on from a cursor at which `view` was what was known.
    pub(crate) fn from(mut self, cursor: String, view: View) -> Self {
        (self.cursor, self.view) = (Some(cursor), view);
        self
    }

    /// Asks for the next page; says whether there is nothing more for now.
    pub(crate) fn step(&mut self) -> bool {
        let after = self.cursor.as_ref().map_or(String::new(), |cursor| format!("&after={cursor}"));
        let path = self.account.path(&format!("changes?limit={}&wait={}{after}", self.limit, self.wait_s));
        let Ok(answer) = self.http.get(&path) else {
            self.n_unanswered += 1;
            sleep(LOOK);
            return false;
        };
        if answer.status == 503 {
            answer.code();
            sleep(LOOK);
            return false;
        }
        // In particular not 410: no cursor ends because of a crash.
        let page = answer.ok();
        self.n_pages += 1;
        self.last = self.view.take_page(&page, self.last);
        self.cursor = Some(page["cursor"].as_str().unwrap().to_owned());
        !page["has_more"].as_bool().unwrap()
    }

    /// Reads to the end of a space that nobody changes any more.
    pub(crate) fn finish(&mut self) {
        self.wait_s = 0;
        while !self.step() {}
    }
}
