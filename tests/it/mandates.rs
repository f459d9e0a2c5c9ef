//! Mandates: what an office may do and see for a person, and until when.

use std::fs;

use hyper::StatusCode;
use serde_json::{Value, json};
use sportello::civic::FiscalCode;

use crate::harness::{
    Answer, Counter, OFFICE, Visitor, entrusted, finished, location, mandate, mandates_of, program,
    until,
};

/// Both audiences may enter at any time.
const ALL_DAY: [(&str, &str); 2] = [
    ("SPORTELLO_SCHEDULE_CITIZENS", "00:00-00:00"),
    ("SPORTELLO_SCHEDULE_INTERMEDIARIES", "00:00-00:00"),
];
const EVENING: &str = crate::harness::EVENING;

/// The line of a registry: the n-th made-up person's mandate for [`OFFICE`], with one member changed.
fn changed(n: u64, member: &str, value: impl Into<Value>) -> String {
    let mut line: Value = serde_json::from_str(&mandates_of(OFFICE, [n])).unwrap();
    line["reference"] = format!("changed-{n}").into();
    line[member] = value.into();
    line.to_string() + "\n"
}

/// The answer to a batch of one line.
async fn batch(counter: &Counter, office: &Visitor<'_>, line: &str) -> Value {
    let request = hyper::Request::post(format!("{}{}", counter.public, office.path("/batches")))
        .header("authorization", format!("Bearer {}", office.token))
        .header("content-type", "application/x-ndjson")
        .body((line.to_owned() + "\n").into())
        .unwrap();
    counter.send(request).await.unwrap().json()
}

