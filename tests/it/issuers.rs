//! Issuers that publish their keys, and the tokens that `mint` makes.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use sportello::{civic::FiscalCode, clock::Clock};

use crate::harness::{Counter, EVENING, OFFICE, finished, program, serve, until};

pub(crate) const ISSUER: &str = "https://login.example.it";

/// A key of the issuer.
pub(crate) struct Signer(&'static str, Ed25519KeyPair);

impl Signer {
    pub(crate) fn new(kid: &'static str) -> Self {
        Self(kid, Ed25519KeyPair::generate().unwrap())
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.1.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.0, "use": "sig" })
    }

    /// Its keys as a JWK set.
    pub(crate) fn jwks(&self) -> String {
        json!({ "keys": [self.jwk()] }).to_string()
    }

    /// A token for the n-th made-up person.
    fn token(&self, n: u64) -> String {
        self.token_for(FiscalCode::made_up(n), None)
    }

    /// A token for a person, perhaps at an office.
    pub(crate) fn token_for(&self, code: FiscalCode, office: Option<&str>) -> String {
        let now = Clock::system().real().as_second();
        let mut claims = json!({
            "iss": ISSUER,
            "aud": ["sportello", "https://other.example.it"],
            "iat": now,
            "exp": now + 600,
            "acr": "https://www.spid.gov.it/SpidL2",
            "https://attributes.eid.gov.it/fiscal_number":
                format!("TINIT-{}", code.as_str()),
        });
        if let Some(office) = office {
            claims["office"] = office.into();
        }
        self.sign(&claims)
    }

    /// Signs claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed =
            format!("{}.{}", part(&json!({ "alg": "EdDSA", "kid": self.0 })), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.1.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

/// Publishes a body at an HTTPS URL on loopback, until the test process ends.
struct Provider {
    url: String,
    ca: PathBuf,
    body: Arc<Mutex<Option<String>>>,
}

impl Provider {
    fn start(place: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let ca = place.join("provider.pem");
        fs::write(&ca, made.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into());
        let tls = Arc::new(tls.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/jwks", listener.local_addr().unwrap());
        let body = Arc::new(Mutex::new(None));
        std::thread::spawn({
            let body = Arc::clone(&body);
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let body: Option<String> = body.lock().unwrap().clone();
                    let Some(body) = body else { continue };
                    let mut stream =
                        StreamOwned::new(ServerConnection::new(Arc::clone(&tls)).unwrap(), stream);
                    let _read = stream.read(&mut [0; 4096]);
                    let length = body.len();
                    let answer =
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
                    let _written = stream.write_all(answer.as_bytes());
                }
            }
        });
        Self { url, ca, body }
    }

    fn publish(&self, signers: &[&Signer]) {
        let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
        self.answer(Some(json!({ "keys": keys }).to_string()));
    }

    /// Answers with this from now on; not at all with `None`.
    fn answer(&self, body: Option<String>) {
        *self.body.lock().unwrap() = body;
    }
}

/// The statuses of entering with tokens of these signers.
async fn entering(counter: &Counter, signers: [&Signer; 2], n: u64) -> [u16; 2] {
    let [one, two] = signers.map(|signer| signer.token(n));
    [counter.knock(&one).await.status.as_u16(), counter.knock(&two).await.status.as_u16()]
}

