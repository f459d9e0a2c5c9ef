//! What a history must not contain about what persons keep: receipts as they are shown, drafts, tokens.

use std::collections::BTreeMap;

use super::{
    Call, Operation, Outcome,
    check::{Expect, Found, Kind},
    index::Span,
};

/// All operations about one thing.
type About<'h> = BTreeMap<&'h str, Vec<&'h Operation>>;

/// Adds every contradiction.
pub(super) fn check(history: &[Operation], expect: Expect, found: &mut Found) {
    let (mut shown, mut drafts, mut tokens) = (About::new(), About::new(), About::new());
    for one in history {
        match &one.call {
            Call::Show { what } => shown.entry(what).or_default().push(one),
            Call::SaveDraft { of, .. } | Call::ReadDraft { of } => {
                drafts.entry(of).or_default().push(one);
            }
            Call::EndToken { token } | Call::UseToken { token } => {
                tokens.entry(token).or_default().push(one);
            }
            Call::Submit(_) | Call::Read { .. } | Call::Withdraw { .. } | Call::Decide { .. } => {}
        }
    }
    for (what, looks) in &shown {
        reads_the_same(what, looks, found);
    }
    for (of, all) in &drafts {
        is_the_last_one(of, all, found);
    }
    for (token, all) in &tokens {
        opens_until_it_ends(token, all, expect, found);
    }
}

fn span(one: &Operation) -> Span {
    Span { from_us: one.invoked_us, to_us: one.returned_us }
}

fn reads_the_same(what: &str, looks: &[&Operation], found: &mut Found) {
    let mut texts = looks.iter().filter_map(|look| match &look.outcome {
        Outcome::Shown { text } => Some(text),
        _ => None,
    });
    if let Some(first) = texts.next()
        && texts.any(|other| other != first)
    {
        found.add(Kind::ShownDifferently, what);
    }
}

/// What is read is the last draft that was saved before, or one that may have been saved since then.
fn is_the_last_one(of: &str, all: &[&Operation], found: &mut Found) {
    let saves: Vec<_> = all
        .iter()
        .filter_map(|one| match (&one.call, &one.outcome) {
            (_, Outcome::Refused { .. }) | (Call::ReadDraft { .. }, _) => None,
            (Call::SaveDraft { text, .. }, outcome) => Some((span(one), text, outcome)),
            _ => None,
        })
        .collect();
    for read in all.iter().filter(|one| matches!(one.call, Call::ReadDraft { .. })) {
        let now = span(read);
        let done = saves.iter().filter(|(_, _, outcome)| **outcome == Outcome::Done);
        let last =
            done.filter(|(save, ..)| save.is_before(now)).max_by_key(|(save, ..)| save.to_us);
        // One without an answer may be saved at any time after it was asked.
        let may_be_there = |(save, _, outcome): &&(Span, &String, &Outcome)| {
            let is_overwritten =
                **outcome == Outcome::Done && last.is_some_and(|(last, ..)| save.is_before(*last));
            save.from_us <= now.to_us && !is_overwritten
        };
        match &read.outcome {
            Outcome::Absent if last.is_some() => found.add(Kind::DraftLost, of),
            Outcome::Shown { text } => {
                let mut same = saves.iter().filter(|(_, saved, _)| *saved == text).peekable();
                if same.peek().is_none() {
                    found.add(Kind::DraftInvented, of);
                } else if !same.any(|save| may_be_there(&save)) {
                    found.add(Kind::DraftLost, of);
                }
            }
            _ => {}
        }
    }
}

