//! The server under test.

use std::net::{SocketAddr, ToSocketAddrs};

use hyper::{
    Uri,
    header::HeaderValue,
    http::uri::{Authority, PathAndQuery, Scheme},
};
use rustls::pki_types::ServerName;

/// An HTTPS origin, resolved once before the run.
#[derive(Clone, Debug)]
pub struct Target {
    authority: Authority,
    /// First address of the host.
    pub addr: SocketAddr,
    /// The name that the certificate must have.
    pub server_name: ServerName<'static>,
    /// `Host` of every HTTP/1.1 request.
    pub host: HeaderValue,
}

impl Target {
    /// The origin of a URL such as `https://127.0.0.1:8443`.
    ///
    /// # Errors
    ///
    /// A text for the user: not HTTPS, a path or a query, or a host that does not resolve.
    pub fn parse(url: &str) -> Result<Self, String> {
        let fault = |what: &str| format!("`{url}` {what}; allowed is https://HOST[:PORT]");
        let uri: Uri = url.parse().map_err(|error| fault(&format!("is not a URL ({error})")))?;
        let authority = uri.authority().cloned().ok_or_else(|| fault("names no host"))?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(fault("is not HTTPS"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(fault("has a path"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let addr = (host.as_str(), authority.port_u16().unwrap_or(443))
            .to_socket_addrs()
            .ok()
            .and_then(|mut addrs| addrs.next())
            .ok_or_else(|| fault("has a host that does not resolve"))?;
        let server_name = ServerName::try_from(host)
            .map_err(|_| fault("has a host that no certificate can name"))?;
        let host = HeaderValue::try_from(authority.as_str())
            .map_err(|_| fault("has a host that does not fit into a header"))?;
        Ok(Self { authority, addr, server_name, host })
    }

    /// The full URI of `path`, as HTTP/2 needs it; `None` if it is not a path.
    pub fn uri(&self, path: &str) -> Option<Uri> {
        if !path.starts_with('/') {
            return None;
        }
        let path = PathAndQuery::try_from(path).ok()?;
        Uri::builder()
            .scheme(Scheme::HTTPS)
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn an_origin_is_taken_and_all_else_is_refused_with_what_is_allowed() {
        let target = Target::parse("https://127.0.0.1:8443").expect("an origin");
        assert_eq!(target.addr.to_string(), "127.0.0.1:8443");
        assert_eq!(
            target.uri("/v1/status").expect("a path").to_string(),
            "https://127.0.0.1:8443/v1/status"
        );
        assert!(target.uri("elsewhere").is_none());
        for wrong in ["http://127.0.0.1:8443", "https://127.0.0.1/v1", "127.0.0.1:8443"] {
            let fault = Target::parse(wrong).expect_err("no HTTPS origin");
            assert!(fault.contains("allowed is https://HOST[:PORT]"), "{fault}");
        }
    }
}
