//! Lists of changes: all or nothing, each after the one before it. A subject without accounts passes.

use std::slice::from_ref;

use crate::accounts::{Change, Changed, Holder, Role, SpaceInfo, User};
use crate::clock::Timestamp;
use crate::conformance::{
    Subject, Verdict, actor, describe, device, held_by, invite, make, pairing, people, set_role, space_id,
    space_info, synced, take, user,
};

/// A list of which one change is refused, wherever it stands, leaves nothing: neither a change nor a notice. What was
/// refused is said.
pub async fn a_list_is_made_whole_or_not_at_all(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let ada = User { address: Some("ada@example.org".into()), ..user("ada", "Ada") };
    make(&*accounts, &[Change::CreateUser(ada), Change::CreateUser(user("bob", "Bob"))]).await?;
    make(
        &*accounts,
        &[set_role("family", "ada", Role::Owner), Change::AddCredential(device("phone", "ada"))],
    )
    .await?;
    let before = people(&accounts, &["family", "club"], &["ada", "bob", "cy"]).await?;
    let effects = [
        Change::CreateUser(user("cy", "Cy")),
        Change::UpdateUser(user("bob", "Robert")),
        set_role("club", "cy", Role::Editor),
        set_role("family", "ada", None),
        describe("family", Some("Family")),
        Change::AddCredential(device("tablet", "cy")),
        Change::NoteSynced(synced("phone", "family", 7)),
        Change::ReplaceCredential(device("phone", "ada").changed(|_| {})),
        take("phone", 2),
        Change::PassOn { from: actor("ada"), to: actor("bob") },
        Change::DeleteUser(actor("ada")),
        Change::ForgetSpace(space_id("club")),
    ];
    for idx in 0..=effects.len() {
        for refused in refusals() {
            let mut list = effects.to_vec();
            list.insert(idx, refused.clone());
            let wanted = Changed::Refused(idx);
            assert_eq!(accounts.change(&list).await?, wanted, "{refused:?} at {idx}");
        }
        let after = people(&accounts, &["family", "club"], &["ada", "bob", "cy"]).await?;
        assert!(after == before, "a refused list of {idx} changes has left something: {after:#?}");
    }
    make(&*accounts, &effects).await
}

/// Changes that are refused wherever they stand among those above.
fn refusals() -> [Change; 6] {
    [
        Change::CreateUser(user("bob", "Another")),
        Change::UpdateUser(user("nobody", "Nobody")),
        Change::DeleteUser(actor("nobody")),
        take("never-was", 1),
        Change::RequireUser(actor("nobody")),
        Change::RequireOwner(space_id("empty")),
    ]
}

/// Every change sees what the ones before it in its list have done.
pub async fn a_change_sees_those_before_it_in_its_list(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let phone = device("phone", "ada");
    let all = [
        Change::CreateUser(user("ada", "Ada")),
        Change::RequireUser(actor("ada")),
        set_role("home", "ada", Role::Owner),
        require("home", "ada", Some(Role::Owner)),
        Change::RequireOwner(space_id("home")),
        Change::AddCredential(phone.clone()),
        Change::NoteSynced(synced("phone", "home", 1)),
        Change::ReplaceCredential(phone.changed(|_| {})),
        Change::ReplaceCredential(phone.changed(|_| {}).changed(|_| {})),
        Change::NoteSynced(synced("phone", "home", 2)),
    ];
    make(&*accounts, &all).await?;
    assert_eq!(accounts.credential(&phone.id).await?.map(|found| found.revision), Some(3));
    assert_eq!(accounts.synced(from_ref(&phone.id), 9).await?, [synced("phone", "home", 2)]);
    for (list, idx) in [
        (vec![Change::DeleteUser(actor("ada")), Change::RequireUser(actor("ada"))], 1),
        (vec![Change::DeleteUser(actor("ada")), Change::RequireOwner(space_id("home"))], 1),
        (vec![set_role("home", "ada", None), require("home", "ada", Some(Role::Owner))], 1),
        (vec![take("phone", 3), take("phone", 3)], 1),
        (vec![Change::ReplaceCredential(phone.clone()), take("phone", 3)], 0),
        (vec![Change::CreateUser(user("b", "Bo")), Change::CreateUser(user("c", "Bo"))], 1),
    ] {
        assert_eq!(accounts.change(&list).await?, Changed::Refused(idx), "{list:?}");
    }
    // A name that is given up is free at once.
    let swap = [Change::UpdateUser(user("ada", "Eve")), Change::CreateUser(user("bob", "Ada"))];
    make(&*accounts, &swap).await
}

