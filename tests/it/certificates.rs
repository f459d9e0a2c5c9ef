//! Client certificates of cards and of offices' systems, on the listener that requires them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyUsagePurpose};
use rustls::HandshakeKind;
use sportello::{civic::FiscalCode, clock::Clock};

use crate::{
    audit::audit,
    authority::{
        Authority, CIE, CNS, Card, Connection, DAY, LATEST, OLDER, card, in_seconds, named,
        with_policy,
    },
    harness::{Answer, Counter, EVENING, MORNING, OFFICE, finished, new_session, program, until},
};

/// Files of a place that accepts the certificates of some authorities.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("lists")).unwrap();
        fs::write(directory.path().join("offices"), "").unwrap();
        Self { directory }
    }

    /// One that trusts a single authority, which has revoked nothing.
    fn with_root() -> (Self, Authority) {
        let (place, root) = (Self::new(), Authority::root("Root"));
        place.write("roots.pem", &root.pem());
        place.write("lists/root.crl", &root.revoking(&[], DAY));
        (place, root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Replaces a file, as an operator would.
    fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn open(&self, now: &str, more: &[(&str, &str)]) -> Counter {
        let [roots, lists, offices] = ["roots.pem", "lists", "offices"].map(|name| self.path(name));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (roots, lists, offices) = (text(&roots), text(&lists), text(&offices));
        let settings = [
            ("SPORTELLO_SERVER_LISTEN_CERTIFICATES", "127.0.0.1:0"),
            ("SPORTELLO_CERTIFICATES_ROOTS", &*roots),
            ("SPORTELLO_CERTIFICATES_CRLS", &*lists),
            ("SPORTELLO_CERTIFICATES_OFFICES", &*offices),
        ];
        Counter::open_at_with(now, &[&settings, more].concat())
    }
}

/// The address of the listener that requires certificates.
pub(crate) async fn address(counter: &Counter) -> String {
    until("the address is logged", async || {
        let log = counter.log();
        let line = log.lines().find(|it| it.contains("may enter here with their certificate"))?;
        let (_, rest) = line.split_once("address=")?;
        rest.split_whitespace().next().map(ToOwned::to_owned)
    })
    .await
}

/// What becomes of a card whose holder asks to enter: the status, and the problem if there is one.
async fn outcome(counter: &Counter, card: &Card) -> String {
    match card.connect(counter, &address(counter).await, LATEST).await {
        Ok(mut connection) => described(&connection.enter(&[]).await),
        Err(_) => "refused".to_owned(),
    }
}

fn described(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        status.to_string()
    } else {
        format!("{status} {}", answer.problem())
    }
}

/// A certificate of the n-th made-up person, changed.
fn changed(n: u64, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = card(&FiscalCode::made_up(n));
    change(&mut params);
    params
}

/// Cards of an authority by what is good or wrong about them, and what becomes of them.
fn cards_of(authority: &Authority) -> Vec<(&'static str, Card, &'static str)> {
    const NO: &str = "403 certificate-refused";
    let code = FiscalCode::made_up(1);
    let wrong_letter = if code.as_str().ends_with('A') { 'B' } else { 'A' };
    let wrong = format!("{}{wrong_letter}/743.hash", &code.as_str()[..15]);
    let policy = |policy: &'static [u64]| changed(1, |params| with_policy(params, policy));
    let usages = |usages: &'static [KeyUsagePurpose]| {
        changed(1, |params| params.key_usages = usages.to_vec())
    };
    let twice = changed(1, |params| {
        let name = format!("{}/743.hash", FiscalCode::made_up(2).as_str());
        params.distinguished_name.push(rcgen::DnType::CustomDnType(vec![2, 5, 4, 3]), name);
    });
    let called = |name: &str| {
        let mut params = named(name);
        with_policy(&mut params, CNS);
        params
    };
    let all = [
        ("a CNS", policy(CNS), "201"),
        ("a CIE", policy(CIE), "201"),
        ("an older CNS", policy(&[1, 3, 76, 12, 1, 1, 10, 2, 2, 10]), "201"),
        ("another old CNS", policy(&[1, 3, 159, 6, 1, 3, 2, 10]), "201"),
        ("expired", changed(1, |params| params.not_after = in_seconds!(-1)), "refused"),
        ("not yet valid", changed(1, |params| params.not_before = in_seconds!(600)), "refused"),
        ("another policy", policy(&[1, 3, 76, 16, 2, 2]), NO),
        ("no policy", changed(1, |params| params.custom_extensions.clear()), NO),
        ("a signature", usages(&[KeyUsagePurpose::ContentCommitment]), NO),
        (
            "a signature, too",
            usages(&[KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment]),
            NO,
        ),
        ("another key usage", usages(&[KeyUsagePurpose::KeyAgreement]), NO),
        ("no key usage", usages(&[]), NO),
        ("no purpose", changed(1, |params| params.extended_key_usages.clear()), NO),
        (
            "a server",
            changed(1, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
            "refused",
        ),
        ("no card in the name", called(code.as_str()), NO),
        ("no hash in the name", called(&format!("{}/743", code.as_str())), NO),
        ("a wrong check letter", called(&wrong), NO),
        ("two names", twice, NO),
    ];
    all.into_iter()
        .map(|(what, params, expected)| (what, authority.issue(&params), expected))
        .collect()
}