/// Asserts that an office may do nothing for the n-th made-up person under a mandate, and sees no draft under it.
async fn may_nothing(counter: &Counter, office: &Visitor<'_>, n: u64, mandate: &str, why: &str) {
    let body = entrusted(n, mandate);
    let draft = format!("/drafts/iscro/{mandate}");
    for refused in [
        office.post("/estimates", &body).await,
        office.submit(&format!("{n} {mandate}"), &body).await,
        office.put(&draft, "{}").await,
    ] {
        assert_eq!((refused.status.as_u16(), &*refused.problem()), (403, "no-mandate"), "{why}");
    }
    assert_eq!(batch(counter, office, &body).await["type"], "urn:sportello:problem:no-mandate");
    office.get(&draft).await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_mandate_covers_one_office_one_person_one_campaign_and_its_days() {
    let counter = Counter::open_with(&ALL_DAY);
    let lines = [
        changed(301, "expiresOn", "2024-09-15"),
        changed(302, "signedOn", "2024-09-17"),
        changed(303, "revokedOn", "2024-09-16"),
        changed(304, "year", 2025),
        changed(305, "scheme", "allowance600"),
        mandates_of("patronato-2", [306]),
        changed(307, "expiresOn", "2024-09-16"),
        changed(308, "revokedOn", "2024-09-17"),
    ];
    counter.entrust(&lines.concat()).await;
    let office = counter.intermediary(9).await;
    may_nothing(&counter, &office, 1, "made-up", "no mandate has this reference").await;
    may_nothing(&counter, &office, 300, &mandate(300), "this person gave none").await;
    for (n, why) in
        [(301, "expired"), (302, "not signed yet"), (303, "revoked"), (305, "another scheme")]
    {
        may_nothing(&counter, &office, n, &format!("changed-{n}"), why).await;
    }
    may_nothing(&counter, &office, 306, "patronato-2-iscro-2024-306", "another office's").await;
    // Of another person or campaign: nothing is filed, though a draft may be kept under it.
    for (n, named) in [(1, mandate(2)), (304, "changed-304".to_owned())] {
        let body = entrusted(n, &named);
        office.post("/estimates", &body).await.assert_problem(403, "no-mandate");
        office.submit(&named, &body).await.assert_problem(403, "no-mandate");
        let line = batch(&counter, &office, &body).await;
        assert_eq!(line["type"], "urn:sportello:problem:no-mandate");
    }
    for path in ["/drafts/iscro", "/drafts/allowance600/patronato-1-iscro-2024-1"] {
        office.put(path, "{}").await.assert_problem(403, "no-mandate");
        office.get(path).await.assert_problem(404, "not-found");
    }
    assert_eq!(counter.metric("sportello_applications_accepted_total", &[]).await, 0);
    // Its last day, and the day before its revocation.
    for n in [307, 308] {
        let body = entrusted(n, &format!("changed-{n}"));
        let taken = office.submit(&n.to_string(), &body).await;
        assert_eq!(taken.status, StatusCode::CREATED, "{taken:?}");
    }
}

/// What an office asks about the first made-up person: the application, its withdrawal, the draft.
async fn asked(office: &Visitor<'_>, place: &str) -> [Answer; 3] {
    let draft = format!("/drafts/iscro/{}", mandate(1));
    [office.get(place).await, office.get(&draft).await, office.delete(place).await]
}

#[tokio::test]
async fn what_an_office_sees_ends_with_the_persons_revocation_for_good() {
    let mut counter = Counter::open_with(&ALL_DAY);
    let data = counter.data();
    let code = FiscalCode::made_up(1);
    let citizen = counter.citizen(1).await;
    let office = counter.intermediary(9).await;
    let draft = format!("/drafts/iscro/{}", mandate(1));
    let body = entrusted(1, &mandate(1));
    let receipt = office.submit("key", &body).await.json();
    let place = location(&receipt);
    office.decided(&place).await;
    assert_eq!(office.put(&draft, "{\"step\":1}").await.status, StatusCode::NO_CONTENT);
    // Another person's, right after it: an event of its own.
    let neighbours = format!("/drafts/iscro/{}", mandate(2));
    assert_eq!(office.put(&neighbours, "{}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(office.get(&draft).await.status, StatusCode::OK);
    assert_eq!(citizen.get(&place).await.status, StatusCode::OK, "a citizen needs no mandate");

    let named = format!("/mandates/{}", mandate(1));
    office.delete(&named).await.assert_problem(403, "not-grantor");
    counter.citizen(2).await.delete(&named).await.assert_problem(404, "not-found");
    assert_eq!(office.get(&place).await.status, StatusCode::OK);
    for _ in 0..2 {
        assert_eq!(citizen.delete(&named).await.status, StatusCode::NO_CONTENT);
    }
    let shown = citizen.get(&named).await.json();
    assert_eq!((&shown["revokedOn"], &shown["holds"]), (&json!("2024-09-16"), &json!(false)));
    let nothing = office.get("/applications/ISCRO-2024-0000-0000-0000-0000").await;
    for answer in asked(&office, &place).await {
        assert_eq!(answer.status, nothing.status);
        assert_eq!(answer.without_id(), nothing.without_id());
    }
    may_nothing(&counter, &office, 1, &mandate(1), "revoked").await;
    assert_eq!(citizen.get(&place).await.json()["state"], "decided");
    // Its writer may still delete what they no longer see.
    assert_eq!(office.delete(&draft).await.status, StatusCode::NO_CONTENT);

    // The registry may say what it likes: it lists the mandate still, and once more.
    counter.entrust(&mandates_of(OFFICE, [1])).await;
    office.get(&place).await.assert_problem(404, "not-found");
    let backups = tempfile::tempdir().unwrap();
    done(&["backup", "--to", backups.path().to_str().unwrap()], &data);
    counter.stop();
    assert!(done(&["verify"], &data).contains("revocations of mandates: 1"));
    let trail = done(&["audit", "--fiscal-code", code.as_str()], &data);
    assert_eq!(trail.matches("revocation-asked").count(), 2, "{trail}");
    assert!(trail.contains("draft-saved") && trail.contains(OFFICE), "{trail}");
    let neighbour = FiscalCode::made_up(2);
    let trail = done(&["audit", "--fiscal-code", neighbour.as_str()], &data);
    assert!(trail.contains("draft-saved") && trail.contains(OFFICE), "{trail}");

    let mut counter = counter.reopen_with(EVENING, &ALL_DAY);
    let office = counter.intermediary(9).await;
    office.get(&place).await.assert_problem(404, "not-found");
    counter.stop();
    // Everything but the copy, the key and the institute's file is lost.
    fs::remove_dir_all(data.join("ledger")).unwrap();
    let key = data.join("ledger.key");
    let from = backups.path().to_str().unwrap();
    done(&["restore", "--from", from, "--key", key.to_str().unwrap()], &data);
    let counter = counter.reopen_with(EVENING, &ALL_DAY);
    counter.intermediary(9).await.get(&place).await.assert_problem(404, "not-found");
    let citizen = counter.citizen(1).await;
    assert_eq!(citizen.get(&place).await.status, StatusCode::OK);
    assert_eq!(citizen.get(&named).await.json()["revokedOn"], "2024-09-16");

    // A mandate signed anew, with a reference of its own, opens it again to the office that filed it.
    counter.entrust(&changed(1, "signedOn", "2024-09-16")).await;
    let office = counter.intermediary(9).await;
    assert_eq!(office.get(&place).await.status, StatusCode::OK);
}

fn done(arguments: &[&str], data: &std::path::Path) -> String {
    let (code, out, complaint) = finished(program().args(arguments).arg("--data").arg(data));
    assert_eq!(code, Some(0), "{arguments:?}: {out}{complaint}");
    out
}

#[tokio::test]
async fn the_registry_is_reloaded_without_a_stop_and_a_broken_one_changes_nothing() {
    let counter = Counter::open_with(&ALL_DAY);
    let office = counter.intermediary(9).await;
    let place = location(&office.submit("key", &entrusted(1, &mandate(1))).await.json());
    let file = counter.data().join("mandates.ndjson");
    let all = fs::read_to_string(&file).unwrap();
    assert_eq!(counter.metric("sportello_mandates", &[]).await, 200);

    // A broken line, by its number; the old mandates stay.
    let wrong = mandates_of(OFFICE, [250]).replace("\"iscro\"", "\"other\"");
    fs::write(&file, all.clone() + &wrong).unwrap();
    until("the fault is logged", async || {
        counter.log().contains("line 201: scheme is unknown").then_some(())
    })
    .await;
    assert_eq!(office.get(&place).await.status, StatusCode::OK);
    assert!(!counter.log().contains(FiscalCode::made_up(250).as_str()));

    // Half a line is left out until it is whole; no signal is needed.
    let line = mandates_of(OFFICE, [250]);
    let (half, rest) = line.split_at(100);
    fs::write(&file, all.clone() + half).unwrap();
    until("the unfinished line is logged", async || {
        counter.log().contains("unfinished").then_some(())
    })
    .await;
    let body = entrusted(250, &mandate(250));
    office.submit("half", &body).await.assert_problem(403, "no-mandate");
    fs::write(&file, all.clone() + half + rest).unwrap();
    let accepted = until("the line is taken", async || {
        let answer = office.submit("whole", &body).await;
        (answer.status == StatusCode::CREATED).then_some(answer)
    })
    .await;
    assert_eq!(office.get(&location(&accepted.json())).await.status, StatusCode::OK);

    // A mandate that is taken out, and one that is revoked by a later line.
    let without: String = all.lines().skip(2).map(|line| line.to_owned() + "\n").collect();
    counter.replace_mandates(&without).await;
    office.get(&place).await.assert_problem(404, "not-found");
    counter.replace_mandates(&all).await;
    assert_eq!(office.get(&place).await.status, StatusCode::OK);
    let revoked =
        mandates_of(OFFICE, [1]).replace("\"revokedOn\":null", "\"revokedOn\":\"2024-09-01\"");
    counter.entrust(&revoked).await;
    office.get(&place).await.assert_problem(404, "not-found");
    counter.citizen(1).await.get(&place).await.json();
}

#[tokio::test]
async fn each_sees_their_own_mandates_page_by_page() {
    let counter = Counter::open_with(&ALL_DAY);
    counter.entrust(&(mandates_of("patronato-2", [7]) + &changed(7, "year", 2025))).await;
    let citizen = counter.citizen(7).await;
    let references = |answer: &Answer| -> Vec<String> {
        let json = answer.json();
        let mandates = json["mandates"].as_array().unwrap().iter();
        mandates.map(|one| one["reference"].as_str().unwrap().to_owned()).collect()
    };
    let mine = citizen.get("/mandates").await;
    let expected = ["changed-7", "patronato-1-iscro-2024-7", "patronato-2-iscro-2024-7"];
    assert_eq!(references(&mine), expected);
    assert_eq!(mine.json()["next"], Value::Null);
    assert_eq!(
        mine.json()["mandates"][2],
        json!({
            "reference": "patronato-2-iscro-2024-7", "office": "patronato-2", "scheme": "iscro", "year": 2024,
            "signedOn": "2024-01-01", "expiresOn": "2025-12-31", "revokedOn": null, "byTelephone": false, "holds": true,
        })
    );
    let rest = citizen.get("/mandates/after/changed-7").await;
    assert_eq!(references(&rest), expected[1..]);
    let one = citizen.get("/mandates/patronato%2D2-iscro-2024-7").await.json();
    assert_eq!(one, mine.json()["mandates"][2]);
    for unknown in ["/mandates/nothing", &format!("/mandates/{}", mandate(8)), "/mandates/%20"] {
        citizen.get(unknown).await.assert_problem(404, "not-found");
        citizen.delete(unknown).await.assert_problem(404, "not-found");
    }

    let office = counter.intermediary(9).await;
    let (mut found, mut path) = (Vec::new(), "/mandates".to_owned());
    let pages = loop {
        let page = office.get(&path).await;
        assert!(!String::from_utf8_lossy(&page.body).contains(citizen.code.as_str()));
        found.push(references(&page));
        match page.json()["next"].as_str() {
            Some(next) => path = format!("/mandates/after/{next}"),
            None => break found,
        }
    };
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 1]);
    let mut all: Vec<_> = (0..200).map(mandate).chain(["changed-7".to_owned()]).collect();
    all.sort();
    assert_eq!(pages.concat(), all);
    office.get("/mandates/patronato-2-iscro-2024-7").await.assert_problem(404, "not-found");
    assert_eq!(office.get(&format!("/mandates/{}", mandate(7))).await.status, StatusCode::OK);
    assert_eq!(counter.metric("sportello_crossover_blocked_total", &[]).await, 0);
}

#[tokio::test]
async fn an_office_is_shown_no_figure_that_only_the_institute_knows() {
    let directory = tempfile::tempdir().unwrap();
    let registry = directory.path().join("registry.csv");
    let person = FiscalCode::made_up(1);
    let text = format!(
        "fiscalCode,contributionsRegular,2021,2022,2023\n{},true,7123.45,7234.56,3123.45\nend,1\n",
        person.as_str()
    );
    fs::write(&registry, text).unwrap();
    let mut settings = ALL_DAY.to_vec();
    settings.push(("SPORTELLO_REGISTRY_FILE", registry.to_str().unwrap()));
    let counter = Counter::open_with(&settings);
    let office = counter.intermediary(9).await;
    let body = entrusted(1, &mandate(1));
    let place = location(&office.submit("key", &body).await.json());
    let seen = office.decided(&place).await;
    let own = counter.citizen(1).await.get(&place).await.json();
    let figures = |application: &Value| -> Vec<(String, Value, Value)> {
        let grounds = application["decision"]["grounds"].as_array().unwrap().iter();
        grounds
            .map(|ground| {
                let name = ground["requirement"].as_str().unwrap().to_owned();
                (name, ground["found"].clone(), ground["required"].clone())
            })
            .collect()
    };
    let withheld = figures(&seen);
    let drop = &withheld[4];
    assert_eq!((&*drop.0, &drop.1, &drop.2), ("income-drop", &Value::Null, &Value::Null));
    assert_eq!((&*withheld[5].0, &withheld[5].1), ("income-ceiling", &Value::Null));
    assert_eq!(figures(&own)[4].1, "3123.45");
    for member in ["outcome", "monthlyAmount", "parameters"] {
        assert_eq!(seen["decision"][member], own["decision"][member]);
    }
    assert_eq!(withheld[6..], figures(&own)[6..], "the office stated these itself");
    assert_eq!(seen["application"], own["application"]);
    for secret in ["3123.45", "7123.45", "7234.56"] {
        assert!(!seen.to_string().contains(secret));
    }
}

#[tokio::test]
async fn a_person_sees_every_filing_in_their_name_and_who_was_shown_it() {
    let counter = Counter::open_with(&ALL_DAY);
    let office = counter.intermediary(9).await;
    let citizen = counter.citizen(1).await;
    let neighbour = counter.citizen(2).await;
    let own = neighbour.apply("own").await;
    let receipt = office.submit("key", &entrusted(1, &mandate(1))).await.json();
    let place = location(&receipt);
    office.decided(&place).await;

    let listed = citizen.get("/applications").await.json();
    assert_eq!(
        listed,
        json!({ "applications": [{
            "receipt": receipt["receipt"], "state": "decided", "outcome": "granted", "receivedOn": "2024-09-16",
            "channel": "intermediary", "office": OFFICE,
        }], "next": null })
    );
    neighbour.decided(&own).await;
    let theirs = neighbour.get("/applications").await.json();
    assert_eq!(location(&theirs["applications"][0]), own);
    assert_eq!(theirs["applications"].as_array().unwrap().len(), 1);
    assert_eq!(theirs["applications"][0]["office"], Value::Null);
    assert_eq!(
        counter.citizen(3).await.get("/applications").await.json()["applications"],
        json!([])
    );
    office.get("/disclosures").await.assert_problem(404, "not-found");

    let shown = citizen.get("/disclosures").await;
    let clerk = office.code.as_str();
    assert!(!String::from_utf8_lossy(&shown.body).contains(clerk), "never a clerk's name");
    let json = shown.json();
    let done: Vec<_> = json["disclosures"].as_array().unwrap().iter().collect();
    let of = |what: &str| {
        let found: Vec<_> = done.iter().filter(|one| one["what"] == what).collect();
        assert_eq!(found.len(), 1, "{what}: {json}");
        (found[0]["by"].as_str().unwrap(), found[0]["office"].as_str(), &found[0]["receipt"])
    };
    let number = &receipt["receipt"];
    assert_eq!(of("application-received"), ("office", Some(OFFICE), number));
    assert_eq!(of("application-shown"), ("office", Some(OFFICE), number));
    assert_eq!(of("decided-granted"), ("institute", None, number));
    assert_eq!(of("applications-listed"), ("yourself", None, &Value::Null));
    assert_eq!(json["next"], Value::Null);
    citizen.get("/disclosures").await.assert_problem(429, "too-many-requests");
    counter
        .citizen(1)
        .await
        .get("/disclosures/after/3")
        .await
        .assert_problem(429, "too-many-requests");
    let rest = neighbour.get("/disclosures/after/1").await.json();
    assert!(!rest.to_string().contains(number.as_str().unwrap()));
    assert!(rest["disclosures"].as_array().unwrap().iter().all(|one| one["what"] != "entered"));
    neighbour.get("/disclosures/after/%31").await.assert_problem(404, "not-found");

    // Withdrawn, it is listed as such.
    assert_eq!(citizen.delete(&place).await.status, StatusCode::NO_CONTENT);
    let listed = until("a second has passed", async || {
        let answer = citizen.get("/applications").await;
        (answer.status == StatusCode::OK).then(|| answer.json())
    })
    .await;
    assert_eq!(listed["applications"][0]["state"], "withdrawn");
}
