//! An identity provider on loopback that remembers nothing: a code holds the person and the nonce for which it was made.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    sync::Arc,
};

use aws_lc_rs::{
    digest::{SHA512, digest},
    encoding::AsDer as _,
    rsa::{KeyPair, KeySize},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http_body_util::Full;
use hyper::Request;
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use sportello::{civic::FiscalCode, clock::Clock};

use crate::{
    harness::{Answer, Counter},
    issuers::Signer,
};

const CLIENT: &str = "https://sportello.example.it";
/// Its name in our forms.
const NAME: &str = "Provider";

/// The provider, until the test process ends.
pub(crate) struct Provider {
    issuer: String,
}

impl Provider {
    /// Starts it, with its certificate and our keys in `place`.
    pub(crate) fn start(place: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let encryption = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let encryption = STANDARD.encode(encryption.as_der().unwrap().as_ref());
        for (name, text) in [
            ("provider.pem", made.cert.pem()),
            ("signing.pem", rcgen::KeyPair::generate().unwrap().serialize_pem()),
            (
                "encryption.pem",
                format!("-----BEGIN PRIVATE KEY-----\n{encryption}\n-----END PRIVATE KEY-----\n"),
            ),
        ] {
            fs::write(place.join(name), text).unwrap();
        }
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into());
        let tls = Arc::new(tls.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("https://{}", listener.local_addr().unwrap());
        let own = Own { issuer: issuer.clone(), signer: Signer::new("provider") };
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let session = ServerConnection::new(Arc::clone(&tls)).unwrap();
                own.answer(&mut StreamOwned::new(session, stream));
            }
        });
        Self { issuer }
    }

    /// The settings of a server that trusts it, as a file.
    pub(crate) fn settings(&self, place: &Path) -> String {
        let Self { issuer } = self;
        let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
        format!(
            "[[identity.providers]]\nname = {NAME:?}\nprofile = \"generic\"\nissuer = {issuer:?}\n\
             client_id = {CLIENT:?}\nredirect_uri = \"{CLIENT}/callback\"\nsigning_key = {:?}\n\
             encryption_key = {:?}\nauthorization_endpoint = \"{issuer}/auth\"\n\
             token_endpoint = \"{issuer}/token\"\nuserinfo_endpoint = \"{issuer}/userinfo\"\n\
             jwks_url = \"{issuer}/jwks\"\n",
            path("signing.pem"),
            path("encryption.pem"),
        )
    }

    /// Signs a person in, as a browser does; returns the path of their session and its token.
    pub(crate) async fn sign_in(&self, counter: &Counter, code: FiscalCode) -> (String, String) {
        let entered = self.try_to_sign_in(counter, code).await;
        assert_eq!(entered.status, 303, "{entered:?}");
        let token = cookie_of(&entered).strip_prefix("__Host-session=").unwrap().to_owned();
        let place = entered.header("location");
        (format!("/v1/sessions/{}", place.split('/').nth(2).unwrap()), token)
    }

    /// The answer to a person who comes back from here.
    pub(crate) async fn try_to_sign_in(&self, counter: &Counter, code: FiscalCode) -> Answer {
        let post = async |path: &str, cookie: &str, form: &str| {
            let request = Request::post(format!("{}{path}", counter.public))
                .header("origin", &counter.public)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("cookie", cookie);
            counter.send(request.body(Full::from(form.to_owned())).unwrap()).await.unwrap()
        };
        let going = post("/en/signin", "", &format!("provider={NAME}")).await;
        let html = String::from_utf8_lossy(&going.body).into_owned();
        let (_, object) = html.split_once("request=").expect("a request object");
        let object = payload(object.split(['&', '"']).next().unwrap());
        let text = |name: &str| object[name].as_str().unwrap();
        let made = format!("{} {}", text("nonce"), code.as_str());
        let back = format!(
            "/callback?code={}&state={}&iss={}",
            URL_SAFE_NO_PAD.encode(made),
            text("state"),
            self.issuer.replace(':', "%3A").replace('/', "%2F"),
        );
        post(&back, &cookie_of(&going), "").await
    }
}

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
}

/// The content of a signed token.
pub(crate) fn payload(token: &str) -> Value {
    let content = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&content).unwrap()
}

/// What answers.
struct Own {
    issuer: String,
    signer: Signer,
}

impl Own {
    /// Answers one request. The other side may have gone at any time.
    fn answer(&self, stream: &mut (impl Read + Write)) {
        let Some(request) = whole(stream) else { return };
        let path = request.split(' ').nth(1).unwrap_or_default();
        let body = match path {
            "/jwks" => self.signer.jwks(),
            "/token" => self.tokens(&request).to_string(),
            "/userinfo" => {
                let line = request.lines().find_map(|line| line.split_once("Bearer "));
                let code = line.map_or("", |(_, code)| code.trim());
                let number = "https://attributes.eid.gov.it/fiscal_number";
                self.signed(code, json!({ number: format!("TINIT-{code}") }))
            }
            _ => "{}".to_owned(),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close");
        let _gone = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
        let _gone = stream.flush();
    }

    /// The tokens for a code; the access token is the fiscal code.
    fn tokens(&self, request: &str) -> Value {
        let (_, form) = request.split_once("\r\n\r\n").unwrap();
        let code = form.split('&').find_map(|field| field.strip_prefix("code="));
        let made = URL_SAFE_NO_PAD.decode(code.unwrap()).unwrap();
        let made = String::from_utf8(made).unwrap();
        let (nonce, person) = made.split_once(' ').unwrap();
        let hash = digest(&SHA512, person.as_bytes());
        let id_token = self.signed(
            person,
            json!({
                "nonce": nonce, "acr": "https://www.spid.gov.it/SpidL2", "jti": nonce,
                "at_hash": URL_SAFE_NO_PAD.encode(&hash.as_ref()[..32]),
            }),
        );
        json!({ "access_token": person, "token_type": "Bearer", "id_token": id_token })
    }

    fn signed(&self, person: &str, mut claims: Value) -> String {
        let now = Clock::system().real().as_second();
        let all = json!({
            "iss": self.issuer, "sub": format!("of {person}"), "aud": CLIENT, "iat": now, "nbf": now,
            "exp": now + 600,
        });
        for (name, value) in all.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.signer.sign(&claims)
    }
}

/// A request with its body; `None` if it breaks off.
fn whole(stream: &mut impl Read) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let mut more = [0; 4096];
        let read = stream.read(&mut more).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&more[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            return Some(text);
        }
    }
}
