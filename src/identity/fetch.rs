//! Asks identity providers over HTTPS, for keys and in the name of people who sign in, within bounds of time and bytes.
//!
//! No redirect is followed and no proxy of the environment is used: the URL in the settings is the one that is asked.

use std::{
    convert::Infallible, fmt, future::pending, io, path::Path, str::FromStr, time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    client::conn::http1,
    header::{
        ACCEPT, AGE, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderName,
        HeaderValue, USER_AGENT,
    },
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::jwks::SET_BYTES_MAX;
use crate::trusted_roots::{RootsFault, client_tls};

/// Time for a connection to one address, so that another one gets its turn.
const CONNECT_MS_MAX: u64 = 3000;
/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 3;
/// Size of the head of an answer, bytes, and how many fields it may have.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEAD_FIELDS_MAX: usize = 100;
/// Port of HTTPS.
const HTTPS_PORT: u16 = 443;

/// The HTTPS URL of a provider: of its JWK set, or of another of its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysUrl {
    uri: Uri,
    host: ServerName<'static>,
}

/// It is not an HTTPS URL with a host, or it has a user or a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an https URL")]
pub struct NoKeysUrl;

impl FromStr for KeysUrl {
    type Err = NoKeysUrl;

    fn from_str(text: &str) -> Result<Self, NoKeysUrl> {
        let uri: Uri = text.parse().map_err(|_| NoKeysUrl)?;
        let authority = uri.authority().ok_or(NoKeysUrl)?;
        if uri.scheme_str() != Some("https")
            || authority.as_str().contains('@')
            || text.contains('#')
        {
            return Err(NoKeysUrl);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let host = ServerName::try_from(host).map_err(|_| NoKeysUrl)?;
        Ok(Self { uri, host })
    }
}

impl fmt::Display for KeysUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(formatter)
    }
}

/// An answer with a JWK set.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The set, not parsed.
    pub(super) document: Bytes,
    /// How long its publisher says that it stays valid.
    pub(super) fresh_for: Option<Duration>,
}

/// What is asked of a provider.
pub(super) enum Ask<'a> {
    /// A public document, in one of these media types.
    Get(&'a str),
    /// Something that this access token opens.
    GetWith(&'a str),
    /// The answer to these form fields.
    Post(String),
}

impl Ask<'_> {
    fn request(self) -> Request<Full<Bytes>> {
        let (method, fields, body) = match self {
            Self::Get(accepted) => (Method::GET, vec![(ACCEPT, accepted.to_owned())], Bytes::new()),
            Self::GetWith(token) => {
                let accepted = "application/jose, application/jwt".to_owned();
                let fields = vec![(ACCEPT, accepted), (AUTHORIZATION, format!("Bearer {token}"))];
                (Method::GET, fields, Bytes::new())
            }
            Self::Post(form) => {
                let fields = vec![
                    (ACCEPT, "application/json".to_owned()),
                    (CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned()),
                ];
                (Method::POST, fields, form.into())
            }
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        for (name, value) in fields {
            put(&mut request, name, &value);
        }
        request
    }
}

/// Sets a field, unless its value cannot be in a header.
fn put(request: &mut Request<Full<Bytes>>, name: HeaderName, value: &str) {
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(name == AUTHORIZATION);
        request.headers_mut().insert(name, value);
    }
}

/// An answer of any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why a provider did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchFault {
    #[error("no whole answer within {} ms", .0.as_millis())]
    TooSlow(Duration),
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    #[error("the answer has more than {SET_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the answer broke off: {0}")]
    Body(String),
}

/// Asks providers.
pub(super) struct Client {
    tls: TlsConnector,
    /// Time for a whole fetch: name, connection, TLS, answer.
    fetch_max: Duration,
}

impl Client {
    /// A client that trusts the certificates in the PEM file `ca`; without one, those of the system.
    pub(super) fn trusting(ca: Option<&Path>, fetch_max: Duration) -> Result<Self, RootsFault> {
        let tls = client_tls("identity.ca", ca)?;
        Ok(Self { tls: TlsConnector::from(tls), fetch_max })
    }

    /// Gets a JWK set.
    pub(super) async fn get(&self, url: &KeysUrl) -> Result<Fetched, FetchFault> {
        let answer = self.ask(url, Ask::Get("application/jwk-set+json, application/json")).await?;
        if answer.status != StatusCode::OK {
            return Err(FetchFault::Status(answer.status));
        }
        Ok(Fetched { document: answer.body, fresh_for: fresh_for(&answer.headers) })
    }

