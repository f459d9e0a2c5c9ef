//! Mandates of made-up people, in the registry of a running server.

use std::{path::Path, sync::Arc};

use sportello::{
    application,
    civic::FiscalCode,
    identity::{Office, demo},
    schemes::{Campaign, Scheme},
};

use crate::{harness::Counter, polling::until};

/// The office of [`Counter::intermediary`]. It has a mandate of each of the first [`CLIENTS`] made-up people.
pub(crate) const OFFICE: &str = "patronato-1";
/// How many made-up people gave it a mandate.
const CLIENTS: u64 = 200;
/// The campaign of these mandates.
const CAMPAIGN: Campaign = Campaign { scheme: Scheme::Iscro, year: 2024 };

impl Counter {
    /// Adds lines to the registry of mandates, and waits until the server has loaded them.
    pub(crate) async fn entrust(&self, lines: &str) {
        let path = self.data().join("mandates.ndjson");
        let all = std::fs::read_to_string(&path).unwrap() + lines;
        self.replace_mandates(&all).await;
    }

    /// Replaces the registry of mandates, as an institute would, and waits until the server has loaded it.
    pub(crate) async fn replace_mandates(&self, text: &str) {
        let newer = self.data().join("mandates.new");
        std::fs::write(&newer, text).unwrap();
        let loaded = || self.log().matches("mandates reloaded").count();
        let before = loaded();
        std::fs::rename(newer, self.data().join("mandates.ndjson")).unwrap();
        self.signal("HUP");
        until("the mandates are loaded", async || (loaded() > before).then_some(())).await;
    }
}

/// The reference of the mandate that the n-th made-up person gave to [`OFFICE`].
pub(crate) fn mandate(n: u64) -> String {
    mandate_for(OFFICE, n)
}

/// The reference of the mandate that the n-th made-up person gave to an office.
pub(crate) fn mandate_for(office: &str, n: u64) -> String {
    demo::mandate_reference(&Office::parse(office).unwrap(), CAMPAIGN, n)
}

/// A data directory below `place`, with a registry of the mandates of [`OFFICE`].
pub(crate) fn data_with_mandates(place: &Path) -> Arc<tempfile::TempDir> {
    let data = tempfile::tempdir_in(place).unwrap();
    std::fs::write(data.path().join("mandates.ndjson"), mandates_of(OFFICE, 0..CLIENTS)).unwrap();
    Arc::new(data)
}

/// Lines of a registry: the mandates of made-up people for an office.
pub(crate) fn mandates_of(office: &str, people: impl IntoIterator<Item = u64>) -> String {
    let office = Office::parse(office).unwrap();
    let line = |n| demo::made_up_mandate(&office, None, CAMPAIGN, n) + "\n";
    people.into_iter().map(line).collect()
}

/// The application of the n-th made-up person, under a mandate and on one line.
pub(crate) fn entrusted(n: u64, mandate: &str) -> String {
    let application = application::example(&FiscalCode::made_up(n), 2024).replace('\n', " ");
    application.trim().replacen('{', &format!("{{\"mandate\":\"{mandate}\","), 1)
}
