//! What control asks of the thread that waits for signals.

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Wishes of operators. Each is one flag: to wish the same twice is to wish it once.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Notified to do what SIGHUP does.
    pub reload: Notify,
    /// Cancelled to do what SIGTERM does.
    pub stop: CancellationToken,
}
