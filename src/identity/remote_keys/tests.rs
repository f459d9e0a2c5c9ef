//! Providers that rotate, misbehave, go away and come back.

use std::time::Duration;

use super::{
    super::{
        issuer::{Config, KeysFrom},
        key_fetcher::KeyFetcher,
        provider::{Behaviour, Provider},
        sample::{ISSUER, Signer, claims, now, set},
        token::Verifier,
    },
    *,
};
use crate::clock::Clock;

/// So fast that a test sees several fetches.
const FAST: Pace = Pace {
    fresh_min: Duration::from_millis(50),
    fresh_max: Duration::from_millis(100),
    fresh_default: Duration::from_millis(100),
    retry_min: Duration::from_millis(50),
    retry_max: Duration::from_millis(100),
    asked: Duration::from_millis(50),
    fetch_max: Duration::from_millis(500),
};
/// Fetches only at the start and when it is asked.
const RARE: Pace = Pace {
    fresh_min: Duration::from_hours(1),
    fresh_max: Duration::from_hours(1),
    fresh_default: Duration::from_hours(1),
    retry_min: Duration::from_hours(1),
    retry_max: Duration::from_hours(1),
    asked: Duration::from_millis(400),
    fetch_max: Duration::from_secs(5),
};

struct House {
    place: tempfile::TempDir,
    provider: Provider,
    old: Signer,
    new: Signer,
}