/// A list of nothing is done.
pub async fn a_list_of_nothing_is_done(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    make(&*accounts, &[]).await?;
    assert_eq!(accounts.notices(Some(0)).await?, crate::accounts::Notices::default());
    Ok(())
}

/// All that is known of a user is replaced, unless there is no such user or a name or address is someone else's. Their
/// roles and credentials stay.
pub async fn a_user_is_replaced_whole(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let with_address = |id, name, address: &str| User { address: Some(address.into()), ..user(id, name) };
    let (ada, bob) = (with_address("ada", "Ada", "a@b.c"), with_address("bob", "Bob", "b@b.c"));
    let mut list = vec![Change::CreateUser(ada.clone()), Change::CreateUser(bob.clone())];
    list.extend([set_role("home", "ada", Role::Owner), Change::AddCredential(device("phone", "ada"))]);
    make(&*accounts, &list).await?;
    for refused in [
        with_address("ada", "BOB", "a@b.c"),
        with_address("ada", "Ada", "b@b.c"),
        with_address("eve", "Eve", "e@b.c"),
    ] {
        assert_eq!(accounts.change(&[Change::UpdateUser(refused)]).await?, Changed::Refused(0));
        assert!(accounts.users(None, 9).await? == [ada.clone(), bob.clone()]);
    }
    let nameless = User { name_key: None, password_hash: None, home: Some(space_id("home")), ..ada.clone() };
    let named = User { name: "Eve".into(), address: None, ..user("ada", "eve") };
    for next in [ada.clone(), nameless, named] {
        make(&*accounts, &[Change::UpdateUser(next.clone())]).await?;
        assert!(accounts.user(&ada.id).await?.as_ref() == Some(&next));
        for name in ["ada", "eve"] {
            let wanted = Some(&next).filter(|user| user.name_key.as_deref() == Some(name));
            assert!(accounts.user_by_name(name).await?.as_ref() == wanted, "{name}");
        }
        let wanted = Some(&next).filter(|user| user.address.is_some());
        assert!(accounts.user_by_address("a@b.c").await?.as_ref() == wanted);
    }
    assert_eq!(accounts.role(&space_id("home"), &ada.id).await?, Some(Role::Owner));
    assert_eq!(accounts.credentials(&held_by("ada"), None, 9).await?, [device("phone", "ada")]);
    make(&*accounts, &[Change::CreateUser(with_address("eve", "Ada", "a@b.c"))]).await
}

/// With a user go their roles everywhere and all that they hold, and nothing of anyone else. Then their id, name and
/// address are free.
pub async fn a_deleted_user_takes_their_roles_and_credentials_along(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let ada = User { address: Some("a@b.c".into()), ..user("ada", "Ada") };
    let mut list = vec![Change::CreateUser(ada.clone()), Change::CreateUser(user("ada2", "Bob"))];
    for id in ["ada", "ada2"] {
        list.extend([set_role("family", id, Role::Owner), set_role("club", id, Role::Viewer)]);
        let (phone, code) = (device(&format!("phone-{id}"), id), pairing(&format!("code-{id}"), id));
        list.extend([Change::AddCredential(phone), Change::AddCredential(code)]);
        list.push(Change::NoteSynced(synced(&format!("phone-{id}"), "family", 5)));
    }
    list.push(Change::AddCredential(invite("invite", "family")));
    make(&*accounts, &list).await?;
    make(&*accounts, &[Change::DeleteUser(ada.id.clone())]).await?;
    assert!(accounts.user(&ada.id).await?.is_none() && accounts.user_by_name("ada").await?.is_none());
    assert!(accounts.user_by_address("a@b.c").await?.is_none());
    assert_eq!(accounts.spaces_of(&ada.id, None, 9).await?, []);
    assert_eq!(accounts.members(&space_id("club"), None, 9).await?, [(actor("ada2"), Role::Viewer)]);
    assert_eq!(accounts.credentials(&held_by("ada"), None, 9).await?, []);
    assert_eq!(accounts.credential(&device("phone-ada", "ada").id).await?, None);
    assert_eq!(accounts.credentials(&held_by("ada2"), None, 9).await?.len(), 2);
    assert_eq!(accounts.credential(&invite("invite", "family").id).await?, Some(invite("invite", "family")));
    let devices = ["phone-ada", "phone-ada2"].map(|name| device(name, "ada").id);
    assert_eq!(accounts.synced(&devices, 9).await?, [synced("phone-ada2", "family", 5)]);
    assert_eq!(accounts.change(&[Change::DeleteUser(ada.id.clone())]).await?, Changed::Refused(0));
    make(&*accounts, &[Change::CreateUser(ada)]).await
}

