//! Signing in at a published identity provider, with everything turned on that SPID and CIE ask for.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use sportello::civic::FiscalCode;

use crate::{
    harness::{Answer, Counter, EVENING, SETTINGS_FILE, finished, until},
    running::Running,
    trust::{Https, client},
};

/// The provider, and what it has printed.
struct Provider {
    _running: Running,
    issuer: String,
    printed: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    /// Starts it with its certificate and the client's keys in `place`.
    fn start(place: &Path, callback: &str, environment: &[(&str, &str)]) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(place.join("provider.pem"), made.cert.pem()).unwrap();
        fs::write(place.join("demo-cert.pem"), made.cert.pem()).unwrap();
        fs::write(place.join("provider-key.pem"), made.signing_key.serialize_pem()).unwrap();
        let mut child = Command::new("node")
            .arg("tests/outside/provider.cjs")
            .arg(place)
            .arg(callback)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let running = Running(child);
        let issuer = lines.by_ref().find_map(|line| Some(line.strip_prefix("ready ")?.to_owned()));
        let printed = Arc::new(Mutex::new(Vec::new()));
        std::thread::spawn({
            let printed = Arc::clone(&printed);
            move || lines.for_each(|line| printed.lock().unwrap().push(line))
        });
        Self { _running: running, issuer: issuer.expect("the provider starts"), printed }
    }

    fn printed(&self) -> String {
        self.printed.lock().unwrap().join("\n")
    }
}

/// A browser that keeps cookies of two hosts apart.
struct Browser<'c> {
    counter: &'c Counter,
    client: Https<Full<Bytes>>,
    ours: BTreeMap<String, String>,
    theirs: BTreeMap<String, String>,
}

impl<'c> Browser<'c> {
    fn new(counter: &'c Counter, place: &Path) -> Self {
        let (ours, theirs) = (BTreeMap::new(), BTreeMap::new());
        Self { counter, client: client(place, false), ours, theirs }
    }

    async fn send(&mut self, method: &str, url: &str) -> Answer {
        self.post(method, url, "").await
    }