#[tokio::test]
async fn keys_of_an_issuer_follow_its_url_and_survive_its_absence_and_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let provider = Provider::start(place.path());
    let [old, new] = ["old", "new"].map(Signer::new);
    provider.publish(&[&old]);
    let ca = provider.ca.to_str().unwrap();
    let settings = [
        ("SPORTELLO_IDENTITY_ISSUER", ISSUER),
        ("SPORTELLO_IDENTITY_JWKS_URL", &provider.url),
        ("SPORTELLO_IDENTITY_CA", ca),
    ];
    let mut counter = Counter::open_with(&settings);
    assert_eq!(entering(&counter, [&old, &new], 1).await, [201, 401]);
    // The demo's own issuer is trusted, too.
    counter.citizen(2).await;

    provider.publish(&[&old, &new]);
    counter.signal("HUP");
    until("both keys are accepted", async || {
        (entering(&counter, [&old, &new], 3).await == [201, 201]).then_some(())
    })
    .await;

    provider.answer(Some("<html>Sorry</html>".to_owned()));
    counter.signal("HUP");
    let faults = || counter.metric("sportello_identity_key_faults_total", &[ISSUER]);
    until("the fault is counted", async || (faults().await > 0).then_some(())).await;
    assert_eq!(entering(&counter, [&old, &new], 4).await, [201, 201]);
    let log = counter.log();
    assert!(log.contains("the issuer's keys cannot be read: those in use stay"), "{log}");
    assert!(log.contains(&provider.url) && log.contains("not valid JSON"), "{log}");
    assert!(!log.contains("eyJ"), "a token is in the log: {log}");

    provider.answer(None);
    counter.stop();
    let counter = counter.reopen_with(EVENING, &settings);
    assert_eq!(entering(&counter, [&old, &new], 5).await, [201, 201]);
    assert_eq!(counter.metric("sportello_identity_keys", &[ISSUER]).await, 2);

    provider.publish(&[&new]);
    counter.signal("HUP");
    until("the old key is not accepted any more", async || {
        (entering(&counter, [&old, &new], 6).await == [401, 201]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_starts_without_the_keys_of_an_issuer_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let provider = Provider::start(place.path());
    let ca = provider.ca.to_str().unwrap();
    let counter = Counter::open_with(&[
        ("SPORTELLO_IDENTITY_ISSUER", ISSUER),
        ("SPORTELLO_IDENTITY_JWKS_URL", &provider.url),
        ("SPORTELLO_IDENTITY_CA", ca),
    ]);
    assert_eq!(counter.metric("sportello_identity_keys", &[ISSUER]).await, 0);
    assert_eq!(counter.metric("sportello_identity_key_faults_total", &[ISSUER]).await, 1);
    counter.citizen(1).await;
    let refused = counter.knock(&Signer::new("any").token(1)).await;
    refused.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn mint_makes_tokens_of_every_kind_for_a_demo_alone() {
    let counter = Counter::open();
    let code = FiscalCode::made_up(1);
    for (n, alg) in (1..).zip(["EdDSA", "ES256", "PS256", "RS256"]) {
        let code = FiscalCode::made_up(n);
        let token = counter.mint(&code, &["--alg", alg, "--level", "3"]);
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!((&header["alg"], &header["kid"]), (&json!(alg), &json!(alg)));
        counter.enter(code, &token).await;
    }
    let weak = counter.mint(&code, &["--alg", "RS256", "--level", "1"]);
    counter.knock(&weak).await.assert_problem(403, "assurance-too-low");

    let data = counter.data();
    let mint = |data: &Path, arguments: &[&str]| {
        finished(program().arg("mint").args(arguments).arg("--data").arg(data))
    };
    let (status, token, complaint) = mint(&data, &["--office", OFFICE, "--clerk", code.as_str()]);
    assert_eq!(status, Some(0), "{complaint}");
    let refused = counter.knock(token.trim()).await;
    refused.assert_problem(403, "window-closed");
    let mandates = ["--mandates", "--office", OFFICE, "--count", "2"];
    let with_clerk = [&mandates[..], &["--clerk", code.as_str()]].concat();
    let (status, lines, _) = mint(&data, &with_clerk);
    assert_eq!((status, lines.lines().count()), (Some(0), 2));
    let named = format!("\"clerk\":\"{}\"", code.as_str());
    assert!(lines.lines().all(|line| line.contains(&named)), "{lines}");

    let elsewhere = tempfile::tempdir().unwrap();
    for arguments in [&["--fiscal-code", code.as_str()][..], &["--count", "1"], &mandates] {
        let (status, out, complaint) = mint(elsewhere.path(), arguments);
        assert_eq!((status, &*out), (Some(2), ""), "{arguments:?}");
        assert!(complaint.contains("no identity keys of a demo in"), "{complaint}");
    }
    for wrong in [
        &["--alg", "HS256", "--fiscal-code", code.as_str()][..],
        &["--clerk", code.as_str()],
        &["--office", OFFICE, "--clerk", "RSSMRA80A01H501X"],
        &["--office", OFFICE, "--clerk", code.as_str(), "--count", "2"],
        &["--office", OFFICE, "--clerk", code.as_str(), "--fiscal-code", code.as_str()],
    ] {
        assert_eq!(mint(&data, wrong).0, Some(2), "{wrong:?}");
    }
}

#[test]
fn the_demo_s_own_issuer_cannot_be_replaced_and_a_broken_file_of_keys_is_named() {
    let place = tempfile::tempdir().unwrap();
    let keys = place.path().join("jwks.json");
    fs::write(&keys, json!({ "keys": [Signer::new("1").jwk()] }).to_string()).unwrap();
    let refused = |issuer: &str, keys: &Path| {
        let mut serve = serve("127.0.0.1:0", &place.path().join("data"));
        serve.env("SPORTELLO_IDENTITY_ISSUER", issuer).env("SPORTELLO_IDENTITY_JWKS_FILE", keys);
        let (code, _, complaint) = finished(&mut serve);
        assert_eq!(code, Some(2), "{complaint}");
        complaint
    };
    let complaint = refused("urn:sportello:demo", &keys);
    assert!(complaint.contains("urn:sportello:demo is the demo's own issuer"), "{complaint}");
    fs::write(&keys, r#"{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}"#).unwrap();
    let complaint = refused(ISSUER, &keys);
    for part in [ISSUER, "jwks.json", "no key can be used: key 1 (\"a\"): its kty, crv and alg"] {
        assert!(complaint.contains(part), "{complaint}");
    }
}
