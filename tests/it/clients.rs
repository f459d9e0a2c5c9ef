//! The web desk of an office: clients and their mandates, one application for a client, what the office submitted.

use sportello::{civic::FiscalCode, http::router::ROUTES};

use crate::{
    browser::Browser,
    entrusting::mandate_for,
    harness::{Counter, MORNING, mandates_of, until},
};

/// The office of the demo's intermediary.
const DEMO_OFFICE: &str = "patronato-demo";

/// A counter in the morning, at which the demo's office has mandates of the first made-up people.
async fn with_clients(clients: u64) -> Counter {
    let counter = Counter::open_at(MORNING);
    counter.entrust(&mandates_of(DEMO_OFFICE, 0..clients)).await;
    counter
}

/// The path of a page of the application for the n-th client.
fn client(browser: &Browser<'_>, n: u64, rest: &str) -> String {
    browser.at(&format!("/clients/{}{rest}", mandate_for(DEMO_OFFICE, n)))
}

/// Fills in the demo's answers for the n-th client and submits them; the path of the application.
async fn submitted_for(clerk: &mut Browser<'_>, n: u64) -> String {
    clerk.open(&client(clerk, n, "")).await;
    clerk.post(&client(clerk, n, "/example"), &[]).await;
    assert_eq!(clerk.heading(), "Check the answers", "{}", clerk.html);
    let (key, version) = (clerk.hidden("key"), clerk.hidden("version"));
    let check = clerk.path.clone();
    let answer = clerk.post(&check, &[("key", &key), ("version", &version)]).await;
    answer.header("location")
}

#[tokio::test]
async fn an_office_is_led_to_its_own_pages_and_to_none_that_it_does_not_have() {
    let counter = Counter::open_at(MORNING);
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    clerk.open(&clerk.at("/applications")).await;
    let (_, navigation) = clerk.html.split_once("<nav class=\"visit\"").unwrap();
    let (navigation, _) = navigation.split_once("</nav>").unwrap();
    let links = navigation.split("<a href=\"").skip(1);
    let links: Vec<_> = links.map(|link| link.split('"').next().unwrap().to_owned()).collect();
    for link in &links {
        clerk.open(link).await;
        assert!(!["Not found", "This visit has ended"].contains(&clerk.heading()), "{link}");
        assert!(!clerk.html.contains("Who saw my data"), "{link}");
    }
    for own in ["/mandates", "/applications", "/upload", "/search"] {
        assert!(links.contains(&clerk.at(own)), "{own} is not in {links:?}");
    }
}

#[tokio::test]
async fn an_office_turns_the_pages_of_its_mandates_and_applies_from_one_of_them() {
    let counter = with_clients(17).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    clerk.open(&clerk.at("/mandates")).await;
    assert_eq!(clerk.heading(), "Clients and mandates");
    assert_eq!(clerk.html.matches("Apply for this client").count(), 16);
    let clients = clerk.at("/clients/");
    let (_, link) = clerk.html.split_once(&clients).unwrap();
    let first = clients + link.split('"').next().unwrap();
    let (before, _) = clerk.html.split_once("\">More mandates").unwrap();
    let next = before.rsplit('"').next().unwrap().to_owned();
    clerk.open(&next).await;
    assert_eq!(clerk.html.matches("Apply for this client").count(), 1);
    assert!(!clerk.html.contains("More mandates"));
    clerk.shows(&format!("href=\"{}\" lang=\"it\"", next.replace("/en/", "/it/")));

    clerk.open(&first).await;
    assert_eq!(clerk.heading(), "ISCRO 2024");
    clerk.shows("You fill in the application for a client: the questions speak of the client.");
    clerk.open(&clerk.at("/mandates/after/%zz")).await;
    assert_eq!(clerk.heading(), "Not found");
}

