//! The kinds of requests that are measured, and how they are made.

use std::{rc::Rc, sync::Arc};

use sportello::{
    application::example, civic::FiscalCode, http::request::Public, identity::Assurance,
    intake::Entered, ledger::ReceiptCode,
};

use super::{CAMPAIGN, House, Newcomer, Took, asked};

/// Requests of one person in a round, within `limits.session_by_person_burst`.
const READINGS_OF_A_PERSON: u64 = 400;

/// A kind of request with the answer that it must get.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Submission,
    Entering,
    Status,
    Home,
    Reading,
    ReadingPage,
    Waiting,
    Shed,
    NoSession,
    TooOften,
    NoRoom,
}

impl Kind {
    pub(super) const ALL: [Self; 11] = [
        Self::Submission,
        Self::Entering,
        Self::Status,
        Self::Home,
        Self::Reading,
        Self::ReadingPage,
        Self::Waiting,
        Self::Shed,
        Self::NoSession,
        Self::TooOften,
        Self::NoRoom,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Submission => "201 POST /v1/sessions/{visit}/applications",
            Self::Entering => "201 PUT /v1/sessions/{visit}",
            Self::Status => "200 GET /v1/status",
            Self::Home => "200 GET /",
            Self::Reading => "200 GET /v1/sessions/{visit}/applications/{receipt}",
            Self::ReadingPage => "200 GET /visit/{visit}/it/applications/{receipt}",
            Self::Waiting => "202 PUT /v1/sessions/{visit}, with a ticket of the waiting room",
            Self::Shed => "503 GET /v1/sessions/{visit}, too many requests in progress",
            Self::NoSession => "401 POST /v1/sessions/{visit}/applications, no session",
            Self::TooOften => "429 POST /v1/sessions/{visit}/applications, rate limit exceeded",
            Self::NoRoom => "503 POST /v1/sessions/{visit}/applications, disk nearly full",
        }
    }

    pub(super) fn status(self) -> u16 {
        self.name()[..3].parse().expect("a name begins with its status")
    }

    /// The listener's side of a server that gives this answer.
    pub(super) fn door(self, house: &House) -> Rc<Public> {
        let requests_max = house.settings.requests_max();
        match self {
            Self::Waiting => house.door(&house.full, requests_max),
            Self::Shed => house.door(&house.intake, 1),
            Self::TooOften | Self::NoRoom => house.door(&house.tight, requests_max),
            _ => house.door(&house.intake, requests_max),
        }
    }

    pub(super) fn requests(self, house: &mut House, count: u64) -> Vec<Vec<u8>> {
        if matches!(self, Self::Reading | Self::ReadingPage) {
            return self.readings(house, count);
        }
        let (intake, tight) = (Arc::clone(&house.intake), Arc::clone(&house.tight));
        let someone = house.newcomer(&tight);
        let one = |_| match self {
            Self::Submission => submission(&house.newcomer(&intake)),
            Self::NoRoom => submission(&house.newcomer(&tight)),
            Self::TooOften => submission(&someone),
            Self::NoSession => submission(&Newcomer {
                token: "x".repeat(43),
                visit: someone.visit.clone(),
                ..someone
            }),
            Self::Shed => {
                let Newcomer { visit, token, .. } = house.newcomer(&intake);
                format!(
                    "GET /v1/sessions/{visit} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
                )
                .into_bytes()
            }
            Self::Status => b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            Self::Home => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            Self::Reading | Self::ReadingPage => unreachable!("they are made above"),
            Self::Entering | Self::Waiting => {
                house.people += 1;
                let code = FiscalCode::made_up(house.people);
                let visit = house.visit();
                let mut token = house.minter.mint(&code, None, Assurance::Level2, intake.now());
                if matches!(self, Self::Waiting) {
                    let entering = house.full.enter(asked(&visit, &token));
                    let entered = house.runtime.block_on(entering);
                    let Ok(Entered::Waiting(place)) = entered else {
                        panic!("the counter is full")
                    };
                    token = place.ticket;
                }
                format!(
                    "PUT /v1/sessions/{visit} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
                     Content-Length: 0\r\n\r\n"
                )
                .into_bytes()
            }
        };
        (0..count).map(one).collect()
    }

    /// Reads of decided applications, by program or browser, each person's own and within the rate limit of one person.
    fn readings(self, house: &mut House, count: u64) -> Vec<Vec<u8>> {
        let people = count.div_ceil(READINGS_OF_A_PERSON);
        let applicants: Vec<_> = (0..people).map(|_| house.applicant()).collect();
        let one = |(_, applicant): (u64, &(Newcomer, ReceiptCode))| {
            let (Newcomer { visit, token, .. }, receipt) = applicant;
            let (path, credential) = match self {
                Self::ReadingPage => ("/visit", format!("Cookie: __Host-session={token}")),
                _ => ("/v1/sessions", format!("Authorization: Bearer {token}")),
            };
            let language = if matches!(self, Self::ReadingPage) { "/it" } else { "" };
            format!(
                "GET {path}/{visit}{language}/applications/{receipt} HTTP/1.1\r\nHost: localhost\r\n{credential}\r\n\r\n"
            )
            .into_bytes()
        };
        (0..count).zip(applicants.iter().cycle()).map(one).collect()
    }

    /// Sends `count` requests and asserts the answers.
    pub(super) fn run(self, house: &mut House, door: &Rc<Public>, count: u64) -> Took {
        let requests = self.requests(house, count);
        let (took, answered) = house.answer(door, requests);
        let expected = answered.get(&self.status()).copied().unwrap_or_default();
        // The rate limit lets the first request through, and then one a second.
        let others_max = if matches!(self, Self::TooOften) { 1 + took.wall.as_secs() } else { 0 };
        assert!(count - expected <= others_max, "{}: {answered:?}", self.name());
        house.tidy();
        took
    }
}

pub(super) fn submission(Newcomer { fiscal_code, visit, token }: &Newcomer) -> Vec<u8> {
    let body = example(fiscal_code, CAMPAIGN.year);
    format!(
        "POST /v1/sessions/{visit}/applications HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Idempotency-Key: 7a8f1c52-3f0e-4b5c-9c0a-1d2e3f405162\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
