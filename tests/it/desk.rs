//! The web desk without a script: an application from signing in to its withdrawal, and what keeps people apart.

use http_body_util::Full;
use sportello::civic::FiscalCode;

use crate::{
    browser::{Browser, encoded},
    entrusting::mandate_for,
    harness::{Counter, MORNING, entrusted, mandates_of, until},
};

/// Fills in the demo's answers and opens the check.
async fn filled_in(browser: &mut Browser<'_>, scheme: &str) {
    browser.open(&browser.at(&format!("/apply/{scheme}"))).await;
    browser.post(&browser.at(&format!("/apply/{scheme}/example")), &[]).await;
    assert_eq!(browser.heading(), "Check your answers", "{}", browser.html);
}

/// Submits what the check shows; the answer to the click.
async fn submitted(browser: &mut Browser<'_>) -> String {
    let (key, version) = (browser.hidden("key"), browser.hidden("version"));
    let check = browser.path.clone();
    let answer = browser.post(&check, &[("key", &key), ("version", &version)]).await;
    answer.header("location")
}

#[tokio::test]
async fn a_citizen_applies_on_pages_and_a_program_reads_the_same() {
    for (now, scheme, title) in [
        ("2024-09-16T17:30[Europe/Rome]", "iscro", "ISCRO 2024"),
        ("2020-04-01T17:30[Europe/Rome]", "allowance600", "600-euro allowance 2020"),
    ] {
        let counter = Counter::open_at(now);
        let mut browser = Browser::signed_in(&counter, "granted").await;
        assert_eq!(browser.heading(), "You are signed in");
        browser.shows(FiscalCode::parse("RSSMRA80A01H501U").unwrap().masked().as_str());
        assert!(!browser.html.contains("RSSMRA80A01H501U"));
        browser.open(&browser.at("/applications")).await;
        browser.shows(title);
        filled_in(&mut browser, scheme).await;
        browser.shows(": granted");
        let there = submitted(&mut browser).await;
        assert_eq!(browser.heading(), "We have received your application");
        let receipt = there.rsplit('/').next().unwrap().to_owned();
        browser.shows(&receipt);
        browser.shows("<svg role=\"img\" aria-label=\"QR code with the number of the receipt\"");
        until("the decision is shown", async || {
            let answer = browser.send("GET", &there, &[], "").await;
            let html = String::from_utf8(answer.body.to_vec()).unwrap();
            html.contains("The decision</h2>").then_some(())
        })
        .await;

        let visit = there.split('/').nth(2).unwrap();
        let api = format!("/v1/sessions/{visit}/applications/{receipt}");
        let read = counter.ask("GET", &api, browser.token(), "").await.json();
        assert_eq!(read["application"]["applicant"]["fiscalCode"], "RSSMRA80A01H501U");
        assert_eq!(read["decision"]["outcome"], "granted");
        let proof = browser.send("GET", &format!("{there}/proof"), &[], "").await;
        assert_eq!(proof.json()["receipt"], receipt);
        assert_eq!(
            proof.header("content-disposition"),
            format!("attachment; filename=\"{receipt}.json\"")
        );

        browser.open(&format!("{there}/withdrawal")).await;
        browser.post(&format!("{there}/withdrawal"), &[]).await;
        assert_eq!(browser.heading(), "Application withdrawn");
        browser.post(&browser.at("/signout"), &[]).await;
        assert_eq!(browser.heading(), "The counter now");
    }
}

