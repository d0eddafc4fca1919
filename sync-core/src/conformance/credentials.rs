//! Credentials, and how far devices are. A subject without accounts passes.

use std::slice::from_ref;

use crate::accounts::{
    Change, Changed, Claim, Credential, CredentialKind, Device, Holder, Invite, Link, Pairing, Proof,
    Purpose, Role, SecretHash,
};
use crate::clock::Timestamp;
use crate::conformance::{
    Subject, Verdict, actor, credential, credential_id, device, held_by, invite, make, pairing, set_role,
    space_id, synced, take, time, user,
};
use crate::error::Result;

/// Every kind of credential of every kind of holder comes back as it was, by its id and among what its holder has, also
/// when it has expired.
pub async fn a_credential_comes_back_as_it_was(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let holders = [
        held_by("device:ada@example.org"),
        held_by("server"),
        Holder::Space(space_id("server")),
        Holder::Address("h:1'; DROP TABLE users; -- ä".into()),
        Holder::Server,
    ];
    let (mut all, mut n) = (Vec::new(), 0);
    for holder in &holders {
        for purpose in purposes() {
            n += 1;
            let ends = [None, Some(Timestamp::ZERO), Some(time(1)), Some(Timestamp::MAX)];
            let first = credential(&format!("c{n:02}"), holder.clone(), purpose);
            all.push(Credential { expires_at: ends[n % 4], created_at: Timestamp::MAX, ..first });
        }
    }
    let list: Vec<Change> = all.iter().cloned().map(Change::AddCredential).collect();
    make(&*accounts, &list).await?;
    for credential in &all {
        assert!(accounts.credential(&credential.id).await?.as_ref() == Some(credential), "{credential:?}");
    }
    for holder in &holders {
        let wanted: Vec<_> = all.iter().filter(|credential| credential.holder == *holder).collect();
        let found = accounts.credentials(holder, None, usize::MAX).await?;
        assert!(found.iter().eq(wanted), "{holder:?}: {found:?}");
    }
    assert_eq!(accounts.credential(&credential_id("c1")).await?, None);
    assert_eq!(accounts.credentials(&held_by("device:ada"), None, 9).await?, []);
    Ok(())
}

fn purposes() -> [Purpose; 6] {
    let text = "Ada's \"phone\" \u{1f}\u{1e}\n 日本";
    let full = Device {
        proof: Proof::Refresh,
        name: text.into(),
        platform: Some(text.into()),
        family: Some(SecretHash::of("0")),
        spent: vec![SecretHash::of("1"), SecretHash::of("2")],
        exchange: Some(SecretHash::of("3")),
        ends_at: Some(Timestamp::MAX),
    };
    let claim = Claim {
        name: text.into(),
        platform: None,
        from: "2001:db8::1".into(),
        at: Timestamp::MAX,
        secret: SecretHash::of("4"),
        is_confirmed: true,
    };
    let by = Some(actor("ada"));
    [
        Purpose::Device(full.clone()),
        Purpose::Device(Device {
            proof: Proof::Cookie,
            platform: None,
            family: None,
            spent: Vec::new(),
            exchange: None,
            ..full
        }),
        Purpose::Link(Link { address: "ada+x'@example.org".into() }),
        Purpose::Pairing(Pairing { misses: u32::MAX, confirm: true, claim: Some(claim), by: None }),
        Purpose::Invite(Invite { role: Role::Owner, address: Some("bob@example.org".into()), by }),
        Purpose::Invite(Invite { role: Role::Viewer, address: None, by: None }),
    ]
}

/// An id that is taken is refused, whoever holds it, and the one that is there stays.
pub async fn a_taken_credential_id_is_refused(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    make(&*accounts, &[Change::AddCredential(device("phone", "ada"))]).await?;
    for other in [device("phone", "ada"), device("phone", "bob"), invite("phone", "family")] {
        let refused = accounts.change(&[Change::AddCredential(other)]).await?;
        assert_eq!(refused, Changed::Refused(0));
    }
    assert_eq!(accounts.credential(&credential_id("phone")).await?, Some(device("phone", "ada")));
    assert_eq!(accounts.credentials(&held_by("bob"), None, 9).await?, []);
    Ok(())
}

