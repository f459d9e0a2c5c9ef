//! Files of an office on pages: template, check, submission row by row, results, and sending the same again.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use sportello::civic::FiscalCode;

use crate::{
    browser::{BOUNDARY, Browser, with_file},
    entrusting::mandate_for,
    harness::{Counter, MORNING, entrusted, mandates_of, until},
};

/// The office of the demo's intermediary.
const DEMO_OFFICE: &str = "patronato-demo";

/// A counter in the morning, at which the demo's office has mandates of the first made-up people.
async fn with_clients(clients: u64, settings: &[(&str, &str)]) -> Counter {
    let counter = Counter::open_at_with(MORNING, settings);
    counter.entrust(&mandates_of(DEMO_OFFICE, 0..clients)).await;
    counter
}

/// The first line of the template, and the line of its example.
async fn template(clerk: &mut Browser<'_>) -> (String, String) {
    let path = clerk.at("/upload/iscro/template");
    let answer = clerk.send("GET", &path, &[], "").await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"iscro-2024.csv\"");
    assert_eq!(answer.header("cache-control"), "no-store");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let (first, example) = text.trim_end().split_once("\r\n").unwrap();
    (first.to_owned(), example.to_owned())
}

/// The example as the application of the n-th client.
fn row(example: &str, n: u64) -> String {
    example.replacen("EXAMPLE-1", &mandate_for(DEMO_OFFICE, n), 1).replacen(
        FiscalCode::made_up(0).as_str(),
        FiscalCode::made_up(n).as_str(),
        1,
    )
}

/// The list that a page offers to download.
fn downloaded(html: &str) -> String {
    let (_, rest) = html.split_once("href=\"data:text/csv;charset=utf-8;base64,").unwrap();
    let encoded = rest.split('"').next().unwrap().replace("&#43;", "+");
    String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
}

/// Outcome and rest of each row of the page of a submission.
fn told(html: &str) -> Vec<(String, String, String)> {
    let rows = html.split("<tr><th scope=\"row\">").skip(1);
    rows.map(|row| {
        let mut cells =
            row.split("</td>").map(|cell| cell.rsplit("<td>").next().unwrap().to_owned());
        let number = row.split('<').next().unwrap().to_owned();
        let (_mandate, outcome) = (cells.next().unwrap(), cells.next().unwrap());
        (number, outcome, cells.next().unwrap())
    })
    .collect()
}

async fn accepted(counter: &Counter) -> u64 {
    counter.metric("sportello_applications_accepted_total", &["intermediary"]).await
}

