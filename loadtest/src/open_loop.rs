//! Open loop: sessions start when the schedule says, whatever the server does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{citizen::Counter, clock, interrupt::Stop};

/// Sessions under way at once in one generator thread. One that should start beyond it is counted
/// and makes the run invalid: an offer that was not made must not look like one that was.
pub const UNDER_WAY_MAX: u32 = 200_000;

/// Starts in a row before the sessions under way get their turn, when the generator is behind.
const STARTS_IN_A_ROW_MAX: u32 = 32;

/// The part of the schedule that one generator thread keeps.
#[derive(Clone, Copy, Debug)]
pub struct Share<'s> {
    /// The whole schedule.
    pub starts: &'s [Duration],
    /// This thread's number, from 0.
    pub thread: usize,
    /// How many threads there are.
    pub threads: usize,
}

/// Sessions under way when the run is stopped may go on for so long.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Plays `share` of the schedule from `begin`, then waits at most `drain_max` for what is under way.
pub async fn play(
    counter: &Arc<Counter>,
    share: Share<'_>,
    begin: Instant,
    drain_max: Duration,
    stop: &Stop,
) {
    let room = Arc::new(Semaphore::new(UNDER_WAY_MAX as usize));
    let mut in_a_row = 0;
    let numbered = (0_u64..).zip(share.starts);
    for (number, start) in numbered.skip(share.thread).step_by(share.threads) {
        let due = begin + *start;
        if stop.is_given() {
            break;
        }
        if due > clock::now() {
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = stop.given() => break,
            }
            in_a_row = 0;
        } else if in_a_row == STARTS_IN_A_ROW_MAX {
            tokio::task::yield_now().await;
            in_a_row = 0;
        }
        in_a_row += 1;
        counter.offer(number, due);
        let (Ok(place), Some(identity)) =
            (Arc::clone(&room).try_acquire_owned(), counter.next_in_line(number))
        else {
            counter.tally().overflowed += 1;
            continue;
        };
        let counter = Arc::clone(counter);
        tokio::spawn(async move {
            counter.visit(identity, number, due).await;
            drop(place);
        });
    }
    let all_back = room.acquire_many(UNDER_WAY_MAX);
    let patience = async {
        tokio::select! {
            () = tokio::time::sleep(drain_max) => {}
            () = async { stop.given().await; tokio::time::sleep(STOP_GRACE).await } => {}
        }
    };
    let drained = tokio::select! {
        biased;
        back = all_back => back.is_ok(),
        () = patience => false,
    };
    if !drained {
        let under_way = u64::from(UNDER_WAY_MAX) - room.available_permits() as u64;
        counter.tally().unfinished = under_way;
    }
}