/// A credential is replaced only by its next revision, of the same holder and kind; with all that it has.
pub async fn a_credential_is_replaced_by_its_next_revision_only(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let first = device("phone", "ada");
    make(&*accounts, &[Change::AddCredential(first.clone())]).await?;
    let second = first.changed(|next| {
        (next.secret, next.expires_at) = (SecretHash::of("next"), Some(time(5)));
        if let Purpose::Device(device) = &mut next.purpose {
            device.spent.push(SecretHash::of("phone"));
        }
    });
    let wrong = [
        Credential { revision: 0, ..second.clone() },
        Credential { revision: 1, ..second.clone() },
        Credential { revision: 3, ..second.clone() },
        Credential { revision: u32::MAX, ..second.clone() },
        Credential { holder: held_by("bob"), ..second.clone() },
        Credential { purpose: pairing("phone", "ada").purpose, ..second.clone() },
        Credential { id: credential_id("tablet"), ..second.clone() },
    ];
    for wrong in wrong {
        assert_eq!(accounts.change(&[Change::ReplaceCredential(wrong)]).await?, Changed::Refused(0));
        assert_eq!(accounts.credential(&first.id).await?, Some(first.clone()));
    }
    make(&*accounts, &[Change::NoteSynced(synced("phone", "family", 3))]).await?;
    make(&*accounts, &[Change::ReplaceCredential(second.clone())]).await?;
    assert_eq!(accounts.credentials(&held_by("ada"), None, 9).await?, from_ref(&second));
    assert_eq!(
        accounts.synced(from_ref(&first.id), 9).await?,
        [synced("phone", "family", 3)],
        "it is the same device"
    );
    assert_eq!(accounts.change(&[Change::ReplaceCredential(second.clone())]).await?, Changed::Refused(0));
    // It ends when its new revision says so.
    let endless = second.changed(|next| next.expires_at = None);
    make(&*accounts, &[Change::ReplaceCredential(endless.clone()), forget_expired(9, 9)]).await?;
    assert_eq!(accounts.credential(&first.id).await?, Some(endless.clone()));
    let ending = endless.changed(|next| next.expires_at = Some(time(9)));
    make(&*accounts, &[Change::ReplaceCredential(ending), forget_expired(9, 9)]).await?;
    assert_eq!(accounts.credential(&first.id).await?, None);
    Ok(())
}

/// A credential is taken once, in the revision it has.
pub async fn a_credential_is_taken_once(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let second = pairing("code", "ada").changed(|_| {});
    make(&*accounts, &[Change::AddCredential(second.clone()), Change::AddCredential(device("phone", "ada"))])
        .await?;
    for (change, wanted) in [
        (take("code", 1), Changed::Refused(0)),
        (take("code", 3), Changed::Refused(0)),
        (take("coda", 2), Changed::Refused(0)),
        (take("code", 2), Changed::Done),
        (take("code", 2), Changed::Refused(0)),
    ] {
        assert_eq!(accounts.change(from_ref(&change)).await?, wanted, "{change:?}");
    }
    assert_eq!(accounts.credential(&second.id).await?, None);
    assert_eq!(accounts.credentials(&held_by("ada"), None, 9).await?, [device("phone", "ada")]);
    make(&*accounts, &[Change::AddCredential(second)]).await
}

