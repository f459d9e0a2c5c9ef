//! What pages weigh on the wire, each as full as it usually gets.
//!
//! Pages are not compressed: a page of a visit has the token of its forms and may repeat what was typed, and the length of
//! a compressed page would tell what they have in common.

use std::collections::BTreeSet;

use http_body_util::Full;
use hyper::Request;
use sportello::registry::notice::NOTICE_CHARS_MAX;

use crate::{
    browser::Browser,
    entrusting::mandate_for,
    harness::{Answer, Counter, MORNING, entrusted, mandates_of, until},
};

/// A page with its header fields.
const PAGE_BYTES_MAX: usize = 10_000;
/// The style sheet with its icons, compressed, and the icon of the service; loaded once.
const STYLE_BYTES_MAX: usize = 25_000;
/// A font, loaded once.
const FONT_BYTES_MAX: usize = 18_000;
const DEMO_OFFICE: &str = "patronato-demo";

/// Bytes of an answer over HTTP/1.1; HTTP/2 takes less.
fn bytes(answer: &Answer) -> usize {
    let field = |name: &str, value: &[u8]| name.len() + value.len() + ": \r\n".len();
    let head: usize =
        answer.headers.iter().map(|(name, value)| field(name.as_str(), value.as_bytes())).sum();
    "HTTP/1.1 200 OK\r\n\r\n".len() + head + answer.body.len()
}

/// Pages and what they weigh.
#[derive(Default)]
struct Scales(Vec<(usize, String)>);

impl Scales {
    fn weigh(&mut self, name: &str, answer: &Answer) {
        assert_eq!(answer.header("content-encoding"), "", "{name} is compressed");
        assert!(answer.header("content-type").starts_with("text/html"), "{name}: {answer:?}");
        self.0.push((bytes(answer), name.to_owned()));
    }

    /// Opens a page of a visit in both languages.
    async fn open(&mut self, browser: &mut Browser<'_>, rest: &str) {
        let path = browser.at(rest);
        for path in [path.replacen("/en/", "/it/", 1), path] {
            // Lists are shown once a second.
            let answer = until("the page is shown", async || {
                let answer = browser.open(&path).await;
                (answer.status != 429).then_some(answer)
            })
            .await;
            self.weigh(
                &format!("{} {}", &path[path.len() - rest.len() - 2..], answer.status),
                &answer,
            );
        }
    }

    /// Posts a form of the page shown, which is answered by a page with faults.
    async fn refuse(&mut self, browser: &mut Browser<'_>, rest: &str) {
        let path = browser.at(rest);
        browser.open(&path).await;
        for path in [path.replacen("/en/", "/it/", 1), path] {
            let answer = browser.post(&path, &[]).await;
            assert!(answer.status.is_client_error(), "{path}: {answer:?}");
            self.weigh(&format!("{} with faults", &path[path.len() - rest.len() - 2..]), &answer);
        }
    }

    /// Asserts that none is too heavy, and that so many were weighed.
    fn assert_light(mut self, count: usize) {
        self.0.sort_unstable();
        let heavy: Vec<_> = self.0.iter().filter(|(bytes, _)| *bytes > PAGE_BYTES_MAX).collect();
        assert!(heavy.is_empty(), "{heavy:#?}");
        assert_eq!(self.0.len(), count, "{:#?}", self.0);
        println!("{:#?}", self.0);
    }
}

