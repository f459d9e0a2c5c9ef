//! Every Italian page of a citizen can be read by people with eight years of school: its Gulpease index is 60 at least.

use crate::{
    browser::Browser,
    gulpease::Prose,
    harness::{Counter, EVENING, MORNING, until},
};

const INDEX_MIN: f64 = 60.0;
/// Pages with less prose are judged together: one long word decides there.
const WORDS_MIN: usize = 30;
/// A page is an average, which hides one long sentence.
const SENTENCE_WORDS_MAX: usize = 30;

const ALWAYS: [(&str, &str); 2] = [
    ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
    ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
];

/// The pages that were read.
#[derive(Default)]
struct Pages(Vec<(String, Prose)>);

impl Pages {
    /// Asks for a page of the visit and reads it.
    async fn open(&mut self, browser: &mut Browser<'_>, rest: &str) {
        browser.open(&page(browser, rest)).await;
        self.read(browser);
    }

    /// Posts a form to a page of the visit and reads what follows.
    async fn post(&mut self, browser: &mut Browser<'_>, rest: &str, fields: &[(&str, &str)]) {
        browser.post(&page(browser, rest), fields).await;
        self.read(browser);
    }

    fn read(&mut self, browser: &Browser<'_>) {
        assert!(browser.html.contains("<html lang=\"it\">"), "{}", browser.html);
        let path = browser.path.replace(&browser.visit, "...");
        self.0.push((format!("{path} ({})", browser.heading()), Prose::of_page(&browser.html)));
    }

    #[track_caller]
    fn assert_plain(&self, pages_min: usize) {
        assert!(self.0.len() >= pages_min, "{} pages", self.0.len());
        let (long, short): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|(_, prose)| prose.words >= WORDS_MIN);
        let together = short.iter().fold(Prose::default(), |sum, (_, prose)| sum.plus(*prose));
        let all = long.iter().map(|(name, prose)| (&**name, *prose));
        let mut all: Vec<_> = all.chain([("short pages together", together)]).collect();
        all.sort_by(|(_, one), (_, other)| one.index().total_cmp(&other.index()));
        println!("{} pages, hardest first: {:.1} {}", self.0.len(), all[0].1.index(), all[0].0);

        let faulty: Vec<_> = all
            .into_iter()
            .filter(|(_, prose)| prose.index() < INDEX_MIN || prose.longest > SENTENCE_WORDS_MAX)
            .map(|(name, prose)| format!("{name}: {:.1} {prose:?}", prose.index()))
            .collect();
        assert!(faulty.is_empty(), "{faulty:#?}");
    }
}

/// The path of an Italian page of the visit.
fn page(browser: &Browser<'_>, rest: &str) -> String {
    format!("/visit/{}/it{rest}", browser.visit)
}

/// A browser in which a person of the demo has signed in on the Italian page.
async fn signed_in<'c>(counter: &'c Counter, person: &str) -> Browser<'c> {
    let mut browser = Browser::new(counter);
    browser.open("/it/signin").await;
    browser.post("/it/signin", &[("person", person)]).await;
    browser.path.split('/').nth(2).unwrap().clone_into(&mut browser.visit);
    browser
}

#[tokio::test]
async fn public_pages_are_plain_italian() {
    let mut pages = Pages::default();
    for now in [EVENING, MORNING, "2024-12-02T17:30[Europe/Rome]"] {
        let counter = Counter::open_at(now);
        let mut browser = Browser::new(&counter);
        browser.visit = "none".to_owned();
        for path in [
            "/it",
            "/it/signin",
            "/it/help",
            "/it/privacy",
            "/it/accessibility",
            "/it/legal",
            "/callback",
        ] {
            browser.open(path).await;
            pages.read(&browser);
        }
    }
    pages.assert_plain(21);
}

#[tokio::test]
async fn the_waiting_room_is_plain_italian() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_GATE_LEASES_MAX", "1"),
        ("SPORTELLO_WAITING_GATHER_SECONDS", "1"),
    ]);
    let mut inside = signed_in(&counter, "granted").await;
    let mut outside = signed_in(&counter, "refused").await;
    let mut pages = Pages::default();
    pages.read(&outside);
    pages.open(&mut outside, "/waiting/still").await;
    pages.open(&mut inside, "/welcome").await;
    inside.post(&page(&inside, "/signout"), &[]).await;
    until("it is their turn", async || {
        outside.open(&page(&outside, "/waiting")).await;
        (outside.heading() == "Tocca a te").then_some(())
    })
    .await;
    pages.read(&outside);
    pages.assert_plain(4);
}

