//! What goes on on a connection, as one sees it from outside of hyper, and the stream that hyper is lent.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};

/// What goes on on one connection.
#[derive(Default)]
pub struct Activity {
    begun: Cell<u64>,
    under_way: Cell<u64>,
    /// Something was written that the stream has not taken yet.
    unsent: Cell<bool>,
    /// An answer may go on after it was given.
    goes_on: Cell<bool>,
}

impl Activity {
    /// A request came.
    #[must_use]
    pub fn begin(self: &Rc<Self>) -> UnderWay {
        self.begun.set(self.begun.get() + 1);
        UnderWay::new(self)
    }

    /// An answer was given whose content is still to come, nobody knows for how long: this connection never rests again.
    pub(super) fn goes_on(&self) {
        self.goes_on.set(true);
    }

    /// Waits until nothing was begun for that long, or a little longer, and nothing is under way.
    pub(super) async fn quiet_for(&self, long: Duration) {
        loop {
            let begun = self.begun.get();
            sleep(long).await;
            if self.begun.get() == begun && self.under_way.get() == 0 {
                return;
            }
        }
    }

    /// Waits until a request was answered, the answer is sent, and nothing came for that long, or a little longer.
    pub(super) async fn rest_for(&self, long: Duration) {
        loop {
            self.quiet_for(long).await;
            if self.begun.get() > 0 && !self.unsent.get() && !self.goes_on.get() {
                return;
            }
        }
    }
}

/// A request under way, or a part of it; dropping it ends it, also when its client is gone.
pub struct UnderWay(Rc<Activity>);

impl UnderWay {
    fn new(activity: &Rc<Activity>) -> Self {
        activity.under_way.set(activity.under_way.get() + 1);
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
        self.0.under_way.set(self.0.under_way.get() - 1);
    }
}

/// A stream that hyper is lent and gives back: what was read ahead comes first, and to shut it down is left to its owner.
pub(super) struct Lent<S> {
    stream: S,
    ahead: Bytes,
    activity: Rc<Activity>,
}

impl<S> Lent<S> {
    pub(super) fn new(stream: S, ahead: Bytes, activity: Rc<Activity>) -> Self {
        Self { stream, ahead, activity }
    }

    /// The stream, and what was read ahead and is not read yet.
    pub(super) fn back(self) -> (S, Bytes) {
        (self.stream, self.ahead)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
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

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
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
