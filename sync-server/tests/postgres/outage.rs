//! Postgres goes away and comes back, and the servers need no help.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use postgres_testing::{Cluster, Shutdown};

use crate::line::Line;
use crate::site::{Site, ready};
use crate::support::crowd::account;
use crate::support::http::Http;
use crate::support::in_flight::{ARRIVED, long_poll, small_push};
use crate::support::server::{Account, Process, World};

/// How long a refusal may take: looking for a database takes 5 s at most, twice in one request, and machines stall.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);
/// I14.
const RECOVERED_WITHIN: Duration = Duration::from_secs(30);

fn assert_refused(world: &World, account: &Account, path: &str, body: Option<String>) {
    let (mut http, begun) = (world.http(account), Instant::now());
    let answer = match body {
        None => http.get(path).unwrap(),
        Some(body) => http.post(path, &body).unwrap(),
    };
    assert_eq!(answer.status, 503, "{path}: {answer:?}");
    let (code, took) = (answer.code(), begun.elapsed());
    assert!(["storage_unavailable", "overloaded"].contains(&code.as_str()), "{path}: {answer:?}");
    println!("outage: {path} was refused after {took:?}: {code}");
    assert!(took < REFUSED_WITHIN, "{path} was refused only after {took:?}");
}

fn assert_refuses(world: &World, account: &Account) {
    let login = r#"{"username":"ada","password":"correct horse battery"}"#;
    let requests = [
        ("/ready".to_owned(), None),
        (account.path("changes"), None),
        (account.path("snapshot"), None),
        (account.path("status"), None),
        (account.path("changes"), Some(small_push(0))),
        ("/v1/auth/login".to_owned(), Some(login.to_owned())),
        ("/v1/auth/register".to_owned(), Some(login.replace("ada", "eve"))),
    ];
    std::thread::scope(|scope| {
        for (path, body) in requests {
            scope.spawn(move || assert_refused(world, account, &path, body));
        }
    });
    Http::new(&world.addresses, None).get("/health").unwrap().ok();
}

#[test]
fn servers_refuse_while_postgres_is_down_and_recover_by_themselves() {
    let Some(site) = Site::start(2) else { return };
    survive(site);
}

/// A port at which nobody listens is tried again for a while; a socket that is not there is not.
#[test]
fn servers_that_reach_postgres_at_a_port_refuse_and_recover_too() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let Some(cluster) = Cluster::start(&[("listen_addresses", "127.0.0.1"), ("port", &port)]) else { return };
    survive(Site::on(cluster, &format!("postgres://postgres@127.0.0.1:{port}/postgres"), 2));
}

fn survive(mut site: Site) {
    let ada = account(&site.world, "ada");
    let mut waiting = long_poll(&site.world.only(1), &ada);
    std::thread::sleep(ARRIVED);
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        site.cluster.stop(how);
        std::thread::scope(|scope| {
            for n in 0..2 {
                let (world, ada) = (site.world.only(n), &ada);
                scope.spawn(move || assert_refuses(&world, ada));
            }
        });
        site.cluster.start_again();
        let begun = Instant::now();
        for address in &site.world.addresses {
            ready(address, RECOVERED_WITHIN);
        }
        site.world.register(&format!("new-{how:?}"));
        println!("outage: recovered after {:?}", begun.elapsed());
    }
    // Who has waited all the while hears of the first change.
    site.world.only(0).http(&ada).post(&ada.path("changes"), &small_push(0)).unwrap().ok();
    let page = waiting.answer().unwrap().ok();
    assert_eq!(page["changes"][0]["id"], "0", "{page}");
    site.processes.iter_mut().for_each(Process::assert_alive);
    site.stop();
}