#[tokio::test]
async fn an_office_checks_a_file_submits_it_and_sends_it_again_without_doubling_anything() {
    let counter = with_clients(3, &[]).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    clerk.open(&clerk.at("/upload")).await;
    assert_eq!(clerk.heading(), "Upload a file of applications");
    clerk.shows("CSV or NDJSON. At most 2 MB, 5000 rows.");
    clerk.shows("<code>incomes.2023.amount</code></th><td>Income of 2023, Amount in euro</td>");
    let (first, example) = template(&mut clerk).await;
    let wrong = row(&example, 1).replace("0123 456", "0123 457");
    let wrong = wrong.replacen(",individual,", ",alone,", 1);
    let rows = [row(&example, 0), wrong, row(&example, 2), row(&example, 7)];
    let file = format!("{first}\r\n{}\r\n", rows.join("\r\n"));

    let (check, run) = (clerk.at("/upload/iscro"), clerk.at("/upload/iscro/run"));
    let answer = clerk.post_file(&check, "clients.csv", file.as_bytes()).await;
    assert_eq!((answer.status.as_u16(), clerk.heading()), (200, "Check the file"));
    clerk.shows("<dt>Rows without faults</dt><dd>2</dd>");
    clerk.shows("<dt>Rows with faults</dt><dd>2</dd>");
    clerk.shows("<title>Error: Check the file");
    clerk.shows("<summary>Row 2</summary>");
    clerk.shows("<dt>Income of 2023, Amount in euro</dt><dd>€3,000.00</dd>");
    clerk.shows(
        "<tr><th scope=\"row\">3</th><td><code>activity.kind</code></td>\
         <td>Enter one of these: individual, associatedPractice, simplePartnership.</td></tr>",
    );
    clerk.shows(
        "<tr><th scope=\"row\">3</th><td><code>payment.iban</code></td>\
         <td>The check digits of the IBAN do not match.</td></tr>",
    );
    clerk.shows("<tr><th scope=\"row\">5</th><td><code>mandate</code></td><td>Today your office has no mandate");
    let faults = downloaded(&clerk.html);
    assert!(
        faults.starts_with("\u{feff}row,mandate,outcome,receipt,column,fault\r\n3,"),
        "{faults}"
    );
    assert_eq!(faults.lines().count(), 4, "{faults}");
    assert_eq!(accepted(&counter).await, 0, "a check submits nothing");

    let checked = clerk.html.clone();
    let answer = clerk.submit_checked(&run).await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_ne!(answer.header("subject-tag"), "");
    assert!(clerk.html.trim_end().ends_with("</html>"));
    let rows = told(&clerk.html);
    let outcomes: Vec<_> =
        rows.iter().map(|(number, outcome, _)| (&**number, &**outcome)).collect();
    let expected =
        [("2", "submitted"), ("3", "not submitted"), ("4", "submitted"), ("5", "not submitted")];
    assert_eq!(outcomes, expected);
    assert!(rows[1].2.contains("<code>payment.iban</code>: The check digits"), "{}", rows[1].2);
    clerk.shows("All rows were read.");
    clerk.shows("<dt>Submitted now</dt><dd>2</dd>");
    clerk.shows("<dt>Not submitted</dt><dd>2</dd>");
    assert_eq!(accepted(&counter).await, 2);
    let result = downloaded(&clerk.html);
    let lines: Vec<_> = result.lines().collect();
    assert!(
        lines[1].starts_with(&format!("2,{},submitted,ISCRO-2024-", mandate_for(DEMO_OFFICE, 0)))
    );
    assert!(lines[2].contains(",not submitted,,activity.kind,"), "{result}");
    assert!(lines[2].ends_with("(+1)\"") && lines.len() == 5, "{result}");

    // The same form again, as reloading the page sends it.
    clerk.html = checked;
    clerk.submit_checked(&run).await;
    let again = told(&clerk.html);
    assert_eq!(again[0], ("2".to_owned(), "submitted before".to_owned(), rows[0].2.clone()));
    assert_eq!(again[2].1, "submitted before");
    clerk.shows("<dt>Submitted before: nothing has changed</dt><dd>2</dd>");
    assert_eq!(accepted(&counter).await, 2);
    are_found(&mut clerk, &rows[0].2).await;
}