    /// Asks one thing, on a connection of its own.
    pub(super) async fn ask(&self, url: &KeysUrl, ask: Ask<'_>) -> Result<Answer, FetchFault> {
        let asking = async {
            let stream = self.connect(url).await?;
            let (sender, connection) = http1::Builder::new()
                .max_buf_size(HEAD_BYTES_MAX)
                .max_headers(HEAD_FIELDS_MAX)
                .handshake(TokioIo::new(stream))
                .await?;
            // An answer may be read to its end after the connection has ended.
            let driven = async {
                let _ended = connection.await;
                pending::<Infallible>().await
            };
            tokio::select! {
                answered = exchange(sender, url, ask) => answered,
                never = driven => match never {},
            }
        };
        timeout(self.fetch_max, asking).await.unwrap_or(Err(FetchFault::TooSlow(self.fetch_max)))
    }

    async fn connect(&self, url: &KeysUrl) -> Result<TlsStream<TcpStream>, FetchFault> {
        let host = url.host.to_str();
        let port = url.uri.port_u16().unwrap_or(HTTPS_PORT);
        let addresses =
            tokio::net::lookup_host((&*host, port)).await.map_err(FetchFault::Connect)?;
        let mut fault = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses.take(ADDRESSES_MAX) {
            match timeout(Duration::from_millis(CONNECT_MS_MAX), TcpStream::connect(address)).await
            {
                Ok(Ok(stream)) => {
                    let shaken = self.tls.connect(url.host.clone(), stream).await;
                    return shaken.map_err(FetchFault::Tls);
                }
                Ok(Err(refused)) => fault = refused,
                Err(_) => fault = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(FetchFault::Connect(fault))
    }
}

async fn exchange(
    mut sender: http1::SendRequest<Full<Bytes>>,
    url: &KeysUrl,
    ask: Ask<'_>,
) -> Result<Answer, FetchFault> {
    let target = url.uri.path_and_query().map_or("/", |target| target.as_str());
    let host = url.uri.authority().map_or("", |authority| authority.as_str());
    let mut request = ask.request();
    *request.uri_mut() = Uri::try_from(target).unwrap_or_default();
    for (name, value) in [
        (HOST, host),
        (USER_AGENT, concat!("sportello/", env!("CARGO_PKG_VERSION"))),
        (CONNECTION, "close"),
    ] {
        put(&mut request, name, value);
    }
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, SET_BYTES_MAX).collect().await.map_err(|fault| {
        if fault.is::<LengthLimitError>() {
            FetchFault::TooLarge
        } else {
            FetchFault::Body(fault.to_string())
        }
    })?;
    Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
}

/// How long an answer stays fresh (RFC 9111, section 4.2): its `max-age` less the age that it has already.
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let seconds = |text: &str| text.trim().trim_matches('"').parse::<u32>().ok().map(u64::from);
    let fields = headers.get_all(CACHE_CONTROL).into_iter();
    let directives: Vec<_> = fields
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase())
        .collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return Some(Duration::ZERO);
    }
    let mut stated = directives.iter().filter_map(|it| it.strip_prefix("max-age="));
    let max_age = stated.next().and_then(seconds)?;
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()).and_then(seconds).unwrap_or(0);
    Some(Duration::from_secs(max_age.saturating_sub(age)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_https_alone() {
        for good in
            ["https://login.example.it/jwks.json", "https://127.0.0.1:8443/", "https://[::1]/k?x=1"]
        {
            assert_eq!(good.parse::<KeysUrl>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "http://login.example.it/jwks",
            "https://",
            "https:///jwks",
            "/jwks",
            "file:///etc/passwd",
            "https://user@login.example.it/jwks",
            "https://login.example.it/jwks#x",
            "https://a b/",
        ] {
            assert_eq!(bad.parse::<KeysUrl>(), Err(NoKeysUrl), "{bad}");
        }
    }

    #[test]
    fn freshness_is_what_the_publisher_says_less_the_age() {
        let fresh = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, value.parse().unwrap());
            }
            fresh_for(&headers).map(|time| time.as_secs())
        };
        assert_eq!(fresh(&[]), None);
        assert_eq!(fresh(&[("cache-control", "public, Max-Age=600")]), Some(600));
        assert_eq!(fresh(&[("cache-control", "max-age=600"), ("age", "100")]), Some(500));
        assert_eq!(fresh(&[("cache-control", "max-age=600"), ("age", "700")]), Some(0));
        assert_eq!(
            fresh(&[("cache-control", "no-cache"), ("cache-control", "max-age=9")]),
            Some(0)
        );
        assert_eq!(fresh(&[("cache-control", "max-age=-1")]), None);
        assert_eq!(fresh(&[("cache-control", "max-age=\"60\"")]), Some(60));
    }
}