/// As when a cable is pulled: no connection ends, and no limit of the database is of any use.
#[test]
fn servers_refuse_while_postgres_is_silent_and_recover_too() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let line = Line::to(cluster.socket_dir());
    let site = Site::on(cluster, &format!("postgres://postgres@{}/postgres", line.address), 1);
    let ada = account(&site.world, "ada");
    site.world.http(&ada).post(&ada.path("changes"), &small_push(0)).unwrap().ok();
    line.fall_silent();
    assert_refuses(&site.world, &ada);
    line.speak_again();
    ready(&site.world.addresses[0], RECOVERED_WITHIN);
    site.world.http(&ada).post(&ada.path("changes"), &small_push(1)).unwrap().ok();
    site.stop();
}

/// What only a person can mend is a refusal to come back, too, and is told by `/ready`.
#[test]
fn servers_refuse_while_tables_are_missing_and_recover_when_they_are_back() {
    let Some(site) = Site::start(1) else { return };
    let ada = account(&site.world, "ada");
    site.world.http(&ada).post(&ada.path("changes"), &small_push(0)).unwrap().ok();
    site.sql("ALTER SCHEMA sync RENAME TO away");
    assert_refuses(&site.world, &ada);
    site.sql("ALTER SCHEMA away RENAME TO sync");
    ready(&site.world.addresses[0], RECOVERED_WITHIN);
    site.world.http(&ada).post(&ada.path("changes"), &small_push(1)).unwrap().ok();
    assert!(site.world.log().contains("42P01"), "the log does not say why");
    site.stop();
}

/// A rule of the owner's own is about one content, and costs nobody else anything.
#[test]
fn a_content_that_an_index_of_the_owner_refuses_is_refused_alone() {
    let Some(site) = Site::start(1) else { return };
    let ada = account(&site.world, "ada");
    site.sql("CREATE INDEX ON sync.records (((data::jsonb ->> 'n')::int)) WHERE collection = 'counted'");
    let mut http = site.world.http(&ada);
    let push = |data: &str| {
        format!(r#"{{"mutations":[{{"op":"put","collection":"counted","id":"1","data":{{"n":{data}}}}}]}}"#)
    };
    let refused = http.post(&ada.path("changes"), &push("\"secret\"")).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (422, "validation_failed"), "{refused:?}");
    http.post(&ada.path("changes"), &push("1")).unwrap().ok();
    let log = site.world.log();
    assert!(!log.contains("secret"), "content in the log");
    assert!(log.contains("22P02"), "the log of a push does not say why it failed");
    site.stop();
}

#[test]
fn a_restart_between_two_requests_costs_none_of_them() {
    let Some(mut site) = Site::start(1) else { return };
    let ada = account(&site.world, "ada");
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        // Together, so that several connections are left to die.
        std::thread::scope(|scope| {
            for n in 0..8 {
                let (mut http, ada) = (site.world.http(&ada), &ada);
                scope.spawn(move || http.get(&ada.path(&format!("changes?limit={}", n + 1))).unwrap().ok());
            }
        });
        assert!(site.n_connections() >= 2, "there should be idle connections");
        site.cluster.restart(how);
        let mut http = site.world.http(&ada);
        http.post(&ada.path("changes"), &small_push(0)).unwrap().ok();
        http.get(&ada.path("changes")).unwrap().ok();
    }
    site.stop();
}

#[test]
fn settings_that_endanger_data_are_told_by_ready_for_as_long_as_they_last() {
    let safe = [("fsync", "on"), ("full_page_writes", "on")];
    let Some(mut site) = Site::with(&safe, "", 1) else { return };
    let told = |site: &mut Site, settings: &[(&str, &str)]| {
        site.cluster.configure(settings);
        site.cluster.restart(Shutdown::Fast);
        ready(&site.world.addresses[0], RECOVERED_WITHIN)["warnings"].clone()
    };
    assert_eq!(ready(&site.world.addresses[0], RECOVERED_WITHIN).get("warnings"), None);
    for name in ["fsync", "full_page_writes", "synchronous_commit"] {
        let warnings = told(&mut site, &[(name, "off")]);
        let text = warnings[0].as_str().unwrap();
        assert!(
            text.contains(&format!("{name}=off")) && warnings.as_array().unwrap().len() == 1,
            "{warnings}"
        );
        assert!(told(&mut site, &[(name, "on")]).is_null());
    }
    site.stop();
}
