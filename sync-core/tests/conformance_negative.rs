//! Proof that the suite can fail: stores with one planted fault each, and the function that has to notice it.

#[path = "conformance_negative/broken.rs"]
mod broken;
#[path = "conformance_negative/broken_accounts.rs"]
mod broken_accounts;
#[path = "conformance_negative/broken_txn.rs"]
mod broken_txn;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::time::Duration;

use broken::{BrokenStore, Fault};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sync_core::conformance::{Plain, Subject, Verdict};
use sync_core::{Runtime, TokioRuntime};

type Proof = for<'a> fn(&'a dyn Subject) -> Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// Why the function did not get through, or `None` when it did.
async fn complaint(fault: Fault, proof: Proof) -> Option<String> {
    let store = BrokenStore::new(fault);
    let subject = match fault {
        Fault::ReadersWait => Plain::new(store.clone(), Impatient),
        _ => Plain::new(store.clone(), TokioRuntime).with_accounts(store),
    };
    match AssertUnwindSafe(proof(&subject)).catch_unwind().await {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => Some(failure.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            text.or_else(|| panic.downcast_ref::<String>().cloned()).or_else(|| Some("panicked".into()))
        }
    }
}

/// A runtime on which nobody waits for long, for the fault that makes a store hang.
#[derive(Debug)]
struct Impatient;

impl Runtime for Impatient {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        TokioRuntime.spawn(task);
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        TokioRuntime.sleep(duration.min(Duration::from_secs(1)))
    }
}

async fn notices(fault: Fault, proof: Proof) -> String {
    let sound = complaint(Fault::None, proof).await;
    assert_eq!(sound, None, "the function complains about a store without a fault");
    complaint(fault, proof).await.unwrap_or_else(|| panic!("{fault:?} went unnoticed"))
}

macro_rules! noticed {
    ($($fault:ident: $($module:ident::$name:ident),+;)+) => {
        $(#[allow(non_snake_case, reason = "named after the fault")]
        mod $fault {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                let proof: super::Proof =
                    |subject| Box::pin(sync_core::conformance::$module::$name(subject));
                super::notices(super::Fault::$fault, proof).await;
            })+
        })+
    };
}

