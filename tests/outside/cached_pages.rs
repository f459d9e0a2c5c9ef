//! The pages behind caches that ignore every header: nobody is shown a page of somebody else, whatever the cookies are.
//!
//! People enter and save their answers as programs do, then look at pages and submit on them, as a browser with their cookie.
//! The caches are those of [`caches`](crate::caches). Every page is asked for twice.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use http_body_util::Full;
use hyper::Request;
use sportello::{civic::FiscalCode, identity::demo::Minter};

use crate::{
    caches::{Cache, Hits, free_addresses, in_front_of, wait_for},
    dice::setting,
    harness::{Answer, Counter, finished},
    owner::{Inspector, Party, Step},
    running::{Running, counter_for_a_crowd},
};

/// People behind each of the four caches, unless `SPORTELLO_TEST_PEOPLE` says how many there are behind all.
const PEOPLE_DEFAULT: u64 = 100;
/// Pages of a visit that everybody looks at, with what nobody else's page shows.
const PAGES: [(&str, &str); 4] = [
    ("/welcome", "subject"),
    ("/applications", ""),
    ("/apply/iscro/check", "email"),
    ("/sessions", ""),
];

/// Whom a name on a page belongs to, and what was seen on pages of others.
#[derive(Default)]
struct Seen {
    owners: HashMap<String, u64>,
    mixed_up: Vec<String>,
    pages: BTreeMap<String, u64>,
}

/// A browser with the cookie of a party that has entered.
struct Browser<'c> {
    cache: &'c Cache,
    party: Party,
    seen: Arc<Mutex<Seen>>,
    hits: Hits,
}

impl Browser<'_> {
    fn at(&self, rest: &str) -> String {
        self.party.session.replace("/v1/sessions/", "/visit/") + "/it" + rest
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("cookie", format!("__Host-session={}", self.party.token))
            .header("accept", "text/html")
            // The caches name the server by its host alone.
            .header("origin", "https://127.0.0.1")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(body.to_owned()))
            .unwrap();
        let answer = self.cache.send(request).await.unwrap();
        let is_hit = u64::from(answer.header("x-cache") == "HIT");
        let posts = if method == "POST" { is_hit } else { 0 };
        self.hits.add(Hits { posts, all: is_hit, ..Hits::default() });
        self.inspect(path, &answer);
        answer
    }

    /// Compares everything on a page that belongs to one person.
    fn inspect(&self, path: &str, answer: &Answer) {
        let html = String::from_utf8_lossy(&answer.body).into_owned();
        let mut seen = self.seen.lock().unwrap();
        let mut others = Vec::new();
        for name in names_in(&html) {
            let is_own = if name.contains('@') {
                name == self.party.says("email")
            } else if name.contains('*') {
                name == self.party.says("subject")
            } else if FiscalCode::parse(&name).is_ok() {
                name == self.party.says("fiscalCode")
            } else {
                *seen.owners.entry(name.clone()).or_insert(self.party.number())
                    == self.party.number()
            };
            if !is_own {
                others.push(name);
            }
        }
        let location = answer.header("location");
        if location.starts_with("/visit/") && !location.starts_with(&self.at("")) {
            others.push(location);
        }
        if !path.starts_with("/visit/") && names_in(&html).next().is_some() {
            others.push(format!("a public page says {html}"));
        }
        let page = path.rsplit('/').next().unwrap_or_default();
        let page = if page.starts_with("ISCRO-") { "receipt" } else { page };
        *seen.pages.entry(format!("{page} {}", answer.status.as_u16())).or_default() += 1;
        let report = |other| format!("{} {page}: {other}", self.cache.name);
        seen.mixed_up.extend(others.into_iter().map(report));
    }

    /// Looks at every page, submits what the check shows, and looks at the receipt. Whether there was one.
    async fn walk(&mut self) -> bool {
        for public in ["/it", "/it/signin", "/it/help"] {
            self.send("GET", public, "").await;
        }
        let mut check = String::new();
        for (rest, shows) in PAGES {
            for _ in 0..2 {
                let answer = self.send("GET", &self.at(rest), "").await;
                assert_eq!(answer.status, 200, "{} {rest}: {answer:?}", self.cache.name);
                check = String::from_utf8_lossy(&answer.body).into_owned();
                let own = self.party.says(shows);
                assert!(
                    check.contains(own),
                    "{} {rest} does not show {own}: {check}",
                    self.cache.name
                );
            }
            if rest.ends_with("/check") {
                break;
            }
        }
        let fields =
            ["form", "key", "version"].map(|name| format!("{name}={}", hidden(&check, name)));
        let mut there = String::new();
        for _ in 0..2 {
            let answer = self.send("POST", &self.at("/apply/iscro/check"), &fields.join("&")).await;
            there = answer.header("location");
            let html = String::from_utf8_lossy(&answer.body).into_owned();
            // A cache that takes a POST for a GET shows the page again: nothing says that there is a receipt.
            assert!(!there.is_empty() || html.contains("Invia la domanda"), "{answer:?}");
        }
        for rest in ["", "/proof", "/withdrawal"] {
            for _ in 0..2 {
                if !there.is_empty() {
                    let answer = self.send("GET", &format!("{there}{rest}"), "").await;
                    assert_eq!(answer.status, 200, "{rest} {answer:?}");
                }
            }
        }
        self.send("GET", &self.at("/sessions"), "").await;
        let token = hidden(&check, "form");
        self.send("POST", &self.at("/signout"), &format!("form={token}")).await;
        !there.is_empty()
    }
}