#[tokio::test]
async fn pages_of_a_client_speak_of_the_client_from_the_notice_to_the_receipt() {
    let counter = with_clients(1).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let steps =
        ["contacts", "activity", "incomes", "standing", "benefits", "payment", "statements"];
    let mut pages = Vec::new();
    for rest in std::iter::once(String::new()).chain(steps.map(|step| format!("/{step}"))) {
        let page = client(&clerk, 0, &rest);
        clerk.open(&page).await;
        pages.push(clerk.html.clone());
        pages.push({
            clerk.open(&page.replace("/en/", "/it/")).await;
            clerk.html.clone()
        });
    }
    let there = submitted_for(&mut clerk, 0).await;
    pages.push(clerk.html.clone());
    clerk.open(&format!("{there}/withdrawal")).await;
    pages.push(clerk.html.clone());
    for html in pages {
        let (_, main) = html.split_once("<main").unwrap();
        let (main, _) = main.split_once("</main>").unwrap();
        let text: String = main
            .split('<')
            .filter_map(|piece| piece.split_once('>'))
            .map(|(_, text)| text)
            .collect();
        let of_client = text.replace("Your client", "").replace("Il tuo cliente", "");
        for word in of_client.split(|letter: char| !letter.is_alphanumeric()) {
            let word = word.to_lowercase();
            let of_applicant =
                ["your", "yours", "my", "tuo", "tua", "tuoi", "tue", "hai", "sei", "vuoi"];
            assert!(!of_applicant.contains(&&*word), "{word} in {text}");
        }
    }
    // What a citizen is asked is asked of the client.
    clerk.open(&client(&clerk, 0, "/standing")).await;
    clerk.shows("Does the client have a direct pension?");
}

#[tokio::test]
async fn an_office_applies_for_a_client_step_by_step() {
    let counter = with_clients(2).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let step = client(&clerk, 0, "/client");
    clerk.open(&step).await;
    assert_eq!(clerk.heading(), "Your client");
    clerk.shows(&format!("mandate <code>{}</code>", mandate_for(DEMO_OFFICE, 0)));
    for (typed, fault) in [
        ("", "Fill in this field."),
        ("RSSMRA80A01H501X", "The check letter of the fiscal code, its last one, does not match."),
        (
            FiscalCode::made_up(1).as_str(),
            "The mandate is another person&#39;s: check the fiscal code.",
        ),
    ] {
        let answer = clerk.post(&step, &[("applicant.fiscalCode", typed)]).await;
        assert_eq!(answer.status, 422, "{typed}");
        clerk.shows(&format!(
            "href=\"#applicant.fiscalCode\">The client&#39;s fiscal code: {fault}"
        ));
    }
    // The check says it, too, and nothing is submitted.
    clerk.open(&client(&clerk, 0, "/check")).await;
    clerk.shows("The mandate is another person&#39;s: check the fiscal code.");
    assert!(!clerk.html.contains("Submit the application"));
    clerk.open(&step).await;
    let code = FiscalCode::made_up(0).as_str().to_lowercase();
    let answer = clerk.post(&step, &[("applicant.fiscalCode", &code)]).await;
    assert_eq!((answer.status.as_u16(), clerk.heading()), (303, "How to reach the client"));
    clerk.open(&client(&clerk, 0, "")).await;
    clerk.shows("Continue the application");

    let there = submitted_for(&mut clerk, 0).await;
    assert_eq!(clerk.heading(), "We have received the application");
    clerk.shows(FiscalCode::made_up(0).as_str());
    // A second click leads to the same receipt.
    let check = client(&clerk, 0, "/check");
    let again = clerk.post(&check, &[("key", "another"), ("version", "x")]).await;
    assert_eq!(again.header("location"), there);
    assert_eq!(counter.metric("sportello_applications_accepted_total", &["intermediary"]).await, 1);
}

