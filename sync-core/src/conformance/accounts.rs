//! Users and memberships. A subject without accounts passes.

use std::sync::Arc;

use crate::accounts::{Accounts, AccountsExt, Change, LOOK_UP_MAX, LookedUp, Role, SPACE_INFOS_MAX, User};
use crate::clock::Timestamp;
use crate::conformance::{
    Subject, Verdict, actor, credential_id, describe, device, in_parallel, invite, make, people, set_role,
    space_id, space_info, synced, take, user,
};
use crate::error::ErrorKind;
use crate::types::SpaceId;

/// A user is found by id and by the normal forms of name and address, as they were created, and by nothing else.
pub async fn a_user_is_found_by_id_name_and_address(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let anna = User {
        address: Some("änna+o'neil@example.org".into()),
        home: Some(space_id("home1")),
        created_at: Timestamp::MAX,
        ..user("u1", "Änna O'Neil \"x\" 日本")
    };
    accounts.create_user(&anna, &owns("home1")).await?;
    accounts.create_user(&user("u2", "Bob"), &owns("home2")).await?;
    assert!(accounts.user(&anna.id).await?.as_ref() == Some(&anna));
    assert!(accounts.user_by_name("änna o'neil \"x\" 日本").await?.as_ref() == Some(&anna));
    assert!(accounts.user_by_address("änna+o'neil@example.org").await?.as_ref() == Some(&anna));
    for other in [&*anna.name, "", "Bob", "änna+o'neil@example.org"] {
        assert!(accounts.user_by_name(other).await?.is_none(), "{other}");
    }
    for other in ["", "Änna+O'Neil@example.org", "bob", "null"] {
        assert!(accounts.user_by_address(other).await?.is_none(), "{other}");
    }
    assert!(accounts.user(&actor("U1")).await?.is_none());
    Ok(())
}

/// Users may lack a name, an address, a password and a home; no two of them are in each other's way by that.
pub async fn a_user_may_lack_all_but_an_id(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let mut all = Vec::new();
    for n in 0..32_u8 {
        let has = |bit: u8, text: &str| (n >> bit & 1 == 1).then(|| format!("{text}{n}"));
        let user = User {
            name: if n < 16 { String::new() } else { "Anna".into() },
            name_key: has(0, "name"),
            address: has(1, "address"),
            password_hash: has(2, "hash"),
            home: has(3, "home").map(|name| space_id(&name)),
            ..user(&format!("u{n:02}"), "")
        };
        accounts.create_user(&user, &[]).await?;
        assert!(accounts.user(&user.id).await?.as_ref() == Some(&user));
        all.push(user);
    }
    assert!(accounts.users(None, 99).await? == all);
    assert!(accounts.user_by_name("").await?.is_none() && accounts.user_by_address("").await?.is_none());
    Ok(())
}

/// A user is created together with the roles they are given: several, one or none.
pub async fn a_new_user_has_the_roles_they_were_created_with(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let roles =
        [(space_id("club"), Role::Viewer), (space_id("family"), Role::Editor), owns("home")[0].clone()];
    for n in 0..=roles.len() {
        let id = format!("u{n}");
        accounts.create_user(&user(&id, &id), &roles[..n]).await?;
        assert_eq!(accounts.spaces_of(&actor(&id), None, 10).await?, roles[..n]);
    }
    assert_eq!(accounts.role(&space_id("home"), &actor("u3")).await?, Some(Role::Owner));
    Ok(())
}

