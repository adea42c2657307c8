//! What every store must do, as cases that any store can be put through.
//!
//! A case gets a function that opens *its* store: the first call makes it, every later one opens
//! the same store again, also while an earlier one is still open (as a second process would).
//! A store joins with a function that gets a case's name and makes a place for it (or `None`,
//! having said by name that the case is skipped):
//!
//! ```ignore
//! crate::store::conformance::suite!(|case: &str| {
//!     let folder = tempfile::tempdir().unwrap();
//!     Some(place(move || MyStore::open(folder.path())))
//! });
//! ```

mod admission;
mod coordination;
mod crowd;
mod erasure;
mod fixtures;
mod follow;
mod outgoing;
mod paging;
mod queues;
mod states;
mod trail;
mod words;
mod writes;

pub(crate) use admission::*;
pub(crate) use coordination::*;
pub(crate) use crowd::*;
pub(crate) use erasure::*;
pub(crate) use fixtures::{auto, entry};
pub(crate) use follow::*;
pub(crate) use outgoing::*;
pub(crate) use paging::*;
pub(crate) use queues::*;
pub(crate) use states::*;
pub(crate) use trail::*;
pub(crate) use words::*;
pub(crate) use writes::*;

use super::Store;

/// Opens the case's store, again and again the same.
pub(crate) type Open<'a> = &'a dyn Fn() -> Box<dyn Store>;

/// Where a case's store is: opens it, and keeps it until the case is over.
pub(crate) type Place = Box<dyn Fn() -> Box<dyn Store>>;

/// A place from a function that opens its store.
pub(crate) fn place<S: Store>(open: impl Fn() -> S + 'static) -> Place {
    Box::new(move || Box::new(open()))
}

/// A test for every case: the one list of what every store is put through.
macro_rules! suite {
    ($place:expr) => {
        $crate::store::conformance::suite!($place;
            new_duplicate_and_conflict_also_within_a_batch,
            a_batch_is_refused_whole_when_a_premise_moved,
            what_admission_sets_off_happens_once,
            routes_facts_and_columns_come_back_exactly,
            cohorts_and_models_are_counted,
            a_repaired_record_takes_the_place_of_the_broken_one,
            dead_letters_are_kept_once,
            every_premise_is_compared_and_nothing_is_written,
            a_request_is_stored_once,
            nobody_counts_twice,
            a_verdict_and_its_undo,
            a_refused_operation_leaves_its_neighbours_alone,
            rows_refer_to_the_entry_before_them,
            corrections_join_what_was_decided,
            effects_wait_once_per_key,
            effects_are_tried_given_up_and_retried,
            effects_of_a_scope_are_held_and_let_go,
            states_are_compared_before_they_are_replaced,
            dropped_states_never_repeat_a_version,
            windows_are_absolute_and_found_by_slice_and_part,
            following_names_what_each_entry_is_about,
            automatic_decisions_of_a_scope,
            tallies_equal_a_recount,
            what_happened_lately_is_counted_by_kind_and_queue,
            what_flowed_is_counted_by_kind_limit_and_freeze,
            words_of_any_kind_come_back,
            automatic_decisions_are_found_by_any_word,
            names_of_any_kind_come_back,
            reviewers_and_policies,
            blind_answers_are_given_once,
            desk_time_never_runs_backwards,
            no_item_is_leased_twice,
            a_crowd_at_two_nodes_settles_everything_once,
            the_next_item_is_the_first_that_nobody_holds,
            leases_expire_and_epochs_rise,
            named_leases_and_those_stepped_over,
            nobody_holds_more_than_the_most,
            the_most_holds_at_two_nodes_at_once,
            who_approved_is_not_asked_again,
            drafts_are_kept_and_dropped,
            pages_are_the_sorted_list_both_ways,
            filters_find_what_they_say,
            free_text_is_scanned_in_steps,
            items_i_decided,
            cursors_of_no_page_are_refused,
            counters_equal_a_recount,
            late_and_due_soon,
            graces_over_and_overdue,
            erasure_leaves_proofs_and_no_text,
            erased_texts_of_pending_verdicts_are_gone,
            erasing_again_takes_what_came_since_and_no_more_than_was_seen,
            the_trail_is_fed_in_order,
            tiles_for_proofs,
            checkpoints_are_signed_when_something_was_added,
            entries_of_an_item_and_of_all,
            the_head_is_monotone_and_shared,
            a_closed_store_keeps_everything,
        );
    };
    ($place:expr; $($case:ident,)*) => {$(
        #[test]
        fn $case() {
            let place: fn(&str) -> Option<$crate::store::conformance::Place> = $place;
            if let Some(open) = place(stringify!($case)) {
                $crate::store::conformance::$case(&*open);
            }
        }
    )*};
}
pub(crate) use suite;
