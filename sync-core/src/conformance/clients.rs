//! What is known of replicas.

use crate::conformance::{
    Subject, Verdict, client_id, client_state, commit_write, contents, epoch, fresh_space, space_id,
};
use crate::store::{ClientQuery, ClientState, CommitWrite, StoreExt, StoreTxnExt};

/// Replicas come ascending by the bytes of their ids, in whatever order they are named: one that is named twice once, one
/// that never pushed not at all, and for no names none.
pub async fn named_replicas_come_ascending_by_id(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let states = ["replica_2", "Replica-2", "replica-1"].map(|name| client_state(name, 1));
    commit_write(&*store, &space, &clients(states.to_vec())).await?;
    let mut txn = store.read(&space).await?;
    let names = ["replica_2", "replica-1", "replica-3", "REPLICA-1", "Replica-2", "replica_2"].map(client_id);
    let [last, first, second] = states;
    assert_eq!(txn.clients(ClientQuery::Named(&names)).await?, [first, second, last]);
    assert_eq!(txn.clients(ClientQuery::Named(&[])).await?, []);
    Ok(())
}

/// More replicas than one statement carries are written and read at once, also when each is named twice.
pub async fn many_replicas_are_read_at_once(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let all: Vec<ClientState> = (1..=1_500).map(|n| client_state(&format!("replica-{n:04}"), n)).collect();
    commit_write(&*store, &space, &clients(all.clone())).await?;
    let ids: Vec<_> = all.iter().rev().chain(&all).map(|client| client.client.clone()).collect();
    let found = store.read(&space).await?.clients(ClientQuery::Named(&ids)).await?;
    assert!(found == all, "replicas came back changed or in another order");
    Ok(())
}

/// A new state of a replica replaces all that was known of it, and nothing of the others.
pub async fn a_new_state_of_a_replica_replaces_the_old_one(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let (first, other) = (client_state("replica-1", 1), client_state("replica-2", 5));
    commit_write(&*store, &space, &clients(vec![first.clone(), other.clone()])).await?;
    let second = ClientState { answer: "{}".into(), batch_hash: [0; 16], ..client_state("replica-1", 2) };
    commit_write(&*store, &space, &clients(vec![second.clone()])).await?;
    assert_eq!(contents(&*store, &space).await?.clients, [second, other]);
    Ok(())
}

/// The same name in two spaces is two replicas.
pub async fn a_replica_belongs_to_one_space(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let (other, name) = (space_id("other"), client_id("replica-1"));
    store.create_space(&other, epoch(2)).await?;
    commit_write(&*store, &space, &clients(vec![client_state("replica-1", 1)])).await?;
    assert_eq!(store.read(&other).await?.client(&name).await?, None);
    commit_write(&*store, &other, &clients(vec![client_state("replica-1", 7)])).await?;
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.client(&name).await?, Some(client_state("replica-1", 1)));
    Ok(())
}

/// Replicas are listed ascending by the bytes of their ids after any id, at most as many as asked for, and pages chained
/// by the last id yield every one once.
pub async fn replicas_are_listed_ascending_page_by_page(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let names = ["replica_b", "replica-b", "Replica-b", "replica-a", "replica0b"];
    commit_write(&*store, &space, &clients(names.map(|name| client_state(name, 1)).into())).await?;
    let wanted = ["Replica-b", "replica-a", "replica-b", "replica0b", "replica_b"].map(client_id);
    let mut txn = store.read(&space).await?;
    for n in 0..=wanted.len() {
        let after = n.checked_sub(1).map(|last| &wanted[last]);
        for limit in [0, 1, 2, 5, usize::MAX] {
            let found = txn.clients(ClientQuery::After(after, limit)).await?;
            let found: Vec<_> = found.into_iter().map(|client| client.client).collect();
            let wanted: Vec<_> = wanted[n..].iter().take(limit).cloned().collect();
            assert_eq!(found, wanted, "after {after:?}, at most {limit}");
        }
    }
    let between = client_id("replica-aa");
    let next = txn.clients(ClientQuery::After(Some(&between), 1)).await?;
    assert_eq!(next[0].client, wanted[2], "after an id that is not there");
    Ok(())
}

fn clients(clients: Vec<ClientState>) -> CommitWrite {
    CommitWrite { clients, ..CommitWrite::default() }
}