/// What ends is of one kind and one holder, all of it but one.
pub async fn only_what_was_meant_is_ended(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let all = [
        device("a", "ada"),
        device("b", "ada"),
        device("c", "ada"),
        pairing("d", "ada"),
        device("e", "ada2"),
    ];
    let list: Vec<Change> = all.iter().cloned().map(Change::AddCredential).collect();
    let end = |holder, kind, except: Option<&str>| Change::EndCredentials {
        holder,
        kind,
        except: except.map(credential_id),
    };
    let (devices, pairings) = (CredentialKind::Device, CredentialKind::Pairing);
    for (change, stay) in [
        (end(held_by("ada"), devices, None), "de"),
        (end(held_by("ada"), devices, Some("b")), "bde"),
        (end(held_by("ada"), devices, Some("e")), "de"),
        (end(held_by("ada"), pairings, Some("x")), "abce"),
        (end(held_by("ada"), CredentialKind::Link, None), "abcde"),
        (end(held_by("ad"), devices, None), "abcde"),
        (end(Holder::Server, devices, None), "abcde"),
    ] {
        make(&*accounts, &list).await?;
        make(&*accounts, from_ref(&change)).await?;
        for credential in &all {
            let stays = stay.contains(&credential.id.as_str()[..1]);
            assert_eq!(
                accounts.credential(&credential.id).await?.is_some(),
                stays,
                "{change:?}: {}",
                credential.id
            );
            if stays {
                make(&*accounts, &[Change::TakeCredential { id: credential.id.clone(), revision: 1 }])
                    .await?;
            }
        }
    }
    Ok(())
}

/// What has ended by itself is there until it is forgotten: what ended at that time or before, no more at once than asked
/// for. What has no end stays.
pub async fn what_has_expired_is_there_until_it_is_forgotten(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let ends = [Some(1), None, Some(5), Some(2), Some(6), Some(5)];
    let all: Vec<Credential> = (0..6)
        .map(|n| Credential { expires_at: ends[n].map(time), ..device(&format!("d{n}"), "ada") })
        .collect();
    make(&*accounts, &all.iter().cloned().map(Change::AddCredential).collect::<Vec<_>>()).await?;
    let left = async || -> Result<Vec<Option<i64>>> {
        let found = accounts.credentials(&held_by("ada"), None, 9).await?;
        Ok(found.iter().map(|credential| credential.expires_at.map(Timestamp::as_micros)).collect())
    };
    assert_eq!(left().await?, ends);
    for (before, limit, n_left) in [(0, 9, 6), (5, 0, 6), (5, 1, 5), (5, 2, 3), (5, 9, 2), (5, 9, 2)] {
        make(&*accounts, &[forget_expired(before, limit)]).await?;
        assert_eq!(left().await?.len(), n_left, "{limit} that ended at {before} or before");
    }
    assert_eq!(left().await?, [None, Some(6)]);
    make(&*accounts, &[Change::ForgetExpired { before: Timestamp::MAX, limit: usize::MAX }]).await?;
    assert_eq!(left().await?, [None]);
    Ok(())
}

/// What someone holds is listed ascending by id after any id, at most as many as asked for.
pub async fn credentials_are_listed_ascending_page_by_page(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let names = ["1", "A", "B", "a", "a-1", "b"];
    for name in ["b", "A", "a-1", "1", "a", "B"] {
        let others = Change::AddCredential(device(&format!("x{name}"), "ada2"));
        make(&*accounts, &[Change::AddCredential(device(name, "ada")), others]).await?;
    }
    let mut sorted: Vec<_> = names.iter().map(|name| device(name, "ada")).collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    for n in 0..=names.len() {
        let after = n.checked_sub(1).map(|last| &sorted[last].id);
        for limit in [0, 1, 3, 6, usize::MAX] {
            let wanted: Vec<_> = sorted[n..].iter().take(limit).cloned().collect();
            assert_eq!(accounts.credentials(&held_by("ada"), after, limit).await?, wanted);
        }
    }
    assert_eq!(
        accounts.credentials(&held_by("ada"), Some(&credential_id("a-0")), 1).await?[0].id,
        credential_id("a-1")
    );
    Ok(())
}