impl House {
    async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|kid| Signer::new(Algorithm::Es256, kid));
        let provider = Provider::start(place.path(), Behaviour::Set(set(&[&old]), "")).await;
        Self { place, provider, old, new }
    }

    fn verifier(&self) -> Verifier {
        let config = Config {
            name: ISSUER.to_owned(),
            audience: "sportello".to_owned(),
            keys: KeysFrom::Url(self.provider.url.clone()),
            algorithms: Choice::ALL,
            levels: Choice::ALL,
        };
        let cache = self.place.path().join("identity-keys");
        Verifier::open(&[config], &cache, &Clock::standing_at(now())).unwrap()
    }

    /// Starts to fetch; a start blocks its thread.
    async fn start(&self, verifier: &Verifier, pace: Pace) -> KeyFetcher {
        let (verifier, ca) = (verifier.clone(), self.provider.ca.clone());
        let started = move || KeyFetcher::start(&verifier, Some(&ca), pace).unwrap();
        tokio::task::spawn_blocking(started).await.unwrap()
    }

    /// Whether tokens signed with the old and the new key are accepted.
    fn accepted(&self, verifier: &Verifier) -> [bool; 2] {
        [&self.old, &self.new]
            .map(|signer| verifier.verify(&signer.token(&claims()), now()).is_ok())
    }

    async fn until(&self, verifier: &Verifier, expected: [bool; 2]) {
        for _ in 0..500 {
            if self.accepted(verifier) == expected {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{expected:?} was never reached");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_at_a_url_are_there_at_the_start_rotated_and_withdrawn() {
    let house = House::new().await;
    let verifier = house.verifier();
    assert_eq!(house.accepted(&verifier), [false, false]);
    let fetcher = house.start(&verifier, FAST).await;
    assert_eq!(house.accepted(&verifier), [true, false]);
    house
        .provider
        .behave(Behaviour::Set(set(&[&house.old, &house.new]), "cache-control: max-age=0\r\n"));
    house.until(&verifier, [true, true]).await;
    house.provider.behave(Behaviour::Set(set(&[&house.new]), ""));
    house.until(&verifier, [false, true]).await;
    fetcher.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_misbehaves_in_any_way_leaves_the_last_good_keys_and_may_come_back() {
    let house = House::new().await;
    let verifier = house.verifier();
    let fetcher = house.start(&verifier, FAST).await;
    let good = set(&[&house.old, &house.new]);
    let raw = |text: String| Behaviour::Raw(text);
    let answer = |status: &str, body: &str| {
        raw(format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    };
    for bad in [
        answer("500 Internal Server Error", &good),
        answer("404 Not Found", &good),
        answer("204 No Content", ""),
        answer("302 Found\r\nlocation: https://127.0.0.1:1/", &good),
        answer("200 OK", ""),
        answer("200 OK", "<html>Sorry</html>"),
        answer("200 OK", &good[..good.len() - 1]),
        answer("200 OK", &set(&[&house.new, &house.new])),
        answer("200 OK", r#"{"keys":[]}"#),
        raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{good}")),
        raw(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n{good}", "x".repeat(100_000))),
        raw(format!("HTTP/1.1 200 OK\r\n{}\r\n{good}", "x: y\r\n".repeat(200))),
        raw("SSH-2.0-OpenSSH_9.9\r\n".to_owned()),
        Behaviour::Huge { announced: true },
        Behaviour::Huge { announced: false },
        Behaviour::Close,
        Behaviour::HangBeforeTls,
        Behaviour::Hang,
        Behaviour::Slow(good.clone()),
    ] {
        house.provider.behave(bad);
        let before = (house.provider.asked(), faults(&verifier));
        for _ in 0..500 {
            sleep(Duration::from_millis(10)).await;
            if faults(&verifier) >= before.1 + 2 {
                break;
            }
        }
        assert!(faults(&verifier) >= before.1 + 2, "it fails and is tried again");
        assert!(house.provider.asked() > before.0);
        assert_eq!(house.accepted(&verifier), [true, false]);
    }
    house.provider.behave(Behaviour::Set(good, ""));
    house.until(&verifier, [true, true]).await;
    fetcher.stop();
}

fn faults(verifier: &Verifier) -> u64 {
    verifier.remotes().map(|remote| remote.condition.faults()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_is_fetched_soon_and_forged_names_cause_no_load() {
    let house = House::new().await;
    let verifier = house.verifier();
    let fetcher = house.start(&verifier, RARE).await;
    house.provider.behave(Behaviour::Set(set(&[&house.old, &house.new]), ""));
    let watch = crate::clock::Stopwatch::start();
    house.until(&verifier, [true, true]).await;
    assert!(watch.elapsed() >= Duration::from_millis(300), "the second fetch waits for its time");
    assert_eq!(house.provider.asked(), 2);
    let watch = crate::clock::Stopwatch::start();
    let mut tried = 0_u32;
    while watch.elapsed() < Duration::from_millis(1500) {
        let stranger = Signer::new(Algorithm::Es256, &format!("forged-{tried}"));
        assert!(verifier.verify(&stranger.token(&claims()), now()).is_err());
        tried += 1;
    }
    let more = house.provider.asked() - 2;
    let most = usize::try_from(watch.elapsed().as_millis() / 400).unwrap() + 1;
    assert!(tried > 100 && (1..=most).contains(&more), "{tried}: {more}, at most {most}");
    // A token that names no key, or somebody else's issuer, asks for nothing.
    sleep(Duration::from_millis(900)).await;
    let before = house.provider.asked();
    let nameless = house.new.token_of(r#"{"alg":"ES256"}"#, &claims().to_string());
    let mut theirs = claims();
    theirs["iss"] = "https://evil.example".into();
    for token in [nameless, house.new.token(&theirs)] {
        assert!(verifier.verify(&token, now()).is_err());
    }
    sleep(Duration::from_millis(600)).await;
    assert_eq!(house.provider.asked(), before);
    verifier.hurry();
    for _ in 0..200 {
        if house.provider.asked() > before {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(house.provider.asked(), before + 1, "an operator's signal fetches at once");
    fetcher.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_kept_for_a_restart_while_the_provider_is_away_and_only_for_their_own_issuer() {
    let house = House::new().await;
    let first = house.verifier();
    house.start(&first, RARE).await.stop();
    house.provider.behave(Behaviour::Close);
    let again = house.verifier();
    assert_eq!(house.accepted(&again), [true, false], "before any fetch");
    house.start(&again, RARE).await.stop();
    assert_eq!(house.accepted(&again), [true, false]);
    let kept: Vec<_> =
        std::fs::read_dir(house.place.path().join("identity-keys")).unwrap().collect();
    let [Ok(kept)] = &kept[..] else { panic!("one file") };
    let text = std::fs::read_to_string(kept.path()).unwrap();
    for bad in [
        text.replace(ISSUER, "https://another.example"),
        text.replace("/jwks", "/other"),
        text.replace("ES256", "HS256"),
        text[1..].to_owned(),
        String::new(),
    ] {
        std::fs::write(kept.path(), bad).unwrap();
        let verifier = house.verifier();
        house.start(&verifier, RARE).await.stop();
        assert_eq!(house.accepted(&verifier), [false, false]);
    }
    std::fs::write(kept.path(), text).unwrap();
    assert_eq!(house.accepted(&house.verifier()), [true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_hangs_delays_a_start_by_the_time_for_a_fetch_and_no_stop() {
    let house = House::new().await;
    house.provider.behave(Behaviour::HangBeforeTls);
    let verifier = house.verifier();
    let pace = Pace { fetch_max: Duration::from_millis(700), ..FAST };
    let watch = crate::clock::Stopwatch::start();
    let fetcher = house.start(&verifier, pace).await;
    let lasted = watch.elapsed();
    assert!((700..3000).contains(&lasted.as_millis()), "{lasted:?}");
    assert_eq!(house.accepted(&verifier), [false, false]);
    fetcher.stop();
    assert!(watch.elapsed() < Duration::from_secs(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let house = House::new().await;
    let verifier = house.verifier();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Provider::start(elsewhere.path(), Behaviour::Close).await;
    let (ours, ca) = (verifier.clone(), other.ca.clone());
    let started = move || KeyFetcher::start(&ours, Some(&ca), RARE).unwrap();
    tokio::task::spawn_blocking(started).await.unwrap().stop();
    assert_eq!(house.accepted(&verifier), [false, false]);
    assert_eq!(faults(&verifier), 1);
    for (name, text) in [("empty.pem", ""), ("nonsense.pem", "x"), ("missing.pem", "")] {
        let path = elsewhere.path().join(name);
        if name != "missing.pem" {
            std::fs::write(&path, text).unwrap();
        }
        assert!(KeyFetcher::start(&verifier, Some(&path), RARE).is_err(), "{name}");
    }
}
