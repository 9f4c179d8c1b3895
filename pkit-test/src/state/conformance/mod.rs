//! What every backend of a state has to do, whatever it is.
//!
//! A case is a function of a [`World`]: a fresh state, and as many processes that use it as are wanted. It knows nothing of the backend
//! but that trait, and of the state what users call. So a new backend is one more `World`, and one more line in [`conforms`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::Backend;
use super::client::Client;
use super::executor::state;
use super::memory::Memory;
use super::socket::Socket;
use super::state::State;
use crate::handle::Process;
use crate::sys::random::random;

mod values;
mod atomic;
mod race;
mod waits;
mod watches;
mod meetings;
mod deaths;

/// A state with nothing in it, and those who use it.
trait World: Sync {
    /// The way to it of another process, which is gone when that is dropped with all its links.
    fn backend(&self, name: &str) -> Box<dyn Backend>;

    /// The server dies.
    fn end(&self);
}

/// In the memory of this process.
struct InMemory(Memory);

/// As users have it.
struct Served(State);

impl InMemory {
    fn new() -> InMemory {
        InMemory(Memory::new())
    }
}

impl World for InMemory {
    fn backend(&self, name: &str) -> Box<dyn Backend> {
        Box::new(self.0.process(name))
    }

    fn end(&self) {
        self.0.end();
    }
}

impl Served {
    fn new() -> Served {
        Served(state().start().unwrap())
    }

    fn process(&self) -> &Process {
        self.0.owner.as_ref().expect("it was started here").process()
    }
}

impl World for Served {
    fn backend(&self, name: &str) -> Box<dyn Backend> {
        Box::new(Socket::in_guise(self.0.path().to_owned(), random(), name))
    }

    fn end(&self) {
        self.process().kill().unwrap();
    }
}

/// What a process has of the state.
fn process(world: &dyn World, name: &str) -> State {
    State { client: Arc::new(Client::new(world.backend(name))), space: "".into(), owner: None }
}

/// Catches a hang, and nothing else.
const LONG: Duration = Duration::from_secs(30);

/// Long enough to see that something does not happen.
const SHORT: Duration = Duration::from_millis(30);

/// When a race is over.
fn race_end() -> Instant {
    let seconds = std::env::var("PKIT_RACE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    Instant::now() + Duration::from_secs_f64(seconds)
}

macro_rules! conforms {
    ($($backend:ident: $world:ty;)*) => {$(
        mod $backend {
            cases!($world;
                values: what_is_set_is_there_until_it_is_removed, values_of_all_shapes_come_back, keys_are_any_text,
                    namespaces_are_apart, a_namespace_that_cannot_be_one_is_an_error,
                    an_error_calls_a_name_with_its_namespace, one_of_those_who_insert_does,
                    a_replaced_value_is_handed_out, a_snapshot_is_of_one_moment, numbers_are_counted_in_their_type,
                    a_wrong_type_is_named_with_its_writer, what_is_too_large_is_refused, two_states_never_meet,
                    a_state_that_is_gone_is_said_to_be;
                atomic: an_update_returns_what_its_closure_does, an_update_that_fails_leaves_no_trace,
                    an_update_sees_what_others_wrote, an_update_may_use_the_state, what_is_compared_is_what_is_there,
                    a_transaction_reads_what_it_wrote, a_transaction_is_all_or_nothing,
                    a_transaction_sees_one_moment, a_doomed_transaction_is_run_again_whatever_it_returns,
                    a_list_that_grew_is_read_again, a_transaction_in_a_transaction_is_another_one,
                    who_overtakes_himself_is_told, transactions_span_namespaces, an_error_of_ours_comes_out_as_it_is;
                race: no_change_is_lost, writes_do_not_skew, sums_never_change, no_phantom_is_overwritten,
                    a_slow_update_is_done_at_last, a_slow_transaction_is_done_at_last, one_permit_is_a_lock,
                    rounds_of_a_barrier_do_not_mix, each_item_is_taken_once;
                waits: a_value_that_is_there_is_not_waited_for, every_value_is_shown, absence_is_waited_for,
                    a_timeout_tells_what_was_seen_last, no_time_is_one_look, a_change_is_waited_for,
                    a_wrong_type_ends_a_wait, no_wake_up_is_lost, a_dead_server_wakes_all;
                watches: all_that_changes_is_seen_in_order, two_watches_see_the_same_order, a_commit_comes_at_once,
                    a_live_watch_shows_the_last, a_live_watch_misses_nothing_before_it_was_so,
                    too_much_is_an_error_and_it_goes_on, only_what_is_watched_is_seen, a_watch_of_no_keys_is_an_error;
                meetings: a_barrier_lets_all_on_at_once, a_barrier_that_is_too_late_is_broken_for_all,
                    a_latch_opens_for_good, permits_are_counted, a_counter_is_waited_for, a_queue_keeps_its_order,
                    a_closed_queue_is_emptied_first, a_leased_item_comes_back, a_phase_walks_step_by_step,
                    numbers_that_mean_nothing_are_refused, what_was_made_otherwise_is_refused,
                    names_are_of_their_kind_and_namespace, an_item_of_another_type_is_shown;
                deaths: a_permit_of_the_dead_is_free, a_barrier_of_the_dead_is_broken, an_item_of_the_dead_is_back,
                    a_turn_of_the_dead_is_over, guards_are_silent_when_the_state_is_gone;
            );
        }
    )*};
}

macro_rules! cases {
    ($world:ty; $($file:ident: $($case:ident),*;)*) => {$(
        mod $file {
            use crate::state::conformance as suite;

            $(
                #[test]
                fn $case() {
                    suite::$file::$case(&<$world>::new());
                }
            )*
        }
    )*};
}

conforms! {
    memory: crate::state::conformance::InMemory;
    server: crate::state::conformance::Served;
}
