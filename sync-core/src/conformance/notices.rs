//! Notices of changes. A subject without accounts passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::accounts::{
    Accounts, Change, Changed, CredentialKind, Holder, NOTICES_KEPT, Notice, Notices, Role,
};
use crate::clock::Timestamp;
use crate::conformance::{
    Failure, Subject, Verdict, actor, credential_id, describe, device, held_by, invite, make, pairing,
    set_role, space_id, synced, take, user,
};

/// Every change that has a notice leaves it, in the order of the changes and of the lists; others leave none.
pub async fn changes_leave_their_notices_in_order(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let end = |holder, kind| Change::EndCredentials { holder, kind, except: None };
    let lists = [
        vec![Change::CreateUser(user("ada", "Ada")), set_role("home", "ada", Role::Owner)],
        vec![Change::AddCredential(device("phone", "ada"))],
        vec![Change::UpdateUser(user("ada", "Eve")), Change::NoteSynced(synced("phone", "home", 1))],
        vec![describe("home", Some("Home")), describe("home", None)],
        vec![Change::AddCredential(pairing("code", "ada")), Change::AddCredential(invite("invite", "home"))],
        vec![take("code", 1), Change::ReplaceCredential(device("phone", "ada").changed(|_| {}))],
        vec![
            set_role("home", "bob", None),
            set_role("home", "bob", Role::Viewer),
            set_role("home", "bob", None),
        ],
        vec![end(held_by("ada"), CredentialKind::Device), end(held_by("ada"), CredentialKind::Pairing)],
        vec![Change::RequireUser(actor("ada")), Change::RequireOwner(space_id("home"))],
        vec![Change::PassOn { from: actor("ada"), to: actor("bob") }],
        vec![end(Holder::Server, CredentialKind::Invite), Change::DeleteUser(actor("ada"))],
        vec![
            Change::ForgetExpired { before: Timestamp::MAX, limit: 9 },
            Change::ForgetSpace(space_id("home")),
        ],
    ];
    let mut wanted: Vec<Notice> = Vec::new();
    for list in &lists {
        let before = accounts.notices(None).await?;
        assert_eq!(before, Notices { position: before.position, ..Notices::default() });
        make(&*accounts, list).await?;
        let left: Vec<Notice> = list.iter().filter_map(Change::notice).collect();
        let found = accounts.notices(Some(before.position)).await?;
        assert_eq!((found.missed, &found.notices), (false, &left), "{list:?}");
        assert!(found.position >= before.position, "positions only grow");
        assert_eq!(found.position > before.position, !left.is_empty(), "{list:?}");
        wanted.extend(left);
    }
    let all = accounts.notices(Some(0)).await?;
    assert_eq!((all.missed, all.notices), (false, wanted));
    let none = accounts.notices(Some(all.position)).await?;
    assert_eq!((none.position, none.missed, none.notices.len()), (all.position, false, 0));
    Ok(())
}

/// A list that was refused leaves no notice, and takes no position.
pub async fn a_refused_list_leaves_no_notice(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    make(&*accounts, &[set_role("home", "ada", Role::Owner)]).await?;
    let before = accounts.notices(None).await?.position;
    let list = [set_role("home", "bob", Role::Owner), Change::RequireUser(actor("nobody"))];
    assert_eq!(accounts.change(&list).await?, Changed::Refused(1));
    assert_eq!(accounts.notices(Some(before)).await?, Notices { position: before, ..Notices::default() });
    assert_eq!(accounts.notices(Some(0)).await?.notices.len(), 1);
    Ok(())
}

/// At least the newest thousand are there, also when one list leaves more; who is further back is told, and so is who
/// comes from the future: the store is not the one they asked before.
pub async fn who_was_away_for_too_long_is_told(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let future = accounts.notices(Some(1)).await?;
    assert!(future.missed && future.notices.is_empty() && future.position < 1);
    let change = |n: usize| set_role("home", &format!("u{n}"), Role::Viewer);
    let kept = usize::try_from(NOTICES_KEPT)?;
    let mut n_left = 0;
    // By lists of every size, so that the end of what is kept lies within a list and at its edge.
    for n in [1, kept - 1, 1, 7, kept + 300, 2] {
        make(&*accounts, &(n_left..n_left + n).map(change).collect::<Vec<_>>()).await?;
        n_left += n;
        newest_are_kept(&accounts, n_left).await?;
    }
    let far = accounts.notices(Some(u64::MAX)).await?;
    assert!(far.missed && far.notices.is_empty());
    Ok(())
}

