//! The queue to a thread that answers what it is sent.
//!
//! A bounded channel of crossbeam keeps what is sent just before its receiver is dropped, and whoever sent it would wait
//! for the answer for ever. Here it is dropped, and with it the way to answer, which tells who waits.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};

/// The end of those who send.
pub(super) struct Outbox<T> {
    sender: Sender<T>,
    ended: Ended<T>,
}

/// The end of the thread. What is in it when it is dropped, or is sent after that, is dropped.
pub(super) struct Inbox<T>(Ended<T>);

/// What both ends know.
struct Ended<T> {
    left: Receiver<T>,
    flag: Arc<AtomicBool>,
}

/// The two ends of a queue of so many messages.
pub(super) fn mailbox<T>(messages_max: usize) -> (Outbox<T>, Inbox<T>) {
    let (sender, left) = bounded(messages_max);
    let flag = Arc::new(AtomicBool::new(false));
    let ended = Ended { left: left.clone(), flag: Arc::clone(&flag) };
    (Outbox { sender, ended }, Inbox(Ended { left, flag }))
}

impl<T> Outbox<T> {
    /// Sends a message.
    ///
    /// # Errors
    /// [`TrySendError::Full`], and [`TrySendError::Disconnected`] after the inbox was dropped.
    pub(super) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        if self.ended.is_set() {
            return Err(TrySendError::Disconnected(message));
        }
        self.sender.try_send(message)?;
        self.ended.look_again();
        Ok(())
    }

    /// Sends a message, and waits while the queue is full. The message is dropped if the inbox is.
    pub(super) fn send(&self, message: T) {
        // It cannot fail while there is a receiver, which `ended` has; an inbox that is dropped makes room.
        let _never = self.sender.send(message);
        self.ended.look_again();
    }

    /// Messages in the queue.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sender.len()
    }
}

impl<T> Deref for Inbox<T> {
    type Target = Receiver<T>;

    fn deref(&self) -> &Receiver<T> {
        &self.0.left
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        self.0.flag.store(true, Ordering::SeqCst);
        self.0.look_again();
    }
}

impl<T> Ended<T> {
    fn is_set(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// Drops what was sent meanwhile. Either the inbox that is dropped sees a message, or its sender sees the flag.
    fn look_again(&self) {
        if self.is_set() {
            self.left.try_iter().for_each(drop);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    /// Drops the inbox while another thread sends, many times; nothing that was sent may be left.
    fn assert_none_is_left(
        messages_max: usize,
        send: impl Fn(&Outbox<Arc<()>>, Arc<()>) -> bool + Sync,
    ) {
        for _ in 0..2000 {
            let (outbox, inbox) = mailbox(messages_max);
            let (message, start) = (Arc::new(()), Barrier::new(2));
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    while send(&outbox, Arc::clone(&message)) {}
                });
                start.wait();
                drop(inbox);
            });
            assert_eq!(Arc::strong_count(&message), 1, "a message waits for ever");
        }
    }

    #[test]
    fn what_is_sent_while_the_inbox_is_dropped_is_dropped() {
        assert_none_is_left(1 << 16, |outbox, message| outbox.try_send(message).is_ok());
    }

    #[test]
    fn nobody_waits_for_room_in_an_inbox_that_is_dropped() {
        assert_none_is_left(2, |outbox, message| {
            outbox.send(message);
            !outbox.ended.is_set()
        });
    }

    #[test]
    fn a_dropped_inbox_is_told_and_a_full_one_too() {
        let (outbox, inbox) = mailbox(1);
        outbox.try_send(1).unwrap();
        assert!(matches!(outbox.try_send(2), Err(TrySendError::Full(2))));
        assert_eq!(inbox.recv(), Ok(1));
        drop(inbox);
        assert!(matches!(outbox.try_send(3), Err(TrySendError::Disconnected(3))));
    }
}