#[tokio::test]
async fn every_fault_of_a_step_is_named_and_what_was_typed_is_kept() {
    let counter = Counter::open();
    let mut browser = Browser::signed_in(&counter, "granted").await;
    let contacts = browser.at("/apply/iscro/contacts");
    browser.open(&contacts).await;
    let typed = [("applicant.email", "nobody"), ("applicant.phone", "12<3")];
    let answer = browser.post(&contacts, &typed).await;
    assert_eq!(answer.status, 422);
    browser.shows("<title>Error: How to reach you");
    browser.shows("href=\"#applicant.email\">E-mail address: Enter an address");
    browser.shows("href=\"#applicant.phone\">Telephone number: Enter a telephone number");
    browser.shows("value=\"nobody\"");
    browser.shows("value=\"+3912&#60;3\"");
    let typed = [("applicant.email", "mario@example.it"), ("applicant.phone", "06 1234 5678")];
    let answer = browser.post(&contacts, &typed).await;
    assert_eq!(answer.status, 303);
    assert_eq!(browser.heading(), "Your activity");

    // What is faulty elsewhere does not stop a step, but the submission.
    browser.open(&browser.at("/apply/iscro/check")).await;
    assert_eq!(browser.heading(), "Check your answers");
    browser.shows("Correct these answers");
    browser.shows("+390612345678");
    assert!(!browser.html.contains("Submit the application"));
    let answer = browser
        .post(&browser.at("/apply/iscro/check"), &[("key", "k"), ("version", "nonsense")])
        .await;
    assert!(answer.header("location").ends_with("/apply/iscro/check"));
}

#[tokio::test]
async fn a_second_click_leads_to_the_same_receipt() {
    let counter = Counter::open();
    let mut browser = Browser::signed_in(&counter, "refused").await;
    filled_in(&mut browser, "iscro").await;
    browser.shows("refused");
    let (key, version) = (browser.hidden("key"), browser.hidden("version"));
    let (check, token) = (browser.path.clone(), browser.hidden("form"));
    let fields = [("key", &*key), ("version", &*version), ("form", &*token)];
    let (body, origin) = (encoded(&fields), counter.public.clone());
    let headers = [("origin", &*origin)];
    let click = async || browser.send("POST", &check, &headers, &body).await.header("location");
    let first = click().await;
    assert!(first.contains("/applications/ISCRO-2024-"), "{first}");
    assert_eq!(click().await, first);
    assert_eq!(counter.metric("sportello_applications_accepted_total", &[]).await, 1);
}

#[tokio::test]
async fn two_devices_do_not_lose_each_others_answers() {
    let counter = Counter::open();
    let mut phone = Browser::signed_in(&counter, "granted").await;
    let mut desk = Browser::signed_in(&counter, "granted").await;
    let (contacts, activity) =
        (phone.at("/apply/iscro/contacts"), desk.at("/apply/iscro/activity"));
    phone.open(&contacts).await;
    desk.open(&activity).await;
    let of_phone = [("applicant.email", "a@example.it"), ("applicant.phone", "0612345678")];
    assert_eq!(phone.post(&contacts, &of_phone).await.status, 303);
    // Another step: both are kept.
    let of_desk = [
        ("activity.vatNumber", "00743110157"),
        ("activity.vatOpenedOn", "1/3/2015"),
        ("activity.kind", "individual"),
        ("taxScheme", "flatRate"),
    ];
    assert_eq!(desk.post(&activity, &of_desk).await.status, 303);
    phone.open(&phone.at("/apply/iscro/check")).await;
    phone.shows("a@example.it");
    phone.shows("00743110157");

    // The same step: the person is shown what they answered elsewhere, and decides.
    let contacts_of_desk = desk.at("/apply/iscro/contacts");
    desk.open(&contacts_of_desk).await;
    phone.open(&contacts).await;
    let newer = [("applicant.email", "b@example.it"), ("applicant.phone", "0612345678")];
    assert_eq!(phone.post(&contacts, &newer).await.status, 303);
    let other = [("applicant.email", "c@example.it"), ("applicant.phone", "0612345678")];
    assert_eq!(desk.post(&contacts_of_desk, &other).await.status, 409);
    desk.shows("You have answered elsewhere, too");
    desk.shows("<dd>b@example.it</dd>");
    desk.shows("value=\"c@example.it\"");
    assert_eq!(desk.post(&contacts_of_desk, &other).await.status, 303);
    phone.open(&phone.at("/apply/iscro/check")).await;
    phone.shows("c@example.it");
}

#[tokio::test]
async fn a_step_that_is_still_open_after_the_submission_begins_no_other_draft() {
    let counter = Counter::open();
    let mut phone = Browser::signed_in(&counter, "granted").await;
    let mut desk = Browser::signed_in(&counter, "granted").await;
    filled_in(&mut phone, "iscro").await;
    let contacts = desk.at("/apply/iscro/contacts");
    desk.open(&contacts).await;
    submitted(&mut phone).await;
    let late = [("applicant.email", "late@example.it"), ("applicant.phone", "0612345678")];
    assert_eq!(desk.post(&contacts, &late).await.status, 412);
    desk.shows("has saved or submitted the application");
    desk.open(&contacts).await;
    assert!(!desk.html.contains("late@example.it"), "{}", desk.html);
    // From its first page another application may be begun.
    assert_eq!(desk.post(&contacts, &late).await.status, 303);
}