#[tokio::test]
async fn every_public_page_is_light_and_what_it_loads_is_loaded_once() {
    let place = tempfile::tempdir().unwrap();
    let notice = place.path().join("notice.txt");
    let longest = "è".repeat(NOTICE_CHARS_MAX);
    std::fs::write(&notice, format!("it: {longest}\nen: {longest}\n")).unwrap();
    let counter = Counter::open_with(&[("SPORTELLO_PAGES_NOTICE", notice.to_str().unwrap())]);
    let (mut scales, mut linked) = (Scales::default(), BTreeSet::new());
    for page in ["", "/signin", "/help", "/privacy", "/accessibility", "/legal", "/nowhere"] {
        for language in ["it", "en"] {
            let mut browser = Browser::new(&counter);
            let path = format!("/{language}{page}");
            let accept = [("accept", "text/html")];
            let answer = browser.send("GET", &path, &accept, "").await;
            scales.weigh(&path, &answer);
            browser.open(&path).await;
            let files = browser.html.split("\"/assets/").skip(1);
            linked.extend(files.map(|file| format!("/assets/{}", file.split('"').next().unwrap())));
        }
    }
    scales.assert_light(14);
    let zipped = [("accept-encoding", "gzip")];
    let browser = Browser::new(&counter);
    let (mut style_and_icon, mut fonts) = (0, Vec::new());
    for file in &linked {
        let answer = browser.send("GET", file, &zipped, "").await;
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        style_and_icon += bytes(&answer);
        if answer.header("content-type") == "text/css; charset=utf-8" {
            let plain = browser.send("GET", file, &[], "").await;
            let style = String::from_utf8(plain.body.to_vec()).unwrap();
            let names = style.split("url(titillium").skip(1);
            fonts.extend(
                names.map(|name| format!("/assets/titillium{}", name.split(')').next().unwrap())),
            );
        }
    }
    assert_eq!((linked.len(), fonts.len()), (2, 3), "{linked:?} {fonts:?}");
    assert!(style_and_icon <= STYLE_BYTES_MAX, "{style_and_icon}");
    for font in fonts {
        let answer = browser.send("GET", &font, &[], "").await;
        assert_eq!(answer.header("content-type"), "font/woff2", "{font}");
        assert!(bytes(&answer) <= FONT_BYTES_MAX, "{font}: {}", bytes(&answer));
    }
}

#[tokio::test]
async fn every_page_of_a_citizen_is_light() {
    let mut scales = Scales::default();
    for (now, scheme) in [
        ("2024-09-16T17:30[Europe/Rome]", "iscro"),
        ("2020-04-01T17:30[Europe/Rome]", "allowance600"),
    ] {
        let counter = Counter::open_at(now);
        let mut browser = Browser::signed_in(&counter, "granted").await;
        for rest in ["/welcome", "/applications", "/sessions"] {
            scales.open(&mut browser, rest).await;
        }
        let apply = format!("/apply/{scheme}");
        scales.open(&mut browser, &apply).await;
        browser.post(&browser.at(&format!("{apply}/example")), &[]).await;
        scales.open(&mut browser, &format!("{apply}/check")).await;
        let steps: BTreeSet<String> = browser
            .html
            .split("/change\"")
            .filter_map(|before| before.rsplit(['/', '"']).next().map(ToOwned::to_owned))
            .filter(|step| step.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
            .collect();
        assert!(steps.len() > 3, "{steps:?}");
        for step in &steps {
            scales.open(&mut browser, &format!("{apply}/{step}")).await;
            scales.open(&mut browser, &format!("{apply}/{step}/change")).await;
            let answer = browser.post(&browser.at(&format!("{apply}/{step}")), &[]).await;
            if answer.status == 422 {
                scales.weigh(&format!("{scheme}/{step} with faults"), &answer);
            }
        }
        // With every fault.
        scales.open(&mut browser, &format!("{apply}/check")).await;
    }
    let count = scales.0.len();
    assert!(count > 50, "{count}");
    scales.assert_light(count);
}

#[tokio::test]
async fn every_list_of_a_citizen_is_read_page_by_page_and_each_page_is_light() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
    ]);
    let offices: String =
        (10..31).map(|n| mandates_of(&format!("patronato-of-the-town-{n}"), 7..8)).collect();
    counter.entrust(&offices).await;
    let citizen = counter.citizen(7).await;
    // A person may apply five times in all.
    for n in 0..4 {
        let place = citizen.apply(&format!("key-{n}")).await;
        citizen.decided(&place).await;
        assert_eq!(citizen.delete(&place).await.status, 204);
    }
    let place = citizen.apply("the-last").await;
    citizen.decided(&place).await;
    let mut browser = Browser::of(&counter, &citizen);
    let mut scales = Scales::default();
    scales.open(&mut browser, &place).await;
    scales.open(&mut browser, &format!("{place}/withdrawal")).await;
    for (list, entry, count, pages_min) in [
        ("/applications", "<dt>Receipt</dt>", 5, 1),
        ("/mandates", "<dt>Reference</dt>", 22, 3),
        ("/disclosures", "<td>application submitted ", 5, 2),
    ] {
        let (mut rest, mut found, mut pages) = (list.to_owned(), 0, 0);
        loop {
            scales.open(&mut browser, &rest).await;
            found += browser.html.matches(entry).count();
            pages += 1;
            let Some((_, link)) =
                browser.html.split_once("<a class=\"button\" rel=\"next\" href=\"")
            else {
                break;
            };
            let path = link.split('"').next().unwrap();
            rest = path.replacen(&browser.at(""), "", 1);
            assert!(pages < 20, "{list} does not end");
        }
        assert_eq!(found, count, "{list}");
        assert!(pages >= pages_min, "{list}: {pages}");
    }
    let count = scales.0.len();
    scales.assert_light(count);
}

