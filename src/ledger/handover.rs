//! How submissions get from a runtime to the committer and back: gathered by the tick, handed over as one batch.
//!
//! A channel per request would wake the committer for every one and be woken by every answer. Instead each runtime keeps
//! its waiting submissions in a list of its own; when the first arrives, a task yields once, so that everything that became
//! ready in the same turn of the event loop joins it, and hands over one batch. One message comes back and wakes this
//! runtime once; the waiters are then woken from inside.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{Notify, mpsc, oneshot},
    task,
};

use super::{
    Ledger,
    committer::CommitFault,
    engine::{Submission, Verdict},
};

/// Submissions handed over in one message, so that a commit passes its own bound by less than this.
const MESSAGE_RECORDS_MAX: usize = 256;
/// Answers that may be under way to one runtime; one past it is dropped, and its waiters see a storage fault.
const ANSWERS_MAX: usize = 8192;

type Waiter = oneshot::Sender<Result<Verdict, CommitFault>>;

struct Answer {
    waiters: Vec<Waiter>,
    verdicts: Result<Vec<Verdict>, CommitFault>,
}

/// One runtime's counter to one ledger. Made inside that runtime; its tasks end with the last handle.
#[derive(Clone)]
pub struct Handover(Rc<Desk>);

struct Desk {
    waiting: RefCell<Vec<(Submission, Waiter)>>,
    tick: Rc<Notify>,
    gatherer: task::JoinHandle<()>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.gatherer.abort();
    }
}

impl Handover {
    /// Starts the tasks that hand over to `ledger`.
    ///
    /// # Panics
    /// Outside a runtime that runs local tasks.
    #[must_use]
    pub fn to(ledger: &Arc<Ledger>) -> Self {
        let (answers, arriving) = mpsc::channel(ANSWERS_MAX);
        task::spawn_local(deliver(arriving));
        let tick = Rc::new(Notify::new());
        Self(Rc::new_cyclic(|desk| Desk {
            waiting: RefCell::default(),
            tick: Rc::clone(&tick),
            gatherer: task::spawn_local(gather(desk.clone(), tick, Arc::clone(ledger), answers)),
        }))
    }

    /// Hands a submission over and waits until it is durable or refused. Giving up the wait takes nothing back.
    ///
    /// # Errors
    /// [`CommitFault`].
    pub async fn submit(&self, submission: Submission) -> Result<Verdict, CommitFault> {
        let (waiter, verdict) = oneshot::channel();
        self.0.waiting.borrow_mut().push((submission, waiter));
        self.0.tick.notify_one();
        verdict.await.unwrap_or(Err(CommitFault::Storage))
    }
}

async fn gather(
    desk: std::rc::Weak<Desk>,
    tick: Rc<Notify>,
    ledger: Arc<Ledger>,
    answers: mpsc::Sender<Answer>,
) {
    loop {
        tick.notified().await;
        task::yield_now().await;
        let Some(desk) = desk.upgrade() else { return };
        let mut waiting = desk.waiting.take().into_iter().peekable();
        while waiting.peek().is_some() {
            hand_over(&ledger, waiting.by_ref().take(MESSAGE_RECORDS_MAX), &answers);
        }
    }
}

fn hand_over(
    ledger: &Ledger,
    waiting: impl Iterator<Item = (Submission, Waiter)>,
    answers: &mpsc::Sender<Answer>,
) {
    let (submissions, waiters): (Vec<_>, Vec<_>) = waiting.unzip();
    // Shared, for a full queue drops the reply and the waiters must be told all the same.
    let waiters = Arc::new(Mutex::new(waiters));
    let reply = {
        let (waiters, answers) = (Arc::clone(&waiters), answers.clone());
        Box::new(move |verdicts| {
            let waiters = take(&waiters);
            // Full or closed: the waiters are dropped, which they see as a fault and not as a receipt.
            let _dropped = answers.try_send(Answer { waiters, verdicts });
        })
    };
    if let Err(fault) = ledger.submit(submissions, reply) {
        for waiter in take(&waiters) {
            let _gone = waiter.send(Err(fault));
        }
    }
}

fn take(waiters: &Mutex<Vec<Waiter>>) -> Vec<Waiter> {
    std::mem::take(&mut *waiters.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn deliver(mut arriving: mpsc::Receiver<Answer>) {
    while let Some(Answer { waiters, verdicts }) = arriving.recv().await {
        match verdicts {
            Ok(verdicts) => {
                for (waiter, verdict) in waiters.into_iter().zip(verdicts) {
                    let _gone = waiter.send(Ok(verdict));
                }
            }
            Err(fault) => {
                for waiter in waiters {
                    let _gone = waiter.send(Err(fault));
                }
            }
        }
    }
}
