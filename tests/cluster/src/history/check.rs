//! What a history must not contain.

use std::{collections::BTreeMap, fmt};

use super::{
    Operation, Outcome,
    index::{About, Index, Look, Sent, Span},
    personal,
};

/// The reason of a refusal by which two nodes waited for each other.
pub const DEADLOCK: &str = "deadlock";

/// What is expected of a history beyond what always holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expect {
    /// Its last looks come after all work: each stored application that is not withdrawn has its decision there.
    pub all_decided: bool,
    /// What judges do is not part of the history: only its results are.
    pub judges_unseen: bool,
    /// Time after which an ended token opens nothing any more, whoever is asked, microseconds; `None`: not checked.
    pub ended_lasts_us_max: Option<u64>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Acknowledged or seen, and not there later.
    Lost,
    /// Acknowledged, and nobody looked for it afterwards: the history proves nothing.
    NeverRead,
    /// Read with another content, key or claim than it was submitted with.
    Altered,
    /// Read, or named to somebody, but never submitted, or refused.
    Invented,
    /// Two applications of one claim at one time.
    TwoWinners,
    /// One key with two receipts.
    KeyWithTwoReceipts,
    /// One receipt for two submissions.
    ReceiptGivenTwice,
    /// Refused as already applied when nobody could have applied.
    RefusedForNobody,
    /// More than one decision of one case.
    DecidedTwice,
    /// A decision that nobody made, or of a case that does not exist.
    DecidedByNobody,
    /// Decided, and no decision, or another one, there later.
    DecisionLost,
    /// Not decided at the end.
    Undecided,
    /// Withdrawn, and not so later; or withdrawn by nobody.
    WithdrawalWrong,
    /// Two nodes waited for each other.
    Deadlocked,
    /// Shown twice, and not the same.
    ShownDifferently,
    /// A draft that was saved is not there, or an earlier one is.
    DraftLost,
    /// A draft that nobody saved.
    DraftInvented,
    /// A token that had ended opened something.
    EndedTokenWorks,
    /// A token that had not ended opened nothing.
    TokenLost,
}

/// One contradiction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// What is wrong.
    pub kind: Kind,
    /// With what: a code or a claim, and when.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:?}: {}", self.kind, self.what)
    }
}

/// Every contradiction of a history, none if it may have happened.
///
/// An operation without an answer may have taken effect at any time after it was asked, or never, but what was once
/// seen of it stays.
#[must_use]
pub fn check(history: &[Operation], expect: Expect) -> Vec<Violation> {
    let index = Index::of(history);
    let mut found = Found(Vec::new());
    for (code, about) in &index.codes {
        stays(code, about, &mut found);
        is_as_submitted(code, about, &index, &mut found);
        is_decided_once(code, about, expect, &mut found);
        is_withdrawn_for_good(code, about, &mut found);
    }
    for (claim, sent) in &index.claims {
        has_one_winner(claim, sent, &index, &mut found);
        keys_have_one_receipt(claim, sent, &mut found);
        refusals_have_a_reason(claim, sent, &mut found);
    }
    personal::check(history, expect, &mut found);
    found.0.sort();
    found.0.dedup();
    found.0
}

pub(super) struct Found(Vec<Violation>);

impl Found {
    pub(super) fn add(&mut self, kind: Kind, what: impl fmt::Display) {
        self.0.push(Violation { kind, what: what.to_string() });
    }
}

/// What was acknowledged or seen is there in every later look, and there is such a look.
fn stays(code: &str, about: &About<'_>, found: &mut Found) {
    let seen = about.looks.iter().filter(|look| look.found.is_some()).map(|look| look.span);
    let known: Vec<Span> = about.acknowledged.iter().copied().chain(seen).collect();
    let Some(first) = known.iter().min_by_key(|span| span.to_us) else { return };
    let gone = |look: &&Look<'_>| look.found.is_none() && first.is_before(look.span);
    if let Some(look) = about.looks.iter().find(gone) {
        let (known_us, gone_us) = (first.to_us, look.span.from_us);
        found.add(Kind::Lost, format_args!("{code}, known at {known_us} us, gone at {gone_us} us"));
    }
    let last = about.acknowledged.iter().map(|span| span.to_us).min();
    let is_read = |at| about.looks.iter().any(|look| look.span.from_us > at);
    if last.is_some_and(|at| !is_read(at)) {
        found.add(Kind::NeverRead, code);
    }
}

