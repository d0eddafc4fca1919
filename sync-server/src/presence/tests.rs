use sync_core::ActorId;
use sync_core::json::Json;
use sync_core::protocol::Presence;

use super::*;

fn space(name: &str) -> SpaceId {
    SpaceId::new(name).unwrap()
}

fn ada() -> ActorId {
    ActorId::new("ada").unwrap()
}

fn state(n: usize) -> Json {
    Json::from_canonical(n.to_string())
}

fn told(presence: &Presence) -> (bool, Vec<(&str, &str)>, Vec<&str>) {
    let here = presence.here.iter().map(|present| (present.connection.as_str(), present.state.as_str()));
    (presence.all, here.collect(), presence.gone.iter().map(String::as_str).collect())
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_told_everyone_and_then_what_changes() {
    let rooms = Rooms::default();
    let first = rooms.enter(&space("a"), "c1");
    first.show(&ada(), state(1)).unwrap();
    let mut watcher = rooms.watch(&space("a"));
    assert_eq!(told(&watcher.next().await), (true, vec![("c1", "1")], vec![]));
    let second = rooms.enter(&space("a"), "c2");
    second.show(&ada(), state(1)).unwrap();
    second.show(&ada(), state(2)).unwrap();
    drop(first);
    assert_eq!(told(&watcher.next().await), (false, vec![("c2", "2")], vec!["c1"]));
    // What is shown already, and other rooms, are no news.
    second.show(&ada(), state(2)).unwrap();
    rooms.enter(&space("b"), "c3").show(&ada(), state(3)).unwrap();
    assert!(futures_util::FutureExt::now_or_never(watcher.next()).is_none());
}

#[tokio::test(start_paused = true)]
async fn an_empty_room_is_told_too_and_who_shows_nothing_is_not_in_it() {
    let rooms = Rooms::default();
    let _here = rooms.enter(&space("a"), "c1");
    assert_eq!(told(&rooms.watch(&space("a")).next().await), (true, vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn two_tabs_are_two_and_one_that_ends_late_takes_nobody_away() {
    let rooms = Rooms::default();
    let old = rooms.enter(&space("a"), "old");
    old.show(&ada(), state(1)).unwrap();
    let new = rooms.enter(&space("a"), "new");
    new.show(&ada(), state(1)).unwrap();
    drop(old);
    assert_eq!(told(&rooms.watch(&space("a")).next().await), (true, vec![("new", "1")], vec![]));
}

#[tokio::test(start_paused = true)]
async fn who_missed_too_many_departures_is_told_everyone() {
    let rooms = Rooms::default();
    let stays = rooms.enter(&space("a"), "stays");
    stays.show(&ada(), state(0)).unwrap();
    let mut watcher = rooms.watch(&space("a"));
    watcher.next().await;
    for n in 0..300 {
        rooms.enter(&space("a"), &format!("c{n}")).show(&ada(), state(n)).unwrap();
    }
    assert_eq!(told(&watcher.next().await), (true, vec![("stays", "0")], vec![]));
}

#[test]
fn a_room_has_a_limit_and_rooms_are_forgotten() {
    let rooms = Rooms::default();
    let mut crowd: Vec<_> = (0..1000).map(|n| rooms.enter(&space("a"), &format!("c{n}"))).collect();
    assert!(crowd.iter().all(|here| here.show(&ada(), state(1)).is_ok()));
    let late = rooms.enter(&space("a"), "late");
    assert_eq!(late.show(&ada(), state(1)).unwrap_err().code(), crate::problem::Code::QuotaExceeded);
    crowd.pop();
    assert!(late.show(&ada(), state(1)).is_ok());
    drop((crowd, late));
    for n in 0..2 * SWEEP_AT {
        rooms.watch(&space(&format!("s{n}")));
    }
    assert!(rooms.0.lock().unwrap().rooms.len() <= SWEEP_AT + 1);
}
