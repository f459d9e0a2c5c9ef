//! A connection or stream for timing exchanges: no pool, no retries.

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

/// An HTTP/1.1 connection, or a stream's share of an HTTP/2 connection.
pub struct Line {
    sender: Sender,
    // The connection stays open while one of its lines exists.
    _driver: Arc<Driver>,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Line {
    /// Opens an HTTP/1.1 connection.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub async fn over_http1(dialer: &Dialer) -> Result<Self, DialFault> {
        let (sender, driver) = dialer.http1().await?;
        Ok(Self { sender: Sender::Http1(sender), _driver: Arc::new(driver) })
    }

    /// Opens an HTTP/2 connection for `streams` concurrent exchanges, one on each line.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub async fn over_http2(dialer: &Dialer, streams: usize) -> Result<Vec<Self>, DialFault> {
        let (sender, driver) = dialer.http2().await?;
        let driver = Arc::new(driver);
        let line = || Self { sender: Sender::Http2(sender.clone()), _driver: Arc::clone(&driver) };
        Ok((0..streams).map(|_| line()).collect())
    }

    /// Sends `request` and reads its whole reply, which may take `reply_wait_max`.
    ///
    /// Over HTTP/1.1 the URI must be a path and the request have a `Host`; over HTTP/2 the URI must be the target's.
    ///
    /// # Errors
    ///
    /// When there is no whole reply in time; the line cannot be used any more.
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
