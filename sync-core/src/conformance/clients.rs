//! What is known of replicas.

use crate::conformance::{
    Subject, Verdict, client_id, client_state, commit_write, contents, epoch, fresh_space, space_id,
};
use crate::store::{CLIENTS_MAX, ClientState, CommitWrite, StoreExt};

/// Replicas come in the order of the ids that were asked for: those that never pushed as `None`, one that is asked for
/// twice twice, and for no ids nothing.
pub async fn replicas_come_in_the_order_of_the_ids(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let (one, two) = (client_state("replica-1", 1), client_state("replica-2", 2));
    commit_write(&*store, &space, &clients(vec![one.clone(), two.clone()])).await?;
    let mut txn = store.read(&space).await?;
    let ids = ["replica-2", "Replica-1", "replica-1", "replica-3", "replica-2"].map(client_id);
    assert_eq!(txn.clients(&ids).await?, [Some(two.clone()), None, Some(one), None, Some(two)]);
    assert_eq!(txn.clients(&[]).await?, []);
    Ok(())
}

/// More replicas than one statement carries are written and read at once.
pub async fn many_replicas_are_read_at_once(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let all: Vec<ClientState> = (1..=1_500).map(|n| client_state(&format!("replica-{n:04}"), n)).collect();
    commit_write(&*store, &space, &clients(all.clone())).await?;
    let ids: Vec<_> = all.iter().rev().map(|client| client.client.clone()).collect();
    let found = store.read(&space).await?.clients(&ids).await?;
    assert!(
        found.into_iter().rev().eq(all.into_iter().map(Some)),
        "replicas came back changed or in another order"
    );
    Ok(())
}

/// A new state of a replica replaces all that was known of it, and nothing of the others.
pub async fn a_new_state_of_a_replica_replaces_the_old_one(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let (first, other) = (client_state("replica-1", 1), client_state("replica-2", 5));
    commit_write(&*store, &space, &clients(vec![first.clone(), other.clone()])).await?;
    let second = ClientState { answer: "{}".into(), batch_hash: [0; 16], ..client_state("replica-1", 2) };
    commit_write(&*store, &space, &clients(vec![second.clone()])).await?;
    let mut txn = store.read(&space).await?;
    let ids = [second.client.clone(), other.client.clone()];
    assert_eq!(txn.clients(&ids).await?, [Some(second), Some(other)]);
    Ok(())
}

/// The same name in two spaces is two replicas.
pub async fn a_replica_belongs_to_one_space(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let other = space_id("other");
    store.create_space(&other, epoch(2)).await?;
    commit_write(&*store, &space, &clients(vec![client_state("replica-1", 1)])).await?;
    assert_eq!(store.read(&other).await?.clients(&[client_id("replica-1")]).await?, [None]);
    commit_write(&*store, &other, &clients(vec![client_state("replica-1", 7)])).await?;
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.clients(&[client_id("replica-1")]).await?, [Some(client_state("replica-1", 1))]);
    Ok(())
}

/// The counts of a space list its replicas by id.
pub async fn stats_list_replicas_by_id(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let names = ["replica_b", "replica-b", "Replica-b", "replica-a", "replica0b"];
    commit_write(&*store, &space, &clients(names.map(|name| client_state(name, 1)).into())).await?;
    let listed: Vec<_> = store.stats(&space).await?.clients.into_iter().map(|client| client.client).collect();
    let wanted = ["Replica-b", "replica-a", "replica-b", "replica0b", "replica_b"].map(client_id);
    assert_eq!(listed, wanted);
    Ok(())
}

/// At most [`CLIENTS_MAX`] replicas are listed, the first by id; the others are still known.
pub async fn stats_list_a_bounded_number_of_replicas(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let all = (0..=CLIENTS_MAX).map(|n| client_state(&format!("replica-{n:06}"), 1)).collect();
    commit_write(&*store, &space, &clients(all)).await?;
    let listed = contents(&*store, &space).await?.stats.clients;
    assert_eq!(listed.len(), CLIENTS_MAX);
    let last = client_id(&format!("replica-{CLIENTS_MAX:06}"));
    assert!(listed.iter().all(|client| client.client < last));
    assert_ne!(store.read(&space).await?.clients(&[last]).await?, [None]);
    Ok(())
}

fn clients(clients: Vec<ClientState>) -> CommitWrite {
    CommitWrite { clients, ..CommitWrite::default() }
}
