//! Passwords at the cheapest cost argon2 allows.

use super::*;

fn passwords() -> Passwords {
    Passwords::new(HashCost { memory_kib: 8, passes: 1 }).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

async fn hash(text: &str) -> String {
    passwords().hash(password(text), |salt| salt.fill(7)).await.unwrap()
}

#[tokio::test]
async fn a_password_matches_its_own_hash_only() {
    let stored = hash("correct horse").await;
    for (text, expected) in [("correct horse", true), ("correct horsf", false), ("Correct horse", false)] {
        assert_eq!(passwords().verify(password(text), Some(&stored)).await.unwrap(), expected, "{text}");
    }
}

#[tokio::test]
async fn passwords_are_their_exact_bytes() {
    let stored = hash("caf\u{e9} au lait").await;
    for other in ["cafe\u{301} au lait", " caf\u{e9} au lait", "caf\u{e9} au lait "] {
        assert!(!passwords().verify(password(other), Some(&stored)).await.unwrap());
    }
    let emoji = hash("🦀🦀🦀🦀").await;
    assert!(passwords().verify(password("🦀🦀🦀🦀"), Some(&emoji)).await.unwrap());
}

#[test]
fn the_rules_are_about_length_and_nul() {
    for (text, allowed) in [
        ("1234567".to_owned(), false),
        ("12345678".to_owned(), true),
        ("x".repeat(64), true),
        ("x".repeat(1024), true),
        ("x".repeat(1025), false),
        ("x".repeat(1 << 20), false),
        ("pass\0word".to_owned(), false),
        ("🦀🦀".to_owned(), true),
    ] {
        assert_eq!(Password::new(&text).is_ok(), allowed, "{} bytes", text.len());
    }
}

#[tokio::test]
async fn an_unknown_user_costs_a_hash_and_never_matches() {
    let default = Passwords::new(HashCost::default()).unwrap();
    assert!(default.dummy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(!passwords().verify(password("nobody has this password"), None).await.unwrap());
}

#[tokio::test]
async fn a_stored_hash_that_cannot_be_read_never_matches() {
    for stored in ["", "plain", "$argon2id$v=19$m=8,t=1,p=1$", "$2b$12$abcdefghijklmnopqrstuv"] {
        assert!(!passwords().verify(password("12345678"), Some(stored)).await.unwrap(), "{stored}");
    }
}

/// With the hash of another cost and the same password, so that only the cost keeps it from matching.
#[tokio::test]
async fn a_stored_hash_that_costs_too_much_is_not_computed() {
    let hash = |memory_kib: u32, passes: u32| {
        let params = Params::new(memory_kib, passes, 1, None).unwrap();
        Hasher::new(params).hash(b"correct horse", &[7; SALT_BYTES]).unwrap()
    };
    for (memory_kib, passes, is_computed) in
        [(8, 1, true), (8, PASSES_MAX, true), (8, PASSES_MAX + 1, false), (MEMORY_KIB_MAX + 1, 1, false)]
    {
        let stored = hash(memory_kib, passes);
        let matches = passwords().verify(password("correct horse"), Some(&stored)).await.unwrap();
        assert_eq!(matches, is_computed, "{memory_kib} KiB, {passes} passes");
    }
    assert!(Passwords::new(HashCost { memory_kib: MEMORY_KIB_MAX + 1, passes: 1 }).is_err());
}

#[tokio::test]
async fn who_comes_after_the_queue_is_full_is_told_to_retry() {
    let passwords = passwords();
    let held = Arc::clone(&passwords.admitted).acquire_many_owned(130).await.unwrap();
    let problem = passwords.verify(password("12345678"), None).await.unwrap_err();
    assert_eq!(problem.code(), Code::Overloaded);
    assert_eq!(problem.into_response().headers()["retry-after"], "1");
    drop(held);
    assert!(passwords.verify(password("12345678"), None).await.is_ok());
}

#[tokio::test]
async fn no_more_hashes_run_than_allowed() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let (passwords, running, most) =
        (passwords(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let jobs = (0..16).map(|_| {
        let (passwords, running, most) = (passwords.clone(), Arc::clone(&running), Arc::clone(&most));
        tokio::spawn(async move {
            passwords
                .run(move |_| {
                    most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    running.fetch_sub(1, SeqCst);
                })
                .await
        })
    });
    for job in jobs.collect::<Vec<_>>() {
        job.await.unwrap().unwrap();
    }
    assert_eq!(most.load(SeqCst), HASHES_AT_ONCE);
}

#[tokio::test]
async fn a_client_that_leaves_does_not_free_the_slot_early() {
    let passwords = passwords();
    let (started, wait) = (Arc::new(tokio::sync::Notify::new()), std::sync::mpsc::channel::<()>());
    let (release, blocked) = wait;
    let job = {
        let (passwords, started) = (passwords.clone(), Arc::clone(&started));
        tokio::spawn(async move {
            passwords
                .run(move |_| {
                    started.notify_one();
                    blocked.recv().ok();
                })
                .await
        })
    };
    started.notified().await;
    job.abort();
    assert!(job.await.unwrap_err().is_cancelled());
    assert_eq!(passwords.running.available_permits(), HASHES_AT_ONCE - 1);
    release.send(()).unwrap();
}

#[test]
fn a_password_is_not_shown() {
    assert_eq!(format!("{:?}", password("correct horse")), "Password(***)");
}
