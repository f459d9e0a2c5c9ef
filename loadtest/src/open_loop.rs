//! Open loop: sessions start when the schedule says, whatever the server does.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{citizen::Counter, clock, identity::Identities};

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

/// Plays `share` of the schedule from `begin`, then waits at most `drain_max` for what is under way.
pub async fn play(
    counter: &Arc<Counter>,
    identities: &Identities,
    share: Share<'_>,
    begin: Instant,
    drain_max: Duration,
) {
    let room = Arc::new(Semaphore::new(UNDER_WAY_MAX as usize));
    let mut in_a_row = 0;
    let numbered = (0_u64..).zip(share.starts);
    for (number, start) in numbered.skip(share.thread).step_by(share.threads) {
        let due = begin + *start;
        if due > clock::now() {
            tokio::time::sleep_until(due.into()).await;
            in_a_row = 0;
        } else if in_a_row == STARTS_IN_A_ROW_MAX {
            tokio::task::yield_now().await;
            in_a_row = 0;
        }
        in_a_row += 1;
        counter.tally().offer(due);
        let (Ok(place), Some(identity)) =
            (Arc::clone(&room).try_acquire_owned(), identities.draw())
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
    if tokio::time::timeout(drain_max, all_back).await.is_err() {
        let under_way = u64::from(UNDER_WAY_MAX) - room.available_permits() as u64;
        counter.tally().unfinished = under_way;
    }
}
