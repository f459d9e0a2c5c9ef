//! The request under way on a thread: set while its future is polled, for log lines, problems and parts of its trace.

use std::{
    cell::RefCell,
    future::poll_fn,
    mem,
    pin::{Pin, pin},
    sync::Arc,
};

use super::{
    id::RequestId,
    parent::Parent,
    recording::{Recording, Timed},
    span::Part,
    tracer,
};

thread_local! {
    static CURRENT: RefCell<Option<Known>> = const { RefCell::new(None) };
}

/// What is known of a request.
struct Known {
    current: Current,
    /// Only of a sampled request.
    recording: Option<Arc<Recording>>,
}

/// The request under way, as log lines and problems name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// Its id.
    pub id: RequestId,
    /// The pattern of its route, never its path.
    pub route: &'static str,
}

/// A request from its head to its answer. If it is dropped before its [end](Self::end), its client has gone away.
pub struct Traced(Option<Known>);

impl Traced {
    /// A request begins. A valid `traceparent` makes it part of that trace, and the trace's id is its own; anything else is
    /// ignored.
    #[must_use]
    pub fn begin(traceparent: Option<&str>, method: &'static str, route: &'static str) -> Self {
        let parent = traceparent.and_then(Parent::parse);
        let id = parent.map_or_else(RequestId::random, |parent| parent.trace);
        let recording =
            tracer::samples(parent.as_ref()).then(|| Recording::begin(id, parent, method, route));
        Self(Some(Known { current: Current { id, route }, recording }))
    }

    /// Does something as this request.
    pub fn within<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let _entered = Entered::new(&mut self.0);
        work()
    }

    /// Runs a future to its end as this request.
    pub async fn run<F: Future>(&mut self, mut work: Pin<&mut F>) -> F::Output {
        poll_fn(|context| self.within(|| work.as_mut().poll(context))).await
    }

    /// The request was answered with this status.
    pub fn end(mut self, status: u16) {
        if let Some(recording) = self.recording() {
            recording.end(Some(status));
        }
    }

    fn recording(&mut self) -> Option<Arc<Recording>> {
        self.0.take()?.recording
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let Some(recording) = self.recording() {
            recording.end(None);
        }
    }
}

/// The request under way on this thread, until this is dropped.
struct Entered<'t>(&'t mut Option<Known>);

impl<'t> Entered<'t> {
    fn new(known: &'t mut Option<Known>) -> Self {
        let mut entered = Self(known);
        entered.exchange();
        entered
    }

    fn exchange(&mut self) {
        CURRENT.with_borrow_mut(|current| mem::swap(current, self.0));
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.exchange();
    }
}

/// The request under way on this thread, if there is one.
#[must_use]
pub fn current() -> Option<Current> {
    known(|known| known.current)
}

/// Times a part of the request under way, if that is sampled, until the result is dropped.
pub fn time(part: Part) -> Timed {
    Timed::of(known(|known| known.recording.clone()).flatten(), part)
}

/// A task that continues the work of the request under way, and is logged under its id. The trace has its request alone.
pub fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let mut traced = Traced(current().map(|current| Known { current, recording: None }));
    async move { traced.run(pin!(work)).await }
}

/// Nothing is known while a thread ends.
fn known<T>(read: impl FnOnce(&Known) -> T) -> Option<T> {
    CURRENT.try_with(|current| current.try_borrow().ok()?.as_ref().map(read)).ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tokio::task::yield_now;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn id() -> Option<String> {
        current().map(|current| current.id.to_string())
    }

    #[tokio::test]
    async fn a_request_is_known_while_its_future_is_polled_and_no_longer() {
        let mut traced = Traced::begin(Some(PARENT), "GET", "/a");
        let work = pin!(async {
            let before = current();
            yield_now().await;
            (before, current(), carried(async { current() }).await)
        });
        let (before, after, carried) = traced.run(work).await;
        assert_eq!(before.unwrap().id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((before.unwrap().route, after, carried), ("/a", before, before));
        assert_eq!(current(), None);
    }

    #[test]
    fn requests_that_take_turns_on_a_thread_are_not_mixed_up_even_if_one_panics() {
        let [mut one, mut other] = ["/a", "/b"].map(|route| Traced::begin(None, "GET", route));
        let first = one.within(id);
        let panicked =
            catch_unwind(AssertUnwindSafe(|| other.within(|| panic!("as a handler may"))));
        assert!(panicked.is_err() && current().is_none());
        assert_eq!(one.within(id), first);
        assert_ne!(other.within(id), first);
        assert_eq!(other.within(|| current().unwrap().route), "/b");
    }

    #[test]
    fn a_malformed_traceparent_gives_the_request_an_id_of_its_own() {
        for malformed in ["", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", "x\ny"] {
            let id = Traced::begin(Some(malformed), "GET", "/a").within(id).unwrap();
            assert!(id.len() == 32 && !id.starts_with("4bf92f"), "{id}");
        }
    }
}