    async fn post(&mut self, method: &str, url: &str, form: &str) -> Answer {
        let is_ours = url.starts_with(&self.counter.public);
        let cookies = if is_ours { &mut self.ours } else { &mut self.theirs };
        let cookie: Vec<_> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = Request::builder().method(method).uri(url);
        // A strict cookie does not travel with the provider's redirect.
        let comes_from_elsewhere = is_ours && method == "GET" && url.contains("/callback?");
        if !cookie.is_empty() && !comes_from_elsewhere {
            request = request.header("cookie", cookie.join("; "));
        }
        if method == "POST" {
            request = request
                .header("origin", &self.counter.public)
                .header("content-type", "application/x-www-form-urlencoded");
        }
        let request = request.body(Full::from(form.to_owned())).unwrap();
        let answer = if is_ours {
            self.counter.send(request).await.unwrap()
        } else {
            let (head, body) = self.client.request(request).await.unwrap().into_parts();
            let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
            Answer { status: head.status, headers: head.headers, body }
        };
        for set in answer.headers.get_all("set-cookie") {
            let (name, value) = set.to_str().unwrap().split_once('=').unwrap();
            let value = value.split(';').next().unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Begins to sign in, and does at the provider what `choice` says. Returns the URL to which the provider leads back.
    async fn at_provider(&mut self, choice: &str) -> String {
        let signin = format!("{}/en/signin", self.counter.public);
        let page = self.post("POST", &signin, "provider=Prova").await;
        assert_eq!(page.status, 200, "{page:?}");
        let html = text(&page);
        let (_, rest) = html.split_once("content=\"0; url=").unwrap();
        let mut url = rest.split_once('"').unwrap().0.replace("&#38;", "&");
        while !url.starts_with(&self.counter.public) {
            let answer = self.send("GET", &url).await;
            let location = answer.header("location");
            assert!(!location.is_empty(), "{url}: {answer:?}");
            let host = url.split('/').take(3).collect::<Vec<_>>().join("/");
            url = if location.starts_with('/') { host + &location } else { location };
            if url.contains("/interaction/") {
                url = format!("{url}?{choice}");
            }
        }
        url
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

fn heading(answer: &Answer) -> String {
    let html = text(answer);
    let heading = html.split_once("<h1>").and_then(|(_, rest)| rest.split_once("</h1>"));
    heading.map_or_else(String::new, |(heading, _)| heading.to_owned())
}

/// How we sign, how the provider signs, how the content's key is encrypted, and how the content.
const ALGORITHMS: [[(&str, &str); 4]; 4] = [
    [
        ("CLIENT_ALG", "RS256"),
        ("PROVIDER_ALG", "RS512"),
        ("KEY", "RSA-OAEP-256"),
        ("ENCRYPTION", "A256CBC-HS512"),
    ],
    [
        ("CLIENT_ALG", "ES256"),
        ("PROVIDER_ALG", "RS256"),
        ("KEY", "RSA-OAEP"),
        ("ENCRYPTION", "A128CBC-HS256"),
    ],
    [
        ("CLIENT_ALG", "RS256"),
        ("PROVIDER_ALG", "ES256"),
        ("KEY", "ECDH-ES"),
        ("ENCRYPTION", "A256CBC-HS512"),
    ],
    [
        ("CLIENT_ALG", "ES256"),
        ("PROVIDER_ALG", "PS256"),
        ("KEY", "ECDH-ES"),
        ("ENCRYPTION", "A128CBC-HS256"),
    ],
];

/// A counter under the name `host` that knows the provider, and the provider.
fn opened(place: &Path, host: &str, environment: &[(&str, &str)]) -> (Counter, Provider) {
    let counter = Counter::open();
    let callback = format!("{}/callback", counter.public.replace("127.0.0.1", host));
    let provider = Provider::start(place, &callback, environment);
    let settings = format!(
        "[identity]\nca = \"{ca}\"\n[[identity.providers]]\nname = \"Prova\"\nprofile = \"test\"\n\
         issuer = {issuer:?}\nclient_id = \"https://sportello.example.it\"\n\
         redirect_uri = {callback:?}\nsigning_key = \"{signing}\"\nencryption_key = \"{encryption}\"\n",
        ca = place.join("provider.pem").display(),
        issuer = provider.issuer,
        signing = place.join("client-signing.pem").display(),
        encryption = place.join("client-encryption.pem").display(),
    );
    fs::write(counter.data().join(SETTINGS_FILE), settings).unwrap();
    (counter.reopen(EVENING), provider)
}

#[tokio::test]
#[ignore = "needs node, and the package oidc-provider in NODE_PATH"]
async fn a_citizen_signs_in_at_a_published_provider_and_out_of_its_courtesy_pages() {
    for environment in ALGORITHMS {
        let place = tempfile::tempdir().unwrap();
        let (counter, provider) = opened(place.path(), "127.0.0.1", &environment);
        let mut browser = Browser::new(&counter, place.path());
        let code = FiscalCode::made_up(7);
        let code = code.as_str();

        let back = browser.at_provider(&format!("as={code}")).await;
        let shown = browser.send("GET", &back).await;
        let anybodys = browser.send("GET", &format!("{}/callback", counter.public)).await;
        assert_eq!((shown.status, &shown.body), (anybodys.status, &anybodys.body));
        assert!(shown.header("set-cookie").is_empty(), "a GET has handed out a cookie");
        let mut other = Browser::new(&counter, place.path());
        let stolen = other.post("POST", &back, "").await;
        assert_eq!((stolen.status.as_u16(), &*heading(&stolen)), (400, "Accesso da ripetere"));

        let entered = browser.post("POST", &back, "").await;
        assert_eq!(entered.status, 303, "{entered:?} {}", provider.printed());
        let welcome = entered.header("location");
        let parts: Vec<_> = welcome.split('/').collect();
        assert_eq!((parts[1], &parts[3..]), ("visit", &["en", "welcome"][..]), "{welcome}");
        let page = browser.send("GET", &format!("{}{welcome}", counter.public)).await;
        let masked = format!("{}***********{}", &code[..3], &code[14..]);
        assert!(text(&page).contains(&masked), "{}", text(&page));
        until("the access token is revoked", async || {
            provider.printed().contains("revoked").then_some(())
        })
        .await;
        assert!(provider.printed().contains("\"prompt\":\"consent login\""));
        assert!(browser.ours["__Host-login"].is_empty());

        let again = browser.post("POST", &back, "").await;
        assert_eq!(again.status, 400, "{again:?}");
        for (choice, status, expected) in [
            ("error=access_denied", 403, "Accesso annullato"),
            ("error=login_required", 403, "Accesso non completato"),
            ("error=temporarily_unavailable", 503, "Gestore di identità non raggiungibile"),
            (
                "as=RSSMRA80A01H501U&acr=https://www.spid.gov.it/SpidL1",
                403,
                "Livello di identità insufficiente",
            ),
            ("as=RSSMRA80A01H501X", 502, "Risposta del gestore non valida"),
        ] {
            let mut browser = Browser::new(&counter, place.path());
            let back = browser.at_provider(choice).await;
            let answer = browser.post("POST", &back, "").await;
            assert_eq!((answer.status.as_u16(), &*heading(&answer)), (status, expected));
            let html = text(&answer);
            assert!(html.contains("/it/signin") && html.contains("/it/help"), "{html}");
            assert!(answer.header("set-cookie").is_empty(), "{answer:?}");
        }
        let log = counter.log();
        let state = back.split_once("state=").unwrap().1;
        for secret in [code, state.split('&').next().unwrap(), "eyJ"] {
            assert!(!log.contains(secret), "{secret} is in the log: {log}");
        }
    }
}

#[tokio::test]
#[ignore = "needs node, and the packages oidc-provider and @openid-federation/core in NODE_PATH"]
async fn a_published_implementation_of_the_federation_accepts_our_entity_configuration() {
    const ENTITY: &str = "https://sportello.example.it";
    const AUTHORITY: &str = "https://authority.example.it";
    for algorithm in ["ES256", "RS256"] {
        let place = tempfile::tempdir().unwrap();
        let environment = [("CLIENT_ALG", algorithm)];
        let (counter, _provider) = opened(place.path(), "127.0.0.1", &environment);
        // The key that signs the statement must not be one of those that serve providers.
        let key = place.path().join("federation.pem");
        let made = rcgen::KeyPair::generate().unwrap();
        fs::write(&key, made.serialize_pem()).unwrap();
        let settings = format!(
            "\n[federation]\nentity = {ENTITY:?}\nkey = {key:?}\nauthorities = {AUTHORITY:?}\n\
             organization = \"Istituto di prova\"\ncontact = \"prova@example.it\"\n"
        );
        let file = counter.data().join(SETTINGS_FILE);
        let whole = fs::read_to_string(&file).unwrap() + &settings;
        fs::write(&file, whole).unwrap();
        let counter = counter.reopen(EVENING);
        let mut judge = Command::new("node");
        judge.args(["tests/outside/federation.cjs", &counter.public, ENTITY, AUTHORITY]);
        let (status, said, complaint) = finished(&mut judge);
        assert_eq!((status, &*said), (Some(0), "accepted\n"), "{algorithm}: {said}{complaint}");
    }
}

#[tokio::test]
#[ignore = "needs chromium, node, and the packages oidc-provider and playwright-core in NODE_PATH"]
async fn a_browser_without_scripts_signs_in_across_two_sites() {
    let place = tempfile::tempdir().unwrap();
    let code = FiscalCode::made_up(8);
    let code = code.as_str();
    // Two names of this host are two sites.
    let (counter, provider) = opened(place.path(), "localhost", &[("PERSON", code)]);
    let server = counter.public.replace("127.0.0.1", "localhost");
    let masked = format!("{}***********{}", &code[..3], &code[14..]);
    let mut browser = Command::new("node");
    browser.args(["tests/outside/openid.cjs", &server, &provider.issuer, &masked]);
    let (status, seen, complaint) = finished(&mut browser);
    assert_eq!(
        (status, &*seen),
        (Some(0), "signed in\n"),
        "{seen}{complaint}{}",
        provider.printed()
    );
}

#[tokio::test]
#[ignore = "needs chromium, node, and the packages oidc-provider, playwright-core and axe-core in NODE_PATH"]
async fn a_browser_is_told_why_the_provider_let_nobody_in_and_finds_no_obstacle() {
    for (refusal, heading) in [
        (("ACR", "https://www.spid.gov.it/SpidL1"), "Livello di identità insufficiente"),
        (("ERROR", "access_denied"), "Accesso annullato"),
        (("ERROR", "temporarily_unavailable"), "Gestore di identità non raggiungibile"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let code = FiscalCode::made_up(9);
        let environment = [("PERSON", code.as_str()), refusal];
        let (counter, provider) = opened(place.path(), "localhost", &environment);
        let server = counter.public.replace("127.0.0.1", "localhost");
        let mut browser = Command::new("node");
        browser.args(["tests/outside/openid.cjs", &server, &provider.issuer, "nobody", heading]);
        let (status, seen, complaint) = finished(&mut browser);
        assert_eq!((status, &*seen), (Some(0), "refused\n"), "{seen}{complaint}");
    }
}