/// Users are listed ascending by the bytes of their ids after any id, at most as many as asked for, each as they were
/// created.
pub async fn users_are_listed_ascending_page_by_page(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let ids = ["1", "A", "a", "a-b", "a:b", "aa", "~"];
    for id in ["aa", "A", "a:b", "1", "~", "a", "a-b"] {
        // Names sort the other way round.
        let name = format!("{:03}", 200 - id.bytes().next().unwrap_or_default()) + id;
        accounts.create_user(&user(id, &name), &[]).await?;
    }
    for n in 0..=ids.len() {
        let after = n.checked_sub(1).map(|last| actor(ids[last]));
        for limit in [0, 1, 3, 7, usize::MAX] {
            let found = accounts.users(after.as_ref(), limit).await?;
            assert!(found.iter().map(|user| user.id.as_str()).eq(ids[n..].iter().take(limit).copied()));
            for user in found {
                assert!(accounts.user(&user.id).await? == Some(user));
            }
        }
    }
    assert!(accounts.users(Some(&actor("a-")), 1).await?[0].id == actor("a-b"));
    Ok(())
}

/// Members of a space are listed ascending by the bytes of their ids after any id, at most as many as asked for.
pub async fn members_are_listed_ascending_page_by_page(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let members = [("1", Role::Owner), ("A", Role::Viewer), ("a", Role::Editor), ("a-b", Role::Owner)];
    for (id, role) in members.iter().rev() {
        accounts.set_role(&space_id("family"), &actor(id), Some(*role)).await?;
        accounts.set_role(&space_id("family2"), &actor("a-a"), Some(Role::Viewer)).await?;
    }
    let members = members.map(|(id, role)| (actor(id), role));
    for n in 0..=members.len() {
        let after = n.checked_sub(1).map(|last| &members[last].0);
        for limit in [0, 1, 3, 4, usize::MAX] {
            let wanted: Vec<_> = members[n..].iter().take(limit).cloned().collect();
            assert_eq!(accounts.members(&space_id("family"), after, limit).await?, wanted);
        }
    }
    assert_eq!(accounts.members(&space_id("famil"), None, 10).await?, []);
    Ok(())
}

/// A name, an address or an id that is taken is refused; the one who has it is not changed, and nothing is half created.
pub async fn a_taken_name_address_or_id_is_refused_and_leaves_nothing(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let address = || Some("anna@example.org".to_owned());
    let anna = User { address: address(), ..user("u1", "Anna") };
    accounts.create_user(&anna, &owns("home1")).await?;
    refused(&*accounts, &User { address: address(), ..user("u2", "Bob") }).await?;
    refused(&*accounts, &User { address: address(), name_key: None, ..user("u2", "") }).await?;
    let same_name = User { name: "ANNA".into(), password_hash: Some("other".into()), ..user("u2", "Anna") };
    refused(&*accounts, &same_name).await?;
    refused(&*accounts, &user("u1", "Bob")).await?;
    assert!(accounts.user(&actor("u2")).await?.is_none());
    assert!(accounts.user_by_name("bob").await?.is_none());
    assert!(accounts.user(&anna.id).await?.as_ref() == Some(&anna));
    assert!(accounts.user_by_name("anna").await?.as_ref() == Some(&anna));
    assert_eq!(accounts.spaces_of(&actor("u1"), None, 10).await?, [(space_id("home1"), Role::Owner)]);
    assert_eq!(accounts.spaces_of(&actor("u2"), None, 10).await?, []);
    Ok(())
}

/// Of many who register one name at once, one succeeds, and only that one has a space.
pub async fn of_many_who_take_one_name_at_once_one_gets_it(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let register = |n: u8| {
        let accounts = accounts.clone();
        async move {
            let user = user(&format!("u{n}"), "Anna");
            (user.id.clone(), accounts.create_user(&user, &owns(&format!("home{n}"))).await)
        }
    };
    let mut n_created = 0;
    for (id, created) in in_parallel(subject, (0..8).map(register)).await {
        let n_spaces = accounts.spaces_of(&id, None, 10).await?.len();
        match created {
            Ok(()) => n_created += n_spaces,
            Err(error) => assert_eq!((error.kind(), n_spaces), (ErrorKind::AlreadyExists, 0)),
        }
    }
    assert_eq!(n_created, 1);
    Ok(())
}

