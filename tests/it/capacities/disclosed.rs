//! What the citizens of a case must be shown of who was shown or changed their data; a model.
//!
//! The same access of one session within a minute is recorded once, so what was done is a set.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::model::{Applicant, Party};

/// A person may ask once in this time.
const ASKED_EVERY: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(crate) struct Disclosed {
    done: HashMap<Applicant, BTreeSet<String>>,
    /// Who asked for receipts that they may not see; recorded once they have repeated it.
    unknown: HashSet<Party>,
    asked: HashMap<Applicant, Instant>,
}

impl Disclosed {
    /// `party` did something to the data of `of`.
    pub(crate) fn note(
        &mut self,
        party: Party,
        what: &str,
        of: Applicant,
        receipt: Option<&Value>,
    ) {
        let by = if party.office().is_some() { "office" } else { "yourself" };
        let receipt = receipt.unwrap_or(&Value::Null);
        let line = json!([what, receipt, by, party.office()]).to_string();
        self.done.entry(of).or_default().insert(line);
    }

    /// The application was withdrawn, which the ledger records.
    pub(crate) fn withdrawn(&mut self, of: Applicant, receipt: &Value) {
        let line = json!(["withdrawn", receipt, "institute", null]).to_string();
        self.done.entry(of).or_default().insert(line);
    }

    /// `party` was refused a receipt.
    pub(crate) fn note_unknown(&mut self, party: Party) {
        self.unknown.insert(party);
    }

    /// Whether the person asked less than a minute ago.
    pub(crate) fn is_too_early(&self, who: Applicant) -> bool {
        self.asked.get(&who).is_some_and(|asked| asked.elapsed() < ASKED_EVERY)
    }

    /// The person was answered.
    pub(crate) fn answered(&mut self, who: Applicant) {
        self.asked.insert(who, Instant::now());
    }

    /// All that must be in the answer.
    pub(crate) fn to(&self, who: Applicant) -> BTreeSet<String> {
        self.done.get(&who).cloned().unwrap_or_default()
    }

    /// One disclosure of an answer, in the form of [`Self::to`]; `None` if it may be there or not: a decision about one of
    /// the person's `receipts`, or that a party of theirs asked for others' receipts.
    pub(crate) fn required(
        &self,
        who: Applicant,
        receipts: &[&Value],
        shown: &Value,
    ) -> Option<String> {
        let [what, receipt, by, office] =
            ["what", "receipt", "by", "office"].map(|member| &shown[member]);
        let is_decision = what.as_str().is_some_and(|what| what.starts_with("decided-"))
            && (by, office) == (&json!("institute"), &Value::Null)
            && receipts.contains(&receipt);
        let mut strangers = self.unknown.iter().filter(|party| party.who() == who);
        let is_repeated = what == "unknown-receipts-asked"
            && receipt.is_null()
            && strangers.any(|party| *office == json!(party.office()));
        (!is_decision && !is_repeated).then(|| json!([what, receipt, by, office]).to_string())
    }
}