/// What is read was submitted so, by somebody who may have been accepted, and is what the receipt was given for.
fn is_as_submitted(code: &str, about: &About<'_>, index: &Index<'_>, found: &mut Found) {
    if about.given.len() > 1 {
        found.add(Kind::ReceiptGivenTwice, format_args!("{code}: {:?}", about.given));
    }
    let stored = about.looks.iter().filter_map(|look| Some((look.span, look.found?.0)));
    for (span, stored) in stored {
        let receipt = (stored.claim.as_str(), stored.key.as_str());
        let other = about.given.iter().any(|given| *given != receipt);
        let sent = index.claims.get(stored.claim.as_str()).map_or(&[][..], Vec::as_slice);
        let with_key = || sent.iter().filter(|sent| sent.submission.key == stored.key);
        let may_be_stored = |sent: &&Sent<'_>| match sent.outcome {
            Outcome::Unknown => sent.span.from_us <= span.to_us,
            Outcome::Accepted { code: its } => its == code && sent.span.from_us <= span.to_us,
            Outcome::Replayed { code: its } => its == code,
            _ => false,
        };
        if other || with_key().any(|sent| sent.submission.body != stored.body) {
            found.add(Kind::Altered, format_args!("{code}: {stored:?}"));
        } else if !with_key().any(|sent| may_be_stored(&sent)) {
            found.add(Kind::Invented, format_args!("{code}: {stored:?}"));
        }
    }
}

/// One decision, made by a judge, that stays.
fn is_decided_once(code: &str, about: &About<'_>, expect: Expect, found: &mut Found) {
    if about.decided.len() > 1 {
        found.add(Kind::DecidedTwice, format_args!("{code}: {} judges", about.decided.len()));
    }
    let exists = about.looks.iter().any(|look| look.found.is_some());
    if !about.decided.is_empty() && about.acknowledged.is_empty() && !exists {
        found.add(Kind::DecidedByNobody, format_args!("{code} was never seen"));
    }
    let mut decisions: Vec<(Span, &str)> = about.decided.clone();
    for look in &about.looks {
        match look.found {
            None | Some((_, [], _)) => {}
            Some((_, [decision], _)) => {
                let made = about.decided.iter().any(|(_, verdict)| verdict == decision);
                if !made && !about.decided.is_empty() {
                    found.add(Kind::DecisionLost, format_args!("{code}: {decision} instead"));
                } else if !made
                    && !expect.judges_unseen
                    && !about.perhaps_decided.contains(decision.as_str())
                {
                    found.add(Kind::DecidedByNobody, format_args!("{code}: {decision}"));
                }
                decisions.push((look.span, decision));
            }
            Some((_, several, _)) => {
                found.add(Kind::DecidedTwice, format_args!("{code}: {several:?}"));
            }
        }
    }
    if decisions.iter().any(|(_, verdict)| *verdict != decisions[0].1) {
        found.add(Kind::DecisionLost, format_args!("{code}: another one"));
    }
    let gone = about.looks.iter().any(|look| {
        look.found.is_some_and(|(_, stored, _)| stored.is_empty())
            && decisions.iter().any(|(span, _)| span.is_before(look.span))
    });
    if gone {
        found.add(Kind::DecisionLost, code);
    }
    let last = about.looks.iter().max_by_key(|look| look.span.from_us);
    let open = |decisions: &[String], withdrawn: bool| decisions.is_empty() && !withdrawn;
    let undecided =
        last.and_then(|look| look.found).is_some_and(|(_, made, gone)| open(made, gone));
    if expect.all_decided && undecided {
        found.add(Kind::Undecided, code);
    }
}

