//! [`Accounts`] over SQL, once for all backends.

mod members;
mod users;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::accounts::{Accounts, Role, User};
use crate::error::Result;
use crate::sql::driver::Driver;
use crate::store::Mode;
use crate::types::{ActorId, SpaceId};

/// A backend that keeps users and memberships in the tables of [`tables`](crate::sql::tables). It says how a transaction
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

async fn write<S: SqlAccounts>(
    store: &S,
    work: impl for<'d> FnOnce(&'d mut S::Driver) -> Work<'d, ()> + Send + 'static,
) -> Result<()> {
    let own = store.clone();
    let transaction = async move {
        let mut driver = own.begin_accounts(Mode::Write).await?;
        work(&mut driver).await?;
        driver.commit().await
    };
    store.carry_out(transaction.boxed()).await
}

#[async_trait]
impl<S: SqlAccounts> Accounts for S {
    async fn create_user(&self, user: &User, roles: &[(SpaceId, Role)]) -> Result<()> {
        let (user, roles) = (user.clone(), roles.to_vec());
        write(self, |driver| async move { users::create_user(driver, &user, &roles).await }.boxed()).await
    }

    async fn users(&self, after: Option<&ActorId>, limit: usize) -> Result<Vec<User>> {
        let after = after.cloned();
        read(self, move |driver| async move { users::users(driver, after.as_ref(), limit).await }.boxed())
            .await
    }

    async fn user(&self, id: &ActorId) -> Result<Option<User>> {
        let id = id.clone();
        read(self, |driver| async move { users::user(driver, &id).await }.boxed()).await
    }

    async fn user_by_name(&self, name_key: &str) -> Result<Option<User>> {
        let name_key = name_key.to_owned();
        read(self, |driver| async move { users::user_by_name(driver, &name_key).await }.boxed()).await
    }

    async fn role(&self, space: &SpaceId, actor: &ActorId) -> Result<Option<Role>> {
        let (space, actor) = (space.clone(), actor.clone());
        read(self, |driver| async move { members::role(driver, &space, &actor).await }.boxed()).await
    }

    async fn set_role(&self, space: &SpaceId, actor: &ActorId, role: Option<Role>) -> Result<()> {
        let (space, actor) = (space.clone(), actor.clone());
        write(self, move |driver| {
            async move { members::set_role(driver, &space, &actor, role).await }.boxed()
        })
        .await
    }

    async fn spaces_of(&self, actor: &ActorId, limit: usize) -> Result<Vec<(SpaceId, Role)>> {
        let actor = actor.clone();
        read(self, move |driver| async move { members::spaces_of(driver, &actor, limit).await }.boxed()).await
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

    async fn forget_space(&self, space: &SpaceId) -> Result<()> {
        let space = space.clone();
        write(self, |driver| async move { members::forget_space(driver, &space).await }.boxed()).await
    }
}