#[tokio::test]
async fn a_good_card_enters_and_each_bad_one_is_refused() {
    let place = Place::new();
    let root = Authority::root("Root");
    let mut cards = cards_of(&root);
    let stranger = Authority::root("Stranger");
    cards.push(("of a stranger", stranger.card(1), "refused"));
    cards.push(("of an impostor", Authority::root("Root").card(1), "refused"));
    cards.push(("self-signed", Card::self_signed(&card(&FiscalCode::made_up(1))), "refused"));
    let revoked = root.card(1);
    place.write("lists/root.crl", &root.revoking(&[&revoked], DAY));
    cards.push(("revoked", revoked, "refused"));
    // Five authorities below the root are as many as there may be.
    let mut authority = root.below("Authority 1");
    place.write("lists/1.crl", &authority.revoking(&[], DAY));
    for number in 2..=6 {
        authority = authority.below(&format!("Authority {number}"));
        place.write(&format!("lists/{number}.crl"), &authority.revoking(&[], DAY));
        if number == 5 {
            cards.push(("of the fifth authority", authority.card(1), "201"));
        }
    }
    cards.push(("of the sixth authority", authority.card(1), "refused"));
    // Nothing says whether it is revoked; or the list that says so is old.
    let silent = root.below("Silent");
    cards.push(("without a list", silent.card(1), "refused"));
    let late = root.below("Late");
    place.write("lists/late.pem", &late.revoking(&[], -1));
    cards.push(("with an old list", late.card(1), "refused"));
    place.write("lists/unfinished.crl.new", "not read");
    place.write("roots.pem", &root.pem());

    let counter = place.open(EVENING, &[]);
    for (what, card, expected) in &cards {
        assert_eq!(outcome(&counter, card).await, *expected, "{what}");
    }
    let refused = async |reason: &str| {
        let reason = format!("reason=\"{reason}\"");
        counter.metric("sportello_certificates_refused_total", &[&reason]).await
    };
    assert_eq!(refused("revoked").await, 1);
    assert_eq!(refused("revocation-unknown").await, 2);
    assert_eq!(refused("expired").await, 1);
    assert_eq!(refused("policy").await, 2);
    drop(counter);

    let accepted = [("SPORTELLO_CERTIFICATES_UNKNOWN_REVOCATION_ACCEPTED", "true")];
    let counter = place.open(EVENING, &accepted);
    for (what, card, expected) in &cards {
        let is_known = !matches!(*what, "without a list" | "with an old list");
        let expected = if is_known { expected } else { "201" };
        assert_eq!(outcome(&counter, card).await, expected, "{what}");
    }
}

#[tokio::test]
async fn tls_1_2_works_where_certificates_are_required_and_nowhere_else() {
    let (place, root) = Place::with_root();
    let counter = place.open(EVENING, &[]);
    let (address, card) = (address(&counter).await, root.card(1));
    for version in [OLDER, LATEST] {
        let mut connection = card.connect(&counter, &address, version).await.unwrap();
        assert_eq!(connection.version, version.version);
        assert_eq!(connection.enter(&[]).await.status, 201);
        assert!(Connection::anonymous(&counter, &address, version).await.is_err());
        let public = Connection::anonymous(&counter, counter.address(), version).await;
        assert_eq!(public.is_ok(), version.version == LATEST.version, "{:?}", version.version);
    }
}

