//! What is counted of submissions: how many got a receipt, and how long it took. Two objectives are measured by it.

use metrics::{Counter, Histogram};

use crate::{clock::Stopwatch, metrics as list};

/// One runtime's meters of submissions, whichever way they came: a request, a page, a line of a batch.
pub(super) struct Submissions {
    receipt: Counter,
    refused: Counter,
    failed: Counter,
    duration: Histogram,
}

impl Default for Submissions {
    fn default() -> Self {
        // They begin at 0: Prometheus sees no increase of a series that begins at its first event.
        let [receipt, refused, failed] = ["receipt", "refused", "failed"].map(|result| {
            let counter = list::SUBMISSIONS.counter(&[result]);
            counter.increment(0);
            counter
        });
        Self { receipt, refused, failed, duration: list::RECEIPT_DURATION.histogram(&[]) }
    }
}

impl Submissions {
    /// Counts a submission by its end; `is_ours` says whether a fault is the server's. One that is given up by its client
    /// before has no end.
    pub(super) async fn count<T, F>(
        &self,
        submission: impl Future<Output = Result<T, F>>,
        is_ours: impl FnOnce(&F) -> bool,
    ) -> Result<T, F> {
        let (watch, _ends) = (Stopwatch::start(), FailsInPanic(&self.failed));
        let result = submission.await;
        match &result {
            Ok(_) => {
                self.receipt.increment(1);
                self.duration.record(watch.elapsed());
            }
            Err(fault) if is_ours(fault) => self.fail(),
            Err(_) => self.refused.increment(1),
        }
        result
    }

    /// Counts a submission that was not even read.
    pub(super) fn fail(&self) {
        self.failed.increment(1);
    }
}

/// Counts a submission that ends in a panic, which its client sees as a 500.
struct FailsInPanic<'m>(&'m Counter);

impl Drop for FailsInPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.increment(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        panic::{AssertUnwindSafe, catch_unwind},
        pin::pin,
        task::{Context, Waker},
    };

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    /// A fault, and whether it is the server's.
    type Counted = Result<(), bool>;

    #[test]
    fn only_our_own_faults_count_as_failed() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let submissions = Submissions::default();
            let count = |submission: &mut dyn FnMut() -> Counted| {
                let counted = pin!(submissions.count(async { submission() }, |is_ours| *is_ours));
                let _ready = counted.poll(&mut Context::from_waker(Waker::noop()));
            };
            count(&mut || Ok(()));
            count(&mut || Ok(()));
            count(&mut || Err(false));
            count(&mut || Err(true));
            count(&mut || Err(true));
            submissions.fail();
            let panicked = catch_unwind(AssertUnwindSafe(|| count(&mut || panic!("on purpose"))));
            assert!(panicked.is_err());
            // Given up by its client.
            let mut counted = Box::pin(submissions.count(pending::<Counted>(), |_| true));
            let under_way = counted.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(under_way.is_pending());
            drop(counted);
        });
        let page = recorder.handle().render();
        for (result, count) in [("receipt", 2), ("refused", 1), ("failed", 4)] {
            let line = format!("sportello_submissions_total{{result=\"{result}\"}} {count}\n");
            assert!(page.contains(&line), "{line} is not in {page}");
        }
        assert!(page.contains("sportello_receipt_duration_seconds_count 2"), "{page}");
    }
}
