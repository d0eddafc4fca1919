//! Many who change accounts at once, and a count at the end. A subject without accounts passes.

use std::sync::Arc;

use crate::accounts::{Accounts, Change, Changed, CredentialKind, Role};
use crate::conformance::{
    Subject, Verdict, actor, credential_id, device, held_by, in_parallel, make, pairing, set_role, space_id,
    take,
};
use crate::error::Result;

/// How many try the same at once.
const N_TASKS: usize = 8;
/// How often each race is run: they are lost by chance.
const N_ROUNDS: usize = 12;

/// Tries each of these lists in a task of its own, all at once, and says what became of them.
async fn race(
    subject: &dyn Subject,
    accounts: &Arc<dyn Accounts>,
    lists: impl IntoIterator<Item = Vec<Change>>,
) -> Result<Vec<Changed>> {
    let tries = lists.into_iter().map(|list| {
        let accounts = accounts.clone();
        async move { accounts.change(&list).await }
    });
    in_parallel(subject, tries).await.into_iter().collect()
}

/// Of many who take one credential at once one succeeds, and only what that one did besides is there.
pub async fn of_many_who_take_a_credential_at_once_one_succeeds(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    for round in 0..N_ROUNDS {
        let name = format!("code-{round}");
        make(&*accounts, &[Change::AddCredential(pairing(&name, "ada"))]).await?;
        let redeem =
            |n: usize| vec![Change::AddCredential(device(&format!("d-{round}-{n}"), "ada")), take(&name, 1)];
        let ended = race(subject, &accounts, (0..N_TASKS).map(redeem)).await?;
        assert_eq!(ended.iter().filter(|ended| ended.is_done()).count(), 1, "{ended:?}");
        assert!(ended.iter().all(|ended| matches!(ended, Changed::Done | Changed::Refused(1))), "{ended:?}");
        for (n, ended) in ended.iter().enumerate() {
            let found = accounts.credential(&credential_id(&format!("d-{round}-{n}"))).await?;
            assert_eq!(found.is_some(), ended.is_done());
        }
    }
    Ok(())
}

/// Of many who replace one credential at once one succeeds, and what it wrote is there.
pub async fn of_many_who_replace_a_credential_at_once_one_succeeds(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let mut now = device("phone", "ada");
    make(&*accounts, &[Change::AddCredential(now.clone())]).await?;
    for _ in 0..N_ROUNDS {
        let next = |n: usize| {
            now.changed(|next| {
                next.secret = crate::accounts::SecretHash::of(&format!("{}-{n}", now.revision))
            })
        };
        let lists = (0..N_TASKS).map(|n| vec![Change::ReplaceCredential(next(n))]);
        let ended = race(subject, &accounts, lists).await?;
        assert_eq!(ended.iter().filter(|ended| ended.is_done()).count(), 1, "{ended:?}");
        let winner = ended.iter().position(|ended| ended.is_done()).unwrap_or_default();
        assert_eq!(accounts.credential(&now.id).await?, Some(next(winner)));
        now = next(winner);
    }
    Ok(())
}

/// Of two owners who leave at once, each only if the other stays, one stays.
pub async fn of_two_owners_who_leave_at_once_one_stays(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    for round in 0..N_ROUNDS {
        let name = format!("s{round}");
        make(&*accounts, &["ada", "bob"].map(|id| set_role(&name, id, Role::Owner))).await?;
        let leave = |id| vec![set_role(&name, id, None), Change::RequireOwner(space_id(&name))];
        let ended = race(subject, &accounts, ["ada", "bob"].map(leave)).await?;
        assert_eq!(ended.iter().filter(|ended| **ended == Changed::Refused(1)).count(), 1, "{ended:?}");
        assert_eq!(accounts.members(&space_id(&name), None, 9).await?.len(), 1);
    }
    Ok(())
}

/// Who ends all that a user holds while others redeem something of it leaves no device: either theirs came first and is
/// ended too, or there was nothing to redeem any more.
pub async fn nothing_slips_past_who_ends_everything(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    for round in 0..N_ROUNDS {
        let codes: Vec<String> = (1..N_TASKS).map(|n| format!("code-{round}-{n}")).collect();
        make(
            &*accounts,
            &codes.iter().map(|code| Change::AddCredential(pairing(code, "ada"))).collect::<Vec<_>>(),
        )
        .await?;
        let end = |kind| Change::EndCredentials { holder: held_by("ada"), kind, except: None };
        let redeem =
            |code: &String| vec![take(code, 1), Change::AddCredential(device(&format!("d{code}"), "ada"))];
        let mut lists: Vec<_> = codes.iter().map(redeem).collect();
        lists.insert(round % N_TASKS, vec![end(CredentialKind::Device), end(CredentialKind::Pairing)]);
        let ended = race(subject, &accounts, lists).await?;
        assert!(ended[round % N_TASKS].is_done());
        let left = accounts.credentials(&held_by("ada"), None, 99).await?;
        assert!(left.is_empty(), "round {round}: {left:?} after {ended:?}");
    }
    Ok(())
}

/// Of many who take one address at once one gets it, whether they are new or change theirs.
pub async fn of_many_who_take_one_address_at_once_one_gets_it(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    for round in 0..N_ROUNDS {
        let user = |n: usize| crate::conformance::user(&format!("u{round}-{n}"), &format!("n{round}-{n}"));
        let old: Vec<_> = (0..N_TASKS / 2).map(|n| Change::CreateUser(user(n))).collect();
        make(&*accounts, &old).await?;
        let address = format!("{round}@example.org");
        let take = |n: usize| {
            let with = crate::accounts::User { address: Some(address.clone()), ..user(n) };
            vec![if n < N_TASKS / 2 { Change::UpdateUser(with) } else { Change::CreateUser(with) }]
        };
        let ended = race(subject, &accounts, (0..N_TASKS).map(take)).await?;
        assert_eq!(ended.iter().filter(|ended| ended.is_done()).count(), 1, "{ended:?}");
        let winner = ended.iter().position(|ended| ended.is_done()).map(|n| user(n).id);
        assert_eq!(accounts.user_by_address(&address).await?.map(|user| user.id), winner);
    }
    Ok(())
}

/// Who reads beside someone who gives all members of a space the same role, again and again, never sees two.
pub async fn no_one_sees_half_a_list(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let all = |role: Role| ["a", "b", "c", "d"].map(|id| set_role("family", id, role));
    make(&*accounts, &all(Role::Viewer)).await?;
    let task = |n: usize| {
        let accounts = accounts.clone();
        async move {
            for m in 0..N_ROUNDS * 3 {
                if n == 0 {
                    make(&*accounts, &all([Role::Editor, Role::Viewer][m % 2])).await?;
                    continue;
                }
                let found = accounts.members(&space_id("family"), None, 9).await?;
                assert_eq!(found.len(), 4);
                assert!(found.iter().all(|(_, role)| *role == found[0].1), "half a list is seen: {found:?}");
                let asked = ["a", "b", "c", "d"].map(|id| (space_id("family"), actor(id)));
                let found = accounts.look_up(&[], &asked).await?.roles;
                assert!(found.iter().all(|role| *role == found[0]), "half a list is seen: {found:?}");
            }
            Verdict::Ok(())
        }
    };
    for ended in in_parallel(subject, (0..4).map(task)).await {
        ended?;
    }
    assert_eq!(
        accounts.role(&space_id("family"), &actor("a")).await?,
        accounts.role(&space_id("family"), &actor("d")).await?
    );
    Ok(())
}
