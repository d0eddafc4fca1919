//! What a request may leave behind, and what it did.

use serde_json::Value;
use sync_core::service::Actor;
use sync_core::{ActorId, Role, SpaceId};

use super::people::accounts;
use super::table::Effect;
use super::template::Values;
use super::world::World;

/// What could have changed: both spaces, how many there are, and accounts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// Head, counts, replicas and hash of each space.
    spaces: Vec<Value>,
    /// Number of the last entry of each space's log.
    logs: Vec<i64>,
    n_spaces: usize,
    accounts: Vec<Value>,
}

/// How things are. With `before`, accounts are taken from there: nobody asked about them.
pub(crate) async fn state(world: &World, values: &Values, before: Option<&State>) -> State {
    let service = &world.app.service;
    let somebody = Actor::new(ActorId::new("somebody").unwrap(), Role::Viewer);
    let (mut spaces, mut logs) = (Vec::new(), Vec::new());
    for name in ["space", "foreign_space"] {
        let space = SpaceId::new(values.get(name)).unwrap();
        spaces.push(serde_json::to_value(service.status(&somebody, &space, true).await.unwrap()).unwrap());
        let last = service.log(&somebody, &space, None, Some(1)).await.unwrap();
        logs.push(last.first().map_or(0, |entry| entry.entry));
    }
    let n_spaces = world.app.store.spaces(None, 10_000).await.unwrap().len();
    let accounts = match before {
        Some(before) => before.accounts.clone(),
        None => accounts(world).await,
    };
    State { spaces, logs, n_spaces, accounts }
}

/// Says what should not have been left behind, or is missing.
pub(crate) fn left_behind(effect: Effect, before: &State, after: &State) -> Result<(), String> {
    let holds = match effect {
        Effect::None => before == after,
        Effect::Logged => {
            before.spaces == after.spaces
                && before.logs[0] + 1 == after.logs[0]
                && before.logs[1] == after.logs[1]
        }
        Effect::Written => before != after && before.spaces[1] == after.spaces[1],
        Effect::Accounts => {
            before.spaces == after.spaces && before.logs == after.logs && before.accounts != after.accounts
        }
    };
    if holds { Ok(()) } else { Err(format!("it should leave {effect:?}: {}", difference(before, after))) }
}

/// What differs, without the many accounts that do not.
fn difference(before: &State, after: &State) -> String {
    let only = |one: &State, other: &State| {
        let some = one.accounts.iter().filter(|value| !other.accounts.contains(value));
        some.map(Value::to_string).collect::<Vec<_>>().join(" ")
    };
    let rest = |one: &State| format!("{:?} {:?} {}", one.spaces, one.logs, one.n_spaces);
    format!("{} {} became {} {}", rest(before), only(before, after), rest(after), only(after, before))
}
