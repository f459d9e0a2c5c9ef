//! The task that writes rows: at once while there is little, in groups under load.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{
    super::{fault::Setback, house::House},
    queue::Queue,
    row,
};
use crate::{clock::Stopwatch, vault::HouseKeys};

/// Time between the beginnings of two rows: bounds the commits of a node a second, what a kill loses, and how long somebody
/// waits who enters.
const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// Pause after a failed write. The database looks for its next primary.
const RETRY: Duration = Duration::from_millis(250);
/// Adds a row unless it is there, and writes in each case: an earlier try may be visible and not replicated yet, and is
/// durable once this commit is.
const ADD: &str = "WITH added AS (INSERT INTO journal (node, number, sealed) VALUES ($1, $2, $3) \
     ON CONFLICT DO NOTHING) \
     INSERT INTO journal_nodes (node) VALUES ($1) \
     ON CONFLICT (node) DO UPDATE SET seen_at = clock_timestamp()";

/// What the task works with.
pub(super) struct Flusher {
    pub(super) house: House,
    pub(super) keys: Arc<HouseKeys>,
    pub(super) node: i32,
    pub(super) queue: Arc<Queue>,
}

impl Flusher {
    /// Writes until the queue is closed and empty.
    pub(super) async fn run(self) {
        while let Some((number, events)) = self.queue.next().await {
            let started = Stopwatch::start();
            let sealed: Arc<[u8]> = row::seal(&self.keys, (self.node, number), &events).into();
            let mut reason = None;
            // Never skipped: a later row must not be there without it.
            while let Err(setback) = self.write(number, Arc::clone(&sealed)).await {
                let now = setback.to_string();
                if reason.replace(now.clone()) != Some(now) {
                    tracing::error!(%setback, "the journal cannot be written: nobody enters until it can; it is tried again");
                }
                self.house.raise_alarm();
                self.queue.give_up(self.house.wait_max());
                sleep(RETRY).await;
            }
            if reason.is_some() {
                tracing::warn!("the journal is written again");
            }
            self.queue.is_kept(number);
            if !self.queue.is_pressing() {
                sleep(FLUSH_EVERY.saturating_sub(started.elapsed())).await;
            }
        }
    }

    async fn write(&self, number: i64, sealed: Arc<[u8]>) -> Result<(), Setback> {
        let node = self.node;
        let written = self.house.with(move |link| {
            Box::pin(async move { link.durably(ADD, &[&node, &number, &&*sealed]).await })
        });
        written.await.map(drop)
    }
}