fn opens_until_it_ends(token: &str, all: &[&Operation], expect: Expect, found: &mut Found) {
    let ends: Vec<_> = all
        .iter()
        .filter(|one| matches!(one.call, Call::EndToken { .. }))
        .filter(|one| matches!(one.outcome, Outcome::Done | Outcome::Unknown))
        .collect();
    let ended_us =
        ends.iter().filter(|end| end.outcome == Outcome::Done).map(|end| end.returned_us);
    let ended_us = ended_us.min();
    for one in all.iter().filter(|one| matches!(one.call, Call::UseToken { .. })) {
        match (&one.outcome, ended_us, expect.ended_lasts_us_max) {
            (Outcome::Recognised, Some(ended_us), Some(lasts_us))
                if one.invoked_us > ended_us.saturating_add(lasts_us) =>
            {
                let late_us = one.invoked_us - ended_us;
                found.add(Kind::EndedTokenWorks, format_args!("{token}, {late_us} us later"));
            }
            (Outcome::Unrecognised, ..)
                if !ends.iter().any(|end| end.invoked_us <= one.returned_us) =>
            {
                found.add(Kind::TokenLost, format_args!("{token} at {} us", one.invoked_us));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Violation, check};

    fn draft(text: &str) -> Call {
        Call::SaveDraft { of: "one".to_owned(), text: text.to_owned() }
    }

    fn shown(text: &str) -> Outcome {
        Outcome::Shown { text: text.to_owned() }
    }

    /// One operation after the other, of 10 us each.
    fn kinds(operations: Vec<(Call, Outcome)>) -> Vec<Kind> {
        let history: Vec<_> = (0..)
            .zip(operations)
            .map(|(at, (call, outcome))| {
                let (invoked_us, returned_us) = (at * 20, at * 20 + 10);
                Operation { client: 0, invoked_us, returned_us, call, outcome }
            })
            .collect();
        let expect = Expect { ended_lasts_us_max: Some(25), ..Expect::default() };
        check(&history, expect).into_iter().map(|Violation { kind, .. }| kind).collect()
    }

    #[test]
    fn what_never_changes_is_shown_the_same() {
        let show = || Call::Show { what: "receipt".to_owned() };
        assert_eq!(kinds(vec![(show(), shown("a")), (show(), shown("a"))]), []);
        let changed = kinds(vec![(show(), shown("a")), (show(), shown("b"))]);
        assert_eq!(changed, [Kind::ShownDifferently]);
    }

    #[test]
    fn the_last_draft_is_there() {
        let read = || Call::ReadDraft { of: "one".to_owned() };
        let saved = |text| (draft(text), Outcome::Done);
        assert_eq!(kinds(vec![(read(), Outcome::Absent), saved("a"), (read(), shown("a"))]), []);
        assert_eq!(kinds(vec![saved("a"), (read(), Outcome::Absent)]), [Kind::DraftLost]);
        assert_eq!(
            kinds(vec![saved("a"), saved("b"), (read(), shown("a"))]),
            [Kind::DraftLost],
            "an earlier one"
        );
        assert_eq!(kinds(vec![saved("a"), (read(), shown("b"))]), [Kind::DraftInvented]);
        let perhaps = (draft("b"), Outcome::Unknown);
        assert_eq!(
            kinds(vec![saved("a"), perhaps, (read(), shown("a")), (read(), shown("b"))]),
            []
        );
        let refused = (draft("b"), Outcome::Refused { reason: "busy".to_owned() });
        assert_eq!(kinds(vec![saved("a"), refused, (read(), shown("b"))]), [Kind::DraftInvented]);
    }

    #[test]
    fn a_token_opens_until_it_ends_and_not_for_long_afterwards() {
        let uses = |outcome| (Call::UseToken { token: "one".to_owned() }, outcome);
        let ends = |outcome| (Call::EndToken { token: "one".to_owned() }, outcome);
        let (open, shut) = (|| uses(Outcome::Recognised), || uses(Outcome::Unrecognised));
        assert_eq!(kinds(vec![open(), ends(Outcome::Done), open(), shut()]), []);
        assert_eq!(kinds(vec![open(), shut()]), [Kind::TokenLost]);
        assert_eq!(
            kinds(vec![ends(Outcome::Done), open(), open()]),
            [Kind::EndedTokenWorks],
            "the second one is late"
        );
        assert_eq!(kinds(vec![ends(Outcome::Unknown), open(), open(), shut()]), []);
    }
}