async fn newest_are_kept(accounts: &Arc<dyn Accounts>, n_left: usize) -> Verdict {
    let kept = usize::try_from(NOTICES_KEPT)?.min(n_left);
    let position = accounts.notices(None).await?.position;
    for n_asked in [0, 1, kept / 2, kept] {
        let found = accounts.notices(Some(position - n_asked as u64)).await?;
        let member = |n: usize| Notice::Member(space_id("home"), actor(&format!("u{n}")));
        let wanted: Vec<Notice> = (n_left - n_asked..n_left).map(member).collect();
        assert!(!found.missed && found.notices == wanted, "{n_asked} of {n_left}: {}", found.notices.len());
    }
    let all = accounts.notices(Some(0)).await?;
    assert_eq!(all.missed, all.notices.len() < n_left, "after {n_left}: {} were there", all.notices.len());
    Ok(())
}

/// Positions and notices go on after closing and opening again.
pub async fn notices_survive_reopening(subject: &mut dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    make(&*accounts, &[set_role("home", "ada", Role::Owner), Change::AddCredential(device("phone", "ada"))])
        .await?;
    make(&*accounts, &[take("phone", 1)]).await?;
    let before = accounts.notices(Some(0)).await?;
    drop(accounts);
    if !subject.reopen().await? {
        return Ok(());
    }
    let accounts = subject.accounts().expect("accounts do not vanish by reopening");
    assert_eq!(accounts.notices(Some(0)).await?, before);
    make(&*accounts, &[set_role("home", "ada", None)]).await?;
    let after = accounts.notices(Some(before.position)).await?;
    assert_eq!(after.notices, [Notice::Member(space_id("home"), actor("ada"))]);
    assert!(!after.missed && after.position > before.position);
    assert_eq!(before.notices[1], Notice::Credential(credential_id("phone")));
    Ok(())
}

/// Many change at once while someone follows: they hear of every change once, and of those of one writer in order.
pub async fn who_follows_hears_of_everything(subject: &dyn Subject) -> Verdict {
    const N_WRITERS: usize = 6;
    const N_CHANGES: usize = 15;
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let n_done = Arc::new(AtomicUsize::new(0));
    let write = |n: usize| {
        let (accounts, done) = (accounts.clone(), Done(n_done.clone()));
        async move {
            let _done = done;
            for m in 0..N_CHANGES {
                make(&*accounts, &[set_role(&format!("s{n}"), &format!("u{m}"), Role::Viewer)]).await?;
            }
            Ok(Vec::new())
        }
    };
    let follower = {
        let (accounts, runtime, n_done) = (accounts.clone(), subject.runtime(), n_done.clone());
        async move {
            let (mut heard, mut position) = (Vec::new(), 0);
            loop {
                let is_over = n_done.load(Ordering::SeqCst) == N_WRITERS;
                let news = accounts.notices(Some(position)).await?;
                assert!(!news.missed && news.position >= position);
                heard.extend(news.notices);
                position = news.position;
                if is_over {
                    return Ok(heard);
                }
                runtime.sleep(Duration::from_micros(200)).await;
            }
        }
    };
    let mut tasks: Vec<futures_util::future::BoxFuture<'static, Result<Vec<Notice>, Failure>>> =
        vec![Box::pin(follower)];
    tasks.extend((0..N_WRITERS).map(|n| Box::pin(write(n)) as _));
    let heard = crate::conformance::in_parallel(subject, tasks).await.swap_remove(0)?;
    for n in 0..N_WRITERS {
        let space = space_id(&format!("s{n}"));
        let of_writer: Vec<_> =
            heard.iter().filter(|notice| matches!(notice, Notice::Member(of, _) if *of == space)).collect();
        let member = |m: usize| Notice::Member(space.clone(), actor(&format!("u{m}")));
        assert!(
            of_writer.into_iter().eq(&(0..N_CHANGES).map(member).collect::<Vec<_>>()),
            "{space}: {heard:?}"
        );
    }
    // And where it ends is where it goes on.
    let end = accounts.notices(Some(0)).await?.position;
    make(&*accounts, &[set_role("s0", "last", Role::Viewer)]).await?;
    let last = accounts.notices(Some(end)).await?.notices;
    assert_eq!(last, [Notice::Member(space_id("s0"), actor("last"))]);
    Ok(())
}

/// Says that a writer is done, also when it panics.
struct Done(Arc<AtomicUsize>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
