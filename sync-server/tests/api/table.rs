//! The table of bad inputs as it is read, and what a row asks for.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HeaderMap;
use serde::Deserialize;

use super::forge::Forged;
use super::template::Values;
use super::world::{request, set_header};

/// All groups of rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    #[serde(rename = "group")]
    pub(crate) groups: Vec<Group>,
}

/// Rows that belong together, and what they have in common.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    pub(crate) area: String,
    pub(crate) title: String,
    pub(crate) about: Option<String>,
    pub(crate) ask: String,
    #[serde(rename = "as")]
    who: String,
    pub(crate) rows: Vec<Row>,
}

/// One input, and what is answered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) ask: Option<String>,
    #[serde(rename = "as")]
    who: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    mutation: Option<String>,
    data: Option<String>,
    hex: Option<String>,
    token: Option<Forged>,
    pub(crate) answer: String,
    pub(crate) pointer: Option<String>,
    pub(crate) limit: Option<u64>,
    pub(crate) stored: Option<String>,
    effect: Option<String>,
    pub(crate) see: Option<String>,
}

/// What a request may leave behind in its space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing at all.
    None,
    /// An entry of the audit log that says what was not done.
    Logged,
    /// What it asked for.
    Written,
    /// A change of accounts, and nothing in spaces.
    Accounts,
}

/// Whether a request is about accounts, and not about what is in a space.
pub(crate) fn is_of_accounts(ask: &str) -> bool {
    let (_, address) = ask.split_once(' ').unwrap();
    let of_a_space = address.strip_prefix("/v1/spaces/").and_then(|rest| rest.split_once('/'));
    address.starts_with("/v1/")
        && of_a_space.is_none_or(|(_, what)| what.starts_with("members") || what.starts_with("invites"))
}

impl Table {
    pub(crate) fn read() -> Self {
        toml::from_str(include_str!("../bad_input.toml")).unwrap()
    }

    /// The rows that are asked here, with their groups.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (&Group, &Row)> {
        let rows = self.groups.iter().flat_map(|group| group.rows.iter().map(move |row| (group, row)));
        rows.filter(|(_, row)| row.see.is_none())
    }
}

impl Row {
    /// The method and the address, values not filled in.
    pub(crate) fn ask<'a>(&'a self, group: &'a Group) -> &'a str {
        self.ask.as_deref().unwrap_or(&group.ask)
    }

    /// The status, and the words behind it.
    pub(crate) fn expected(&self) -> (u16, Vec<&str>) {
        let mut words = self.answer.split(' ');
        (words.next().unwrap().parse().unwrap(), words.collect())
    }

    /// What it may leave behind.
    pub(crate) fn effect(&self, group: &Group) -> Effect {
        let (status, words) = self.expected();
        let writes = ["applied", "merged", "conflict"];
        let ask = self.ask(group);
        match self.effect.as_deref() {
            Some("none") => Effect::None,
            Some("logged") => Effect::Logged,
            Some("accounts") => Effect::Accounts,
            Some(other) => panic!("no such effect: {other}"),
            None if is_of_accounts(ask) && !ask.starts_with("GET ") && status < 300 => Effect::Accounts,
            None if status == 201 || words.iter().any(|word| writes.contains(word)) => Effect::Written,
            None if status == 200 && !words.is_empty() => Effect::Logged,
            None if self.body.as_ref().is_some_and(|body| body.contains("{deletes:1000}")) => Effect::Logged,
            None => Effect::None,
        }
    }

    /// The request.
    pub(crate) fn request(&self, group: &Group, values: &Values) -> Request<Full<Bytes>> {
        let body = self.body(values);
        let mut headers = HeaderMap::new();
        set_header(&mut headers, "host", "h", true);
        if body.is_some() {
            set_header(&mut headers, "content-type", "application/json", true);
        }
        if let Some(token) = self.bearer(group, values) {
            set_header(&mut headers, "authorization", &format!("Bearer {token}"), true);
        }
        for (idx, (name, value)) in self.headers.iter().enumerate() {
            let is_first = !self.headers[..idx].iter().any(|(before, _)| before == name);
            set_header(&mut headers, name, &values.fill(value), is_first);
        }
        request(&values.fill(self.ask(group)), headers, body)
    }

    fn bearer(&self, group: &Group, values: &Values) -> Option<String> {
        if let Some(forged) = &self.token {
            return Some(forged.token(values));
        }
        match self.who.as_deref().unwrap_or(&group.who) {
            "nobody" => None,
            who => Some(values.get(&format!("{who}_token")).to_owned()),
        }
    }

    fn body(&self, values: &Values) -> Option<Bytes> {
        let mutation = self.data.as_ref().map(|data| {
            let id = self.id.to_lowercase();
            format!(r#"{{"op":"put","collection":"notes","id":"{id}","data":{}}}"#, values.fill(data))
        });
        let mutation = mutation.or_else(|| self.mutation.as_ref().map(|mutation| values.fill(mutation)));
        let body = mutation.map(|mutation| format!(r#"{{"mutations":[{mutation}]}}"#));
        let body = body.or_else(|| self.body.as_ref().map(|body| values.fill(body)));
        body.map(Bytes::from).or_else(|| self.hex.as_ref().map(|hex| bytes_of(hex)))
    }
}

fn bytes_of(hex: &str) -> Bytes {
    let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16).unwrap()).unwrap();
    hex.as_bytes().chunks(2).map(|pair| digit(&pair[0]) * 16 + digit(&pair[1])).collect()
}
