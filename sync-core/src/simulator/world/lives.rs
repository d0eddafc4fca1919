//! The lives of the server's data: backups, restores and forks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::World;
use crate::simulator::History;
use crate::simulator::network::{Branch, Ledger};
use crate::store::{Mode, Store};
use crate::types::{Seq, SpaceId};

/// A copy of the server's disk, and what was true when it was made.
#[derive(Debug)]
pub(crate) struct Backup {
    disk: String,
    heads: BTreeMap<SpaceId, Seq>,
    history: Arc<History>,
    ledger: Ledger,
}

impl World<'_> {
    /// Copies the disk of the servers while they run.
    pub(crate) async fn copy_server(&mut self, kind: &str) -> Option<Backup> {
        let branch = Arc::clone(&self.branch);
        // Before the copy: what was acknowledged by now is in it.
        let ledger = branch.ledger.branch();
        let disk = self.copy_disk(&branch.disk, kind).await?;
        let store = self.look_at_disk(&disk).await?;
        let mut heads = BTreeMap::new();
        for space in self.spaces.clone() {
            heads.insert(space.clone(), head_of(&*store, &space).await);
        }
        let history = Arc::new(branch.history.up_to(&heads));
        self.note(format_args!("{disk} is a copy of {}: {heads:?}", branch.disk));
        Some(Backup { disk, heads, history, ledger })
    }

    /// Makes a backup.
    pub(crate) async fn back_up(&mut self) {
        if let Some(backup) = self.copy_server("backup").await {
            self.backups.push(backup);
        }
    }

    /// Ends the present life of the data: a backup takes its place.
    pub(crate) async fn restore(&mut self) {
        let idx = self.dice.below(self.backups.len());
        let Some(backup) = self.backups.get(idx) else { return };
        let (from, history) = (backup.disk.clone(), Arc::new(backup.history.up_to(&backup.heads)));
        let ledger = backup.ledger.branch();
        self.end_fork();
        self.servers.iter_mut().for_each(super::Server::kill);
        self.network.forget(0..self.servers.len());
        let Some(disk) = self.copy_disk(&from, "restored").await else { return };
        self.note(format_args!("{from} is restored as {disk}"));
        self.journal.count("restores");
        self.branch = Arc::new(Branch { disk, history, ledger });
        self.facts.was_restored();
        self.facts.add_branch(Arc::clone(&self.branch));
        self.revive_servers(700).await;
    }

    /// Has a copy of the servers serve some of the devices.
    pub(crate) async fn begin_fork(&mut self) {
        if self.fork.is_some() {
            return;
        }
        let Some(Backup { disk, history, ledger, .. }) = self.copy_server("fork").await else { return };
        let branch = Arc::new(Branch { disk, history, ledger });
        self.facts.was_restored();
        self.facts.add_branch(Arc::clone(&branch));
        let number = self.add_server();
        self.fork = Some(number);
        self.journal.count("forks");
        self.start_server(number, &branch).await;
        let numbers = self.devices.iter().map(|device| device.number);
        self.network.split(number, numbers.filter(|_| self.dice.chance(500)).collect());
    }

    /// The fork goes, and with it all that only it knew.
    pub(crate) fn end_fork(&mut self) {
        let Some(number) = self.fork.take() else { return };
        if let Some(server) = self.servers.get_mut(number) {
            server.kill();
        }
        self.network.forget([number]);
        self.note(format_args!("the fork s{number} ends"));
    }
}

/// The head of a space; zero when it is not there.
pub(crate) async fn head_of(store: &dyn Store, space: &SpaceId) -> Seq {
    store.begin(space, Mode::Read).await.map_or(Seq::ZERO, |txn| txn.head().head)
}
