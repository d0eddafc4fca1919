//! T9: a repeated batch is answered with "applied" where the first answer was "conflict" or "merged".

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::simulator::{Hooks, Invariant, Scenario};
use sync_core::store::ClientState;

use super::caught_as;
use super::front::{Bend, Bent};

/// Stored answers are read as if everything had gone well.
#[derive(Debug)]
struct AllIsWell;

fn is_well(outcome: &Value) -> Value {
    match outcome["outcome"].as_str() {
        Some("conflict" | "merged") => {
            let revision = outcome["revision"].as_i64().unwrap_or(1);
            json!({"outcome": "applied", "version": outcome["version"], "revision": revision})
        }
        _ => outcome.clone(),
    }
}

impl Bend for AllIsWell {
    fn clients(&self, mut clients: Vec<ClientState>) -> Vec<ClientState> {
        for client in &mut clients {
            let outcomes: Vec<Value> = serde_json::from_str(&client.answer).unwrap();
            client.answer = serde_json::to_string(&outcomes.iter().map(is_well).collect::<Vec<_>>()).unwrap();
        }
        clients
    }
}

#[test]
fn a_conflict_that_is_told_as_applied_when_it_is_asked_again_is_caught() {
    let hooks =
        Hooks::default().server_store(|store, _place| Arc::new(Bent { store, bend: Arc::new(AllIsWell) }));
    caught_as("T9", 20, &Scenario::small().with_hooks(hooks), &[Invariant::ExactlyOnce]);
}