/// E-mail addresses, fiscal codes, masked ones, receipts and tokens of forms on a page.
fn names_in(html: &str) -> impl Iterator<Item = String> + '_ {
    let tokens = html.split("name=\"form\" value=\"").skip(1);
    let tokens = tokens.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()));
    let words = html.split(|one: char| !(one.is_ascii_alphanumeric() || "@.*-_".contains(one)));
    let words = words.filter(|word| {
        let is_receipt = word.starts_with("ISCRO-2024-") && word.len() == 30;
        is_receipt
            || word.ends_with("@example.it")
            || (word.contains("***") && word.len() == 16)
            || FiscalCode::parse(word).is_ok()
    });
    tokens.chain(words.map(ToOwned::to_owned))
}

fn hidden(html: &str, name: &str) -> String {
    let field = format!("name=\"{name}\" value=\"");
    let value = html.split_once(&field).and_then(|(_, rest)| rest.split_once('"'));
    value.map_or_else(String::new, |(value, _)| value.to_owned())
}

/// Enters, and saves the party's application as the draft that its pages show.
async fn with_draft(cache: &Cache, party: &mut Party, inspector: &Inspector) {
    cache.enter(party, inspector, &mut Hits::default()).await;
    let application = party.request(Step::Submit, party).body;
    let save = Request::put(format!("{}/drafts/iscro", party.session))
        .header("authorization", format!("Bearer {}", party.token))
        .header("content-type", "application/json")
        .body(Full::from(application))
        .unwrap();
    let saved = cache.send(save).await.unwrap();
    assert_eq!(saved.status, 204, "{saved:?}");
}