/// Each receipt leads to its application, and the list has both.
async fn are_found(clerk: &mut Browser<'_>, cell: &str) {
    let link = cell.split('"').nth(1).unwrap().to_owned();
    clerk.open(&link).await;
    clerk.shows(FiscalCode::made_up(0).as_str());
    until("the list has both", async || {
        clerk.open(&clerk.at("/applications")).await;
        (clerk.html.matches("<th scope=\"row\"><a href=").count() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_program_and_a_page_know_the_same_line_of_ndjson_and_no_other_for_the_same_person() {
    let counter = with_clients(2, &[]).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let line = |n| entrusted(n, &mandate_for(DEMO_OFFICE, n));
    let colleague = FiscalCode::made_up(150);
    let identity = counter.mint(&colleague, &["--office", DEMO_OFFICE]);
    let colleague = counter.enter(colleague, &identity).await;
    let request = colleague.batch("application/x-ndjson", Full::from(line(0)));
    let receipt = counter.send(request).await.unwrap().json();

    let changed = line(0).replace("mario@", "other@");
    let file = format!("{}\n{}\n{changed}\nnonsense", line(0), line(1));
    clerk.open(&clerk.at("/upload")).await;
    let check = clerk.at("/upload/iscro");
    clerk.post_file(&check, "clients.ndjson", file.as_bytes()).await;
    clerk.shows("<tr><th scope=\"row\">4</th><td>-</td><td>The document is not valid JSON. Character 2.</td></tr>");
    clerk.submit_checked(&clerk.at("/upload/iscro/run")).await;
    let rows = told(&clerk.html);
    let outcomes: Vec<_> = rows.iter().map(|(_, outcome, _)| &**outcome).collect();
    assert_eq!(outcomes, ["submitted before", "submitted", "not submitted", "not submitted"]);
    let code = receipt["receipt"].as_str().unwrap();
    assert!(rows[0].2.contains(code) && rows[2].2.contains(code), "{rows:?}");
    assert!(rows[2].2.contains("This person has already applied in this campaign"), "{rows:?}");
}

#[tokio::test]
async fn a_file_that_is_refused_says_exactly_why_in_both_languages() {
    let counter = with_clients(0, &[]).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let (first, _) = template(&mut clerk).await;
    let missing = first.replacen("mandate,", "reference,", 1) + "\r\nx";
    let many = first.clone() + &"\r\nx".repeat(5_001);
    let large = vec![b'x'; 2 * 1024 * 1024 + 1];
    let huge = vec![b'x'; 4 * 1024 * 1024];
    for (name, content, status, english, italian) in [
        ("", &b""[..], 422, "Choose a file.", "Scegli un file."),
        (
            "clients.xlsx",
            b"PK",
            415,
            "The file must be CSV or NDJSON. From a spreadsheet, save it as &#34;CSV UTF-8&#34;.",
            "Il file deve essere CSV o NDJSON. Da un foglio di calcolo salvalo come &#34;CSV UTF-8&#34;.",
        ),
        (
            "clients.csv",
            &large,
            413,
            "The file is larger than 2 MB: divide it into several files.",
            "Il file supera 2 MB: dividilo in più file.",
        ),
        (
            "clients.csv",
            &huge,
            413,
            "The file is larger than 2 MB: divide it into several files.",
            "Il file supera 2 MB: dividilo in più file.",
        ),
        (
            "clients.csv",
            many.as_bytes(),
            422,
            "The file has more than 5000 rows: divide it into several files.",
            "Il file ha più di 5000 righe: dividilo in più file.",
        ),
        (
            "clients.csv",
            b"",
            422,
            "The file is empty: below the first row there must be at least one application.",
            "Il file è vuoto: sotto la prima riga serve almeno una domanda.",
        ),
        (
            "clients.csv",
            missing.as_bytes(),
            422,
            "The first row is not that of this scheme&#39;s template. Columns are missing: mandate. \
             Columns that are unknown or there twice: reference.",
            "La prima riga non è quella del modello di questa prestazione. Mancano le colonne: mandate. \
             Colonne sconosciute o ripetute: reference.",
        ),
    ] {
        for (language, text) in [("en", english), ("it", italian)] {
            for rest in ["/upload/iscro", "/upload/iscro/run"] {
                clerk.open(&clerk.at("/upload")).await;
                let path = clerk.at(rest).replace("/en/", &format!("/{language}/"));
                let answer = clerk.post_file(&path, name, content).await;
                assert_eq!(answer.status, status, "{name} {text}");
                clerk.shows(&format!("<li><a href=\"#file-iscro\">{text}</a></li>"));
                clerk.shows(&format!("</span>{text}</p>"));
                clerk.shows("aria-invalid=\"true\"");
            }
        }
    }
}

#[tokio::test]
async fn rows_appear_while_the_file_is_submitted_and_a_broken_page_is_continued_by_the_same_file() {
    // Two rows at once, then one in a third of a second.
    let slowly = [
        ("SPORTELLO_LIMITS_LINE_BY_PERSON_PER_SECOND", "3"),
        ("SPORTELLO_LIMITS_LINE_BY_PERSON_BURST", "2"),
    ];
    let counter = with_clients(8, &slowly).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let (first, example) = template(&mut clerk).await;
    let rows: Vec<_> = (0..8).map(|n| row(&example, n)).collect();
    let file = format!("{first}\n{}", rows.join("\n"));
    clerk.open(&clerk.at("/upload")).await;
    let run = clerk.at("/upload/iscro/run");
    let body = with_file(&clerk.hidden("form"), "clients.csv", file.as_bytes());
    let request = Request::post(format!("{}{run}", counter.public))
        .header("cookie", format!("__Host-session={}", clerk.token()))
        .header("origin", &counter.public)
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(Full::<bytes::Bytes>::from(body))
        .unwrap();
    let mut page = counter.http2_client().request(request).await.unwrap().into_body();
    let mut seen = String::new();
    while seen.matches("submitted</td>").count() < 2 {
        let piece = page.frame().await.unwrap().unwrap().into_data().unwrap();
        seen.push_str(std::str::from_utf8(&piece).unwrap());
    }
    assert!(!seen.contains("</html>"), "the page has ended");
    let second = clerk.post_file(&run, "clients.csv", file.as_bytes()).await;
    assert_eq!((second.status.as_u16(), clerk.heading()), (409, "Another batch is under way"));
    // The browser goes away in the middle.
    drop(page);
    let so_far = until("the submission has ended", async || {
        clerk.open(&clerk.at("/upload")).await;
        let check = clerk.at("/upload/iscro");
        let answer = clerk.post_file(&check, "clients.csv", file.as_bytes()).await;
        (answer.status == 200).then_some(accepted(&counter).await)
    })
    .await;
    assert!((2..8).contains(&so_far), "{so_far}");
    clerk.submit_checked(&run).await;
    let outcomes: Vec<_> = told(&clerk.html).into_iter().map(|(_, outcome, _)| outcome).collect();
    let before = usize::try_from(so_far).unwrap();
    assert!(outcomes[..before].iter().all(|outcome| outcome == "submitted before"), "{outcomes:?}");
    assert!(outcomes[before..].iter().all(|outcome| outcome == "submitted"), "{outcomes:?}");
    assert_eq!((outcomes.len(), accepted(&counter).await), (8, 8));
}

#[tokio::test]
async fn a_submission_ends_with_its_visit_and_says_so() {
    let slowly = [
        ("SPORTELLO_LIMITS_LINE_BY_PERSON_PER_SECOND", "3"),
        ("SPORTELLO_LIMITS_LINE_BY_PERSON_BURST", "1"),
    ];
    let counter = with_clients(6, &slowly).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let (first, example) = template(&mut clerk).await;
    let rows: Vec<_> = (0..6).map(|n| row(&example, n)).collect();
    clerk.open(&clerk.at("/upload")).await;
    let run = clerk.at("/upload/iscro/run");
    let file = format!("{first}\n{}", rows.join("\n"));
    let body = with_file(&clerk.hidden("form"), "clients.csv", file.as_bytes());
    let origin = [("origin", &*counter.public)];
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        clerk
            .send("POST", &clerk.at("/signout"), &origin, &format!("form={}", clerk.hidden("form")))
            .await
    };
    let (answer, left) = tokio::join!(clerk.send_file(&run, &origin, body), leaving);
    assert_eq!(left.status, 303);
    let html = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(html.contains("Not all rows were read.</strong> The visit has ended."), "{html}");
    assert!((1..6).contains(&told(&html).len()) && html.trim_end().ends_with("</html>"));
}

#[tokio::test]
async fn files_are_for_offices_and_come_from_their_own_pages() {
    let always = "00:00-00:00";
    let settings =
        [("SPORTELLO_SCHEDULE_CITIZENS", always), ("SPORTELLO_SCHEDULE_INTERMEDIARIES", always)];
    let counter = with_clients(1, &settings).await;
    let mut clerk = Browser::signed_in(&counter, "intermediary").await;
    let (first, example) = template(&mut clerk).await;
    let file = format!("{first}\n{}", row(&example, 0));
    clerk.open(&clerk.at("/upload")).await;
    let (own, origin) = (clerk.hidden("form"), counter.public.clone());
    let mut citizen = Browser::signed_in(&counter, "granted").await;
    let mut other = Browser::of(&counter, &counter.intermediary(5).await);
    other.open(&other.at("/upload")).await;
    let foreign = other.hidden("form");
    for rest in ["/upload/iscro", "/upload/iscro/run"] {
        let path = clerk.at(rest);
        for (token, headers) in [
            (&*own, &[][..]),
            (&own, &[("origin", "https://elsewhere.example")]),
            (&own, &[("sec-fetch-site", "cross-site")]),
            (&foreign, &[("origin", &*origin)]),
            ("", &[("origin", &*origin)]),
        ] {
            let body = with_file(token, "clients.csv", file.as_bytes());
            let refused = clerk.send_file(&path, headers, body).await;
            assert_eq!(refused.status, 403, "{rest} {headers:?}");
        }
        let wrong = clerk.send("POST", &path, &[("origin", &origin)], &format!("form={own}")).await;
        assert_eq!(wrong.status, 415);
        for stranger in [&mut citizen, &mut other] {
            let body = || with_file(&own, "clients.csv", file.as_bytes());
            let refused = stranger.send_file(&path, &[("origin", &origin)], body()).await;
            assert_eq!(refused.status, 404);
        }
        let body = with_file(&citizen.hidden("form"), "clients.csv", file.as_bytes());
        let refused = citizen.send_file(&citizen.at(rest), &[("origin", &origin)], body).await;
        assert_eq!(refused.status, 404);
    }
    for rest in ["/upload", "/upload/iscro/template"] {
        let path = citizen.at(rest);
        assert_eq!(citizen.open(&path).await.status, 404);
    }
    let path = clerk.at("/upload/nothing/template");
    assert_eq!(clerk.open(&path).await.status, 404);
    assert_eq!(accepted(&counter).await, 0);

    // Another office submits nothing under this one's mandate.
    other.open(&other.at("/upload")).await;
    other.post_file(&other.at("/upload/iscro"), "clients.csv", file.as_bytes()).await;
    other.shows("<td><code>mandate</code></td><td>Today your office has no mandate");
    assert!(!other.html.contains("name=\"kept\""), "nothing can be submitted");
    other.open(&other.at("/upload")).await;
    other.post_file(&other.at("/upload/iscro/run"), "clients.csv", file.as_bytes()).await;
    assert_eq!(told(&other.html)[0].1, "not submitted");
    assert_eq!(accepted(&counter).await, 0);
}
