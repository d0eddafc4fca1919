use std::time::Duration;

use sync_core::ActorId;
use sync_core::json::Json;
use sync_core::protocol::{Presence, STATE_BYTES_MAX, Tell};
use tokio::time::Instant;

use super::room::PEOPLE_MAX;
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

#[tokio::test(start_paused = true)]
async fn the_more_are_there_the_rarer_each_is_told() {
    for (n_people, millis) in [(1, 50), (20, 50), (21, 100), (100, 250), (PEOPLE_MAX, 500)] {
        let rooms = Rooms::default();
        let crowd: Vec<_> = (0..n_people).map(|n| rooms.enter(&space("a"), &format!("c{n}"))).collect();
        let show = |n| crowd.iter().for_each(|here| here.show(&ada(), state(n)).unwrap());
        show(0);
        let mut watcher = rooms.watch(&space("a"));
        watcher.next().await;
        let told_at = Instant::now();
        for n in 1..=3 {
            show(n);
        }
        let everyone = watcher.next().await.here;
        assert!(everyone.len() == n_people && everyone.iter().all(|one| one.state == state(3)));
        assert_eq!(told_at.elapsed(), Duration::from_millis(millis), "{n_people} people");
    }
}

#[tokio::test]
async fn everyone_in_a_full_room_is_one_message_of_less_than_half_a_megabyte() {
    let rooms = Rooms::default();
    // What needs the most room in a message.
    let user = ActorId::new("\"".repeat(128)).unwrap();
    let large = Json::from_canonical(format!("\"{}\"", "x".repeat(STATE_BYTES_MAX - 2)));
    let crowd: Vec<_> = (0..PEOPLE_MAX).map(|n| rooms.enter(&space("a"), &format!("{n:064}"))).collect();
    crowd.iter().for_each(|here| here.show(&user, large.clone()).unwrap());
    let everyone = rooms.watch(&space("a")).next().await;
    assert_eq!(everyone.here.len(), PEOPLE_MAX);
    assert!(Tell::Presence(everyone).to_json().len() < 512 << 10);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_also_when_the_one_before_is_told_after_it() {
    let room = Arc::new(Room::new(space("a")));
    let here = Here::new(Arc::clone(&room), "c1".into());
    here.show(&ada(), state(1)).unwrap();
    let mut watcher = Watcher::new(Arc::clone(&room));
    watcher.next().await;
    here.show(&ada(), state(2)).unwrap();
    // As the first of two threads would that is slow to tell.
    room.tell(1);
    let next = tokio::time::timeout(Duration::from_secs(1), watcher.next()).await;
    assert_eq!(told(&next.unwrap()), (false, vec![("c1", "2")], vec![]));
}

#[test]
fn a_room_has_a_limit_and_rooms_are_forgotten() {
    let rooms = Rooms::default();
    let mut crowd: Vec<_> = (0..PEOPLE_MAX).map(|n| rooms.enter(&space("a"), &format!("c{n}"))).collect();
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