#[tokio::test]
async fn every_page_of_an_office_is_light() {
    let counter = Counter::open_at(MORNING);
    counter.entrust(&mandates_of(DEMO_OFFICE, 0..60)).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let mut scales = Scales::default();
    for rest in ["/welcome", "/upload", "/search", "/sessions"] {
        scales.open(&mut clerk, rest).await;
    }
    scales.refuse(&mut clerk, "/search").await;
    clerk.open(&clerk.at("/upload")).await;
    let refused = clerk.post_file(&clerk.at("/upload/iscro"), "clients.xlsx", b"").await;
    scales.weigh("/upload refused", &refused);
    let client = format!("/clients/{}", mandate_for(DEMO_OFFICE, 1));
    scales.open(&mut clerk, &client).await;
    clerk.post(&clerk.at(&format!("{client}/example")), &[]).await;
    scales.open(&mut clerk, &format!("{client}/check")).await;
    scales.open(&mut clerk, &format!("{client}/standing")).await;

    let colleague =
        counter.mint(&sportello::civic::FiscalCode::made_up(150), &["--office", DEMO_OFFICE]);
    let colleague = counter.enter(sportello::civic::FiscalCode::made_up(150), &colleague).await;
    let lines = (2..60).map(|n| entrusted(n, &mandate_for(DEMO_OFFICE, n)) + "\n");
    let request: Request<Full<_>> =
        colleague.batch("application/x-ndjson", Full::from(lines.collect::<String>()));
    assert_eq!(counter.send(request).await.unwrap().status, 200);
    counter.all_decided().await;
    until("the list is whole", async || {
        let answer = colleague.get("/applications").await;
        let json = (answer.status == 200).then(|| answer.json())?;
        (json["applications"].as_array()?.len() == 58).then_some(())
    })
    .await;
    for list in ["/applications", "/mandates"] {
        let mut rest = list.to_owned();
        let mut pages = 0;
        loop {
            scales.open(&mut clerk, &rest).await;
            pages += 1;
            let Some((_, link)) = clerk.html.split_once("<a class=\"button\" rel=\"next\" href=\"")
            else {
                break;
            };
            rest = link.split('"').next().unwrap().replacen(&clerk.at(""), "", 1);
            assert!(pages < 20, "{list} does not end");
        }
        assert!(pages > 2, "{list}: {pages}");
    }
    let count = scales.0.len();
    scales.assert_light(count);
}
