//! People who come one after the other, until it is over.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use cluster::{history::Recorder, until};
use tokio::task::JoinHandle;

use crate::{house::Door, person::Person};

/// Longest time until something is accepted that was asked after a fault: commits that were under way wait for their time.
pub(crate) const RECOVERY_MAX: Duration = Duration::from_mins(1);

/// What people who come at the same time share.
pub(crate) struct People {
    seed: u64,
    door: Arc<Door>,
    pub(crate) recorder: Arc<Recorder>,
    next: AtomicU64,
    is_over: AtomicBool,
    been: Mutex<Vec<Person>>,
}

/// People under way.
pub(crate) struct Coming {
    pub(crate) people: Arc<People>,
    tasks: Vec<JoinHandle<()>>,
}

impl Coming {
    /// People come, this many at a time.
    pub(crate) fn begin(at_a_time: usize, seed: u64, door: &Arc<Door>) -> Self {
        let people = Arc::new(People {
            seed,
            door: Arc::clone(door),
            recorder: Arc::default(),
            next: AtomicU64::new(1),
            is_over: AtomicBool::new(false),
            been: Mutex::default(),
        });
        let tasks = (0..at_a_time)
            .map(|_| {
                let people = Arc::clone(&people);
                tokio::spawn(async move { people.come().await })
            })
            .collect();
        Self { people, tasks }
    }

    /// Nobody comes any more; returns who was there, once the last one has finished.
    pub(crate) async fn end(self) -> (Arc<Recorder>, Vec<Person>) {
        self.people.is_over.store(true, Ordering::Release);
        for task in self.tasks {
            task.await.unwrap();
        }
        let been = std::mem::take(&mut *self.people.been.lock().unwrap());
        (Arc::clone(&self.people.recorder), been)
    }
}

impl People {
    async fn come(&self) {
        while !self.is_over.load(Ordering::Acquire) {
            let number = self.next.fetch_add(1, Ordering::AcqRel);
            let mut person = Person::new(number, self.seed, &self.door, &self.recorder);
            person.visit().await;
            self.been.lock().unwrap().push(person);
        }
    }

    /// Waits until something is accepted that was asked after this moment.
    pub(crate) fn progress(&self) {
        let from = self.recorder.now_us();
        let accepted = || (self.recorder.last_accepted_us() > from).then_some(());
        until("something is accepted", RECOVERY_MAX, accepted).unwrap();
    }
}