/// Every page of an application, from its notice to its end, with each step as it comes and with its faults.
async fn read_application(
    pages: &mut Pages,
    browser: &mut Browser<'_>,
    scheme: &str,
    steps: &[&str],
) {
    let apply = format!("/apply/{scheme}");
    pages.open(browser, &apply).await;
    for step in steps {
        let step = format!("{apply}/{step}");
        pages.open(browser, &step).await;
        pages.post(browser, &step, &[]).await;
    }
    pages.open(browser, &format!("{apply}/check")).await;
    browser.open(&page(browser, &apply)).await;
    browser.post(&page(browser, &format!("{apply}/example")), &[]).await;
    pages.read(browser);
    let (key, version) = (browser.hidden("key"), browser.hidden("version"));
    pages.post(browser, &format!("{apply}/check"), &[("key", &key), ("version", &version)]).await;
    let there = browser.path.clone();
    assert!(there.contains("/applications/"), "{there} {}", browser.html);
    until("it is decided", async || {
        browser.open(&there).await;
        browser.html.contains("La decisione</h2>").then_some(())
    })
    .await;
    pages.read(browser);
}

const ISCRO: [&str; 7] =
    ["contacts", "activity", "incomes", "standing", "benefits", "payment", "statements"];

#[tokio::test]
async fn an_application_for_iscro_is_plain_italian_whatever_is_decided() {
    let counter = Counter::open_at_with(EVENING, &ALWAYS);
    let mut pages = Pages::default();
    for person in ["granted", "refused", "pending"] {
        let mut browser = signed_in(&counter, person).await;
        pages.read(&browser);
        pages.open(&mut browser, "/applications").await;
        read_application(&mut pages, &mut browser, "iscro", &ISCRO).await;
        let there = browser.path.split_once("/it").unwrap().1.to_owned();
        pages.open(&mut browser, &format!("{there}/withdrawal")).await;
        pages.post(&mut browser, &format!("{there}/withdrawal"), &[]).await;
        pages.open(&mut browser, "/applications").await;
    }
    pages.assert_plain(72);
}

#[tokio::test]
async fn an_application_for_the_allowance_is_plain_italian_in_every_category() {
    let counter = Counter::open_at("2020-04-01T17:30[Europe/Rome]");
    let mut browser = signed_in(&counter, "granted").await;
    let mut pages = Pages::default();
    for category in
        ["collaborator", "artisan", "seasonalTourism", "farmWorker", "showBusiness", "professional"]
    {
        let work = page(&browser, "/apply/allowance600/work");
        browser.open(&work).await;
        browser.post(&work, &[("category", category)]).await;
        pages.read(&browser);
        pages.post(&mut browser, "/apply/allowance600/facts", &[]).await;
    }
    let steps = ["contacts", "payment", "statements"];
    read_application(&mut pages, &mut browser, "allowance600", &steps).await;
    pages.assert_plain(20);
}

#[tokio::test]
async fn pages_of_a_persons_own_affairs_are_plain_italian() {
    let counter = Counter::open_untouched_at(EVENING);
    let mut other = signed_in(&counter, "granted").await;
    let mut browser = signed_in(&counter, "granted").await;
    let mut pages = Pages::default();
    for rest in ["/sessions", "/mandates", "/disclosures", "/disclosures"] {
        pages.open(&mut browser, rest).await;
    }
    pages.open(&mut browser, "/mandates").await;
    pages.post(&mut browser, "/mandates/telephone-pin", &[]).await;
    pages.open(&mut browser, "/mandates").await;
    // Two devices answer the same step.
    let contacts = "/apply/iscro/contacts";
    other.open(&page(&other, contacts)).await;
    browser.open(&page(&browser, contacts)).await;
    browser.post(&page(&browser, contacts), &[("applicant.phone", "0612345678")]).await;
    pages.post(&mut other, contacts, &[("applicant.phone", "0612345679")]).await;
    other.shows("Hai risposto anche altrove");
    pages.open(&mut other, "/applications").await;
    browser.open(&page(&browser, "/sessions")).await;
    pages.post(&mut browser, "/sessions/ending", &[("session", "others")]).await;
    pages.open(&mut other, "/applications").await;
    assert_eq!(other.heading(), "Questa visita è terminata");
    let unknown = "/applications/ISCRO-2024-7K3M-9QXT-B2FD-0YHR";
    pages.open(&mut browser, unknown).await;
    pages.assert_plain(12);
}
