//! `migrate` of what belongs to no campaign.

use std::{fs, path::Path, sync::Arc};

use sportello::{
    ledger::{
        drafts::{Drafts, Expected, Slot},
        local::{drafts::LocalDrafts, mandates::LocalMandates},
        mandates::Mandates,
        replicated::{ReplicatedDrafts, ReplicatedEngine, ReplicatedMandates},
        telephone::WRONG_TRIES_MAX,
    },
    urn::Urn,
};
use tokio::runtime::Runtime;

use super::{Desk, done, failed};
use crate::{
    cluster::Cluster,
    contract_of_drafts::slot,
    contract_of_mandates::{DAY, at, centers, covers, is_refused, other, person, redeem, registry},
    node::{engine, keys},
};

const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sportello'";

/// Drafts and mandates of one side.
struct Side {
    drafts: Box<dyn Drafts>,
    mandates: Box<dyn Mandates>,
    runtime: Runtime,
    _engine: Option<ReplicatedEngine>,
}

impl Side {
    fn in_files(data: &Path) -> Self {
        let directory = data.join("ledger");
        fs::create_dir_all(&directory).unwrap();
        let (registry, centers) = (registry(data), centers());
        let mandates = LocalMandates::open(&directory, (keys(), &centers), Some(registry));
        let drafts = LocalDrafts::open(&directory, keys()).unwrap();
        Self::of(Box::new(drafts), Box::new(mandates.unwrap()), None)
    }

    fn in_database(cluster: &Cluster, name: &str) -> Self {
        let engine = engine(cluster, name, Arc::new(Urn::new(64, 1)), 20_000).unwrap();
        let (registry, centers) = (registry(&cluster.directory(name)), centers());
        let house = engine.house().unwrap();
        let mandates =
            ReplicatedMandates::open(house.clone(), (keys(), &centers), Some(registry)).unwrap();
        let drafts = ReplicatedDrafts::new(house, keys());
        Self::of(Box::new(drafts), Box::new(mandates), Some(engine))
    }

    fn of(
        drafts: Box<dyn Drafts>,
        mandates: Box<dyn Mandates>,
        engine: Option<ReplicatedEngine>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { drafts, mandates, runtime, _engine: engine }
    }

    fn save(&self, slot: Slot, content: &'static str) {
        let saved = self.drafts.save(slot, content.into(), Expected::Anything);
        self.runtime.block_on(saved).unwrap();
    }

    fn draft(&self, slot: Slot) -> Option<String> {
        let draft = self.runtime.block_on(self.drafts.load(slot)).unwrap();
        draft.map(|draft| String::from_utf8(draft.content).unwrap())
    }

    fn revoke(&self, n: u64, reference: &str) {
        let revoked = self.mandates.revoke(person(n), reference, at(0));
        assert!(self.runtime.block_on(revoked).unwrap());
    }

    fn covers(&self, office: &str, n: u64) -> bool {
        self.runtime.block_on(covers(&*self.mandates, office, n, DAY, None))
    }

    /// Drafts of two people; a mandate of the first is revoked, the third gave one by telephone, and a clerk tried the PIN
    /// of the fourth in vain.
    fn fill(&self) {
        self.save(slot(1, None), "half");
        self.save(slot(2, Some(("caf-1", "M-2"))), "of an office");
        self.revoke(1, "M-1");
        let make = |n| self.runtime.block_on(self.mandates.make_pin(person(n), at(0)));
        let [third, fourth] = [3, 4].map(|n| make(n).unwrap_or_else(|_| panic!("no PIN")).pin);
        let redeem = |caller, pin, clerk| {
            let by = ("center-1", clerk);
            self.runtime.block_on(redeem(&*self.mandates, by, caller, pin, 1))
        };
        assert!(redeem(3, third, 8).is_ok());
        assert!(is_refused(&redeem(4, other(fourth), 9)));
    }

    /// Asserts that everything counts that [`fill`](Self::fill) did.
    #[track_caller]
    fn assert_filled(&self) {
        assert_eq!(self.draft(slot(1, None)).as_deref(), Some("half"));
        let of_office = self.draft(slot(2, Some(("caf-1", "M-2"))));
        assert_eq!(of_office.as_deref(), Some("of an office"));
        assert!(!self.covers("caf-1", 1), "it was revoked");
        assert!(self.covers("caf-2", 1));
        assert!(self.covers("center-1", 3), "it was given by telephone");
        let standing = self.runtime.block_on(self.mandates.pin(person(4), at(1))).unwrap();
        assert_eq!(standing.map(|pin| pin.tries_left), Some(WRONG_TRIES_MAX - 1));
        let standing = self.runtime.block_on(self.mandates.pin(person(3), at(1))).unwrap();
        assert!(standing.is_some_and(|pin| pin.is_redeemed));
    }