noticed! {
    FeedUnordered: feed::pages_are_ordered_and_gap_free;
    FeedSkipsARow: feed::pages_are_ordered_and_gap_free, lost_row::no_committed_change_is_ever_skipped;
    FeedLosesTombstones: feed::tombstones_are_in_the_feed, lost_row::no_committed_change_is_ever_skipped;
    FeedPassesUpTo: feed::the_feed_ends_with_up_to, feed::a_range_that_is_empty_yields_nothing;
    FeedIgnoresBytes: feed::a_page_ends_before_it_exceeds_its_bytes;
    FeedTakesNoNamesForAll: feed::the_feed_yields_only_the_named_collections;
    NeverMore: feed::pages_are_ordered_and_gap_free, scan::pages_of_a_scan_are_gap_free;
    AlwaysMore: feed::a_range_that_is_empty_yields_nothing, scan::tombstones_are_listed_only_when_asked_for;
    ScanIgnoresCase: scan::records_are_listed_ascending_by_bytes;
    ScanRepeatsTheKey: scan::a_scan_goes_on_after_any_key;
    RecordsSorted: records::records_come_in_the_order_of_the_keys;
    RecordsOncePerKey: records::records_come_in_the_order_of_the_keys;
    PurgeLeavesTombstone: records::a_purge_leaves_no_tombstone;
    ContentReformatted: fidelity::every_content_comes_back_byte_for_byte;
    AuthorForgotten: fidelity::meta_comes_back_at_its_extremes, fidelity::a_tombstone_keeps_what_is_known_of_it;
    CommitsOnDrop: transactions::dropped_transaction_leaves_no_trace;
    CommitsInHalves: races::no_reader_ever_sees_half_a_commit;
    WritesWhereItReads: transactions::writing_in_a_read_transaction_is_refused;
    CommitsAfterFailure: transactions::failed_transaction_cannot_commit;
    HeadMovesWithin: transactions::head_does_not_move_within_its_transaction;
    ShowsUncommitted: isolation::uncommitted_writes_are_seen_by_no_one;
    ReadsMoveOn: isolation::reads_come_from_one_moment, isolation::an_open_reader_does_not_stop_a_writer;
    ReadersWait: isolation::a_reader_never_waits_for_a_writer;
    NoSpaceLock: writers::a_second_writer_waits_for_the_first, isolation::no_reader_passes_an_open_writer,
        lost_row::no_committed_change_is_ever_skipped, races::no_increment_is_ever_lost;
    CommitsAtTheHead: commits::commits_are_listed_from_the_one_that_contains_a_seq;
    CommitsWithoutLimit: commits::commits_are_listed_from_the_one_that_contains_a_seq;
    CommitsNewestFirst: commits::commits_are_listed_from_the_one_that_contains_a_seq;
    FirstCommitIsTheHead: commits::a_write_of_many_commits_leaves_the_head_at_the_last;
    WritesOnce: transactions::later_writes_go_on_from_earlier_ones, transactions::writing_and_collecting_take_turns;
    EarlierStatesStay: transactions::later_writes_go_on_from_earlier_ones;
    BlindToItself: transactions::a_transaction_sees_what_it_wrote_itself,
        transactions::writing_and_collecting_take_turns;
    OpsChange: tree_ops::the_content_of_an_op_never_changes,
        differential::random_scripts_have_the_same_effect_as_on_the_memory_store;
    OpsStayAsTheyWere: tree_ops::an_op_that_comes_again_replaces_what_is_known_of_it;
    TreesSkipStrangers: tree_ops::a_tree_takes_nothing_but_ops;
    CheckpointsMeet: checkpoints::a_checkpoint_is_the_last_of_its_tree_or_none;
    CheckpointsSurvive: checkpoints::a_checkpoint_goes_with_its_transaction_and_its_space,
        checkpoints::a_checkpoint_is_the_last_of_its_tree_or_none;
    CheckpointsCut: checkpoints::a_large_checkpoint_is_kept_whole;
    ScansOnlyAscend: tree_ops::the_newest_op_is_the_first_from_the_end,
        scan::a_descending_scan_is_the_ascending_one_from_its_end;
    LogOldestFirst: log::entries_come_newest_first, log::pages_of_the_log_are_gap_free;
    ReplicasShared: clients::a_replica_belongs_to_one_space;
    ReplicasAsNamed: clients::named_replicas_come_ascending_by_id, clients::many_replicas_are_read_at_once;
    ReplicasFromTheLast: clients::replicas_are_listed_ascending_page_by_page;
    ReplicasWithoutLimit: clients::replicas_are_listed_ascending_page_by_page;
    FloorFalls: collect::the_floor_rises_and_never_falls;
    CollectsLiveRecords: collect::tombstones_at_or_below_the_floor_go_and_live_records_stay,
        collect::a_record_that_came_back_stays, tree_ops::ops_are_never_collected;
    CollectsWithoutLimit: collect::collecting_is_bounded_and_says_whether_more_remains;
    LogNumbersFallBack: collect::log_entries_at_or_below_the_floor_go;
    DeletesByHiding: spaces::a_space_created_again_shares_nothing_with_the_old_one,
        spaces::deleting_waits_for_the_open_writer;
    CreatesTwice: spaces::a_space_is_created_only_once, spaces::of_many_creators_at_once_one_succeeds;
    HintsEarly: hints::no_hint_tells_of_what_is_not_committed, hints::a_hint_comes_after_its_commit;
    HalfCreatesUsers: accounts::a_taken_name_address_or_id_is_refused_and_leaves_nothing;
    CreatesUsersWithOneRole: accounts::a_new_user_has_the_roles_they_were_created_with;
    UsersByName: accounts::users_are_listed_ascending_page_by_page;
    UsersWithoutLimit: accounts::users_are_listed_ascending_page_by_page;
    MembersFromTheLast: accounts::members_are_listed_ascending_page_by_page;
    MembersByPrefix: accounts::members_are_listed_ascending_page_by_page;
    SpacesFromTheFirst: accounts::spaces_of_an_actor_are_listed_ascending_page_by_page;
    InfosAsAsked: accounts::spaces_that_were_described_are_found_each_once_ascending;
    InfosOfAnyNumber: accounts::no_more_spaces_are_asked_about_at_once_than_allowed;
    NamesStay: account_changes::what_is_known_about_a_space_is_replaced_whole;
    SpacesLeaveInfos: account_changes::a_forgotten_space_takes_what_is_its_own_along;
    NoticesOfNames: notices::changes_leave_their_notices_in_order;
    ListsInHalves: account_changes::a_list_is_made_whole_or_not_at_all;
    RefusesTheFirst: account_changes::a_list_is_made_whole_or_not_at_all;
    ChecksConditionsFirst: account_changes::a_change_sees_those_before_it_in_its_list,
        account_races::of_two_owners_who_leave_at_once_one_stays;
    PassesOnShared: account_changes::spaces_are_passed_on_as_far_as_nobody_else_owns_them;
    PassesOnWithCredentials: account_changes::spaces_are_passed_on_as_far_as_nobody_else_owns_them;
    SuccessorsUnasked: account_changes::a_condition_holds_or_refuses_the_list;
    NobodyIsNoOwner: account_changes::a_condition_holds_or_refuses_the_list;
    UsersLeaveCredentials: account_changes::a_deleted_user_takes_their_roles_and_credentials_along;
    SpacesLeaveCredentials: account_changes::a_forgotten_space_takes_what_is_its_own_along;
    ReplacesAnyRevision: credentials::a_credential_is_replaced_by_its_next_revision_only,
        account_races::of_many_who_replace_a_credential_at_once_one_succeeds;
    TakesTwice: credentials::a_credential_is_taken_once,
        account_races::of_many_who_take_a_credential_at_once_one_succeeds,
        account_races::nothing_slips_past_who_ends_everything;
    EndsEveryKind: credentials::only_what_was_meant_is_ended;
    ExpiredAreHidden: credentials::a_credential_comes_back_as_it_was,
        credentials::what_has_expired_is_there_until_it_is_forgotten;
    ForgetsWithoutLimit: credentials::what_has_expired_is_there_until_it_is_forgotten;
    CredentialsFromTheLast: credentials::credentials_are_listed_ascending_page_by_page;
    LooksUpWithoutOrder: accounts::what_is_looked_up_is_answered_in_order;
    NotesOnlyTheFirst: credentials::how_far_devices_are_is_noted;
    PositionsStay: credentials::how_far_devices_are_is_noted, credentials::what_a_device_has_synced_goes_with_it;
    NoticesOfRefusals: notices::a_refused_list_leaves_no_notice, account_changes::a_list_is_made_whole_or_not_at_all;
    NoticesNewestFirst: notices::changes_leave_their_notices_in_order;
    NoticesNeverMissed: notices::who_was_away_for_too_long_is_told;
    NoticesOncePerList: notices::changes_leave_their_notices_in_order;
    PositionsRunAhead: notices::who_follows_hears_of_everything;
    IdsFoldCase: differential::random_scripts_have_the_same_effect_as_on_the_memory_store,
        differential::random_pushes_have_the_same_outcomes_as_on_the_memory_store;
    NumbersAreFloats: differential::random_scripts_have_the_same_effect_as_on_the_memory_store,
        differential::random_pushes_have_the_same_outcomes_as_on_the_memory_store;
    ScanByUtf16: differential::random_scripts_have_the_same_effect_as_on_the_memory_store,
        differential::random_pushes_have_the_same_outcomes_as_on_the_memory_store;
    CommitsOffByOne: differential::random_scripts_have_the_same_effect_as_on_the_memory_store,
        differential::random_pushes_have_the_same_outcomes_as_on_the_memory_store;
    ReplicasEndAtTheFloor: collect::collecting_leaves_the_head_where_it_is,
        differential::random_scripts_have_the_same_effect_as_on_the_memory_store,
        differential::random_pushes_have_the_same_outcomes_as_on_the_memory_store;
    PurgesForgotten: differential::random_scripts_have_the_same_effect_as_on_the_memory_store;
}

