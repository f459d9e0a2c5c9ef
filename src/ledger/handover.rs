//! Batching the submissions of one runtime on their way to a ledger.
//!
//! A message per submission would wake the committer for each one, and each answer would wake this runtime. Instead
//! each runtime collects its submissions in a list of its own. When the first arrives, a task yields once, so that
//! everything that became ready in the same turn of the event loop joins it, and submits one batch. One answer comes
//! back for the batch, and the task wakes the waiters.

use std::{
    cell::RefCell,
    rc::{Rc, Weak},
    sync::Arc,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, oneshot},
    task,
};

use super::{
    Ledger,
    book::submission::{Disposition, Submission},
    fault::CommitFault,
};

/// Submissions in one batch. A commit exceeds its own bound by less than this.
const BATCH_SUBMISSIONS_MAX: usize = 256;

type Waiter = oneshot::Sender<Result<Disposition, CommitFault>>;

/// One runtime's way to one ledger. Make it inside that runtime; its task ends with the last handle.
#[derive(Clone)]
pub struct Handover(Rc<Shared>);

struct Shared {
    waiting: RefCell<Vec<(Submission, Waiter)>>,
    arrived: Rc<Notify>,
    task: task::JoinHandle<()>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Handover {
    /// Starts the task that submits to `ledger`.
    ///
    /// # Panics
    /// Outside a runtime that runs local tasks.
    #[must_use]
    pub fn to(ledger: &Arc<dyn Ledger>) -> Self {
        let arrived = Rc::new(Notify::new());
        Self(Rc::new_cyclic(|shared| Shared {
            waiting: RefCell::default(),
            arrived: Rc::clone(&arrived),
            task: task::spawn_local(run(shared.clone(), arrived, Arc::clone(ledger))),
        }))
    }

    /// Submits, and waits until the submission is durable or refused. Dropping the future does not undo the submission.
    ///
    /// # Errors
    /// [`CommitFault`].
    pub async fn submit(&self, submission: Submission) -> Result<Disposition, CommitFault> {
        let (waiter, answer) = oneshot::channel();
        self.0.waiting.borrow_mut().push((submission, waiter));
        self.0.arrived.notify_one();
        answer.await.unwrap_or(Err(CommitFault::Storage))
    }
}

/// Submits batches and distributes their answers.
async fn run(shared: Weak<Shared>, arrived: Rc<Notify>, ledger: Arc<dyn Ledger>) {
    let mut committing = FuturesUnordered::new();
    loop {
        tokio::select! {
            () = arrived.notified() => {
                task::yield_now().await;
                let Some(shared) = shared.upgrade() else { return };
                let mut waiting = shared.waiting.take().into_iter().peekable();
                while waiting.peek().is_some() {
                    let batch = waiting.by_ref().take(BATCH_SUBMISSIONS_MAX);
                    committing.push(commit(ledger.as_ref(), batch.unzip()));
                }
            }
            Some((waiters, dispositions)) = committing.next(), if !committing.is_empty() => {
                answer(waiters, dispositions);
            }
        }
    }
}

async fn commit(
    ledger: &dyn Ledger,
    (submissions, waiters): (Vec<Submission>, Vec<Waiter>),
) -> (Vec<Waiter>, Result<Vec<Disposition>, CommitFault>) {
    (waiters, ledger.submit(submissions).await)
}

fn answer(waiters: Vec<Waiter>, dispositions: Result<Vec<Disposition>, CommitFault>) {
    match dispositions {
        Ok(dispositions) => {
            for (waiter, disposition) in waiters.into_iter().zip(dispositions) {
                let _gone = waiter.send(Ok(disposition));
            }
        }
        Err(fault) => {
            for waiter in waiters {
                let _gone = waiter.send(Err(fault));
            }
        }
    }
}