    fn close(self) {
        self.drafts.close();
    }
}

/// The lines that say what was moved, and how.
const MOVED: [&str; 3] = [
    "drafts: 2 drafts",
    "revocations of mandates: 1 revocations",
    "mandates given by telephone: 1 mandates, 2 PINs, 1 counts of wrong tries",
];

#[track_caller]
fn assert_said(out: &str, how: [&str; 3]) {
    for (what, how) in MOVED.iter().zip(how) {
        assert!(out.contains(&format!("{what} {how}\n")), "{what} {how}: {out}");
    }
    assert!(out.contains("whole"), "{out}");
}

#[test]
fn drafts_and_mandates_move_into_the_database_and_back() {
    let cluster = Cluster::start();
    let desk = Desk::at(cluster.url());
    let (url, data) = (cluster.url(), desk.path("data"));
    let from = data.to_str().unwrap();
    let files = Side::in_files(&data);
    files.fill();
    files.close();
    // Somebody had it serve once, and the last table refuses what is new: nothing of its store is moved.
    Side::in_database(&cluster, "before").close();
    cluster.wait_for(SESSIONS, "0");
    cluster.sql("ALTER TABLE sportello.misses ADD CONSTRAINT used_up CHECK (count = 0)");
    let told = failed(desk.migrate(from, &url), 2);
    assert!(told.contains("23514"), "{told}");
    assert_eq!(cluster.sql("SELECT count(*) FROM sportello.telephone_mandates"), "0");
    cluster.sql("ALTER TABLE sportello.misses DROP CONSTRAINT used_up");
    let out = done(desk.migrate(from, &url));
    assert_said(&out, ["was there already", "was there already", "copied"]);
    let out = done(desk.migrate(from, &url));
    assert_said(&out, ["was there already"; 3]);
    let out = done(desk.on_database(&["verify"]));
    assert!(out.contains("revocations of mandates: 1\nmandates given by telephone: 1\n"), "{out}");

    let database = Side::in_database(&cluster, "after");
    database.assert_filled();
    database.save(slot(5, None), "later");
    database.revoke(1, "M-3");
    database.close();
    cluster.wait_for(SESSIONS, "0");
    let told = failed(desk.migrate(from, &url), 2);
    assert!(told.contains("drafts: the target holds something else"), "{told}");
    let back = desk.path("back");
    // What an interrupted run leaves: files without rows.
    Side::in_files(&back).close();
    let (code, out, told) = desk.migrate(&url, back.to_str().unwrap());
    assert_eq!(code, Some(0), "{out}{told}");
    for what in ["drafts: 3 drafts copied", "mandates: 2 revocations copied"] {
        assert!(out.contains(what), "{out}");
    }
    assert!(["rounds", "journal"].iter().all(|what| told.contains(what)), "{told}");
    // What commands did goes along.
    assert!(out.contains("audit trail: ") && !told.contains("audit trail"), "{out}{told}");
    assert!(done(desk.migrate(&url, back.to_str().unwrap())).contains("was there already"));
    let files = Side::in_files(&back);
    assert!(!files.covers("caf-2", 1), "it was revoked in the database");
    assert_eq!(files.draft(slot(5, None)).as_deref(), Some("later"));
    files.close();
    let out = done(desk.on_files(&back, &["verify"]));
    assert!(out.contains("revocations of mandates: 2\n"), "{out}");
}

#[test]
fn verify_opens_every_revocation_and_mandate_by_telephone_in_the_database() {
    let cluster = Cluster::start();
    let desk = Desk::at(cluster.url());
    let side = Side::in_database(&cluster, "one");
    side.fill();
    let (code, out, told) = desk.on_database(&["verify"]);
    assert_eq!(code, Some(0), "{out}{told}");
    assert!(told.contains("not verified: drafts, rounds of the waiting room, journal"), "{told}");
    for (change, undone, words) in [
        (
            "UPDATE sportello.revocations SET sealed = set_byte(sealed, 24, get_byte(sealed, 24) # 1)",
            "UPDATE sportello.revocations SET sealed = set_byte(sealed, 24, get_byte(sealed, 24) # 1)",
            "1 revocations of mandates do not open",
        ),
        (
            "UPDATE sportello.revocations SET key = key || '\\x00'",
            "UPDATE sportello.revocations SET key = substr(key, 1, 16)",
            "1 revocations of mandates do not open",
        ),
        (
            "UPDATE sportello.telephone_mandates SET day = day + 1",
            "UPDATE sportello.telephone_mandates SET day = day - 1",
            "1 mandates given by telephone do not open",
        ),
    ] {
        cluster.sql(change);
        let told = failed(desk.on_database(&["verify"]), 1);
        assert!(told.contains(words), "{change}: {told}");
        cluster.sql(undone);
        done(desk.on_database(&["verify"]));
    }
    drop(side);
}
