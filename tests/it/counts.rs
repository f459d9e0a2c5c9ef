//! What a server counts.

use crate::harness::{Counter, until};

impl Counter {
    /// The sum of a metric over its series whose line contains all of `labels`.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> u64 {
        sum_in(&self.metrics().await, name, labels)
    }

    /// Waits until every durable application is decided.
    pub(crate) async fn all_decided(&self) {
        until("every application is decided", async || (self.undecided().await == 0).then_some(()))
            .await;
    }

    async fn undecided(&self) -> u64 {
        self.metric("sportello_applications_undecided", &[]).await
    }

    /// How many applications were accepted, and the sum of those decided, undecided and withdrawn before a decision.
    /// Both must be equal.
    pub(crate) async fn balance(&self) -> (u64, u64) {
        let accepted = self.metric("sportello_applications_accepted_total", &[]).await;
        let decided = self.metric("sportello_applications_decided_total", &[]).await;
        let undecided = self.undecided().await;
        let withdrawn =
            self.metric("sportello_applications_withdrawn_total", &["before=\"decision\""]).await;
        (accepted, decided + undecided + withdrawn)
    }
}

/// The sum of a metric on a metrics page over its series whose line contains all of `labels`.
pub(crate) fn sum_in(page: &str, name: &str, labels: &[&str]) -> u64 {
    page.lines()
        .filter(|line| line.split(['{', ' ']).next() == Some(name))
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}