/// A role is given, changed and taken away, for one actor in one space; neither has to be known otherwise.
pub async fn a_role_is_given_changed_and_taken_away(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let (space, anna) = (space_id("family"), actor("device:anna@example.org"));
    assert_eq!(accounts.role(&space, &anna).await?, None);
    accounts.set_role(&space, &anna, None).await?;
    for role in [Role::Viewer, Role::Editor, Role::Owner, Role::Owner, Role::Viewer] {
        accounts.set_role(&space, &anna, Some(role)).await?;
        assert_eq!(accounts.role(&space, &anna).await?, Some(role));
        assert_eq!(accounts.role(&space_id("family2"), &anna).await?, None);
        assert_eq!(accounts.role(&space, &actor("device:Anna@example.org")).await?, None);
    }
    accounts.set_role(&space, &anna, None).await?;
    assert_eq!(accounts.role(&space, &anna).await?, None);
    assert_eq!(accounts.spaces_of(&anna, None, 10).await?, []);
    Ok(())
}

/// Many credentials and roles are found at once, each where it was asked for, also twice; what is not there is told so.
pub async fn what_is_looked_up_is_answered_in_order(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let names: Vec<String> = (0..LOOK_UP_MAX / 2).map(|n| format!("n{n:03}")).collect();
    let roles = [Role::Viewer, Role::Editor, Role::Owner].into_iter().cycle();
    for (name, role) in names.iter().zip(roles.clone()).step_by(2) {
        accounts.set_role(&space_id(name), &actor("ada"), Some(role)).await?;
        let phone = device(name, "ada");
        make(&*accounts, &[Change::AddCredential(phone)]).await?;
    }
    let asked: Vec<usize> = (0..names.len()).rev().chain(0..names.len()).collect();
    let ids: Vec<_> = asked.iter().map(|&n| credential_id(&names[n])).collect();
    let pairs: Vec<_> = asked.iter().map(|&n| (space_id(&names[n]), actor("ada"))).collect();
    let found = accounts.look_up(&ids, &pairs).await?;
    let given: Vec<Role> = roles.take(names.len()).collect();
    let is_there = |n: usize| n.is_multiple_of(2);
    let wanted = asked.iter().map(|&n| is_there(n).then(|| device(&names[n], "ada")));
    assert!(found.credentials.into_iter().eq(wanted), "credentials");
    assert!(found.roles.into_iter().eq(asked.iter().map(|&n| is_there(n).then(|| given[n]))), "roles");
    let others = [(space_id("n000"), actor("bob")), (space_id("n00"), actor("ada"))];
    let found = accounts.look_up(&[], &others).await?;
    assert_eq!((found.credentials.len(), found.roles), (0, vec![None, None]));
    let found = accounts.look_up(&ids[..1], &[]).await?;
    assert_eq!((found.credentials.len(), found.roles.len()), (1, 0));
    assert_eq!(accounts.look_up(&[], &[]).await?, LookedUp::default());
    Ok(())
}

/// The spaces of an actor come ascending by the bytes of their names after any name, at most as many as asked for.
pub async fn spaces_of_an_actor_are_listed_ascending_page_by_page(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let anna = actor("anna");
    for name in ["b", "a_1", "a1", "a-1", "a", "0"] {
        accounts.set_role(&space_id(name), &anna, Some(Role::Editor)).await?;
        accounts.set_role(&space_id("theirs"), &actor("bob"), Some(Role::Owner)).await?;
    }
    let names = ["0", "a", "a-1", "a1", "a_1", "b"];
    for n in 0..=names.len() {
        let after = n.checked_sub(1).map(|last| space_id(names[last]));
        for limit in [0, 1, 4, 6, 7, usize::MAX] {
            let wanted = names[n..].iter().take(limit).map(|name| (space_id(name), Role::Editor));
            let found = accounts.spaces_of(&anna, after.as_ref(), limit).await?;
            assert!(found.iter().cloned().eq(wanted), "{limit} after {after:?}: {found:?}");
        }
    }
    let between = accounts.spaces_of(&anna, Some(&space_id("a0")), 1).await?;
    assert_eq!(between, [(space_id("a1"), Role::Editor)]);
    Ok(())
}

