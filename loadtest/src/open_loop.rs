//! Open loop: sessions start on schedule, whatever the server does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{citizen::Counter, clock, interrupt::Stop};

/// Most concurrent sessions of one generator thread. A session beyond it is not started, but counted, and makes the run
/// invalid: load that was not offered must not look as if it had been.
pub const UNDER_WAY_MAX: u32 = 200_000;

/// Most starts in a row before the other tasks run, when the generator is behind schedule.
const STARTS_IN_A_ROW_MAX: u32 = 32;

/// One generator thread's share of the schedule.
#[derive(Clone, Copy, Debug)]
pub struct Share<'s> {
    /// The whole schedule.
    pub starts: &'s [Duration],
    /// This thread's number, from 0.
    pub thread: usize,
    /// Number of threads.
    pub threads: usize,
}

/// Interval at which a closed counter is checked for people inside.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time that open sessions have to finish when the run is stopped.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Plays `share` of the schedule from `begin`, then waits at most `drain_max` for the open sessions.
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
    let all_back = async {
        tokio::select! {
            _ = room.acquire_many(UNDER_WAY_MAX) => {}
            () = nobody_inside(counter) => {}
        }
    };
    let patience = async {
        tokio::select! {
            () = tokio::time::sleep(drain_max) => {}
            () = async { stop.given().await; tokio::time::sleep(STOP_GRACE).await } => {}
        }
    };
    tokio::select! {
        biased;
        () = all_back => {}
        () = patience => {}
    }
    let under_way = u64::from(UNDER_WAY_MAX) - room.available_permits() as u64;
    counter.tally().unfinished = under_way;
}

/// Returns once people outside have stopped asking and nobody is inside any more.
async fn nobody_inside(counter: &Counter) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if counter.is_closed() && counter.inside() == 0 {
            return;
        }
    }
}
