//! The traps that systems like this one have fallen into, each built as a front and put in between, without a switch in
//! the code that ships. The simulator has to find every one of them, for the reason for which it is one; a simulator that
//! does not is blind.

mod answered;
mod asked;
mod disks;
mod live;
mod replica_store;
mod rights;
mod runtime_and_clock;
mod server_store;
mod store;
mod way;

use std::time::Duration;

use sync_core::ErrorKind;
use sync_core::simulator::{Disks, FaultKind, Hooks, Invariant, MemoryDisks, Scenario, run};

use answered::*;
use asked::*;
use live::*;
use replica_store::*;
use rights::*;
use runtime_and_clock::*;
use server_store::*;

/// Seeds that are tried at most: far more than any trap takes, so that it is the trap that is found and not luck.
const SEEDS_MAX: u64 = 100;

/// A trap, and how the simulator is led into it.
struct Trap {
    number: u32,
    test: &'static str,
    bug: &'static str,
    broken: &'static [Invariant],
    /// Built anew for each seed: fronts remember.
    world: fn() -> (Scenario, Box<dyn Disks>),
}

/// Runs seeds until one finds something, which must be one of the promises that the trap breaks, and must not be found
/// where there is no trap.
///
/// # Panics
///
/// When nothing is found, or something else.
fn caught(trap: &Trap) {
    let Trap { number, bug, broken, world, .. } = trap;
    for seed in 0..SEEDS_MAX {
        let (scenario, disks) = world();
        let Err(violation) = run(seed, &scenario, &*disks) else { continue };
        println!("T{number} ({bug}): {} with seed {seed}: {}", violation.invariant, violation.detail);
        let is_expected = broken.contains(&violation.invariant);
        assert!(is_expected, "T{number} was found for another reason:\n{violation}");
        let without = Scenario { hooks: Hooks::default(), ..scenario };
        let found = run(seed, &without, &MemoryDisks::default()).err();
        assert!(found.is_none(), "T{number} is not needed to find this:\n{found:?}");
        return;
    }
    panic!("T{number}: {SEEDS_MAX} seeds found nothing");
}

/// A world over disks in memory.
fn memory(scenario: Scenario) -> (Scenario, Box<dyn Disks>) {
    (scenario, Box::new(MemoryDisks::default()))
}

/// A world in which only these things go wrong.
fn only(faults: &[FaultKind], hooks: Hooks) -> (Scenario, Box<dyn Disks>) {
    memory(Scenario { faults: faults.to_vec(), ..Scenario::small() }.with_hooks(hooks))
}

/// A world in which tombstones are collected after so long, whoever is away.
fn soon_collected(retention: Duration, hooks: Hooks) -> (Scenario, Box<dyn Disks>) {
    let (mut scenario, disks) = only(&[FaultKind::Collections], hooks);
    scenario.limits.retention = retention;
    scenario.limits.lease = Duration::from_millis(500);
    (scenario, disks)
}

/// A small world of many replicas that run by themselves.
fn running(hooks: Hooks) -> (Scenario, Box<dyn Disks>) {
    let calm = Scenario { replicas_run: true, n_replicas: 7, n_strangers: 0, n_steps: 5, ..Scenario::calm() };
    memory(calm.with_hooks(hooks))
}

/// A world of replicas that follow live, in which only these things go wrong.
fn following(faults: &[FaultKind], hooks: Hooks) -> (Scenario, Box<dyn Disks>) {
    let (scenario, disks) = only(faults, hooks);
    (Scenario { replicas_run: true, ..scenario }, disks)
}

/// A world in which nothing goes wrong, and what is written together must be seen together.
fn pairs(hooks: Hooks) -> (Scenario, Box<dyn Disks>) {
    memory(Scenario { pairs_stay_together: true, ..Scenario::calm() }.with_hooks(hooks))
}

macro_rules! traps {
    ($($number:literal $test:ident: $bug:literal, [$($broken:ident)|+], $world:expr;)*) => {
        const TRAPS: &[Trap] = &[$(Trap {
            number: $number,
            test: stringify!($test),
            bug: $bug,
            broken: &[$(Invariant::$broken),+],
            world: || $world,
        }),*];
        $(#[test]
        fn $test() {
            let name = stringify!($test);
            caught(TRAPS.iter().find(|trap| trap.test == name).expect("it is in the table"));
        })*
    };
}