#[tokio::test]
async fn no_session_is_resumed_with_a_card() {
    let (place, root) = Place::with_root();
    let counter = place.open(EVENING, &[]);
    let (address, card) = (address(&counter).await, root.card(1));
    for version in [OLDER, LATEST] {
        let client = card.client(&counter, version);
        for _ in 0..2 {
            let connection = card.connect_by(&client, &address).await.unwrap();
            assert_eq!(connection.handshake, HandshakeKind::Full, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_new_list_refuses_a_card_that_entered_before_and_disturbs_nobody_else() {
    let (place, root) = Place::with_root();
    let counter = place.open(EVENING, &[]);
    let address = address(&counter).await;
    let [lost, kept] = [1, 2].map(|n| root.card(n));
    let mut with_lost = lost.connect(&counter, &address, LATEST).await.unwrap();
    let mut with_kept = kept.connect(&counter, &address, LATEST).await.unwrap();
    assert_eq!(with_lost.enter(&[]).await.status, 201);
    let path = new_session();
    let entered = with_kept.ask("PUT", &path, &[], "").await.unwrap();
    let token = format!("Bearer {}", entered.json()["token"].as_str().unwrap());

    // What cannot be read changes nothing.
    place.write("lists/broken.crl", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    until("the fault is logged", async || {
        counter.log().contains("what was read before stays").then_some(())
    })
    .await;
    assert_eq!(with_lost.enter(&[]).await.status, 201);
    fs::remove_file(place.path("lists/broken.crl")).unwrap();

    place.write("lists/root.crl", &root.revoking(&[&lost], DAY));
    until("the card is refused", async || {
        lost.connect(&counter, &address, LATEST).await.is_err().then_some(())
    })
    .await;
    with_lost.enter(&[]).await.assert_problem(403, "certificate-refused");
    let mine = with_kept.ask("GET", &path, &[("authorization", &token)], "").await.unwrap();
    assert_eq!(mine.status, 200);
    assert_eq!(with_kept.enter(&[]).await.status, 201);
    assert!(kept.connect(&counter, &address, LATEST).await.is_ok());

    // A further authority is accepted without a restart, too.
    let new = Authority::root("New");
    let of_new = new.card(3);
    assert!(of_new.connect(&counter, &address, LATEST).await.is_err());
    place.write("lists/new.crl", &new.revoking(&[], DAY));
    place.write("roots.pem", &(root.pem() + &new.pem()));
    until("the authority is accepted", async || {
        of_new.connect(&counter, &address, LATEST).await.is_ok().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_system_enters_for_its_office_with_the_clerk_that_it_names() {
    let (place, root) = Place::with_root();
    let system = root.issue(&named("system.patronato.example.it"));
    let bytes = digest(&SHA256, &system.chain[0]);
    let hexadecimal: Vec<_> = bytes.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    let fingerprint = hexadecimal.join(":");
    place.write("offices", &format!("# systems\n{fingerprint} {OFFICE}\n"));
    let mut counter = place.open(MORNING, &[]);
    let address = address(&counter).await;
    let clerk = FiscalCode::made_up(7);
    let clerk = clerk.as_str();
    let mut connection = system.connect(&counter, &address, LATEST).await.unwrap();
    connection.enter(&[]).await.assert_problem(400, "clerk-missing");
    for wrong in [&[("clerk", "RSSMRA80A01H501X")][..], &[("clerk", clerk), ("clerk", clerk)]] {
        connection.enter(wrong).await.assert_problem(400, "clerk-missing");
    }
    let path = new_session();
    let entered = connection.ask("PUT", &path, &[("clerk", clerk)], "").await.unwrap();
    assert_eq!(
        (entered.status.as_u16(), &entered.json()["audience"]),
        (201, &"intermediaries".into())
    );
    // The session is as good on the public listener.
    let token = entered.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(counter.ask("GET", &path, &token, "").await.status, 200);
    // A system that is no office's is no card either.
    let unknown = root.issue(&named("other.patronato.example.it"));
    let mut other = unknown.connect(&counter, &address, LATEST).await.unwrap();
    other.enter(&[("clerk", clerk)]).await.assert_problem(403, "certificate-refused");
    // The office's line is taken away.
    place.write("offices", "");
    until("the system is refused", async || {
        let answer = connection.enter(&[("clerk", clerk)]).await;
        (answer.status == 403).then_some(())
    })
    .await;
    counter.stop();
    let trail = audit(&counter, &["--fiscal-code", clerk, "--by"]);
    assert!(
        trail.iter().any(|line| line["what"] == "entered"
            && line["by"] == clerk
            && line["office"] == OFFICE),
        "{trail:?}"
    );
}

#[tokio::test]
async fn a_session_ends_with_the_card_and_no_other_proof_is_mixed_up_with_it() {
    let (place, root) = Place::with_root();
    let counter = place.open(EVENING, &[]);
    let address = address(&counter).await;
    let ends_in = 300;
    let short = root.issue(&changed(1, |params| params.not_after = in_seconds!(ends_in)));
    let mut connection = short.connect(&counter, &address, LATEST).await.unwrap();
    let before = Clock::system().real();
    let path = new_session();
    let entered = connection.ask("PUT", &path, &[], "").await.unwrap();
    let json = entered.json();
    let expires: jiff::Timestamp = json["expiresAt"].as_str().unwrap().parse().unwrap();
    let start: jiff::Zoned = EVENING.parse().unwrap();
    let lasts = expires.duration_since(start.timestamp()).as_secs();
    assert!(lasts <= ends_in + 60 && lasts > 0, "{lasts} after {before}");
    // The token of somebody else is theirs; a broken one does not fall back to the card.
    let other = FiscalCode::made_up(2);
    let token = format!("Bearer {}", counter.mint(&other, &[]));
    let refused = connection.ask("PUT", &path, &[("authorization", &token)], "").await.unwrap();
    refused.assert_problem(409, "visit-taken");
    let theirs = connection.enter(&[("authorization", &token)]).await.json();
    assert_ne!(theirs["subject"], json["subject"]);
    for bad in ["Bearer no-token", "Basic YTpi", "Bearer"] {
        connection.enter(&[("authorization", bad)]).await.assert_problem(401, "unauthenticated");
    }
    // On the public listener there is no card.
    assert_eq!(counter.ask("PUT", &new_session(), "", "").await.status, 401);
}

#[tokio::test]
async fn who_waited_with_a_card_has_a_session_that_ends_with_it() {
    let (place, root) = Place::with_root();
    let settings = [("SPORTELLO_GATE_LEASES_MAX", "1"), ("SPORTELLO_WAITING_GATHER_SECONDS", "1")];
    let counter = place.open(EVENING, &settings);
    let (other, address) = (FiscalCode::made_up(2), address(&counter).await);
    let inside = counter.enter(other, &counter.mint(&other, &[])).await;
    let ends_in = 300;
    let short = root.issue(&changed(1, |params| params.not_after = in_seconds!(ends_in)));
    let path = new_session();
    let mut connection = short.connect(&counter, &address, LATEST).await.unwrap();
    let waiting = connection.ask("PUT", &path, &[], "").await.unwrap();
    assert_eq!(waiting.status, 202, "{waiting:?}");
    let ticket = waiting.json()["ticket"].as_str().unwrap().to_owned();
    assert_eq!(inside.delete("").await.status, 204);
    let entered = until("it is their turn", async || {
        let answer = counter.ask("PUT", &path, &ticket, "").await;
        (answer.status == 201).then_some(answer)
    })
    .await;
    let expires: jiff::Timestamp = entered.json()["expiresAt"].as_str().unwrap().parse().unwrap();
    let start: jiff::Zoned = EVENING.parse().unwrap();
    let lasts = expires.duration_since(start.timestamp()).as_secs();
    assert!(lasts <= ends_in + 60 && lasts > 0, "{lasts}");
}

#[tokio::test]
async fn the_demo_makes_cards_for_its_own_authority_alone() {
    let counter = Counter::open_with(&[("SPORTELLO_SERVER_LISTEN_CERTIFICATES", "127.0.0.1:0")]);
    let address = address(&counter).await;
    let code = FiscalCode::made_up(1);
    let card = Card::from_pem(&counter.mint(&code, &["--certificate"]));
    let mut connection = card.connect(&counter, &address, LATEST).await.unwrap();
    let entered = connection.enter(&[]).await;
    assert_eq!(entered.status, 201, "{entered:?}");
    let with_token = counter.enter(code, &counter.mint(&code, &[])).await;
    assert_eq!(with_token.get("").await.json()["subject"], entered.json()["subject"]);

    // The pages of that listener offer to sign in with it.
    let page = connection.ask("GET", "/en/signin", &[], "").await.unwrap();
    assert!(String::from_utf8_lossy(&page.body).contains("Sign in with the card"));
    let public = counter.ask("GET", "/en/signin", "", "").await;
    assert!(!String::from_utf8_lossy(&public.body).contains("Sign in with the card"));
    let form = ("content-type", "application/x-www-form-urlencoded");
    let foreign = [form, ("origin", "https://evil.example")];
    let refused = connection.ask("POST", "/en/signin", &foreign, "person=card").await.unwrap();
    assert_eq!(refused.status, 403);
    let origin = format!("https://{address}");
    let own = [form, ("origin", &origin)];
    let answer = connection.ask("POST", "/en/signin", &own, "person=card").await.unwrap();
    assert_eq!(answer.status, 303, "{answer:?}");
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with("__Host-session="), "{cookie}");
    let welcome = answer.header("location");
    for address in [address.as_str(), counter.address()] {
        let mut connection = card.connect(&counter, address, LATEST).await.unwrap();
        let page = connection.ask("GET", &welcome, &[("cookie", &cookie)], "").await.unwrap();
        assert_eq!(page.status, 200, "{address}");
    }

    let without = tempfile::tempdir().unwrap();
    let mut mint = program();
    mint.args(["mint", "--certificate", "--fiscal-code", code.as_str(), "--data"])
        .arg(without.path());
    let (exit, printed, complaint) = finished(&mut mint);
    assert_eq!((exit, &*printed), (Some(2), ""));
    assert!(complaint.contains("no authority for cards of a demo"), "{complaint}");
}