/// What the gate is for: it must say which row was lost, not fail by accident. Whether the writer still sees the reader
/// pass it, or only the end shows what the reader missed, is a matter of scheduling: both sentences name the change.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_gate_names_the_change_that_a_reader_passed() {
    let gate: Proof =
        |subject| Box::pin(sync_core::conformance::lost_row::no_committed_change_is_ever_skipped(subject));
    let passed = notices(Fault::NoSpaceLock, gate).await;
    assert!(passed.contains("past the uncommitted") || passed.contains("never saw"), "{passed}");
    let skipped = notices(Fault::FeedSkipsARow, gate).await;
    assert!(skipped.contains("never saw"), "{skipped}");
}

/// A difference between two stores can be made again, and is shown where it begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_difference_names_the_seed_that_shows_it() {
    let proof: Proof = |subject| {
        Box::pin(
            sync_core::conformance::differential::random_scripts_have_the_same_effect_as_on_the_memory_store(
                subject,
            ),
        )
    };
    // It takes a replica, a collection, and then the replica again.
    let told = notices(Fault::ReplicasEndAtTheFloor, proof).await;
    for part in
        ["DIFFERENTIAL_SEED=", "DIFFERENTIAL_STEPS=", "on the memory store", "on the store under test: "]
    {
        assert!(told.contains(part), "{told}");
    }
}