/// Of the spaces in a list those that were described are found as they were described, each once, ascending by the bytes
/// of their ids; and nothing of others.
pub async fn spaces_that_were_described_are_found_each_once_ascending(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let ids = ["0", "a", "a-1", "a1", "a_1", "b"];
    for id in ["b", "a_1", "a1", "a-1", "a", "0"] {
        make(&*accounts, &[describe(id, Some(id)), describe("aa", None)]).await?;
    }
    assert_eq!(accounts.space_infos(&[]).await?, []);
    assert_eq!(accounts.space_infos(&["never", "", "a0"].map(|id| space_id(&format!("x{id}")))).await?, []);
    for n in 1..=ids.len() {
        // In an order of their own, some twice, and among others that are not there.
        let mut asked: Vec<SpaceId> =
            ids[..n].iter().rev().chain(&ids[..n / 2]).map(|id| space_id(id)).collect();
        asked.insert(n / 2, space_id("never"));
        let wanted: Vec<_> = ids[..n].iter().map(|id| space_info(id, Some(id))).collect();
        let found = accounts.space_infos(&asked).await?;
        assert!(found == wanted, "{asked:?}: {found:?}");
    }
    Ok(())
}

/// As many spaces as are allowed can be asked about at once, and not one more.
pub async fn no_more_spaces_are_asked_about_at_once_than_allowed(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let spaces: Vec<SpaceId> = (0..=SPACE_INFOS_MAX).map(|n| space_id(&format!("s{n:05}"))).collect();
    let last = format!("s{:05}", SPACE_INFOS_MAX - 1);
    make(&*accounts, &[describe(&last, Some("The last")), describe("s00000", None)]).await?;
    let found = accounts.space_infos(&spaces[..SPACE_INFOS_MAX]).await?;
    assert!(found == [space_info("s00000", None), space_info(&last, Some("The last"))], "{found:?}");
    let refused = accounts.space_infos(&spaces).await;
    assert_eq!(refused.err().map(|error| error.kind()), Some(ErrorKind::Invalid));
    Ok(())
}

/// Changes of accounts are there after closing and opening again.
pub async fn accounts_survive_reopening(subject: &mut dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let anna = User { address: Some("a@b.c".into()), home: Some(space_id("home")), ..user("u1", "Anna") };
    accounts.create_user(&anna, &owns("home")).await?;
    let list = [
        set_role("family", "u1", Role::Viewer),
        describe("family", Some("Family")),
        Change::AddCredential(device("phone", "u1")),
        Change::AddCredential(invite("invite", "family")),
        Change::AddCredential(device("gone", "u1")),
        Change::NoteSynced(synced("phone", "home", 5)),
        Change::ReplaceCredential(device("phone", "u1").changed(|_| {})),
        take("gone", 1),
    ];
    make(&*accounts, &list).await?;
    let before = people(&accounts, &["family", "home"], &["u1"]).await?;
    drop(accounts);
    if !subject.reopen().await? {
        return Ok(());
    }
    let accounts: Arc<dyn Accounts> = subject.accounts().expect("accounts do not vanish by reopening");
    assert!(people(&accounts, &["family", "home"], &["u1"]).await? == before);
    assert!(accounts.user_by_name("anna").await?.as_ref() == Some(&anna));
    assert!(accounts.user_by_address("a@b.c").await?.as_ref() == Some(&anna));
    make(&*accounts, &[take("phone", 2), take("invite", 1)]).await
}

fn owns(space: &str) -> [(SpaceId, Role); 1] {
    [(space_id(space), Role::Owner)]
}

async fn refused(accounts: &dyn Accounts, user: &User) -> Verdict {
    let personal = space_id("home2");
    let created = accounts.create_user(user, &owns("home2")).await;
    assert_eq!(created.err().map(|error| error.kind()), Some(ErrorKind::AlreadyExists));
    assert_eq!(accounts.role(&personal, &user.id).await?, None);
    Ok(())
}
