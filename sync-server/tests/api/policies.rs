//! Policies of the configuration file, seen by two devices over HTTP.

use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::replica::{Replica, ReplicaOptions};
use sync_core::store::MemoryStore;
use sync_core::transport::HttpTransport;
use sync_core::{Session, TokioRuntime};
use sync_server::Server;
use sync_server::config::{Config, Settings};

const FILE: &str = "listen = '127.0.0.1:0'\nstore = 'memory:'\n\
    [policies.books]\nupdate = { merge = 'last_write_wins' }\npaths = { '/times_read' = 'counter' }\n";

async fn device(session: &Session, config: &Config) -> (Replica, HttpTransport) {
    let mut options = ReplicaOptions::for_session(Arc::new(TokioRuntime), session);
    options.policies = config.policies.clone();
    let store = Arc::new(MemoryStore::default());
    let replica = Replica::open(store, session.space.clone(), options).await.unwrap();
    (replica, HttpTransport::from_session(session).unwrap())
}

#[tokio::test]
async fn a_counter_and_a_field_where_the_last_write_wins_merge_as_configured() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(FILE.as_bytes()).unwrap();
    let config = Config::load(Settings::default(), |_| None, Some(file.path())).unwrap();
    let server = Server::start(config.clone()).await.unwrap();
    let base = format!("http://{}", server.address());
    tokio::spawn(server.run(std::future::pending()));
    let session = HttpTransport::new(&base, None).unwrap().register("ada", "correct horse").await.unwrap();
    let devices = [device(&session, &config).await, device(&session, &config).await];
    let [(phone, phones_way), (laptop, laptops_way)] = &devices;

    phone.put("books", "1", &json!({"title": "Emma", "times_read": 1})).await.unwrap();
    phone.sync(phones_way).await.unwrap();
    laptop.sync(laptops_way).await.unwrap();
    laptop.patch("books", "1", &json!({"title": "Emma, again", "times_read": 4})).await.unwrap();
    phone.patch("books", "1", &json!({"title": "Emma!", "times_read": 3})).await.unwrap();
    // The older edit arrives last.
    for n in [0, 1, 0] {
        let (replica, way) = &devices[n];
        replica.sync(way).await.unwrap();
    }
    for (replica, _) in &devices {
        let book: Value = replica.get("books", "1").await.unwrap().unwrap();
        assert_eq!(book, json!({"title": "Emma!", "times_read": 6}));
        assert_eq!(replica.unsent().await.unwrap().n_conflicts, 0);
    }
}
