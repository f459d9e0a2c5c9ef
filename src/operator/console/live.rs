//! The console's state between requests, and the streams of events that follow it.
//!
//! Nothing waits for a browser: a new version replaces the one before, and each stream takes the version that stands when
//! its connection has room. A slow reader skips versions; it never has more in memory than one event and the buffer of its
//! connection.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{
    board::Board,
    history::History,
    places::Places,
    reading::Reading,
    recent::Recent,
    view::{self, SERIES, Scene, Seen},
};
use crate::{civic::Language, clock::Stopwatch};

/// Time between two events while somebody looks, and the greatest age of a page that is asked for.
const PULSE_EVERY: Duration = Duration::from_secs(2);

/// The languages of the page.
const LANGUAGES: [Language; 2] = [Language::Italian, Language::English];

/// The body of a stream of events.
pub(super) type Events = StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

/// What the console shows: one for all that look at it.
pub(in super::super) struct Console {
    since: Stopwatch,
    /// Announces each version of the board.
    versions: watch::Sender<u64>,
    /// Somebody begins to watch.
    watched: Notify,
    inner: Mutex<Inner>,
}

struct Inner {
    /// One for each of [`LANGUAGES`], always of the same version.
    boards: [Board; LANGUAGES.len()],
    places: Places,
    recent: Option<Recent>,
    history: History<{ SERIES.len() }>,
    pulsed_at: Option<Duration>,
}

impl Inner {
    fn new() -> Self {
        Self {
            boards: Default::default(),
            places: Places::default(),
            recent: None,
            history: History::new(),
            pulsed_at: None,
        }
    }

    fn board(&self, language: Language) -> &Board {
        let [italian, english] = &self.boards;
        match language {
            Language::Italian => italian,
            Language::English => english,
        }
    }

    /// Time until the server must be looked at.
    fn due_in(&self, at: Duration) -> Duration {
        let sample = self.history.due_in(at);
        if self.places.is_empty() { sample } else { sample.min(self.stale_in(at)) }
    }

    /// Time until what is shown is too old.
    fn stale_in(&self, at: Duration) -> Duration {
        self.pulsed_at.map_or(Duration::ZERO, |pulsed| (pulsed + PULSE_EVERY).saturating_sub(at))
    }
}

impl Console {
    /// A console that has seen nothing yet.
    pub(in super::super) fn new() -> Self {
        let versions = watch::Sender::new(0);
        Self {
            since: Stopwatch::start(),
            versions,
            watched: Notify::new(),
            inner: Mutex::new(Inner::new()),
        }
    }

    /// Waits until the server must be looked at: a sample of the last hour is due, or somebody watches and what they see
    /// is too old. Without anybody, that is once in ten seconds.
    pub(in super::super) async fn due(&self) {
        loop {
            let wait = self.lock().due_in(self.since.elapsed());
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = self.watched.notified() => {}
            }
        }
    }

    /// Whether what it shows is too old for a page.
    pub(in super::super) fn is_stale(&self) -> bool {
        self.lock().stale_in(self.since.elapsed()).is_zero()
    }

    /// Shows what was `seen`.
    pub(in super::super) fn show(&self, seen: &Seen<'_>) {
        let at = self.since.elapsed();
        let Inner { boards, places, recent, history, pulsed_at } = &mut *self.lock();
        let reading = Reading::of_page(at, seen.metrics);
        let recent = match recent {
            Some(recent) => {
                recent.push(reading);
                recent
            }
            None => recent.insert(Recent::new(reading)),
        };
        if history.is_due(at) {
            history.push(at, SERIES.map(|series| (series.of)(recent)));
        }
        let scene = Scene { seen, recent, history, uptime: at };
        for (board, language) in boards.iter_mut().zip(LANGUAGES) {
            board.set(view::pieces(&scene, language));
        }
        *pulsed_at = Some(at);
        let version = boards[0].version();
        places.hang_up_on_the_stalled(version);
        self.versions.send_replace(version);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The content of a piece of the page.
    pub(super) fn piece(&self, id: &str, language: Language) -> String {
        self.lock().board(language).html(id).to_owned()
    }

    /// A stream of events, beginning with everything; `None` if there are as many as may be. `hang_up` closes its
    /// connection if nobody reads it.
    pub(super) fn stream(
        self: &Arc<Self>,
        language: Language,
        hang_up: CancellationToken,
    ) -> Option<Events> {
        let mut versions = self.versions.subscribe();
        // What stands now is new to this browser.
        versions.mark_changed();
        let place = {
            let mut inner = self.lock();
            let version = inner.board(language).version();
            inner.places.take(version, hang_up)?
        };
        self.watched.notify_one();
        let viewer = Viewer { console: Arc::clone(self), language, versions, place, has: 0 };
        let events = stream::unfold(viewer, async |mut viewer| {
            // No error: the sender lives as long as the console, which the viewer holds.
            viewer.versions.changed().await.ok()?;
            Some((Ok(Frame::data(viewer.take())), viewer))
        });
        Some(StreamBody::new(events.boxed()))
    }
}

/// A browser that has a stream. Dropping it frees its place.
struct Viewer {
    console: Arc<Console>,
    language: Language,
    versions: watch::Receiver<u64>,
    place: usize,
    /// The version that it has; 0 is none.
    has: u64,
}

impl Viewer {
    fn take(&mut self) -> Bytes {
        let mut inner = self.console.lock();
        let board = inner.board(self.language);
        let event = board.event_since(self.has);
        self.has = board.version();
        inner.places.took(self.place, self.has);
        event
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.console.lock().places.leave(self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_anybody_who_watches_the_server_is_looked_at_for_samples_alone() {
        let second = Duration::from_secs;
        let mut inner = Inner::new();
        assert_eq!(inner.due_in(second(0)), second(0));
        inner.history.push(second(0), [None; SERIES.len()]);
        inner.pulsed_at = Some(second(0));
        assert_eq!(inner.due_in(second(3)), second(7));
        inner.places.take(0, CancellationToken::new()).unwrap();
        assert_eq!(inner.due_in(second(3)), second(0));
        inner.pulsed_at = Some(second(3));
        assert_eq!(inner.due_in(second(3)), second(2));
        assert_eq!(inner.due_in(second(10)), second(0), "a sample, too");
    }
}