#[tokio::test]
async fn an_office_finds_an_application_by_its_receipt() {
    let counter = with_clients(1).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let there = submitted_for(&mut clerk, 0).await;
    let receipt = there.rsplit('/').next().unwrap().to_owned();
    let search = clerk.at("/search");
    let typed = format!(" {} ", receipt.to_lowercase().replace('-', " -"));
    clerk.open(&search).await;
    let answer = clerk.post(&search, &[("receipt", &typed)]).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, there));
    assert_eq!(clerk.heading(), "We have received the application");
    for (typed, status, fault) in [
        ("", 422, "Enter the number of the receipt."),
        (
            "RSSMRA80A01H501U",
            422,
            "This is not the number of a receipt: write it like ISCRO-2024-7K3M-9QXT-B2FD-0YHR.",
        ),
        (
            "ISCRO-2024-7K3M-9QXT-B2FD-0YHR",
            404,
            "Your office has no application with this receipt, or the mandate has ended.",
        ),
    ] {
        clerk.open(&search).await;
        let answer = clerk.post(&search, &[("receipt", typed)]).await;
        assert_eq!(answer.status, status, "{typed}");
        clerk.shows(&format!("<a href=\"#receipt\">{fault}</a>"));
        clerk.shows(&format!("value=\"{typed}\""));
        clerk.shows("<title>Error: ");
    }
}

#[tokio::test]
async fn pages_of_an_office_are_like_none_to_a_citizen_and_to_another_office() {
    // Both audiences at once.
    let always = "00:00-00:00";
    let counter = Counter::open_with(&[
        ("SPORTELLO_SCHEDULE_CITIZENS", always),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", always),
    ]);
    counter.entrust(&mandates_of(DEMO_OFFICE, 0..1)).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let there = submitted_for(&mut clerk, 0).await;
    let receipt = there.rsplit('/').next().unwrap();
    let mandate = mandate_for(DEMO_OFFICE, 0);
    let mut citizen = Browser::signed_in(&counter, "granted").await;
    let mut other = Browser::of(&counter, &counter.intermediary(5).await);
    for stranger in [&mut citizen, &mut other] {
        // Below the office's visit, and the same below their own.
        stranger.open(&client(&clerk, 0, "/check")).await;
        assert_eq!(stranger.heading(), "This visit has ended");
        let own = clerk.path.split('/').nth(2).unwrap().to_owned();
        for rest in ["", "/check", "/client", "/client/change"] {
            let path = client(&clerk, 0, rest).replace(&own, &stranger.visit);
            assert_eq!(stranger.open(&path).await.status, 404, "{rest}");
            assert_eq!(stranger.heading(), "Not found", "{rest}");
        }
        let path = format!("/visit/{}/en/applications/{receipt}", stranger.visit);
        assert_eq!(stranger.open(&path).await.status, 404);
        let path = format!("/visit/{}/en/mandates/after/a", stranger.visit);
        stranger.open(&path).await;
        assert!(!stranger.html.contains(&mandate), "{}", stranger.html);
    }
    let path = citizen.at("/search");
    assert_eq!(citizen.open(&path).await.status, 404);
    // An office has no application of its own.
    let path = clerk.at("/apply/iscro");
    assert_eq!(clerk.open(&path).await.status, 404);
}

#[tokio::test]
async fn an_office_does_not_learn_that_its_client_has_applied_elsewhere() {
    let always = "00:00-00:00";
    let counter = Counter::open_with(&[
        ("SPORTELLO_SCHEDULE_CITIZENS", always),
        ("SPORTELLO_SCHEDULE_INTERMEDIARIES", always),
    ]);
    counter.entrust(&mandates_of(DEMO_OFFICE, 0..1)).await;
    let citizen = counter.citizen(0).await;
    citizen.apply("key").await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    clerk.open(&client(&clerk, 0, "")).await;
    let check = client(&clerk, 0, "/check");
    let answer = clerk.post(&check, &[("key", "k"), ("version", "v")]).await;
    assert_eq!(answer.header("location"), check);
    // Only who submits for them is told that there is one, and not its receipt.
    clerk.open(&client(&clerk, 0, "")).await;
    clerk.post(&client(&clerk, 0, "/example"), &[]).await;
    let (key, version) = (clerk.hidden("key"), clerk.hidden("version"));
    let answer = clerk.post(&check, &[("key", &key), ("version", &version)]).await;
    assert_eq!((answer.status.as_u16(), clerk.heading()), (409, "Already applied"));
    assert!(!clerk.html.contains("ISCRO-"), "{}", clerk.html);
}

