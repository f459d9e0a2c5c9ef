//! Closed loop: workers send as fast as the server answers, on sessions opened beforehand.
//!
//! It measures throughput. Its latencies are those of a queue that the generator itself feeds, so they do not show how
//! long citizens who arrive independently would wait.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Barrier, task::JoinSet};

use crate::{
    citizen::{Counter, Session},
    clock,
    interrupt::Stop,
    tally::Ending,
};

/// One generator thread's share of a closed loop.
#[derive(Clone, Debug)]
pub struct Share {
    /// Sessions to open; each submits once.
    pub sessions: usize,
    /// Number of the first session among those of all threads.
    pub first_number: u64,
    /// Concurrent workers.
    pub workers: usize,
    /// Longest duration; sessions left over then do not submit.
    pub duration_max: Duration,
    /// Where the threads wait for each other, so that all begin to submit at the same time.
    pub all_entered: Arc<Barrier>,
    /// Ends it early.
    pub stop: Stop,
}

/// Opens all sessions of `share`, then times their submissions.
pub async fn play(counter: &Arc<Counter>, share: Share) {
    let sessions = Arc::new(enter_all(counter, &share).await);
    share.all_entered.wait().await;
    let begin = clock::now();
    counter.tally().begin_at(begin, share.duration_max.min(Duration::from_mins(10)));
    let turn = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..share.workers {
        let (counter, sessions) = (Arc::clone(counter), Arc::clone(&sessions));
        let (turn, share) = (Arc::clone(&turn), share.clone());
        workers.spawn(async move {
            while clock::now() < begin + share.duration_max && !share.stop.is_given() {
                let place = turn.fetch_add(1, Ordering::Relaxed);
                let Some(session) = sessions.get(place) else { break };
                submit_one(&counter, session, share.first_number + place as u64).await;
            }
        });
    }
    workers.join_all().await;
}

async fn enter_all(counter: &Arc<Counter>, share: &Share) -> Vec<Session> {
    let entered = Arc::new(Mutex::new(Vec::with_capacity(share.sessions)));
    let turn = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..share.workers {
        let counter = Arc::clone(counter);
        let (entered, turn) = (Arc::clone(&entered), Arc::clone(&turn));
        let Share { sessions, first_number, ref stop, .. } = *share;
        let stop = stop.clone();
        workers.spawn(async move {
            while !stop.is_given() {
                let place = turn.fetch_add(1, Ordering::Relaxed);
                let number = first_number + place as u64;
                if place >= sessions {
                    break;
                }
                let Some(identity) = counter.next_in_line(number) else { break };
                let asked = clock::now();
                let client = counter.clients().of(counter.role(number).http2);
                match counter.visitor(client, number).enter(identity, asked).await {
                    Ok(session) => {
                        entered.lock().unwrap_or_else(PoisonError::into_inner).push(session);
                    }
                    Err(ending) => {
                        counter.offer(number, asked);
                        counter.end(&ending, asked);
                    }
                }
            }
        });
    }
    workers.join_all().await;
    std::mem::take(&mut *entered.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn submit_one(counter: &Counter, session: &Session, number: u64) {
    let asked = clock::now();
    counter.offer(number, asked);
    counter.start();
    let client = counter.clients().of(counter.role(number).http2);
    let mut session = session.clone();
    let ending = match counter.visitor(client, number).submit(&mut session, asked).await {
        Ok(_) => Ending::Served,
        Err(ending) => ending,
    };
    counter.end(&ending, asked);
}