fn is_withdrawn_for_good(code: &str, about: &About<'_>, found: &mut Found) {
    for look in &about.looks {
        let Some((_, _, withdrawn)) = look.found else { continue };
        let before = about.withdrawn.iter().any(|span| span.is_before(look.span));
        let possible = about.withdrawals.iter().any(|span| span.from_us <= look.span.to_us);
        if before && !withdrawn || withdrawn && !possible {
            found.add(Kind::WithdrawalWrong, code);
        }
    }
}

/// Of two applications of a claim, one was withdrawn before the other one was accepted.
fn has_one_winner(claim: &str, sent: &[Sent<'_>], index: &Index<'_>, found: &mut Found) {
    let mut winners: BTreeMap<&str, Span> = BTreeMap::new();
    for one in sent {
        let (Outcome::Accepted { code } | Outcome::Replayed { code }) = one.outcome else {
            continue;
        };
        let span = winners.entry(code).or_insert(one.span);
        span.from_us = span.from_us.min(one.span.from_us);
        span.to_us = span.to_us.min(one.span.to_us);
    }
    for code in index.seen.get(claim).into_iter().flatten() {
        let of_claim = |look: &&Look<'_>| look.found.is_some_and(|(one, ..)| one.claim == claim);
        let seen = index.codes[code].looks.iter().filter(of_claim).map(|look| look.span.to_us);
        if let Some(to_us) = seen.min() {
            winners.entry(code).or_insert(Span { from_us: 0, to_us });
        }
    }
    // Whether `first` may have been withdrawn before `then` took effect.
    let gave_way = |first: &str, then: Span| {
        index.codes[first].withdrawals.iter().any(|span| span.from_us <= then.to_us)
    };
    let all: Vec<_> = winners.iter().collect();
    for (at, (one, one_span)) in all.iter().enumerate() {
        for (other, other_span) in &all[at + 1..] {
            if !gave_way(one, **other_span) && !gave_way(other, **one_span) {
                found.add(Kind::TwoWinners, format_args!("{claim}: {one} and {other}"));
            }
        }
    }
}

fn keys_have_one_receipt(claim: &str, sent: &[Sent<'_>], found: &mut Found) {
    let mut receipts: BTreeMap<&str, &str> = BTreeMap::new();
    for one in sent {
        if let Outcome::Accepted { code } | Outcome::Replayed { code } = one.outcome {
            let first = receipts.entry(&one.submission.key).or_insert(code);
            if first != code {
                let key = &one.submission.key;
                found
                    .add(Kind::KeyWithTwoReceipts, format_args!("{claim}, {key}: {first}, {code}"));
            }
        }
    }
}

/// Who is refused as already applied, or told of an earlier receipt, was preceded by somebody who may have applied.
fn refusals_have_a_reason(claim: &str, sent: &[Sent<'_>], found: &mut Found) {
    let may_have = |by: &Sent<'_>, before: Span, same_key: bool, key: &str| {
        let stored = matches!(
            by.outcome,
            Outcome::Accepted { .. } | Outcome::Unknown | Outcome::Replayed { .. }
        );
        stored && by.span.from_us <= before.to_us && (by.submission.key == key) == same_key
    };
    for one in sent {
        let key = one.submission.key.as_str();
        match one.outcome {
            Outcome::AlreadyApplied { .. }
                if !sent.iter().any(|by| may_have(by, one.span, false, key)) =>
            {
                found.add(Kind::RefusedForNobody, format_args!("{claim}, {key}"));
            }
            Outcome::Replayed { code } => {
                let first = |by: &Sent<'_>| match by.outcome {
                    Outcome::Accepted { code: its } => its == code,
                    outcome => *outcome == Outcome::Unknown,
                };
                if !sent.iter().any(|by| may_have(by, one.span, true, key) && first(by)) {
                    found.add(Kind::Invented, format_args!("{code}, replayed to {claim}, {key}"));
                }
            }
            Outcome::Refused { reason } if reason == DEADLOCK => {
                found.add(Kind::Deadlocked, format_args!("{claim}, {key}"));
            }
            _ => {}
        }
    }
}
