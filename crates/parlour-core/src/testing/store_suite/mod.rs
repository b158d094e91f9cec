//! What every store must do: written once against the traits, run by every implementation.
//!
//! An implementation's test names the cases with [`crate::store_cases`] and gives each a fresh [`Bench`]:
//!
//! ```ignore
//! macro_rules! cases {
//!     ($($module:ident::$case:ident),* $(,)?) => {$(
//!         #[tokio::test]
//!         async fn $case() {
//!             let bench = Bench::new(async |sink| open(sink).await).await;
//!             store_suite::$module::$case(&bench).await;
//!             bench.finish().await;
//!         }
//!     )*};
//! }
//! parlour_core::store_cases!(cases);
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on stops there"
)]

mod support;

pub mod accounts;
pub mod changes;
pub mod cluster;
pub mod history;
pub mod lists;
pub mod members;
pub mod merging;
pub mod people;
pub mod plan;
pub mod reading;
pub mod receipts;
pub mod replay;
pub mod sends;
pub mod sockets;
pub mod transfer;

pub use support::{Bench, Recorder, join_all};

/// Calls a macro with the path of every case of the suite, as `module::name`.
#[macro_export]
macro_rules! store_cases {
    ($with:ident) => {
        $with! {
            sends::g1_what_was_answered_can_be_read,
            sends::g3_same_client_id_gives_the_first_message_back,
            sends::g3_same_client_id_with_other_content_is_a_conflict,
            sends::g3_parallel_repeats_make_one_message,
            sends::g3_a_repeat_is_answered_even_when_sending_is_not_allowed_any_more,
            sends::g3_client_ids_belong_to_sender_and_conversation,
            sends::g4_seqs_are_one_to_n_under_concurrency,
            sends::g4_one_callers_order_is_kept,
            sends::g2_a_refused_send_leaves_nothing,
            sends::g11_a_stranger_learns_nothing,
            sends::g17_times_never_go_back_in_a_conversation,
            sends::a_reply_names_a_message_that_the_sender_sees,
            sends::the_system_speaks_through_a_server_only,
            sends::the_sink_has_it_before_the_caller,
            sends::hostile_numbers_name_nothing,
            sends::odd_text_is_kept_as_it_is,
            changes::an_edit_keeps_what_was_said_before,
            changes::only_the_author_edits,
            changes::g21_a_deleted_message_is_gone_everywhere,
            changes::deleting_again_changes_nothing,
            changes::managers_delete_in_groups_only,
            changes::state_decides_who_writes,
            changes::settings_change_in_one_step,
            replay::g6_created_and_edited_is_one_entry,
            replay::g6_an_edit_while_away_is_an_edit,
            replay::g6_created_edited_and_deleted_while_away_is_a_tombstone_alone,
            replay::g6_every_kind_of_change_is_replayed,
            replay::g7_pages_cover_the_whole_range,
            replay::g7_the_covered_range_never_passes_the_end,
            replay::g11_a_stranger_replays_nothing,
            replay::the_hub_replays_everything,
            replay::heads_and_memberships_tell_where_logs_end,
            replay::pages_of_messages_go_both_ways,
            members::g10_who_was_removed_sees_nothing_more,
            members::g10_who_returns_sees_his_own_times_only,
            members::a_newcomer_sees_nothing_older,
            members::a_leaving_owner_is_succeeded,
            members::roles_are_given_and_handed_over,
            members::adding_is_bounded_and_repeatable,
            members::nobody_is_brought_together_with_whom_he_blocked,
            members::an_empty_group_gets_a_new_owner,
            receipts::g12_marks_never_go_back_or_past_the_end,
            receipts::g12_a_mark_that_moves_nothing_is_silent,
            receipts::g12_sending_reads_what_was_said_before,
            receipts::g12_unread_counts_what_stands_of_others,
            receipts::g12_unread_stops_at_its_cap,
            receipts::g6_receipts_since_a_version,
            reading::g12_a_receipt_names_what_it_newly_covers,
            reading::g12_a_receipt_names_so_many_at_most,
            reading::g12_marking_messages_reads_up_to_each,
            reading::g12_marking_what_is_read_writes_nothing,
            reading::g12_unread_messages_are_read_in_pages,
            reading::standings_tell_who_has_read_what,
            reading::a_membership_names_the_other_one,
            reading::a_direct_conversation_is_found_by_its_two,
            reading::m6_a_recipient_must_be_in_it,
            reading::a_message_gives_its_conversation_a_subject,
            history::g21_history_pages_hold_what_stands,
            history::g10_history_is_what_one_was_there_for,
            history::conversations_are_counted,
            sockets::g5_a_socket_goes_on_where_the_last_one_was_proved_to_be,
            sockets::g12_what_a_socket_has_received_is_delivered,
            sockets::g5_sockets_are_taken_in_the_order_of_their_waiting,
            sockets::g5_each_kind_of_client_finds_its_own_place,
            sockets::sockets_of_another_key_are_not_taken,
            sockets::sockets_wait_for_their_time,
            sockets::waiting_sockets_are_bounded,
            sockets::g5_what_is_in_flight_to_a_sibling_is_sent_again,
            sockets::g5_who_comes_while_a_sibling_begins_misses_nothing_that_it_missed,
            lists::one_direct_conversation_for_two_and_a_subject,
            lists::g3_parallel_creation_makes_one,
            lists::an_external_id_is_unique,
            lists::unknown_participants_need_trust,
            lists::the_list_is_in_the_order_of_activity,
            lists::the_list_is_read_in_pages,
            lists::the_list_is_searched,
            lists::participants_come_in_the_order_of_ids,
            lists::a_server_sees_every_conversation,
            people::profiles_are_saved_field_by_field,
            people::a_new_name_is_seen_everywhere,
            people::users_are_searched_by_prefix,
            people::banned_and_revoked,
            people::blocks_are_kept_and_lifted,
            people::last_seen_never_goes_back,
            cluster::versions_come_in_the_given_order,
            cluster::g8_versions_tell_of_coming_and_going,
            cluster::g10_versions_tell_of_what_is_taken_away,
            cluster::g8_several_logs_are_read_at_once,
            cluster::g8_logs_are_caught_up_in_pages,
            cluster::a_lease_is_taken_and_renewed,
            cluster::a_duty_is_kept_by_asking_again,
            accounts::credentials_are_found_without_regard_to_case,
            accounts::api_keys_are_found_by_secret,
            accounts::sessions_stand_until_they_end,
            accounts::j5_a_refresh_token_used_twice_ends_the_session,
            accounts::j5_parallel_refreshes_rotate_once,
            accounts::a7_a_ticket_is_taken_once,
            accounts::ended_sessions_and_tickets_are_swept,
            accounts::a_closed_store_is_unavailable,
            transfer::history_keeps_ids_and_times_in_order,
            transfer::the_same_history_again_changes_nothing,
            transfer::reading_becomes_watermarks,
            transfer::later_edits_and_deletions_follow,
            merging::older_history_is_merged_only_on_demand,
            merging::a_merged_log_means_what_it_meant,
            merging::a_newcomer_sees_nothing_that_is_merged_before_him,
            transfer::what_cannot_be_kept_is_kept_apart,
            transfer::faults_are_named,
            transfer::what_was_sent_to_both_is_one,
            plan::pr1_random_plans_agree_with_the_model,
            plan::pr2_replay_from_any_place_in_any_page_is_the_suffix,
            plan::pr5_unread_and_receipts_equal_a_recount,
        }
    };
}
