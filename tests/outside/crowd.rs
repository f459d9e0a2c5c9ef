//! People who apply one after the other and keep their receipts.

use std::{fs, path::Path};

use hyper::StatusCode;
use serde_json::Value;
use sportello::{
    application,
    civic::FiscalCode,
    clock::Clock,
    identity::{Assurance, demo::Minter},
};

use crate::harness::{Answer, Counter, finished, location, new_session, program};

/// Number of applications after which a disk must be full.
const PEOPLE_MAX: usize = 25_000;

/// People with their receipts.
pub(crate) struct Crowd {
    minter: Minter,
    next: u64,
    /// The receipts of everybody who applied.
    pub(crate) receipts: Vec<(FiscalCode, Value)>,
}

impl Crowd {
    /// A crowd of which nobody has applied yet.
    pub(crate) fn before(counter: &Counter) -> Self {
        Self { minter: Minter::load(&counter.data()).unwrap(), next: 0, receipts: Vec::new() }
    }

    /// The next person enters and applies.
    pub(crate) async fn apply(&mut self, counter: &Counter) -> Result<Answer, String> {
        self.next += 1;
        let code = FiscalCode::made_up(self.next);
        let identity = self.minter.mint(&code, None, Assurance::Level2, Clock::system().real());
        let session = new_session();
        let entered = counter.try_ask("PUT", &session, &identity, "", "").await?;
        assert_eq!(entered.status, StatusCode::CREATED, "{entered:?}");
        let token = entered.json()["token"].as_str().unwrap().to_owned();
        // As large as is allowed, so that a disk fills up soon.
        let mut body = application::example(&code, 2024);
        body.extend(std::iter::repeat_n(' ', application::APPLICATION_BYTES_MAX - body.len()));
        let path = session + "/applications";
        let answer = counter.try_ask("POST", &path, &token, &body, "k").await?;
        if answer.status == StatusCode::CREATED {
            self.receipts.push((code, answer.json()));
        }
        Ok(answer)
    }

    /// This many people apply, and all are accepted.
    pub(crate) async fn apply_all(&mut self, counter: &Counter, people: usize) {
        for _ in 0..people {
            let answer = self.apply(counter).await.unwrap();
            assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        }
    }

    /// People apply until one is refused, which must be because of the storage.
    pub(crate) async fn apply_until_refused(&mut self, counter: &Counter, pause_ms: u64) {
        for _ in 0..PEOPLE_MAX {
            let answer = self.apply(counter).await.unwrap();
            if answer.status != StatusCode::CREATED {
                return answer.assert_storage_unavailable();
            }
            tokio::time::sleep(std::time::Duration::from_millis(pause_ms)).await;
        }
        panic!("nobody was refused after {PEOPLE_MAX} applications");
    }

    /// About ten of those who applied read their applications again.
    pub(crate) async fn look(&self, counter: &Counter) {
        let step = (self.receipts.len() / 10).max(1);
        for (code, receipt) in self.receipts.iter().step_by(step) {
            let identity = self.minter.mint(code, None, Assurance::Level2, Clock::system().real());
            let visitor = counter.enter(*code, &identity).await;
            let answer = visitor.get(&location(receipt)).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            assert_eq!(answer.json()["application"]["applicant"]["fiscalCode"], code.as_str());
        }
    }

    /// Checks that the ledger is whole and has every receipt; the server must have ended.
    pub(crate) fn verify(&self, data: &Path) {
        let place = tempfile::tempdir().unwrap();
        let list = place.path().join("receipts.ndjson");
        let lines: Vec<_> = self.receipts.iter().map(|(_, receipt)| receipt.to_string()).collect();
        fs::write(&list, lines.join("\n")).unwrap();
        let mut verify = program();
        verify.arg("verify").arg("--data").arg(data).arg("--receipts").arg(&list);
        let (code, counts, complaint) = finished(&mut verify);
        assert_eq!(code, Some(0), "{counts}{complaint}");
        assert!(counts.contains(&format!("receipts: {} read", lines.len())), "{counts}");
        println!("{}", counts.trim());
    }
}
