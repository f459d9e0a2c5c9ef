//! Waiting for something to happen.

use std::time::Duration;

use crate::harness::PATIENCE;

/// Polls `look` until it returns a value; fails after [`PATIENCE`].
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let polling = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, polling).await;
    found.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}
