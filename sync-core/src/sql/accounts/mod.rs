//! [`Accounts`] over SQL, once for all backends.

mod changes;
mod credentials;
mod heirs;
mod look_up;
mod members;
mod notices;
mod space_infos;
mod synced;
#[cfg(all(test, feature = "conformance"))]
mod tests;
mod users;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::accounts::{
    Accounts, Change, Changed, Credential, Holder, LookedUp, Notices, Role, SpaceInfo, Synced, User,
};
use crate::error::{ErrorKind, Result};
use crate::sql::driver::Driver;
use crate::sql::tables::Users;
use crate::store::Mode;
use crate::types::{ActorId, CredentialId, SpaceId};

/// A backend that keeps users, credentials and memberships in the tables of [`tables`](crate::sql::tables). It says how a transaction
/// on them begins, and has [`Accounts`] for it.
#[async_trait]
pub trait SqlAccounts: Clone + Send + Sync + std::fmt::Debug + 'static {
    /// An open transaction.
    type Driver: Driver + 'static;

    /// Begins a transaction on the tables of accounts.
    ///
    /// # Errors
    ///
    /// What the database reports.
    async fn begin_accounts(&self, mode: Mode) -> Result<Self::Driver>;

    /// Carries out a transaction. A backend for which one that is cut off is dear runs it in a task of its own: who asks
    /// may go away at any moment.
    ///
    /// # Errors
    ///
    /// Those of the work.
    async fn carry_out<T: Send + 'static>(&self, work: BoxFuture<'static, Result<T>>) -> Result<T> {
        work.await
    }
}

/// What is done in one transaction.
type Work<'d, T> = BoxFuture<'d, Result<T>>;

async fn read<S: SqlAccounts, T: Send + 'static>(
    store: &S,
    work: impl for<'d> FnOnce(&'d mut S::Driver) -> Work<'d, T> + Send + 'static,
) -> Result<T> {
    let own = store.clone();
    store.carry_out(async move { work(&mut own.begin_accounts(Mode::Read).await?).await }.boxed()).await
}

/// How often a list of changes is tried that was in the way of another transaction: with a lock that all of them take
/// first that hardly happens, and never twice in a row unless something else is wrong.
const TRIES_MAX: u32 = 5;

async fn change<S: SqlAccounts>(store: &S, changes: &[Change]) -> Result<Changed> {
    let (own, changes) = (store.clone(), changes.to_vec());
    let transaction = async move {
        let mut driver = own.begin_accounts(Mode::Write).await?;
        let changed = changes::make(&mut driver, &changes).await?;
        // What was refused is dropped, and with it whatever was done before.
        if changed.is_done() {
            driver.commit().await?;
        }
        Ok(changed)
    };
    store.carry_out(transaction.boxed()).await
}

#[async_trait]
impl<S: SqlAccounts> Accounts for S {
    async fn change(&self, changes: &[Change]) -> Result<Changed> {
        for _ in 1..TRIES_MAX {
            match change(self, changes).await {
                Err(error) if error.kind() == ErrorKind::Contended => {}
                ended => return ended,
            }
        }
        change(self, changes).await
    }

    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>> {
        let after = after.cloned();
        read(self, move |driver| async move { users::users(driver, after.as_ref(), limit).await }.boxed())
            .await
    }

    async fn user(&self, id: &ActorId) -> Result<Option<User>> {
        user(self, Users::Id, id.as_str()).await
    }

    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>> {
        user(self, Users::NameKey, name_key).await
    }

    async fn user_by_address(&self, address: &str) -> Result<Option<User>> {
        user(self, Users::Address, address).await
    }

    async fn look_up(&self, credentials: &[CredentialId], roles: &[(SpaceId, ActorId)]) -> Result<LookedUp> {
        let (credentials, roles) = (credentials.to_vec(), roles.to_vec());
        read(self, |driver| async move { look_up::look_up(driver, &credentials, &roles).await }.boxed()).await
    }

    async fn spaces_of(
        &self,
        actor: &ActorId,
        after: Option<&SpaceId>,
        limit: usize,
    ) -> Result<Vec<(SpaceId, Role)>> {
        let (actor, after) = (actor.clone(), after.cloned());
        read(self, move |driver| {
            async move { members::spaces_of(driver, &actor, after.as_ref(), limit).await }.boxed()
        })
        .await
    }

    async fn members(
        &self,
        space: &SpaceId,
        after: Option<&ActorId>,
        limit: usize,
    ) -> Result<Vec<(ActorId, Role)>> {
        let (space, after) = (space.clone(), after.cloned());
        read(self, move |driver| {
            async move { members::members(driver, &space, after.as_ref(), limit).await }.boxed()
        })
        .await
    }

    async fn space_infos(&self, spaces: &[SpaceId]) -> Result<Vec<SpaceInfo>> {
        let spaces = spaces.to_vec();
        read(self, move |driver| async move { space_infos::space_infos(driver, &spaces).await }.boxed()).await
    }

    async fn credentials(
        &self,
        holder: &Holder,
        after: Option<&CredentialId>,
        limit: usize,
    ) -> Result<Vec<Credential>> {
        let (holder, after) = (holder.clone(), after.cloned());
        read(self, move |driver| {
            async move { credentials::credentials(driver, &holder, after.as_ref(), limit).await }.boxed()
        })
        .await
    }

    async fn synced(&self, devices: &[CredentialId], limit: usize) -> Result<Vec<Synced>> {
        let devices = devices.to_vec();
        read(self, move |driver| async move { synced::synced(driver, &devices, limit).await }.boxed()).await
    }

    async fn notices(&self, after: Option<u64>) -> Result<Notices> {
        read(self, move |driver| async move { notices::notices(driver, after).await }.boxed()).await
    }
}

async fn user<S: SqlAccounts>(store: &S, column: Users, text: &str) -> Result<Option<User>> {
    let text = text.to_owned();
    read(store, move |driver| async move { users::user(driver, column, &text).await }.boxed()).await
}