#[tokio::test]
async fn forms_of_an_office_need_the_visits_token_and_our_own_origin() {
    let counter = with_clients(1).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    clerk.open(&clerk.at("/search")).await;
    let (own, origin) = (format!("form={}", clerk.hidden("form")), counter.public.clone());
    let paths = ["/client", "/client/change", "/check", "/example"];
    let mut paths: Vec<_> = paths.iter().map(|rest| client(&clerk, 0, rest)).collect();
    paths.push(clerk.at("/search"));
    for path in paths {
        for (body, headers) in [
            (&*own, &[][..]),
            (&*own, &[("origin", "https://elsewhere.example")]),
            (&*own, &[("sec-fetch-site", "same-site")]),
            ("form=nonsense", &[("origin", &*origin)]),
            ("", &[("origin", &*origin)]),
        ] {
            let refused = clerk.send("POST", &path, headers, body).await;
            assert_eq!(refused.status, 403, "{path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn what_an_office_sees_of_a_client_ends_with_the_mandate() {
    let counter = with_clients(1).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let there = submitted_for(&mut clerk, 0).await;
    let other_days = mandates_of(DEMO_OFFICE, 0..1).replace("2025-12-31", "2024-02-01");
    counter.replace_mandates(&other_days).await;
    assert_eq!(clerk.open(&there).await.status, 404);
    let answer = clerk.open(&client(&clerk, 0, "/check")).await;
    assert_eq!((answer.status.as_u16(), clerk.heading()), (403, "No mandate"));
    until("the list has no such application", async || {
        clerk.open(&clerk.at("/applications")).await;
        clerk.html.contains("There are no applications here.").then_some(())
    })
    .await;
    clerk.open(&clerk.at("/mandates")).await;
    clerk.shows(&mandate_for(DEMO_OFFICE, 0));
    assert!(!clerk.html.contains("Apply for this client"));
}

#[tokio::test]
async fn no_page_of_a_visit_answers_another_persons_cookie_and_none_takes_a_form_of_elsewhere() {
    let counter = with_clients(1).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let there = submitted_for(&mut clerk, 0).await;
    let receipt = there.rsplit('/').next().unwrap().to_owned();
    let mandate = mandate_for(DEMO_OFFICE, 0);
    let colleague = Browser::of(&counter, &counter.intermediary(5).await);
    let front = format!("/visit/{}/", clerk.visit);
    let nothing = Browser::new(&counter).send("GET", &front, &[], "").await;
    let named = [
        ("{visit}", &*clerk.visit),
        ("{language}", "it"),
        ("{scheme}", "iscro"),
        ("{receipt}", &receipt),
        ("{mandate}", &mandate),
        ("{step}", "client"),
        ("{number}", "1"),
    ];
    let mut pages = 0;
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/visit/")) {
        let filled = |path: String, (name, value): &(&str, &str)| path.replace(name, value);
        let path = named.iter().fold(route.path.to_owned(), filled);
        assert!(!path.contains('{'), "{path}");
        for stranger in [&colleague, &Browser::new(&counter)] {
            let answer = stranger.send(route.method, &path, &[], "").await;
            assert_eq!(answer.status, 404, "{} {path}", route.method);
            assert_eq!(answer.body, nothing.body, "{path}");
            assert_eq!(answer.header("subject-tag"), "");
        }
        if route.method == "POST" && !path.ends_with("/waiting") {
            let own = format!("form={}", clerk.hidden("form"));
            let elsewhere = [("origin", "https://elsewhere.example")];
            let answer = clerk.send("POST", &path, &elsewhere, &own).await;
            assert!([403, 404].contains(&answer.status.as_u16()), "{path} {answer:?}");
        }
        pages += 1;
    }
    assert!(pages > 30, "{pages}");
    assert_eq!(clerk.open(&there).await.status, 200, "nobody has signed out or withdrawn");
    clerk.shows("Withdraw the application");
}