#[tokio::test]
async fn a_form_of_another_site_or_visit_changes_nothing() {
    let counter = Counter::open();
    let mut browser = Browser::signed_in(&counter, "granted").await;
    filled_in(&mut browser, "iscro").await;
    let (key, version) = (browser.hidden("key"), browser.hidden("version"));
    let (check, own) = (browser.path.clone(), browser.hidden("form"));
    let foreign = Browser::signed_in(&counter, "refused").await.hidden("form");
    let origin = counter.public.clone();
    for (token, headers) in [
        (&own, &[][..]),
        (&own, &[("origin", "https://elsewhere.example")]),
        (&own, &[("origin", "null")]),
        (&own, &[("origin", "https://elsewhere.example"), ("sec-fetch-site", "same-origin")]),
        (&own, &[("sec-fetch-site", "cross-site")]),
        (&own, &[("sec-fetch-site", "same-site")]),
        (&foreign, &[("origin", &*origin)]),
        (&String::new(), &[("origin", &*origin)]),
    ] {
        let fields = [("key", &*key), ("version", &*version), ("form", &**token)];
        let refused = browser.send("POST", &check, headers, &encoded(&fields)).await;
        assert_eq!(refused.status, 403, "{headers:?}");
    }
    for path in [browser.at("/signout"), browser.at("/apply/iscro/contacts")] {
        assert_eq!(browser.send("POST", &path, &[], "").await.status, 403, "{path}");
    }
    let refused = browser.send("POST", "/en/signin", &[], "person=granted").await;
    assert_eq!((refused.status.as_u16(), &*refused.header("set-cookie")), (403, ""));
    assert_eq!(counter.metric("sportello_applications_accepted_total", &[]).await, 0);
    browser.open(&check).await;
    let _there = submitted(&mut browser).await;
    assert_eq!(browser.heading(), "We have received your application", "it was the form's fault");
}