/// All that is known about a space is replaced, whether it was known before or not, and whether there is such a space or
/// not; nothing is known about any other.
pub async fn what_is_known_about_a_space_is_replaced_whole(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let spaces = [space_id("family"), space_id("family2")];
    let (named, nameless) = (space_info("family", Some("Family")), space_info("family", None));
    let other =
        SpaceInfo { created_at: Some(Timestamp::MAX), ..space_info("family", Some("日本 \"x\" 'y'")) };
    let unknown = SpaceInfo { created_at: None, updated_at: Timestamp::MAX, ..named.clone() };
    for next in [&named, &nameless, &other, &unknown, &other, &named, &unknown, &nameless] {
        make(&*accounts, &[Change::DescribeSpace(next.clone())]).await?;
        assert!(accounts.space_infos(&spaces).await? == from_ref(next), "{next:?}");
    }
    make(&*accounts, &[describe("family", None), Change::DescribeSpace(other.clone())]).await?;
    assert!(accounts.space_infos(&spaces).await? == [other]);
    assert_eq!(accounts.members(&spaces[0], None, 9).await?, []);
    Ok(())
}

/// With a space go the roles in it, the credentials it holds, what is known about it and of who synced it; nothing else.
pub async fn a_forgotten_space_takes_what_is_its_own_along(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let mut list =
        vec![Change::CreateUser(user("ada", "Ada")), Change::AddCredential(device("phone", "ada"))];
    for space in ["family", "family2"] {
        list.extend([set_role(space, "ada", Role::Owner), describe(space, Some("Family"))]);
        list.push(Change::AddCredential(invite(&format!("invite-{space}"), space)));
        list.push(Change::NoteSynced(synced("phone", space, 5)));
    }
    make(&*accounts, &list).await?;
    make(&*accounts, &[Change::ForgetSpace(space_id("family"))]).await?;
    let [gone, stays] = ["family", "family2"].map(|space| Holder::Space(space_id(space)));
    assert_eq!(accounts.credentials(&gone, None, 9).await?, []);
    assert_eq!(accounts.credential(&invite("invite-family", "family").id).await?, None);
    assert_eq!(accounts.credentials(&stays, None, 9).await?, [invite("invite-family2", "family2")]);
    assert_eq!(accounts.credentials(&held_by("ada"), None, 9).await?, [device("phone", "ada")]);
    let phone = device("phone", "ada").id;
    assert_eq!(accounts.synced(&[phone], 9).await?, [synced("phone", "family2", 5)]);
    let known = accounts.space_infos(&[space_id("family"), space_id("family2")]).await?;
    assert!(known == [space_info("family2", Some("Family"))], "{known:?}");
    assert_eq!(accounts.spaces_of(&actor("ada"), None, 9).await?, [(space_id("family2"), Role::Owner)]);
    assert!(accounts.user(&actor("ada")).await?.is_some());
    make(&*accounts, &[Change::ForgetSpace(space_id("family")), Change::ForgetSpace(space_id("never"))]).await
}

/// A condition holds or not where it stands: that a user is there, that someone has exactly this role or none, that
/// someone is an owner, that nobody is in a space, that a credential is there, that a user is as they were read, that
/// nobody would be left in a space without an owner.
pub async fn a_condition_holds_or_refuses_the_list(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let mut list = vec![Change::CreateUser(user("ada", "Ada"))];
    list.extend([set_role("family", "ada", Role::Editor), set_role("club", "ghost", Role::Owner)]);
    list.extend([set_role("shared", "ada", Role::Editor), set_role("shared", "bob", Role::Viewer)]);
    list.extend([set_role("ours", "cy", Role::Owner), set_role("ours", "dan", Role::Owner)]);
    list.extend([set_role("ours", "ada", Role::Viewer), set_role("led", "dan", Role::Owner)]);
    list.extend([set_role("led", "cy", Role::Viewer), set_role("alone", "cy", Role::Owner)]);
    list.push(Change::AddCredential(device("phone", "ada")));
    make(&*accounts, &list).await?;
    let (editor, owner, viewer) = (Some(Role::Editor), Some(Role::Owner), Some(Role::Viewer));
    for (condition, holds) in [
        (Change::RequireUser(actor("ada")), true),
        (Change::RequireUser(actor("Ada")), false),
        (Change::RequireUser(actor("ghost")), false),
        (require("family", "ada", editor), true),
        (require("family", "ada", owner), false),
        (require("family", "ada", viewer), false),
        (require("family", "ada", None), false),
        (require("club", "ada", None), true),
        (require("club", "ghost", owner), true),
        (require("never", "nobody", None), true),
        (require("never", "nobody", viewer), false),
        (Change::RequireOwner(space_id("club")), true),
        (Change::RequireOwner(space_id("family")), false),
        (Change::RequireOwner(space_id("never")), false),
        (Change::RequireCredential(device("phone", "ada").id), true),
        (Change::RequireCredential(device("phone2", "ada").id), false),
        (Change::RequireUnchanged(user("ada", "Ada")), true),
        (Change::RequireUnchanged(User { password_hash: None, ..user("ada", "Ada") }), false),
        (Change::RequireUnchanged(user("ghost", "Ghost")), false),
        (Change::RequireNobody(space_id("never")), true),
        (Change::RequireNobody(space_id("family")), false),
        (Change::RequireNobody(space_id("club")), false),
        (Change::RequireSuccessors(actor("ada")), true),
        (Change::RequireSuccessors(actor("ghost")), true),
        (Change::RequireSuccessors(actor("nobody")), true),
        (Change::RequireSuccessors(actor("cy")), true),
        (Change::RequireSuccessors(actor("dan")), false),
    ] {
        assert_eq!(accounts.change(from_ref(&condition)).await?.is_done(), holds, "{condition:?}");
        let list = [set_role("club", "ghost", Role::Owner), condition.clone()];
        let wanted = if holds { Changed::Done } else { Changed::Refused(1) };
        assert_eq!(accounts.change(&list).await?, wanted, "{condition:?}");
    }
    Ok(())
}

