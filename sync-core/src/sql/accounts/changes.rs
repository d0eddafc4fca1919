//! A list of changes, in one transaction.

use crate::accounts::{Change, Changed, Holder, Notice};
use crate::error::Result;
use crate::sql::accounts::{credentials, heirs, members, notices, space_infos, synced, users};
use crate::sql::driver::Driver;
use crate::sql::tables::Users;
use crate::types::{ActorId, SpaceId};

/// Makes these changes, up to the first that cannot be made. Whoever calls commits when all of them could.
///
/// The lock comes first: whatever is read or written after it is as the list before this one has left it, and notices
/// are numbered in the order of the commits.
pub(super) async fn make<D: Driver>(driver: &mut D, changes: &[Change]) -> Result<Changed> {
    let position = notices::lock(driver).await?;
    let mut n_made = 0;
    // Neighbouring notes go together.
    for run in changes.chunk_by(|a, b| matches!((a, b), (Change::NoteSynced(_), Change::NoteSynced(_)))) {
        if !make_run(driver, run).await? {
            return Ok(Changed::Refused(n_made));
        }
        n_made += run.len();
    }
    let left: Vec<Notice> = changes.iter().filter_map(Change::notice).collect();
    notices::add(driver, position, &left).await?;
    Ok(Changed::Done)
}

/// Makes one change, or several notes; says whether it could be made.
async fn make_run<D: Driver>(driver: &mut D, run: &[Change]) -> Result<bool> {
    let dialect = driver.dialect();
    let statement = match &run[0] {
        Change::CreateUser(user) => return users::create(driver, user).await,
        Change::UpdateUser(user) => return users::update(driver, user).await,
        Change::DeleteUser(id) => return delete_user(driver, id).await,
        Change::AddCredential(credential) => return credentials::add(driver, credential).await,
        Change::ReplaceCredential(credential) => return credentials::replace(driver, credential).await,
        Change::TakeCredential { id, revision } => return credentials::take(driver, id, *revision).await,
        Change::RequireUser(id) => {
            return Ok(users::user(driver, Users::Id, id.as_str()).await?.is_some());
        }
        Change::RequireRole { space, actor, role } => {
            return Ok(members::role(driver, space, actor).await? == *role);
        }
        Change::RequireOwner(space) => return members::has_owner(driver, space).await,
        Change::RequireCredential(id) => {
            return credentials::is_there(driver, id).await;
        }
        Change::RequireUnchanged(user) => {
            let found = users::user(driver, Users::Id, user.id.as_str()).await?;
            return Ok(found.as_ref() == Some(user));
        }
        Change::RequireNobody(space) => {
            return Ok(members::members(driver, space, None, 1).await?.is_empty());
        }
        Change::RequireSuccessors(actor) => return heirs::has_successors(driver, actor).await,
        Change::PassOn { from, to } => return heirs::pass_on(driver, from, to).await.map(|()| true),
        Change::ForgetSpace(space) => return forget_space(driver, space).await,
        Change::NoteSynced(_) => return synced::note(driver, run).await.map(|()| true),
        Change::SetRole { space, actor, role } => members::set_role(dialect, space, actor, *role),
        Change::DescribeSpace(info) => space_infos::describe(dialect, info),
        Change::EndCredentials { holder, kind, except } => {
            credentials::end(dialect, holder, Some(*kind), except.as_ref())
        }
        Change::ForgetExpired { before, limit } => credentials::forget_expired(dialect, *before, *limit),
    };
    driver.execute(statement).await?;
    Ok(true)
}

async fn delete_user<D: Driver>(driver: &mut D, id: &ActorId) -> Result<bool> {
    if !users::delete(driver, id).await? {
        return Ok(false);
    }
    let dialect = driver.dialect();
    let held = credentials::end(dialect, &Holder::User(id.clone()), None, None);
    driver.execute_all(vec![members::forget_actor(dialect, id), held]).await?;
    Ok(true)
}

async fn forget_space<D: Driver>(driver: &mut D, space: &SpaceId) -> Result<bool> {
    let dialect = driver.dialect();
    let held = credentials::end(dialect, &Holder::Space(space.clone()), None, None);
    let statements = vec![
        members::forget_space(dialect, space),
        held,
        synced::forget_space(dialect, space),
        space_infos::forget_space(dialect, space),
    ];
    driver.execute_all(statements).await?;
    Ok(true)
}
