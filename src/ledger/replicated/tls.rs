//! TLS to the database: rustls under tokio-postgres.

use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::{TlsConnector, client};

/// What servers are trusted, and how this node identifies itself.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Trusts servers with a certificate of `ca`; shows a client certificate if there is one.
    ///
    /// # Errors
    /// Every fault, for the operator.
    pub(super) fn read(ca: &Path, client: Option<(&Path, &Path)>) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca, "postgres.ca", &mut faults) {
            if let Err(fault) = roots.add(certificate) {
                faults.push(format!("postgres.ca {}: {fault}", ca.display()));
            }
        }
        let identity = client.map(|(chain, key)| {
            let chain = certificates(chain, "postgres.certificate", &mut faults);
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|fault| faults.push(format!("postgres.key {}: {fault}", key.display())));
            (chain, key)
        });
        if !faults.is_empty() {
            return Err(faults);
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|fault| vec![format!("TLS: {fault}")])?
            .with_root_certificates(roots);
        let config = match identity {
            Some((chain, Ok(key))) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|fault| vec![format!("postgres.certificate: {fault}")])?,
            _ => builder.with_no_client_auth(),
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }
}

fn certificates(
    path: &Path,
    setting: &str,
    faults: &mut Vec<String>,
) -> Vec<CertificateDer<'static>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if !found.is_empty() => return found,
        Ok(_) => faults.push(format!("{setting} {}: it holds no certificate", path.display())),
        Err(fault) => faults.push(format!("{setting} {}: {fault}", path.display())),
    }
    Vec::new()
}

/// A handshake with one server, whose name is known.
pub(super) struct Handshake(TlsConnector, Result<ServerName<'static>, String>);

/// An encrypted connection.
pub(super) struct Encrypted<S>(client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, host: &str) -> io::Result<Handshake> {
        let name = ServerName::try_from(host.to_owned());
        Ok(Handshake(self.0.clone(), name.map_err(|fault| format!("{host}: {fault}"))))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Encrypted<S>>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move {
            let name = self.1.map_err(io::Error::other)?;
            Ok(Encrypted(self.0.connect(name, stream).await?))
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    /// None: the server is known by a certificate of the database's own authority.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