/// Of all spaces of which somebody is the only owner another becomes the only member, and the credentials they hold go;
/// all others stay as they are, co-owned ones and those of who has a lesser role among them.
pub async fn spaces_are_passed_on_as_far_as_nobody_else_owns_them(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let (owner, viewer) = (Role::Owner, Role::Viewer);
    let mut list = vec![Change::AddCredential(device("phone", "ada"))];
    list.extend([set_role("alone", "ada", owner), set_role("alone2", "ada", owner)]);
    list.extend([set_role("led", "ada", owner), set_role("led", "bob", Role::Editor)]);
    list.extend([set_role("ours", "ada", owner), set_role("ours", "bob", owner)]);
    list.extend([set_role("guest", "ada", viewer), set_role("guest", "bob", owner)]);
    list.extend([set_role("theirs", "bob", owner), set_role("seen", "ada", viewer)]);
    for space in ["alone", "led", "ours", "theirs"] {
        list.push(describe(space, Some("as we call it")));
        list.push(Change::AddCredential(invite(&format!("invite-{space}"), space)));
        list.push(Change::NoteSynced(synced("phone", space, 5)));
    }
    make(&*accounts, &list).await?;
    let pass_on = Change::PassOn { from: actor("ada"), to: actor("eve") };
    make(&*accounts, &[pass_on.clone(), require("led", "eve", Some(owner))]).await?;
    let spaces = |of: &[(&str, Role)]| of.iter().map(|(of, role)| (space_id(of), *role)).collect::<Vec<_>>();
    for (id, of) in [
        ("ada", spaces(&[("guest", viewer), ("ours", owner), ("seen", viewer)])),
        ("bob", spaces(&[("guest", owner), ("ours", owner), ("theirs", owner)])),
        ("eve", spaces(&[("alone", owner), ("alone2", owner), ("led", owner)])),
    ] {
        assert_eq!(accounts.spaces_of(&actor(id), None, 9).await?, of, "{id}");
    }
    assert_eq!(accounts.members(&space_id("led"), None, 9).await?, [(actor("eve"), owner)]);
    for (space, n_left) in [("alone", 0), ("led", 0), ("ours", 1), ("theirs", 1)] {
        let held = accounts.credentials(&Holder::Space(space_id(space)), None, 9).await?;
        assert_eq!(held.len(), n_left, "{space}");
    }
    assert_eq!(accounts.credentials(&held_by("ada"), None, 9).await?, [device("phone", "ada")]);
    let infos = accounts.space_infos(&["alone", "led", "ours", "theirs"].map(space_id)).await?;
    assert_eq!(infos, ["ours", "theirs"].map(|space| space_info(space, Some("as we call it"))));
    let left = accounts.synced(&[device("phone", "ada").id], 9).await?;
    assert_eq!(left, [synced("phone", "ours", 5), synced("phone", "theirs", 5)]);
    make(&*accounts, &[pass_on]).await
}

fn require(space: &str, id: &str, role: Option<Role>) -> Change {
    Change::RequireRole { space: space_id(space), actor: actor(id), role }
}
