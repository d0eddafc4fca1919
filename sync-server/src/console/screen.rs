//! What is shown: reports, as text for people or as JSON for scripts, on standard output.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::json;

use super::failure::Failure;
use super::table::{Table, behind, day};
use crate::operate::{
    DeviceLine, InviteLine, InviteReport, LinkReport, MemberLine, Report, SpaceLine, SpaceReport, UserLine,
    UserReport,
};

/// Where and how to show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    json: bool,
}

impl Screen {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Something that is done: a sentence for people.
    pub(super) fn done(self, text: &str) -> Result<(), Failure> {
        if self.json { self.line(&json!({"done": true}).to_string()) } else { self.line(text) }
    }

    /// A report.
    pub(super) fn report(self, report: &Report) -> Result<(), Failure> {
        match report {
            Report::Done => self.done("done"),
            Report::Users(page) => self.list(&page.items, |users| users_table(users).to_string()),
            Report::User(user) => self.one(user.as_ref(), user_text),
            Report::Devices(devices) => self.list(devices, |devices| devices_table(devices).to_string()),
            Report::Spaces(page) => self.list(&page.items, |spaces| spaces_table(spaces).to_string()),
            Report::Space(space) => self.one(space.as_ref(), space_text),
            Report::Members(members) => self.list(members, |members| members_table(members).to_string()),
            Report::Invite(invite) => self.one(invite, invite_text),
            Report::Invites(invites) => self.list(invites, |invites| invites_table(invites).to_string()),
            Report::Link(link) => self.one(link, link_text),
            Report::Pairing(pairing) => self.one(pairing, |pairing| pairing.url.reveal().to_owned()),
            Report::Progress(progress) => self.one(progress, |progress| format!("{progress:?}")),
        }
    }

    /// One thing.
    pub(super) fn one<T: Serialize>(self, thing: &T, text: impl Fn(&T) -> String) -> Result<(), Failure> {
        self.line(&if self.json { in_json(thing)? } else { text(thing) })
    }

    fn list<T: Serialize>(self, things: &[T], text: impl Fn(&[T]) -> String) -> Result<(), Failure> {
        if !self.json {
            return self.line(&text(things));
        }
        things.iter().try_for_each(|thing| self.line(&in_json(thing)?))
    }

    fn line(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout();
        writeln!(stdout, "{}", text.trim_end())?;
        Ok(stdout.flush()?)
    }
}

fn in_json<T: Serialize>(thing: &T) -> Result<String, Failure> {
    serde_json::to_string(thing).map_err(|error| format!("cannot write the answer: {error}").into())
}

fn users_table(users: &[UserLine]) -> Table {
    let mut table = Table::new(&["USER", "NAME", "ADDRESS", "PASSWORD", "SINCE (UTC)"]);
    for user in users {
        let address = user.address.clone().unwrap_or_default();
        let password = if user.has_password { "yes" } else { "no" };
        table.row([user.user.to_string(), user.name.clone(), address, password.into(), day(user.created_at)]);
    }
    table
}

fn user_text(report: &UserReport) -> String {
    let UserReport { user, spaces, devices } = report;
    let mut rooms = Table::new(&["SPACE", "ROLE", ""]);
    for (space, role) in spaces {
        let personal = if user.space.as_ref() == Some(space) { "personal" } else { "" };
        rooms.row([space.to_string(), role.as_str().into(), personal.into()]);
    }
    format!("{}\n{rooms}\n{}", users_table(std::slice::from_ref(user)), devices_table(devices))
}

fn devices_table(devices: &[DeviceLine]) -> Table {
    let mut table = Table::new(&["DEVICE", "NAME", "PLATFORM", "KIND", "SINCE (UTC)", "LAST SYNC (UTC)", ""]);
    for one in devices {
        let lag = one.spaces.iter().map(|space| space.lag_us).max();
        table.row([
            one.device.to_string(),
            one.name.clone(),
            one.platform.clone().unwrap_or_default(),
            one.kind.clone(),
            day(one.created_at),
            one.last_sync_at.map_or_else(|| "never".to_owned(), day),
            lag.map_or_else(String::new, behind),
        ]);
    }
    table
}

fn spaces_table(spaces: &[SpaceLine]) -> Table {
    let mut table = Table::new(&["SPACE", "NAME", "SINCE (UTC)"]);
    for SpaceLine { space, name, created_at } in spaces {
        let name = name.as_ref().map_or_else(String::new, |name| name.as_str().to_owned());
        table.row([space.to_string(), name, created_at.map_or_else(String::new, day)]);
    }
    table
}

fn space_text(report: &SpaceReport) -> String {
    let SpaceReport { space, head, n_records, collections, members } = report;
    let mut counts = Table::new(&["COLLECTION", "RECORDS"]);
    for (collection, n_records) in collections {
        counts.row([collection.to_string(), n_records.to_string()]);
    }
    let spaces = spaces_table(std::slice::from_ref(space));
    let members = members_table(members);
    format!("{spaces}\n{n_records} records, head {}\n\n{counts}\n{members}", head.get())
}

fn members_table(members: &[MemberLine]) -> Table {
    let mut table = Table::new(&["USER", "NAME", "ROLE"]);
    for member in members {
        let name = member.name.clone().unwrap_or_default();
        table.row([member.user.to_string(), name, member.role.as_str().to_owned()]);
    }
    table
}

fn invites_table(invites: &[InviteLine]) -> Table {
    let mut table = Table::new(&["INVITE", "ROLE", "FOR", "BY", "UNTIL (UTC)"]);
    for invite in invites {
        table.row([
            invite.id.to_string(),
            invite.role.map_or_else(String::new, |role| role.as_str().to_owned()),
            invite.address.clone().unwrap_or_else(|| "anyone".to_owned()),
            invite.by.as_ref().map_or_else(|| "an operator".to_owned(), ToString::to_string),
            day(invite.expires_at),
        ]);
    }
    table
}

fn invite_text(invite: &InviteReport) -> String {
    let until = day(invite.expires_at);
    format!(
        "{}\n\nWhoever opens it may come in. Good once, until {until} UTC. To take it back: uninvite {}",
        invite.url.reveal(),
        invite.id
    )
}

fn link_text(link: &LinkReport) -> String {
    let until = day(link.expires_at);
    format!(
        "{}\n\nWhoever opens it is signed in as this user. Good once, until {until} UTC.",
        link.url.reveal()
    )
}
