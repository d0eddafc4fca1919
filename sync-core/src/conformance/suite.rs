//! The macro that turns the suite into tests of one store.

/// One test per sentence of the contract, each against a fresh store.
///
/// Takes the attribute of a test (of any async runtime that runs tasks in parallel) and an async function that makes
/// a fresh [`Subject`](crate::conformance::Subject), or says why not on stderr and yields `None`, which passes the
/// test. Tests are grouped in modules like the functions of [`conformance`](crate::conformance); call the macro in a
/// module of its own for each store.
#[macro_export]
macro_rules! store_suite {
    ($(#[$test:meta])+ $fresh:path) => {
        $crate::store_suite! { @modules [$(#[$test])+] [$fresh]
            spaces {
                a_new_space_is_empty_and_stands_at_zero
                a_store_that_serves_says_that_it_can
                a_space_is_created_only_once
                of_many_creators_at_once_one_succeeds
                a_missing_space_is_not_found
                deleting_says_whether_there_was_a_space
                of_many_deleters_at_once_one_is_told_so
                a_space_created_again_shares_nothing_with_the_old_one
                deleting_waits_for_the_open_writer
                a_writer_never_gets_into_a_deleted_space
                a_reader_of_a_deleted_space_sees_all_of_it_or_an_error
                spaces_are_listed_ascending_by_bytes_page_by_page
                spaces_never_meet
            }
            transactions {
                dropped_transaction_leaves_no_trace
                a_commit_makes_everything_visible
                writing_in_a_read_transaction_is_refused
                failed_transaction_cannot_commit
                head_does_not_move_within_its_transaction
                a_transaction_that_wrote_nothing_may_be_committed
                a_write_without_records_does_not_move_the_head
                the_head_is_the_last_seq_of_the_newest_commit
                a_transaction_sees_what_it_wrote_itself
                later_writes_go_on_from_earlier_ones
                writing_and_collecting_take_turns
                futures_may_be_dropped_at_any_point
            }
            isolation {
                reads_come_from_one_moment
                a_collection_takes_nothing_from_an_open_reader
                uncommitted_writes_are_seen_by_no_one
                a_commit_is_seen_by_whoever_begins_after_it
                a_reader_never_waits_for_a_writer
                an_open_reader_does_not_stop_a_writer
                no_reader_passes_an_open_writer
            }
            writers {
                a_second_writer_waits_for_the_first
                a_dropped_writer_lets_the_next_one_in
                a_failed_writer_lets_the_next_one_in
                a_writer_that_gave_up_waiting_blocks_no_one
            }
            records {
                records_come_in_the_order_of_the_keys
                many_keys_are_read_at_once
                three_thousand_records_are_written_at_once
                a_write_replaces_the_state_of_its_record
                a_tombstone_needs_no_record_before_it
                a_purge_leaves_no_tombstone
                many_records_are_purged_at_once
                a_purged_record_may_be_written_again
                keys_are_compared_by_bytes
                stats_count_records_and_tombstones_by_collection
            }
            fidelity {
                every_content_comes_back_byte_for_byte
                large_contents_come_back_byte_for_byte
                meta_comes_back_at_its_extremes
                a_tombstone_keeps_what_is_known_of_it
                replicas_come_back_at_their_extremes
                log_entries_come_back_as_they_were
                contents_are_not_mixed_up
            }
            feed {
                pages_are_ordered_and_gap_free
                pages_obey_every_combination_of_limits
                a_record_appears_once_in_its_latest_state
                tombstones_are_in_the_feed
                the_feed_ends_with_up_to
                a_range_that_is_empty_yields_nothing
                the_feed_yields_only_the_named_collections
                a_page_ends_before_it_exceeds_its_bytes
                a_page_of_no_rows_says_whether_there_are_any
            }
            scan {
                records_are_listed_ascending_by_bytes
                a_scan_goes_on_after_any_key
                scans_obey_every_combination_of_limits
                a_scan_stays_in_its_collection
                tombstones_are_listed_only_when_asked_for
                pages_of_a_scan_are_gap_free
                a_descending_scan_is_the_ascending_one_from_its_end
            }
            checkpoints {
                a_checkpoint_is_the_last_of_its_tree_or_none
                a_checkpoint_moves_nothing
                a_checkpoint_goes_with_its_transaction_and_its_space
                a_large_checkpoint_is_kept_whole
            }
            tree_ops {
                an_op_is_read_as_a_record
                a_tree_takes_nothing_but_ops
                an_op_that_comes_again_replaces_what_is_known_of_it
                the_content_of_an_op_never_changes
                a_purged_op_may_be_written_anew
                ops_are_never_collected
                the_ops_of_a_tree_are_listed_in_their_order
                the_newest_op_is_the_first_from_the_end
                three_thousand_ops_are_written_at_once
                pages_with_ops_end_before_they_exceed_their_bytes
                a_tree_belongs_to_one_space
                ops_survive_reopening
                a_damaged_op_is_an_error_and_never_data
            }
            clients {
                named_replicas_come_ascending_by_id
                many_replicas_are_read_at_once
                a_new_state_of_a_replica_replaces_the_old_one
                a_replica_belongs_to_one_space
                replicas_are_listed_ascending_page_by_page
            }
            log {
                log_head_is_the_number_of_the_newest_entry
                entries_come_newest_first
                pages_of_the_log_are_gap_free
            }
            commits {
                an_empty_space_has_no_commits
                commits_are_listed_from_the_one_that_contains_a_seq
                the_newest_commit_is_the_head
                a_write_of_many_commits_leaves_the_head_at_the_last
            }
            collect {
                the_floor_rises_and_never_falls
                tombstones_at_or_below_the_floor_go_and_live_records_stay
                a_record_that_came_back_stays
                collecting_is_bounded_and_says_whether_more_remains
                collecting_the_log_is_bounded
                collecting_commits_is_bounded
                log_entries_at_or_below_the_floor_go
                the_commit_at_the_floor_stays
                collecting_leaves_the_head_where_it_is
                an_empty_collection_is_not_counted
            }
            hints {
                a_commit_wakes_whoever_follows_its_space
                moves_nobody_looked_at_arrive_as_the_newest
                no_hint_tells_of_what_is_not_committed
                hints_of_spaces_never_meet
                a_hint_comes_after_its_commit
            }
            durability {
                everything_survives_reopening
                the_list_of_spaces_survives_reopening
                an_unfinished_transaction_does_not_survive_reopening
                a_space_goes_on_over_many_openings
                a_damaged_record_is_an_error_and_never_data
            }
            races {
                no_increment_is_ever_lost
                no_reader_ever_sees_half_a_commit
                writers_of_different_spaces_do_not_disturb_each_other
            }
            lost_row {
                no_committed_change_is_ever_skipped
            }
            differential {
                random_scripts_have_the_same_effect_as_on_the_memory_store
                random_pushes_have_the_same_outcomes_as_on_the_memory_store
            }
            accounts {
                a_user_is_found_by_id_name_and_address
                a_user_may_lack_all_but_an_id
                a_new_user_has_the_roles_they_were_created_with
                a_taken_name_address_or_id_is_refused_and_leaves_nothing
                of_many_who_take_one_name_at_once_one_gets_it
                a_role_is_given_changed_and_taken_away
                what_is_looked_up_is_answered_in_order
                spaces_of_an_actor_are_listed_ascending_page_by_page
                users_are_listed_ascending_page_by_page
                members_are_listed_ascending_page_by_page
                spaces_that_were_described_are_found_each_once_ascending
                no_more_spaces_are_asked_about_at_once_than_allowed
                accounts_survive_reopening
            }
            account_changes {
                a_list_is_made_whole_or_not_at_all
                a_change_sees_those_before_it_in_its_list
                a_list_of_nothing_is_done
                a_user_is_replaced_whole
                a_deleted_user_takes_their_roles_and_credentials_along
                what_is_known_about_a_space_is_replaced_whole
                a_forgotten_space_takes_what_is_its_own_along
                a_condition_holds_or_refuses_the_list
                spaces_are_passed_on_as_far_as_nobody_else_owns_them
            }
            credentials {
                a_credential_comes_back_as_it_was
                a_taken_credential_id_is_refused
                a_credential_is_replaced_by_its_next_revision_only
                a_credential_is_taken_once
                only_what_was_meant_is_ended
                what_has_expired_is_there_until_it_is_forgotten
                credentials_are_listed_ascending_page_by_page
                how_far_devices_are_is_noted
                what_a_device_has_synced_goes_with_it
            }
            notices {
                changes_leave_their_notices_in_order
                a_refused_list_leaves_no_notice
                who_was_away_for_too_long_is_told
                notices_survive_reopening
                who_follows_hears_of_everything
            }
            account_races {
                of_many_who_take_a_credential_at_once_one_succeeds
                of_many_who_replace_a_credential_at_once_one_succeeds
                of_many_who_take_one_address_at_once_one_gets_it
                of_two_owners_who_leave_at_once_one_stays
                nothing_slips_past_who_ends_everything
                no_one_sees_half_a_list
            }
        }
    };
    (@modules $attributes:tt $fresh:tt $($module:ident { $($name:ident)+ })+) => {
        $(mod $module {
            #[allow(unused_imports, reason = "the function may be named by its whole path")]
            use super::*;

            $($crate::store_suite! { @test $attributes $fresh $module $name })+
        })+
    };
    (@test [$(#[$test:meta])+] [$fresh:path] $module:ident $name:ident) => {
        $(#[$test])+
        async fn $name() -> $crate::conformance::Verdict {
            match $fresh().await {
                Some(mut subject) => $crate::conformance::$module::$name(&mut *subject).await,
                None => Ok(()),
            }
        }
    };
}
