//! Two replicas and a service in one process: everything the library does between two devices, without a network.
//!
//! ```sh
//! cargo run -p sync-examples --bin two-replicas
//! ```
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::Resolution;
use sync_core::replica::{Replica, ReplicaOptions};
use sync_core::service::{Actor, Service};
use sync_core::store::MemoryStore;
use sync_core::transport::Loopback;
use sync_core::{ActorId, Role, SpaceId, TokioRuntime};

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // The server role: a service over any store. Here it is in memory; `SqliteStore::open_file("shared.db")` is as good.
    let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    // A space is what is shared: it has an order, a history and members of its own.
    let (space, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
    service.create_space(&space).await?;
    // The way to it. Who calls and what they may do is decided here; over HTTP, the server's accounts decide it.
    let server = Loopback::new(service, Actor::new(ada.clone(), Role::Owner));

    // The client role: each replica has a store of its own. An app keeps it in a file and has its data when it starts.
    let phone = open(&space, &ada).await?;
    let laptop = open(&space, &ada).await?;

    // 1. An app reads and writes its replica. Nothing here waits for a server.
    phone.put("recipes", "pancakes", &json!({"title": "Pancakes", "flour_g": 200, "eggs": 2})).await?;
    println!("the phone wrote offline: {} record waits to be sent", phone.unsent().await?.n_waiting);

    // 2. A sync sends what waits and takes in what others did. It may fail or be killed at any point and be repeated.
    println!("the phone synced: {} sent", phone.sync(&server).await?.pushed);
    println!("the laptop synced: {} received", laptop.sync(&server).await?.pulled);

    // 3. Both change the same record offline, at different places. A patch says what changed; the rest is not touched.
    phone.patch("recipes", "pancakes", &json!({"eggs": 3})).await?;
    laptop.patch("recipes", "pancakes", &json!({"title": "Ada's pancakes"})).await?;
    phone.sync(&server).await?;
    println!("the laptop synced: {} merged", laptop.sync(&server).await?.merged);
    phone.sync(&server).await?;
    show("both edits are there", &phone, &laptop).await?;

    // 4. Both change the same place. Whoever syncs first is stored. What the other one wanted is not lost: it becomes a
    //    conflict, which every device sees, and the record stays as it is stored until someone decides.
    phone.patch("recipes", "pancakes", &json!({"flour_g": 250})).await?;
    laptop.patch("recipes", "pancakes", &json!({"flour_g": 300})).await?;
    phone.sync(&server).await?;
    println!("the laptop synced: {} conflict", laptop.sync(&server).await?.conflicts);
    phone.sync(&server).await?;
    show("until someone decides", &phone, &laptop).await?;

    // 5. Any device can decide, offline as well: `TakeMine` (the edit that lost), `TakeTheirs` (what is stored), or
    //    `Merged` with a third value. Here the phone decides about the laptop's edit.
    let conflict = phone.conflicts(10).await?.remove(0);
    for place in conflict.differences() {
        let text = |value: Option<Value>| value.map_or("nothing".to_owned(), |value| value.to_string());
        let (was, mine, stored) = (text(place.was), text(place.mine), text(place.theirs));
        println!("conflict at {}: it was {was}, one edit says {mine}, stored is {stored}", place.path);
    }
    phone.resolve(&conflict, Resolution::TakeMine).await?;

    // 6. The decision travels like any edit, and then all copies are the same, down to the hash over all records.
    phone.sync(&server).await?;
    laptop.sync(&server).await?;
    show("decided", &phone, &laptop).await?;
    let (left, right) = (phone.state_hash().await?, laptop.state_hash().await?);
    println!("phone  {left}\nlaptop {right}");
    if left != right || !laptop.conflicts(10).await?.is_empty() {
        return Err("the replicas should be the same, without conflicts".into());
    }
    Ok(())
}

async fn open(space: &SpaceId, actor: &ActorId) -> Result<Replica, Error> {
    let options = ReplicaOptions::new(Arc::new(TokioRuntime), actor.clone());
    Ok(Replica::open(Arc::new(MemoryStore::default()), space.clone(), options).await?)
}

/// Prints what both replicas have.
async fn show(when: &str, phone: &Replica, laptop: &Replica) -> Result<(), Error> {
    for (name, replica) in [("phone", phone), ("laptop", laptop)] {
        let pancakes: Option<Value> = replica.get("recipes", "pancakes").await?;
        println!("{when}, {name}: {}", pancakes.unwrap_or_default());
    }
    Ok(())
}
