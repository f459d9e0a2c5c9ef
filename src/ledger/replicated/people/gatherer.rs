//! Questions that many ask at the same time, put to the database in groups: one round trip answers all that came during the
//! one before.

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

/// A question, and who waits for the answer.
pub(super) struct Asked<Q, A> {
    pub(super) question: Q,
    reply: oneshot::Sender<A>,
}

impl<Q, A> Asked<Q, A> {
    /// Whether nobody waits any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    pub(super) fn answer(self, answer: A) {
        let _abandoned = self.reply.send(answer);
    }
}

/// Gathers questions. Its task ends when this is dropped.
pub(super) struct Gatherer<Q, A>(mpsc::Sender<Asked<Q, A>>);

impl<Q: Send + 'static, A: Send + 'static> Gatherer<Q, A> {
    /// Lets `work` answer groups of at most `group_max`, one after another, on `runtime`; `waiting_max` wait at most.
    pub(super) fn start<F: Future<Output = ()> + Send>(
        runtime: &Handle,
        (group_max, waiting_max): (usize, usize),
        work: impl Fn(Vec<Asked<Q, A>>) -> F + Send + 'static,
    ) -> Self {
        let (questions, mut asked) = mpsc::channel(waiting_max);
        runtime.spawn(async move {
            let mut group = Vec::new();
            while asked.recv_many(&mut group, group_max).await > 0 {
                work(std::mem::take(&mut group)).await;
            }
        });
        Self(questions)
    }

    /// Asks; `None` if as many wait as may. The answer fails if nobody gives one.
    pub(super) fn ask(&self, question: Q) -> Option<oneshot::Receiver<A>> {
        let (reply, answer) = oneshot::channel();
        self.0.try_send(Asked { question, reply }).ok().map(|()| answer)
    }
}
