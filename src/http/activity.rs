//! Whether a connection is in use, as seen from outside of hyper, and the stream and the bodies that show it.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};

use super::{holders::Held, metered::Standing};

/// The requests of one connection: how many were begun, and how many are under way.
#[derive(Default)]
pub struct Activity {
    begun: Cell<u64>,
    /// Counts those under way.
    held: Arc<Held>,
    /// Bytes were written that are not flushed yet.
    unsent: Cell<bool>,
    standing: Rc<Standing>,
}

impl Activity {
    /// No request was begun on this connection.
    pub(super) fn of(held: &Arc<Held>, standing: &Rc<Standing>) -> Rc<Self> {
        let (held, standing) = (Arc::clone(held), Rc::clone(standing));
        Rc::new(Self { held, standing, ..Self::default() })
    }

    /// Counts a request, which is under way until the result is dropped.
    #[must_use]
    pub fn begin(self: &Rc<Self>) -> UnderWay {
        self.begun.set(self.begun.get() + 1);
        UnderWay::new(self)
    }

    /// Waits until no request was begun and nothing of an answer was sent for `time`, or up to twice as long, and none
    /// is under way.
    pub(super) async fn quiet_for(&self, time: impl Fn() -> Duration) {
        loop {
            let begun = self.begun.get();
            sleep(time()).await;
            if self.begun.get() == begun && self.held.under_way() == 0 {
                return;
            }
        }
    }

    /// Waits like [`quiet_for`](Self::quiet_for), and until at least one request was answered and every answer is sent.
    pub(super) async fn rest_for(&self, time: Duration) {
        loop {
            self.quiet_for(|| time).await;
            if self.begun.get() > 0 && !self.unsent.get() {
                return;
            }
        }
    }
}

/// A request under way, or a part of it. Dropping it ends it, also when the client has disconnected.
pub struct UnderWay(Rc<Activity>);

impl UnderWay {
    /// Whether the connection is used by somebody with a session.
    pub(super) fn standing(&self) -> &Standing {
        &self.0.standing
    }

    fn new(activity: &Rc<Activity>) -> Self {
        activity.held.begin();
        Self(Rc::clone(activity))
    }
}

impl Clone for UnderWay {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.held.end();
    }
}

/// An answer's body. Its request is under way while hyper waits for more of it, but not while the client reads nothing.
pub(super) struct Answering<B> {
    body: B,
    activity: Rc<Activity>,
    awaited: Option<UnderWay>,
}

impl<B> Answering<B> {
    pub(super) fn new(body: B, activity: &Rc<Activity>) -> Self {
        Self { body, activity: Rc::clone(activity), awaited: None }
    }
}

impl<B: Body + Unpin> Body for Answering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            self.awaited = None;
            self.activity.begun.set(self.activity.begun.get() + 1);
        } else if self.awaited.is_none() {
            self.awaited = Some(UnderWay::new(&self.activity));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that hyper borrows: bytes that were read ahead come first, and only its owner shuts it down.
pub(super) struct Borrowed<S> {
    stream: S,
    ahead: Bytes,
    activity: Rc<Activity>,
}

impl<S> Borrowed<S> {
    pub(super) fn new(stream: S, ahead: Bytes, activity: Rc<Activity>) -> Self {
        Self { stream, ahead, activity }
    }

    /// The stream, and the bytes read ahead that hyper has not read.
    pub(super) fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.ahead)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Borrowed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let length = self.ahead.len().min(into.remaining());
        into.put_slice(&self.ahead[..length]);
        self.ahead.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Borrowed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.activity.unsent.set(true);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.activity.unsent.set(true);
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.activity.unsent.set(false);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