#[tokio::test]
async fn pages_of_another_person_are_like_none() {
    let counter = Counter::open();
    let mut mine = Browser::signed_in(&counter, "granted").await;
    let mut yours = Browser::signed_in(&counter, "refused").await;
    filled_in(&mut mine, "iscro").await;
    let there = submitted(&mut mine).await;
    let receipt = there.rsplit('/').next().unwrap();

    // My page with your cookie, your page with my receipt, and one that was never given.
    yours.open(&there).await;
    assert_eq!(yours.heading(), "This visit has ended");
    let mut yours = Browser::signed_in(&counter, "refused").await;
    let mut bodies = Vec::new();
    for code in [receipt, "ISCRO-2024-7K3M-9QXT-B2FD-0YHR"] {
        for rest in ["", "/proof", "/withdrawal"] {
            let path = yours.at(&format!("/applications/{code}{rest}"));
            let answer = yours.open(&path).await;
            assert_eq!(answer.status, 404, "{path}");
            bodies.push(answer.without_id());
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_leaves_nothing_in_the_browser() {
    let counter = Counter::open();
    let mut browser = Browser::signed_in(&counter, "granted").await;
    let (before, applications) = (browser.token().to_owned(), browser.at("/applications"));
    browser.open(&applications).await;
    let answer = browser.post(&browser.at("/signout"), &[]).await;
    assert_eq!(
        answer.header("set-cookie"),
        "__Host-session=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"
    );
    assert_eq!(answer.header("clear-site-data"), "\"cache\", \"storage\"");
    let cookie = format!("__Host-session={before}");
    let gone = Browser::new(&counter).send("GET", &applications, &[("cookie", &cookie)], "").await;
    assert_eq!(gone.status, 404);
}

#[tokio::test]
async fn who_waits_sees_their_place_and_enters_when_it_is_their_turn() {
    let counter = Counter::open_with(&[
        ("SPORTELLO_GATE_LEASES_MAX", "1"),
        ("SPORTELLO_WAITING_GATHER_SECONDS", "1"),
    ]);
    let mut inside = Browser::signed_in(&counter, "granted").await;
    let mut outside = Browser::signed_in(&counter, "refused").await;
    assert_eq!(outside.heading(), "You are in the waiting room");
    outside.shows("<meta http-equiv=\"refresh\" content=\"");
    let waiting = outside.at("/waiting");
    let answer = outside.post(&waiting, &[]).await;
    assert_eq!((answer.status.as_u16(), outside.heading()), (303, "You are in the waiting room"));
    outside.open(&format!("{waiting}/still")).await;
    assert!(!outside.html.contains("http-equiv=\"refresh\""));
    // A place opens no other page.
    outside.open(&outside.at("/applications")).await;
    assert_eq!(outside.heading(), "This visit has ended");

    inside.open(&inside.at("/applications")).await;
    inside.post(&inside.at("/signout"), &[]).await;
    until("it is their turn", async || {
        outside.open(&waiting).await;
        (outside.heading() == "It is your turn").then_some(())
    })
    .await;
    outside.post(&waiting, &[]).await;
    assert_eq!(outside.heading(), "You are signed in");
}

#[tokio::test]
async fn a_closed_time_slice_is_a_page_with_its_next_opening() {
    let counter = Counter::open_at(MORNING);
    let mut browser = Browser::new(&counter);
    browser.open("/en/signin").await;
    let answer = browser.post("/en/signin", &[("person", "granted")]).await;
    assert_eq!((answer.status.as_u16(), browser.heading()), (403, "Time slice closed"));
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    clerk.open(&clerk.at("/applications")).await;
    clerk.shows("You are signed in for an office.");
    clerk.shows("There are no applications here.");
}

#[tokio::test]
async fn an_office_finds_what_it_handed_in_page_by_page() {
    const DEMO_OFFICE: &str = "patronato-demo";
    let counter = Counter::open_at(MORNING);
    counter.entrust(&mandates_of(DEMO_OFFICE, 0..21)).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let colleague = FiscalCode::made_up(150);
    let identity = counter.mint(&colleague, &["--office", DEMO_OFFICE]);
    let colleague = counter.enter(colleague, &identity).await;
    let line = |n| entrusted(n, &mandate_for(DEMO_OFFICE, n)) + "\n";
    let body: String = (0..21).map(line).collect();
    let request = colleague.batch("application/x-ndjson", Full::from(body));
    assert_eq!(counter.send(request).await.unwrap().status, 200);
    counter.all_decided().await;

    let list = clerk.at("/applications");
    until("the list has a second page", async || {
        clerk.open(&list).await;
        clerk.html.contains("More applications").then_some(())
    })
    .await;
    assert_eq!(clerk.heading(), "The office's applications".replace('\'', "&#39;"));
    let links = |html: &str| -> Vec<String> {
        let rows = html.split("<th scope=\"row\"><a href=\"").skip(1);
        rows.map(|row| row.split('"').next().unwrap().to_owned()).collect()
    };
    let mut shown = links(&clerk.html);
    assert_eq!(shown.len(), 20);
    clerk.shows("<td>ISCRO 2024</td>");
    let next = clerk.at(&format!("/applications/after/{}", shown[19].rsplit('/').next().unwrap()));
    clerk.shows(&format!("<a class=\"button\" rel=\"next\" href=\"{next}\">"));
    // In the other language, too, once a second has passed.
    until("the next page is shown", async || {
        let answer = clerk.open(&next).await;
        (answer.status == 200).then_some(())
    })
    .await;
    clerk.shows(&format!("href=\"{}\" lang=\"it\"", next.replace("/en/", "/it/")));
    shown.extend(links(&clerk.html));
    assert_eq!(shown.len(), 21);
    assert!(!clerk.html.contains("More applications") && shown.is_sorted());

    // Each leads to the application, as the office may see it.
    clerk.open(&shown[20]).await;
    assert_eq!(clerk.heading(), "We have received the application");
    clerk.shows("The decision</h2>");
    clerk.open(&clerk.at("/applications/after/nonsense")).await;
    assert_eq!(clerk.heading(), "Not found");
}
