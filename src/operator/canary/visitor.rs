//! One of the two people in one round, and whether an answer is theirs.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use hyper::{HeaderMap, StatusCode, header::CACHE_CONTROL};
use memchr::memmem;

use super::{
    failure::{Failure, Reason},
    person::Person,
    wires::{Answer, Ask},
};
use crate::vault::fill_random;

/// Random bytes of a visit and of the secret in a draft.
const SECRET_BYTES: usize = 18;
const SUBJECT_TAG: &str = "subject-tag";

/// One of them, with what is theirs in this round alone.
pub(super) struct Visitor<'p> {
    pub(super) person: &'p Person,
    visit: String,
    pub(super) secret: String,
    /// The session's token; before they enter, the identity token.
    pub(super) token: String,
    /// The tag of their session; empty before they enter.
    pub(super) tag: String,
    /// Codes of their receipts.
    pub(super) receipts: Vec<String>,
}

impl<'p> Visitor<'p> {
    /// A person who comes with an identity token.
    pub(super) fn new(person: &'p Person, identity: String) -> Self {
        let [visit, secret] = [(); 2].map(|()| {
            let mut bytes = [0; SECRET_BYTES];
            fill_random(&mut bytes);
            URL_SAFE_NO_PAD.encode(bytes)
        });
        Self { person, visit, secret, token: identity, tag: String::new(), receipts: Vec::new() }
    }

    /// Something to ask below their session.
    pub(super) fn ask(&self, method: &'static str, below: &str, body: Bytes) -> Ask {
        let path = format!("/v1/sessions/{}{below}", self.visit);
        Ask { method, path, token: self.token.clone(), body, idempotency_key: None }
    }

    /// An answer to them, if it is theirs, holds nothing of the other person, and has one of these statuses.
    ///
    /// # Errors
    /// [`Reason::Mixup`] first of all, then [`Reason::Refused`] and [`Reason::WrongAnswer`].
    pub(super) fn checked(
        &self,
        other: &Visitor<'_>,
        step: &'static str,
        answer: Answer,
        wanted: &[StatusCode],
    ) -> Result<Answer, Failure> {
        let Answer { status, headers, body } = &answer;
        if let Some(what) = other.trace_in(headers, body) {
            return Err(Failure::new(
                Reason::Mixup,
                step,
                &format_args!("{what} of the other one"),
            ));
        }
        let tag = headers.get(SUBJECT_TAG);
        if !self.tag.is_empty() && tag.is_some_and(|tag| tag != self.tag.as_str()) {
            return Err(Failure::new(Reason::Mixup, step, &"the tag of another session"));
        }
        if !wanted.contains(status) {
            let reason = match status.as_u16() {
                401 | 403 | 429 | 503 => Reason::Refused,
                _ => Reason::WrongAnswer,
            };
            return Err(Failure::new(reason, step, status));
        }
        let is_kept = headers.get(CACHE_CONTROL).is_none_or(|value| value != "no-store");
        if tag.is_none() || is_kept {
            return Err(Failure::new(Reason::WrongAnswer, step, &"no Subject-Tag, or no no-store"));
        }
        Ok(answer)
    }

    /// What an answer holds of this person, in words.
    fn trace_in(&self, headers: &HeaderMap, body: &[u8]) -> Option<&'static str> {
        let Self { visit, secret, token, tag, receipts, .. } = self;
        let [code, masked, email, income, vat_number] = self.person.traces();
        let traces = [
            ("the fiscal code", &code),
            ("the masked fiscal code", &masked),
            ("the e-mail address", &email),
            ("the income", &income),
            ("the VAT number", &vat_number),
            ("the visit", visit),
            ("the secret", secret),
            ("the token", token),
            ("the tag", tag),
        ];
        let receipts = receipts.iter().map(|receipt| ("a receipt", receipt));
        let mut traces = traces.into_iter().chain(receipts).filter(|(_, trace)| !trace.is_empty());
        let found = traces.find(|(_, trace)| {
            let finder = memmem::Finder::new(trace.as_bytes());
            let is_in = |bytes: &[u8]| finder.find(bytes).is_some();
            is_in(body) || headers.values().any(|value| is_in(value.as_bytes()))
        });
        found.map(|(what, _)| what)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::person::people, *};

    fn answer(tag: &str, body: &str) -> Answer {
        let fields = [("cache-control", "no-store"), (SUBJECT_TAG, tag)];
        let field =
            |(name, value): (&'static str, &str)| (name.parse().unwrap(), value.parse().unwrap());
        let headers = fields.map(field).into_iter().collect();
        Answer { status: StatusCode::OK, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn reason(me: &Visitor<'_>, other: &Visitor<'_>, answer: Answer) -> Option<Reason> {
        me.checked(other, "test", answer, &[StatusCode::OK]).err().map(|failure| failure.reason)
    }

    #[test]
    fn whatever_is_the_other_ones_is_a_mixup_wherever_it_stands() {
        let people = people();
        let [mut me, mut you] =
            people.each_ref().map(|it| Visitor::new(it, it.code.masked().to_string() + "token"));
        (me.tag, you.tag) = ("my-tag".to_owned(), "your-tag".to_owned());
        you.receipts = vec!["ISCRO-2024-YOURS".to_owned()];
        assert_eq!(reason(&me, &you, answer("my-tag", "mine")), None);
        let own = [me.person.code.as_str(), &me.secret, &me.visit, &me.token].join(" ");
        assert_eq!(reason(&me, &you, answer("my-tag", &own)), None);

        let traces = you.person.traces();
        let round = [&you.visit, &you.secret, &you.token, &you.tag, &you.receipts[0]];
        for trace in traces.iter().chain(round) {
            let body = answer("my-tag", &format!("{{\"x\":\"{trace}\"}}"));
            assert_eq!(reason(&me, &you, body), Some(Reason::Mixup), "{trace}");
            let mut header = answer("my-tag", "");
            header.headers.insert("location", trace.parse().unwrap());
            assert_eq!(reason(&me, &you, header), Some(Reason::Mixup), "{trace}");
        }
        assert_eq!(reason(&me, &you, answer("a-third-tag", "mine")), Some(Reason::Mixup));
        let mut refused = answer("your-tag", "");
        refused.status = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(
            reason(&me, &you, refused),
            Some(Reason::Mixup),
            "before its status is looked at"
        );
    }

    #[test]
    fn an_answer_that_is_none_is_refused_or_wrong() {
        let people = people();
        let [mut me, you] = people.each_ref().map(|it| Visitor::new(it, String::new()));
        me.tag = "my-tag".to_owned();
        for (status, expected) in [
            (503, Reason::Refused),
            (429, Reason::Refused),
            (403, Reason::Refused),
            (401, Reason::Refused),
            (404, Reason::WrongAnswer),
            (500, Reason::WrongAnswer),
            (202, Reason::WrongAnswer),
        ] {
            let mut other = answer("my-tag", "");
            other.status = StatusCode::from_u16(status).unwrap();
            assert_eq!(reason(&me, &you, other), Some(expected), "{status}");
        }
        for missing in [SUBJECT_TAG, "cache-control"] {
            let mut lacking = answer("my-tag", "");
            lacking.headers.remove(missing);
            assert_eq!(reason(&me, &you, lacking), Some(Reason::WrongAnswer), "{missing}");
        }
    }
}