/// How far devices are is what was noted last, for each space; nothing of devices that are not there. They come
/// ascending by device and space, at most as many as asked for, each once.
pub async fn how_far_devices_are_is_noted(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    make(&*accounts, &["b", "a"].map(|name| Change::AddCredential(device(name, "ada")))).await?;
    let notes = [
        synced("b", "home", 4),
        synced("a", "home", 9),
        synced("gone", "home", 9),
        synced("a", "club", 1),
        synced("a", "home", 2),
        synced("b", "home", 3),
    ];
    make(&*accounts, &notes.map(Change::NoteSynced)).await?;
    let wanted = [synced("a", "club", 1), synced("a", "home", 2), synced("b", "home", 3)];
    let devices = ["b", "gone", "a", "b", "never"].map(credential_id);
    for limit in [0, 1, 2, 3, 4, usize::MAX] {
        let wanted = &wanted[..limit.min(3)];
        assert_eq!(accounts.synced(&devices, limit).await?, wanted, "{limit}");
    }
    assert_eq!(accounts.synced(&devices[..1], 9).await?, wanted[2..]);
    assert_eq!(accounts.synced(&[], 9).await?, []);
    make(&*accounts, &[Change::AddCredential(device("gone", "ada"))]).await?;
    assert_eq!(accounts.synced(&devices, 9).await?, wanted, "nothing was noted of what was not there");
    many_notes_at_once(subject).await
}

/// As many as a busy server notes at once, and more.
async fn many_notes_at_once(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let names: Vec<String> = (0..1_100).map(|n| format!("m{n:04}")).collect();
    make(
        &*accounts,
        &names.iter().map(|name| Change::AddCredential(device(name, "bob"))).collect::<Vec<_>>(),
    )
    .await?;
    let notes: Vec<_> = names.iter().map(|name| synced(name, "home", 7)).collect();
    make(&*accounts, &notes.iter().cloned().map(Change::NoteSynced).collect::<Vec<_>>()).await?;
    let ids: Vec<_> = names.iter().rev().map(|name| credential_id(name)).collect();
    assert_eq!(accounts.synced(&ids, usize::MAX).await?, notes);
    assert_eq!(accounts.synced(&ids, 1_050).await?, notes[..1_050]);
    Ok(())
}

/// What is known of how far a device is goes with it, however it goes, and is not there for one of the same id.
pub async fn what_a_device_has_synced_goes_with_it(subject: &dyn Subject) -> Verdict {
    let Some(accounts) = subject.accounts() else { return Ok(()) };
    let phone = Credential { expires_at: Some(time(1)), ..device("phone", "ada") };
    let devices = CredentialKind::Device;
    let ways = [
        vec![take("phone", 1)],
        vec![Change::EndCredentials { holder: held_by("ada"), kind: devices, except: None }],
        vec![forget_expired(1, 1)],
        vec![Change::DeleteUser(actor("ada"))],
    ];
    for way in ways {
        let new = [Change::CreateUser(user("ada", "Ada")), Change::AddCredential(phone.clone())];
        let notes = ["home", "club"].map(|space| Change::NoteSynced(synced("phone", space, 1)));
        make(&*accounts, &[&new[..], &notes, &[set_role("home", "ada", Role::Owner)]].concat()).await?;
        assert_eq!(accounts.synced(from_ref(&phone.id), 9).await?.len(), 2);
        make(&*accounts, &way).await?;
        assert_eq!(accounts.synced(from_ref(&phone.id), 9).await?, [], "{way:?}");
        make(&*accounts, &[Change::AddCredential(phone.clone())]).await?;
        assert_eq!(accounts.synced(from_ref(&phone.id), 9).await?, [], "{way:?}");
        make(&*accounts, &[take("phone", 1)]).await?;
        if accounts.user(&actor("ada")).await?.is_some() {
            make(&*accounts, &[Change::DeleteUser(actor("ada"))]).await?;
        }
    }
    Ok(())
}

fn forget_expired(before: i64, limit: usize) -> Change {
    Change::ForgetExpired { before: time(before), limit }
}