traps! {
    1 t01_rows_that_become_visible_after_their_head_are_caught:
        "a reader's cursor passes rows that are not there yet", [Gapless | Convergent | Monotone],
        only(&[], RowsAfterHead::hooks());
    2 t02_a_page_from_several_moments_is_caught:
        "head and floor are read in one transaction and the page in others", [Gapless | Convergent],
        soon_collected(Duration::from_secs(2), SeveralMoments::hooks());
    3 t03_one_stamp_for_a_whole_commit_is_caught:
        "a page goes on after the commit in which its cursor lies", [Gapless | Convergent],
        only(&[], before_the_disk(|_| OneStampPerCommit));
    4 t04_order_from_a_clock_that_jumps_is_caught:
        "changes are stamped with what the clock shows", [Monotone | RestoreNoticed],
        only(&[FaultKind::Clocks], StampedByTheClock::hooks());
    5 t05_a_push_that_must_have_seen_everything_is_caught:
        "a batch is refused whole when one of its records has changed", [Live],
        only(&[], on_the_way(|_| PullFirst));
    6 t06_an_edit_that_is_marked_clean_with_the_one_before_is_caught:
        "what is edited while it is being sent is taken for sent", [Convergent | NoSilentLoser | ExactlyOnce],
        only(&[], in_each_replica(|_| MarkedClean));
    7 t07_a_page_that_is_dropped_with_its_cursor_kept_is_caught:
        "changes that come with the answer to a push are dropped, and their cursor is kept", [Convergent],
        only(&[], on_the_way(|_| PageDropped));
    7 t07_a_live_frame_that_is_dropped_with_its_cursor_kept_is_caught:
        "changes that are heard live are dropped, and their cursor is kept", [Convergent | NoSilentLoser],
        following(&[], on_the_way(|_| FrameDropped));
    8 t08_a_version_that_its_author_never_learns_is_caught:
        "the next edit is based on the version before one's own", [NoSilentLoser],
        only(&[], VersionNotLearned::hooks());
    9 t09_a_conflict_told_as_applied_when_asked_again_is_caught:
        "whoever asks again is told that all went well", [ExactlyOnce],
        only(&[FaultKind::Network], before_the_disk(|_| AllIsWell));
    10 t10_a_lost_answer_taken_for_a_refusal_is_caught:
        "what the server accepted is set aside as refused", [Outbox],
        only(&[FaultKind::Network], on_the_way(|_| FailureIsRefusal(ErrorKind::Unavailable)));
    11 t11_a_sleep_without_end_is_caught:
        "the timer of a retry never fires", [Live],
        only(&[FaultKind::Network], Endless::hooks());
    12 t12_a_refusal_that_blocks_the_queue_is_caught:
        "what was refused is sent again for ever, before everything else", [Live],
        only(&[FaultKind::Clocks], on_the_way(|_| RefusalBlocks));
    12 t12_an_expired_token_taken_for_a_refusal_is_caught:
        "what was sent with an expired token is set aside as refused", [Outbox],
        only(&[FaultKind::Refusals], on_the_way(|_| FailureIsRefusal(ErrorKind::Unauthorized)));
    13 t13_two_first_inserts_at_once_are_caught:
        "two servers find no row to lock, and the second overwrites the first", [NoSilentLoser],
        only(&[], LooksBeforeItLocks::hooks());
    14 t14_a_record_made_again_after_its_tombstone_is_gone_is_caught:
        "an edit by someone who did not hear of the deletion brings the record back", [NoResurrection],
        soon_collected(Duration::from_millis(500), Rebased::as_new_where_nothing_is_left());
    15 t15_a_position_judged_at_each_page_is_caught:
        "a long catch-up is told to begin anew for ever", [Live],
        only(&[], on_the_way(|_| JudgedPerPage::default()));
    15 t15_a_floor_that_stays_is_caught:
        "tombstones are collected, and nobody is told that they miss them", [Gapless | Convergent | Durable],
        only(&[FaultKind::Collections], before_the_disk(|_| FloorStays));
    16 t16_a_snapshot_from_a_cache_is_caught:
        "whoever must begin anew is led to where one has to begin anew", [Live | Convergent],
        only(&[FaultKind::Collections, FaultKind::Network, FaultKind::ReplicaCrashes], SnapshotCached::hooks());
    17 t17_a_server_that_believes_cursors_of_a_lost_history_is_caught:
        "a restored server that has moved on takes old cursors for its own", [RestoreNoticed | Convergent | Durable],
        memory(Scenario::restored().without(FaultKind::Forks).with_hooks(Believed::hooks()));
    18 t18_a_batch_known_by_its_number_alone_is_caught:
        "what a copied replica sends is taken for what the original has sent", [ExactlyOnce],
        only(&[FaultKind::Clones], NumberIsEnough::hooks());
    19 t19_a_feed_of_all_changes_is_caught:
        "the feed yields each state a record ever had", [NoDuplicates],
        only(&[], LogOfAllChanges::hooks());
    20 t20_a_snapshot_with_a_later_cursor_is_caught:
        "what changed while the snapshot was read is never told", [Gapless | Convergent],
        soon_collected(Duration::from_millis(500), on_the_way(|_| SnapshotOfItsEnd));
    21 t21_a_delete_that_did_not_look_is_caught:
        "a delete wins over an edit of which its author knew nothing", [NoSilentLoser],
        only(&[], Rebased::on_what_is_there_to_delete());
    22 t22_a_writer_who_may_not_read_is_caught:
        "the answer to a push tells what the one who pushes may not read any more", [Isolated],
        only(&[FaultKind::Revocations], WriterIsTold::hooks());
    23 t23_a_right_that_ends_without_a_word_is_caught:
        "nobody is told that their right has ended, and they keep what they have", [Isolated],
        only(&[FaultKind::Revocations], on_the_way(|_| NotTold));
    24 t24_unsent_edits_that_go_with_a_copy_are_caught:
        "when a copy is given up, what was not sent goes with it", [NoSilentLoser],
        only(&[FaultKind::Revocations], in_each_replica(|_| UnsentGoesToo));
    25 t25_an_old_client_that_writes_whole_records_is_caught:
        "members that an old client does not know are erased by its edits", [NoSilentLoser],
        only(&[], OldClient::hooks());
    26 t26_a_page_shown_before_the_next_is_caught:
        "each page is shown as it comes, and one of two that were written together is missing", [SessionOrder | Convergent],
        pairs(on_the_way(|_| EachPageIsTheLast));
    27 t27_a_connection_that_is_half_open_is_caught:
        "a request is never answered and never fails", [Live],
        only(&[], HalfOpen::hooks());
    27 t27_a_connection_that_lives_and_tells_nothing_is_caught:
        "signs of life come, and nothing else ever does", [Live | Convergent],
        following(&[], on_the_way(|_| OnlyAlive));
    28 t28_waits_without_jitter_are_caught:
        "all who lost a server come back at the same moment", [Bounded],
        running(NoJitter::hooks());
    29 t29_a_record_that_cannot_be_read_is_caught:
        "one record that cannot be read keeps everyone from all others", [Live | Convergent],
        only(&[], before_the_disk(|_| OneIsDamaged));
    30 t30_a_server_disk_that_forgets_is_caught:
        "a server's disk loses the last that was acknowledged when it crashes", [Durable | RestoreNoticed],
        (Scenario { n_servers: 1, faults: vec![FaultKind::ServerCrashes], ..Scenario::small() },
            Box::new(disks::Forgetful::new("server")));
    30 t30_a_replica_disk_that_forgets_is_caught:
        "a replica's disk loses the last edits when it crashes", [NoSilentLoser | ExactlyOnce],
        (Scenario { faults: vec![FaultKind::ReplicaCrashes], ..Scenario::small() },
            Box::new(disks::Forgetful::new("r")));
    31 t31_pages_by_offset_are_caught:
        "a page begins after as many rows as were read, and records move meanwhile", [Gapless | Convergent],
        only(&[], PagesByOffset::hooks());
    32 t32_a_live_frame_that_is_not_compared_with_the_cursor_is_caught:
        "a frame is taken for the next one although one before it was lost", [Gapless | Convergent | NoSilentLoser],
        following(&[FaultKind::Network], on_the_way(|_| FromNotCompared));
    33 t33_a_subscription_that_begins_at_the_head_is_caught:
        "what happened between the last sync and the subscription is never told", [Gapless | Convergent | NoSilentLoser],
        following(&[FaultKind::Network], on_the_way(|_| BeginsAtTheHead));
}

#[test]
fn every_trap_is_in_the_table() {
    let mut numbers: Vec<u32> = TRAPS.iter().map(|trap| trap.number).collect();
    numbers.dedup();
    assert_eq!(numbers, (1..=33).collect::<Vec<u32>>());
}
