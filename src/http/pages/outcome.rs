//! States, outcomes and reasons in words.

use crate::{
    civic::Language,
    ledger::State,
    schemes::{Explanation, Mark, Outcome, Reason},
};

/// A decision, as a page shows it.
pub(super) struct Told {
    pub(super) heading: String,
    pub(super) consequence: String,
    pub(super) reasons: Vec<ToldReason>,
    is_granted: bool,
}

/// A ground of a decision, as a page shows it.
pub(super) struct ToldReason {
    pub(super) mark: &'static str,
    pub(super) is_met: bool,
    pub(super) reason: Reason,
}

impl Told {
    /// Whether there is nothing to be explained first.
    pub(super) fn is_granted(&self) -> bool {
        self.is_granted
    }

    pub(super) fn new(explanation: Explanation, language: Language) -> Self {
        let is_granted = explanation.outcome == Outcome::Granted;
        let (heading, consequence) = (explanation.heading(), explanation.consequence());
        let reasons = explanation.reasons.into_iter().map(|reason| ToldReason {
            mark: match reason.mark {
                Mark::Met => language.of("sì", "yes"),
                Mark::NotMet => "no",
                Mark::Open => "?",
            },
            is_met: reason.mark == Mark::Met,
            reason,
        });
        Self { heading, consequence, reasons: reasons.collect(), is_granted }
    }
}

/// The state of an application, for its person.
pub(super) fn state_in_words(state: State, language: Language) -> &'static str {
    let (italian, english) = match state {
        State::Waiting | State::Drawn => ("ricevuta, in esame", "received, being examined"),
        State::Decided(Outcome::Granted) => ("accolta", "granted"),
        State::Decided(Outcome::Refused) => ("respinta", "refused"),
        State::Decided(Outcome::Pending) => {
            ("in attesa di un altro archivio", "waiting for another register")
        }
        State::Decided(Outcome::Review) => ("all'esame di un funzionario", "with an officer"),
        State::Withdrawn(_) => ("ritirata", "withdrawn"),
        State::Erased { .. } => ("cancellata", "erased"),
    };
    language.of(italian, english)
}
