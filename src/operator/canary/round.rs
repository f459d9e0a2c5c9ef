//! One round: both people enter, apply once in each campaign, save drafts, ask for an estimate, read everything back,
//! and leave. The drafts stay, to be replaced in the next round.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::future::try_join;
use hyper::StatusCode;
use serde_json::Value;

use super::{
    failure::{Failure, Reason},
    visitor::Visitor,
    wires::{Answer, Ask, Wires},
};
use crate::{
    ledger::proof::{content_digest, sha256},
    schemes::{Campaign, Outcome, Scheme},
};

/// What a round is about.
pub(super) struct Plan {
    /// The campaign of drafts and estimates.
    pub(super) campaign: Campaign,
    /// The campaigns that are open.
    pub(super) open: Vec<Campaign>,
}

/// The receipt codes of both people in the campaigns in which they have applied, as far as this process knows. `None` if
/// it was erased.
pub(super) type Receipts = BTreeMap<Campaign, [Option<String>; 2]>;

/// Lets both people make a whole visit.
///
/// # Errors
/// The first check that failed.
pub(super) async fn run(
    wires: &mut Wires,
    mut visitors: [Visitor<'_>; 2],
    plan: &Plan,
    receipts: &mut Receipts,
) -> Result<(), Failure> {
    enter(wires, &mut visitors).await?;
    for campaign in &plan.open {
        if !receipts.contains_key(campaign) {
            let applied = apply(wires, &visitors, *campaign).await?;
            receipts.insert(*campaign, applied);
        }
    }
    for codes in receipts.values() {
        for (visitor, code) in visitors.iter_mut().zip(codes) {
            visitor.receipts.extend(code.clone());
        }
    }
    draft_and_estimate(wires, &visitors, plan.campaign).await?;
    read_back(wires, &visitors, plan.campaign, receipts).await?;
    let gone = &[StatusCode::NO_CONTENT];
    both(wires, &visitors, "leave", gone, |one| one.ask("DELETE", "", Bytes::new())).await?;
    Ok(())
}

async fn enter(wires: &Wires, visitors: &mut [Visitor<'_>; 2]) -> Result<(), Failure> {
    let step = "enter";
    let ask = |one: &Visitor<'_>| one.ask("PUT", "", Bytes::new());
    let answers = both(wires, visitors, step, &[StatusCode::CREATED], ask).await?;
    for (visitor, answer) in visitors.iter_mut().zip(&answers) {
        let json = json(step, answer)?;
        let text = |member: &str| json[member].as_str().unwrap_or_default().to_owned();
        must(step, "subject", text("subject") == visitor.person.code.masked().as_str())?;
        (visitor.token, visitor.tag) = (text("token"), text("subjectTag"));
        must(step, "token", !visitor.token.is_empty() && !visitor.tag.is_empty())?;
        let tag = answer.headers.get("subject-tag");
        must(step, "tag", tag.is_some_and(|tag| tag == visitor.tag.as_str()))?;
    }
    let [one, other] = visitors;
    if one.tag == other.tag || one.token == other.token {
        return Err(Failure::new(Reason::Mixup, step, &"one session for both"));
    }
    Ok(())
}

/// Submits both applications in a campaign, or learns their receipts if an earlier process or another node has done so.
async fn apply(
    wires: &Wires,
    visitors: &[Visitor<'_>; 2],
    campaign: Campaign,
) -> Result<[Option<String>; 2], Failure> {
    let step = "apply";
    let ask = |one: &Visitor<'_>| {
        let body = one.person.application(campaign);
        // A later release may word the application otherwise: then it is another key, and the answer is 409.
        let key = format!("{campaign} {}", URL_SAFE_NO_PAD.encode(sha256(&body)));
        Ask { idempotency_key: Some(key), ..one.ask("POST", "/applications", body) }
    };
    let wanted = [StatusCode::CREATED, StatusCode::CONFLICT];
    let answers = both(wires, visitors, step, &wanted, ask).await?;
    let mut codes = [None, None];
    for ((visitor, answer), code) in visitors.iter().zip(&answers).zip(&mut codes) {
        let json = json(step, answer)?;
        let receipt = if answer.status == StatusCode::CREATED {
            let digest = content_digest(&sha256(&visitor.person.application(campaign)));
            must(step, "digest", json["digest"] == digest)?;
            must(step, "receipt", json["receipt"].is_string())?;
            &json
        } else {
            &json["receipt"]
        };
        *code = receipt["receipt"].as_str().map(str::to_owned);
    }
    if codes[0].is_some() && codes[0] == codes[1] {
        return Err(Failure::new(Reason::Mixup, step, &"one receipt for both"));
    }
    Ok(codes)
}

async fn draft_and_estimate(
    wires: &Wires,
    visitors: &[Visitor<'_>; 2],
    campaign: Campaign,
) -> Result<(), Failure> {
    let draft = draft_of(campaign.scheme);
    let saved = &[StatusCode::NO_CONTENT];
    let save = |one: &Visitor<'_>| one.ask("PUT", &draft, one.person.draft(&one.secret));
    both(wires, visitors, "save", saved, save).await?;
    let step = "estimate";
    let ask = |one: &Visitor<'_>| one.ask("POST", "/estimates", one.person.application(campaign));
    let answers = both(wires, visitors, step, &[StatusCode::OK], ask).await?;
    for (visitor, answer) in visitors.iter().zip(&answers) {
        let decision = json(step, answer)?;
        must(step, "outcome", decision["outcome"] == Outcome::Refused.as_str())?;
        let is_own = |ground: &Value| ground["found"] == visitor.person.income;
        let grounds = decision["grounds"].as_array();
        let has_own = grounds.is_some_and(|grounds| grounds.iter().any(is_own));
        must(step, "found", has_own || campaign.scheme != Scheme::Iscro)?;
    }
    Ok(())
}

/// Reads drafts and applications, each of the one right after that of the other on the same connection.
async fn read_back(
    wires: &mut Wires,
    visitors: &[Visitor<'_>; 2],
    campaign: Campaign,
    receipts: &Receipts,
) -> Result<(), Failure> {
    let step = "read draft";
    let draft = draft_of(campaign.scheme);
    for (visitor, answer) in
        visitors.iter().zip(in_turn(wires, visitors, step, |_| Some(draft.clone())).await?)
    {
        let own = visitor.person.draft(&visitor.secret);
        must(step, "content", answer.is_some_and(|answer| answer.body == own))?;
    }
    let step = "read application";
    for codes in receipts.values() {
        let path = |at: usize| codes[at].as_ref().map(|code| format!("/applications/{code}"));
        let answers = in_turn(wires, visitors, step, path).await?;
        for ((visitor, answer), code) in visitors.iter().zip(answers).zip(codes) {
            let Some(answer) = answer else { continue };
            let json = json(step, &answer)?;
            must(step, "receipt", json["receipt"].as_str() == code.as_deref())?;
            let applicant = &json["application"]["applicant"]["fiscalCode"];
            must(step, "applicant", *applicant == visitor.person.code.as_str())?;
            let outcome = &json["decision"]["outcome"];
            let is_decided = json["state"] == "decided";
            must(step, "decision", !is_decided || *outcome == Outcome::Refused.as_str())?;
        }
    }
    Ok(())
}

/// Asks for both at the same time, and checks that each gets their own.
async fn both(
    wires: &Wires,
    visitors: &[Visitor<'_>; 2],
    step: &'static str,
    wanted: &[StatusCode],
    ask: impl Fn(&Visitor<'_>) -> Ask,
) -> Result<[Answer; 2], Failure> {
    let [one, other] = visitors;
    let (first, second) =
        try_join(wires.at_once(step, ask(one)), wires.at_once(step, ask(other))).await?;
    let first = one.checked(other, step, first, wanted)?;
    Ok([first, other.checked(one, step, second, wanted)?])
}

/// Reads what is at a path of each, one after the other, and checks likewise.
async fn in_turn(
    wires: &mut Wires,
    visitors: &[Visitor<'_>; 2],
    step: &'static str,
    below: impl Fn(usize) -> Option<String>,
) -> Result<[Option<Answer>; 2], Failure> {
    let mut answers = [None, None];
    for at in [0, 1] {
        let (me, other) = (&visitors[at], &visitors[1 - at]);
        let Some(below) = below(at) else { continue };
        let answer = wires.in_turn(step, me.ask("GET", &below, Bytes::new())).await?;
        answers[at] = Some(me.checked(other, step, answer, &[StatusCode::OK])?);
    }
    Ok(answers)
}

fn draft_of(scheme: Scheme) -> String {
    format!("/drafts/{scheme}")
}

fn json(step: &'static str, answer: &Answer) -> Result<Value, Failure> {
    let parsed = serde_json::from_slice(&answer.body);
    parsed.map_err(|_| Failure::new(Reason::WrongAnswer, step, &"no JSON"))
}

/// Checks a part of an answer.
fn must(step: &'static str, part: &'static str, holds: bool) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(Reason::WrongAnswer, step, &part)) }
}