/// `people`, numbered from `first`, all at once behind one cache; how many got a receipt.
async fn crowd(
    cache: &Cache,
    minter: &Arc<Minter>,
    first: u64,
    people: u64,
    seen: &Arc<Mutex<Seen>>,
) -> (u64, Hits) {
    let inspector = Arc::new(Inspector::default());
    let visits: Vec<_> = (first..first + people)
        .map(|number| {
            let (cache, minter, inspector) =
                (cache.clone(), Arc::clone(minter), Arc::clone(&inspector));
            let seen = Arc::clone(seen);
            tokio::spawn(async move {
                let mut party = Party::citizen(&minter, number, FiscalCode::made_up(number));
                with_draft(&cache, &mut party, &inspector).await;
                let mut browser = Browser { cache: &cache, party, seen, hits: Hits::default() };
                (browser.walk().await, browser.hits)
            })
        })
        .collect();
    let (mut receipts, mut hits) = (0, Hits::default());
    for visit in visits {
        let (submitted, theirs) = visit.await.unwrap();
        receipts += u64::from(submitted);
        hits.add(theirs);
    }
    (receipts, hits)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nginx and varnish"]
async fn behind_nginx_and_varnish_that_ignore_every_header_no_page_is_mixed_up() {
    let people = setting("SPORTELLO_TEST_PEOPLE").map_or(PEOPLE_DEFAULT, |people| people / 4);
    let (counter, minter) = counter_for_a_crowd(&[]);
    let minter = Arc::new(minter);
    let place = tempfile::tempdir().unwrap();
    let (_running, caches) = in_front_of(place.path(), counter.address());
    let mut first = 0;
    for (tells_methods_apart, cache) in [true, false, true, false].into_iter().zip(&caches) {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (receipts, hits) = crowd(cache, &minter, first, people, &seen).await;
        {
            let seen = seen.lock().unwrap();
            println!(
                "{}: {people} people, {receipts} receipts, {hits:?}; {:?}",
                cache.name, seen.pages
            );
            assert!(
                seen.mixed_up.is_empty(),
                "{}: {:?}",
                cache.name,
                &seen.mixed_up[..5.min(seen.mixed_up.len())]
            );
        }
        assert_eq!(receipts, if tells_methods_apart { people } else { 0 }, "{}", cache.name);
        assert!(hits.all >= 4 * people && hits.posts >= people, "{}: {hits:?}", cache.name);
        // Two people who share a visit are mixed up: the check sees it.
        let [one, two] = [people, people + 1]
            .map(|n| Party::citizen(&minter, first + n, FiscalCode::made_up(first + n)));
        let mut pair = [one, two];
        let shared = pair[0].session.clone();
        pair[1].session = shared;
        let inspector = Inspector::default();
        let seen = Arc::new(Mutex::new(Seen::default()));
        with_draft(cache, &mut pair[0], &inspector).await;
        for party in pair {
            let mut browser =
                Browser { cache, party, seen: Arc::clone(&seen), hits: Hits::default() };
            for (rest, _) in PAGES {
                browser.send("GET", &browser.at(rest), "").await;
            }
        }
        assert!(seen.lock().unwrap().mixed_up.len() >= 3, "{}", cache.name);
        first += people + 2;
    }
    assert_eq!(counter.metric("sportello_crossover_blocked_total", &[]).await, 0);
}

/// nginx with TLS, as browsers need it: it keeps GET and HEAD without the query, and POST by the whole URL.
fn nginx_with_tls(place: &Path, counter: &Counter) -> (Running, String) {
    let [address] = free_addresses();
    let (server, data) = (counter.address(), counter.data());
    let config = format!(
        "worker_processes 1; error_log stderr crit; pid nginx.pid; daemon off; master_process off;
         events {{ worker_connections 256; }}
         http {{
           access_log off;
           client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
           uwsgi_temp_path uwsgi; scgi_temp_path scgi;
           map $request_method $key {{ POST POST$request_uri; default $request_method$uri; }}
           proxy_cache_path kept keys_zone=kept:8m inactive=1h;
           server {{
             listen {address} ssl;
             ssl_certificate {data}/demo-cert.pem;
             ssl_certificate_key {data}/demo-key.pem;
             location / {{
               proxy_pass https://{server};
               proxy_http_version 1.1;
               proxy_ssl_protocols TLSv1.3;
               proxy_set_header Host $http_host;
               proxy_cache kept;
               proxy_cache_key $key;
               proxy_cache_methods GET HEAD POST;
               proxy_cache_valid any 1h;
               proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
             }}
           }}
         }}",
        data = data.display(),
    );
    let file = place.join("caches.conf");
    std::fs::write(&file, config).unwrap();
    let nginx = Command::new("nginx")
        .args(["-p", place.to_str().unwrap(), "-c", file.to_str().unwrap(), "-e", "stderr"])
        .spawn()
        .unwrap();
    let nginx = Running(nginx);
    wait_for(std::slice::from_ref(&address));
    (nginx, format!("https://{address}"))
}

#[tokio::test]
#[ignore = "needs nginx, chromium, node, and the packages playwright-core and axe-core in NODE_PATH"]
async fn a_browser_applies_behind_a_cache_that_ignores_every_header_and_is_told_nothing_false() {
    let counter = Counter::open();
    let place = tempfile::tempdir().unwrap();
    let (_nginx, url) = nginx_with_tls(place.path(), &counter);
    let (code, seen, complaint) =
        finished(Command::new("node").args(["tests/outside/cached.cjs", &url]));
    assert_eq!((code, &*seen), (Some(0), "7 pages seen\n"), "{seen}{complaint}");
    assert_eq!(counter.metric("sportello_applications_accepted_total", &[]).await, 1);
}
