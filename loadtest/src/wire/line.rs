//! One connection for whoever only times exchanges: no pool, no second try.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request,
    client::conn::{http1, http2},
};

use super::{
    client::{ExchangeFault, Reply, whole},
    connection::{DialFault, Dialer, Driver},
};

/// A connection, or one stream's worth of it.
pub struct Line {
    sender: Sender,
    // The connection lives as long as one of its lines.
    _driver: Arc<Driver>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Line {
    /// A new connection that carries one exchange after the other.
    ///
    /// # Errors
    ///
    /// When it does not come about.
    pub async fn over_http1(dialer: &Dialer) -> Result<Self, DialFault> {
        let (sender, driver) = dialer.http1().await?;
        Ok(Self { sender: Sender::Http1(sender), _driver: Arc::new(driver) })
    }

    /// A new connection that carries `streams` exchanges at once, one on each line.
    ///
    /// # Errors
    ///
    /// When it does not come about.
    pub async fn over_http2(dialer: &Dialer, streams: usize) -> Result<Vec<Self>, DialFault> {
        let (sender, driver) = dialer.http2().await?;
        let driver = Arc::new(driver);
        let line = || Self { sender: Sender::Http2(sender.clone()), _driver: Arc::clone(&driver) };
        Ok((0..streams).map(|_| line()).collect())
    }

    /// Sends `request` and reads its whole reply, which may take `reply_wait_max`.
    ///
    /// The URI must be a path over HTTP/1.1, with the host as a header, and the target's over HTTP/2.
    ///
    /// # Errors
    ///
    /// When there is no whole reply in time; the line is of no more use.
    pub async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        reply_wait_max: Duration,
    ) -> Result<Reply, ExchangeFault> {
        let exchange = async {
            let response = match &mut self.sender {
                Sender::Http1(sender) => {
                    sender.ready().await.map_err(|_| ExchangeFault::Broken)?;
                    sender.send_request(request).await
                }
                Sender::Http2(sender) => {
                    sender.ready().await.map_err(|_| ExchangeFault::Broken)?;
                    sender.send_request(request).await
                }
            };
            whole(response.map_err(|_| ExchangeFault::Broken)?).await
        };
        let in_time = tokio::time::timeout(reply_wait_max, exchange).await;
        in_time.unwrap_or(Err(ExchangeFault::Late))
    }
}
